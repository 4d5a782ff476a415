//! A farm meets a pool's start difficulty.

use super::*;
use crate::dialect::Wanted;
use crate::target::Difficulty;
use crate::testing::scale;

/// Ten shares a second, for so many seconds, each accepted.
fn flood(story: &mut Story, time: u64) {
    for ticket in 0..time * 10 {
        story.now += millis(100);
        story.submit(ticket as u32);
        story.answers("true");
    }
}

fn difficulty_of(floor: Option<Target>) -> Option<f64> {
    floor.map(|floor| scale().difficulty_lossy(floor).get())
}

fn braked() -> Story {
    let mut story = Story::new();
    story.pool.setup.config.max_shares_per_second = 5;
    story.log_in(GIVEN);
    story.difficulty(256);
    story.notify("j1", "p1", "w1");
    flood(&mut story, 2);
    assert_eq!(difficulty_of(story.pool.view().floor), None, "20 in 5 s are within the limit");
    story.told();
    flood(&mut story, 3);
    story
}

#[test]
fn a_start_difficulty_is_suggested_behind_the_authorize_and_the_answer_does_not_matter() {
    for answer in ["\"result\":null,\"error\":[20,\"unknown method\"]", "\"result\":false"] {
        let mut story = Story::new();
        story.pool.setup.config.start_difficulty = Difficulty::new(4096.5);
        story.connect();
        let heard = story.answers(GIVEN);
        let lines: Vec<&str> = heard.lines().collect();
        assert!(lines[0].contains("mining.authorize"), "{heard}");
        assert_eq!(
            lines[1],
            "{\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[4096.5]}"
        );
        story.says(&format!("{{\"id\":3,{answer}}}"));
        story.result(2, "true");
        assert!(story.pool.is_live());
        story.notify("j1", "p1", "w1");
        story.told();
        assert_eq!(id_of(&story.submit(1)), 4);
        assert_eq!(story.pool.poll_timeout(), Some(story.now + VERDICT_WITHIN));
    }
}

#[test]
fn too_many_shares_show_a_floor_until_the_pool_has_retargeted() {
    let mut story = braked();
    assert_eq!(difficulty_of(story.pool.view().floor), Some(1024.0));
    let news = story.told();
    let on = news.iter().position(|event| event.starts_with("BrakeOn")).unwrap();
    assert!(news[on].contains("limit: 5"), "{news:?}");
    assert_eq!(news[on + 1], "view");
    assert_eq!(
        *story.pool.view().wanted,
        Wanted::sure(scale().target(Difficulty::new(256.0).unwrap()))
    );

    // Told the floor with the next work, rigs prove four times what the pool credits.
    story.notify("j2", "p1", "w2");
    let work = story.work().unwrap();
    let mut submission = share(1_000, &work, GOOD);
    submission.hashes = 1_024.0;
    story.hand_over(1_000, submission);
    story.answers("true");
    // What the pool refuses is not forgone by the brake.
    let mut submission = share(1_001, &work, GOOD);
    submission.hashes = 1_024.0;
    story.hand_over(1_001, submission);
    story.refuses("[20,\"no\"]");
    story.told();

    story.difficulty(1024);
    assert_eq!(story.pool.view().floor, None, "before anyone sees the new target");
    let news = story.told();
    let off = news.iter().find(|event| event.starts_with("BrakeOff")).unwrap();
    assert!(off.contains("forgone_hashes: 768.0") && off.contains("Retargeted"), "{off}");
}

#[test]
fn a_floor_that_the_pool_takes_no_notice_of_is_lifted_by_the_timer() {
    let mut story = braked();
    let held_from = story.now;
    while story.pool.view().floor.is_some() {
        let at = story.pool.poll_timeout().unwrap();
        story.later(at - story.now);
        if story.hears().contains("mining.extranonce.subscribe") {
            story.answers("true");
        }
    }
    assert!(story.now - held_from <= BRAKE_FOR && story.now - held_from > BRAKE_FOR - seconds(2));
    assert!(story.told().iter().any(|event| event.contains("Overdue")));
    flood(&mut story, 10);
    assert_eq!(story.pool.view().floor, None, "it rests");
}

#[test]
fn a_lost_connection_has_no_floor() {
    let mut story = braked();
    story.told();
    story.lose();
    assert_eq!(story.pool.view().floor, None);
    assert!(story.told().iter().any(|event| event.contains("Disconnected")));
}
