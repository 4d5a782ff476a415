//! Pools that say nothing for long.

use super::*;

/// What the session asks a pool that has been silent.
const QUESTION: &str = "mining.extranonce.subscribe";

/// Notifies of so much new work, so far apart.
fn notifies(story: &mut Story, count: usize, gap: Duration) {
    for at in 0..count {
        story.later(gap);
        story.notify(&format!("n{at}"), "p1", &format!("n{at}"));
    }
    story.hears();
    story.told();
}

#[test]
fn a_pool_that_is_silent_for_a_minute_is_asked_once() {
    let mut story = Story::mining();
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(60)));
    story.later(millis(59_999));
    assert_eq!(story.hears(), "");
    story.later(millis(1));
    let asked = story.hears();
    assert_eq!(asked, format!("{{\"id\":3,\"method\":\"{QUESTION}\",\"params\":[]}}\n"));
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(10)));
    story.later(millis(9_999));
    assert_eq!((story.hears(), story.told()), (String::new(), vec![]));
    assert!(story.pool.is_live());
}

#[test]
fn any_answer_proves_life_and_it_is_asked_again_after_another_such_silence() {
    for answer in [
        "\"result\":true,\"error\":null",
        "\"result\":null,\"error\":[20,\"Not supported.\"]",
        "\"result\":null,\"error\":true",
        "\"result\":false",
    ] {
        let mut story = Story::mining();
        for _ in 0..3 {
            story.later(seconds(60));
            assert!(story.hears().contains(QUESTION));
            story.later(seconds(9));
            story.says(&format!("{{\"id\":{},{answer}}}", story.asked));
            assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(60)), "{answer}");
        }
        assert_eq!(story.told(), [""; 0]);
    }
}

#[test]
fn a_pool_that_does_not_answer_is_down_after_ten_seconds() {
    let mut story = Story::mining();
    story.later(seconds(60));
    story.later(seconds(10));
    let down = "down: the pool said nothing for 70s, and did not answer a question within 10s";
    assert_eq!(story.told(), [down, "view"]);
    assert_eq!((story.pool.is_live(), story.pool.poll_timeout()), (false, None));

    // The next connection has a silence of its own.
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(60)));
}

#[test]
fn any_other_line_after_the_question_proves_life_too() {
    let mut story = Story::mining();
    story.later(seconds(60));
    story.later(seconds(5));
    story.notify("j2", "p1", "w2");
    story.told();
    story.later(seconds(5));
    assert_eq!(story.told(), [""; 0]);
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(4 * 65 - 5)));
}

#[test]
fn four_times_the_usual_gap_is_no_silence() {
    let mut story = Story::mining();
    notifies(&mut story, 40, seconds(30));
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(120)));
    story.later(seconds(119));
    assert_eq!(story.hears(), "");
    story.later(seconds(1));
    assert!(story.hears().contains(QUESTION));
}

#[test]
fn one_long_gap_does_not_make_silence_usual() {
    let mut story = Story::mining();
    notifies(&mut story, 40, seconds(20));
    story.later(seconds(80));
    story.answers("true");
    notifies(&mut story, 1, seconds(40));
    let usual = (20 * 7 + 120) as f64 / 8.0;
    let asks = story.pool.poll_timeout().unwrap() - story.now;
    assert!((asks.as_secs_f64() - 4.0 * usual).abs() < 1e-6, "{asks:?}");
}

#[test]
fn the_usual_gap_outlives_a_connection_and_the_time_between_two_is_none() {
    let mut story = Story::mining();
    notifies(&mut story, 3, seconds(50));
    story.lose();
    story.later(seconds(10_000));
    story.log_in(GIVEN);
    story.notify("k1", "p1", "k1");
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(200)));
}

#[test]
fn answers_to_shares_are_signs_of_life() {
    let mut story = Story::mining();
    for ticket in 0..10 {
        story.later(seconds(40));
        story.submit(ticket);
        story.answers("true");
    }
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(60)));
}

#[test]
fn an_answered_question_does_not_hide_shares_without_an_answer() {
    let mut story = Story::mining();
    story.later(seconds(35));
    for ticket in 1..=3 {
        story.submit(ticket);
    }
    let first = story.asked - 2;
    story.later(seconds(25));
    assert!(story.hears().contains(QUESTION));
    story.answers("true");
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(5)));
    story.later(seconds(5));
    let down = "down: 3 shares in a row got no answer within 30s";
    let unanswered = ["1 unanswered", "2 unanswered", "3 unanswered"];
    assert_eq!(story.news(), [&unanswered[..], &[down]].concat());
    assert_eq!(first + 2, 5);
}

#[test]
fn a_question_behind_a_share_has_the_earlier_deadline() {
    let mut story = Story::mining();
    story.later(seconds(45));
    story.submit(1);
    story.later(seconds(15));
    assert!(story.hears().contains(QUESTION));
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(10)), "the share has 15 s");
    story.later(seconds(10));
    let news = story.news();
    assert!(news[0].starts_with("down: the pool said nothing for 70s"), "{news:?}");
    assert_eq!(news[1..], ["1 lost_on_failover"]);
}

#[test]
fn a_login_is_not_asked_about() {
    let mut story = Story::new();
    story.connect();
    story.answers(GIVEN);
    story.notify("j1", "p1", "w1");
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(10)), "the authorize's");
}

#[test]
fn a_pool_that_owes_too_much_is_not_asked_for_more() {
    let mut story = Story::mining();
    story.later(seconds(35));
    for ticket in 0..1_100 {
        story.submit(ticket);
    }
    story.later(seconds(25));
    assert_eq!(story.hears(), "");
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(5)), "the shares' limit");
}

#[test]
fn a_pool_is_asked_at_once_when_another_connection_to_it_has_failed() {
    let mut story = Story::mining();
    story.later(seconds(1));
    story.pool.handle_doubt(story.now);
    story.pool.handle_doubt(story.now);
    assert_eq!(story.hears().matches(QUESTION).count(), 1);
    story.later(seconds(10));
    let down = "down: the pool said nothing for 11s, and did not answer a question within 10s";
    assert_eq!(story.told(), [down, "view"]);
}
