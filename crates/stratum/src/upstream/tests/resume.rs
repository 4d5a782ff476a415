//! Former jobs on a new connection: which of them are open.

use super::*;

/// A login that the pool goes on with when it is asked to.
const KEPT: &str = "[\"kept1\",\"aabbccdd\",4]";

/// Logged in, with three works of one block.
fn three_works(given: &str, coin: Coin<false>) -> (Story, [Arc<JobFrames<Coin<false>>>; 3]) {
    let mut story = Story::with(coin);
    story.log_in(given);
    let works = [("j1", "w1"), ("j2", "w2"), ("j3", "w3")].map(|(id, work)| {
        story.notify(id, "p1", work);
        story.work().unwrap()
    });
    story.told();
    (story, works)
}

/// The pool's job under which each work's share is written; nothing where it is refused.
fn open(story: &mut Story, works: &[Arc<JobFrames<Coin<false>>>; 3]) -> [String; 3] {
    let jobs = [0, 1, 2].map(|at| job_of(&story.submit_for(at, &works[at as usize], GOOD)));
    story.told();
    jobs
}

#[test]
fn a_resumed_session_goes_on_with_all_its_jobs() {
    let (mut story, works) = three_works(KEPT, Coin::default());
    story.lose();
    assert!(story.connect().contains("[\"orepass/1\",\"kept1\"]"));
    story.answers(KEPT);
    story.answers("true");
    story.told();
    assert_eq!(open(&mut story, &works), ["j1", "j2", "j3"]);
    // What it tells next is measured by what it told before.
    story.notify("j4", "p1", "w4");
    assert_eq!(story.shown(), (Serial(4), "6b000003".into(), 0), "no new epoch");
    story.notify("j5", "p2", "w5");
    assert_eq!(open(&mut story, &works), ["", "", ""]);
}

#[test]
fn a_session_is_resumed_across_attempts_that_came_to_nothing() {
    let (mut story, works) = three_works(KEPT, Coin::default());
    story.lose();
    for _ in 0..3 {
        // The subscribe is answered and the authorize is not.
        story.connect();
        story.answers(KEPT);
        story.lose();
    }
    story.log_in(KEPT);
    assert_eq!(open(&mut story, &works), ["j1", "j2", "j3"]);
}

#[test]
fn the_same_ids_are_no_resumed_session_where_the_dialect_knows_better() {
    let (mut story, works) = three_works(GIVEN, Coin::default());
    story.lose();
    story.log_in(GIVEN);
    assert_eq!(open(&mut story, &works), ["", "", ""]);
}

#[test]
fn another_id_or_extranonce_is_another_session() {
    for given in
        ["[\"kept2\",\"aabbccdd\",4]", "[\"kept1\",\"11223344\",4]", "[null,\"aabbccdd\",4]"]
    {
        let (mut story, works) = three_works(KEPT, Coin::default());
        story.lose();
        story.log_in(given);
        assert_eq!(open(&mut story, &works), ["", "", ""], "{given}");
        // And what is over stays over.
        story.lose();
        story.log_in(KEPT);
        assert_eq!(open(&mut story, &works), ["", "", ""], "{given}");
    }
}

#[test]
fn a_session_that_was_not_asked_for_is_not_resumed() {
    let (mut story, works) = three_works(KEPT, Coin::default());
    story.lose();
    story.connect();
    story.lose();
    assert!(!story.connect().contains("kept1"), "the pool may not like it");
    story.answers(KEPT);
    story.answers("true");
    assert_eq!(open(&mut story, &works), ["", "", ""]);
}

#[test]
fn a_replaced_job_lingers_on_in_a_resumed_session() {
    let (mut story, works) =
        three_works(KEPT, Coin { linger: Some(seconds(10)), ..Coin::default() });
    story.notify("j4", "p2", "w4");
    story.lose();
    story.later(seconds(9));
    story.log_in(KEPT);
    assert_eq!(open(&mut story, &works), ["j1", "j2", "j3"]);
    story.later(seconds(2));
    assert_eq!(open(&mut story, &works), ["", "", ""]);
}

#[test]
fn a_notify_that_was_lost_with_the_connection_closes_what_it_replaced() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(KEPT);
    let target = format!("[\"00{}\"]", "f".repeat(62));
    story.notify("j1", "p1", "w1");
    story.calls("mining.set_target", &target);
    let work = story.work().unwrap();
    story.notify("j2", "p2", "w2");
    story.lose();
    story.log_in(KEPT);
    story.told();
    assert_eq!(story.submit_for(1, &work, GOOD), "");
    assert_eq!(story.told(), ["1 stale"]);
}

#[test]
fn a_former_work_is_open_again_when_it_is_told_after_the_latest() {
    let (mut story, works) = three_works(GIVEN, Coin::default());
    story.lose();
    story.log_in(GIVEN);
    story.notify("j3", "p1", "w3");
    assert_eq!(open(&mut story, &works), ["", "", "j3"]);
    story.notify("k1", "p1", "w1");
    assert_eq!(open(&mut story, &works), ["k1", "", "j3"]);
    assert_eq!(story.shown().1, "6b000002", "rigs stay on the latest");
}

#[test]
fn a_former_work_is_open_again_when_it_is_told_first() {
    for linger in [None, Some(seconds(10))] {
        let (mut story, works) = three_works(GIVEN, Coin { linger, ..Coin::default() });
        story.lose();
        story.log_in(GIVEN);
        story.notify("k2", "p1", "w2");
        // Rigs need an open work, and the latest is none; what they found before counts too.
        assert_eq!(story.shown(), (Serial(4), "6b000003".into(), 1));
        assert_eq!(job_of(&story.submit(9)), "k2");
        assert_eq!(open(&mut story, &works), ["", "k2", ""]);
        story.notify("k3", "p1", "w3");
        assert_eq!(open(&mut story, &works), ["", "k2", "k3"]);
    }
}

#[test]
fn a_former_work_is_open_again_when_a_newer_one_was_told_first() {
    let (mut story, works) = three_works(GIVEN, Coin::default());
    story.lose();
    story.log_in(GIVEN);
    story.notify("k4", "p1", "w4");
    assert_eq!(open(&mut story, &works), ["", "", ""]);
    story.notify("k3", "p1", "w3");
    assert_eq!(open(&mut story, &works), ["", "", "k3"]);
    story.notify("k5", "p2", "w5");
    assert_eq!(open(&mut story, &works), ["", "", ""]);
}
