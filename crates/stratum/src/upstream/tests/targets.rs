//! The pool's share target, announced ahead of a job or behind it.

use super::*;
use crate::target::{Difficulty, Target};

fn target(difficulty: u32) -> Target {
    crate::testing::scale().target(Difficulty::new(difficulty.into()).unwrap())
}

#[test]
fn a_difficulty_before_the_first_job_is_that_jobs() {
    let mut story = Story::new();
    story.log_in(GIVEN);
    story.told();
    story.difficulty(64);
    assert_eq!(story.told(), [""; 0]);
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), ["difficulty 64", "view"]);
    let view = story.pool.view();
    assert_eq!((view.pool_target, view.work.unwrap().pool_target), (target(64), target(64)));
}

#[test]
fn a_new_difficulty_is_shown_at_once_and_rides_on_the_next_work() {
    let mut story = Story::mining();
    story.difficulty(64);
    assert_eq!(story.told(), ["difficulty 64", "view"]);
    story.difficulty(64);
    assert_eq!(story.told(), [""; 0]);
    let view = story.pool.view();
    assert_eq!((view.pool_target, view.work.unwrap().pool_target), (target(64), target(1)));
    story.notify("j2", "p1", "w1");
    assert_eq!(story.work().unwrap().pool_target, target(1), "a repeat changes no work");
    story.notify("j3", "p1", "w2");
    assert_eq!(story.work().unwrap().pool_target, target(64));
    assert_eq!(story.told(), ["view", "view"]);
}

#[test]
fn shares_that_miss_the_new_target_while_they_wait_are_below_it() {
    let pace = Some(crate::dialect::Pace { bytes: 9_600, submits: 1 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    let work = story.work().unwrap();
    assert!(!story.submit_for(1, &work, POOR).is_empty());
    story.submit_for(2, &work, POOR);
    story.submit_for(3, &work, GOOD);
    story.difficulty(4);
    story.told();
    let heard = story.answers("true");
    assert_eq!(story.told(), ["1 accepted", "2 below_pool_target"]);
    assert!(heard.contains("2a000003"), "{heard}");
}

#[test]
fn the_targets_of_the_job_and_of_the_moment_both_count() {
    let mut story = Story::mining();
    story.difficulty(4);
    story.notify("j2", "p1", "w2");
    story.difficulty(1);
    story.told();
    let work = story.work().unwrap();
    assert_eq!(story.submit_for(1, &work, POOR), "");
    assert_eq!(story.told(), ["1 below_pool_target"]);
}

fn set_target<const LATE: bool>(story: &mut Story<LATE>, difficulty: u32) -> String {
    story.calls("mining.set_target", &format!("[\"{}\"]", target(difficulty)))
}

#[test]
fn a_target_behind_its_job_comes_out_with_it() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.told();
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), [""; 0]);
    assert_eq!(story.pool.poll_timeout(), Some(story.now + millis(1000)));
    set_target(&mut story, 64);
    assert_eq!(story.told(), ["difficulty 64", "view"]);
    assert_eq!(story.work().unwrap().pool_target, target(64));
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(60)), "nothing is waited for");

    // And each time after that; an absent one means the last.
    story.notify("j2", "p1", "w2");
    assert_eq!(story.told(), [""; 0]);
    set_target(&mut story, 32);
    assert_eq!(story.told(), ["difficulty 32", "view"]);
    assert_eq!(story.work().unwrap().pool_target, target(32));
    story.notify("j3", "p1", "w3");
    story.later(millis(49));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().pool_target, target(32));

    // Two jobs in a row: the first does not wait for the second.
    story.notify("j4", "p1", "w4");
    story.notify("j5", "p1", "w5");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().job.work, "w4");
    set_target(&mut story, 32);
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().job.work, "w5");
}

#[test]
fn a_pool_that_never_announces_a_target_is_waited_for_once() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.told();
    story.notify("j1", "p1", "w1");
    story.later(millis(999));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.told(), ["view"]);
    story.notify("j2", "p2", "w2");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().job.work, "w2");
}

#[test]
fn a_new_connection_waits_for_its_first_target_again() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    set_target(&mut story, 64);
    story.lose();
    story.connect();
    story.notify("k1", "p2", "w2");
    story.answers(GIVEN);
    story.answers("true");
    story.told();
    assert_eq!(story.work().unwrap().job.work, "w1");
    set_target(&mut story, 32);
    assert_eq!(story.told(), ["difficulty 32", "view"]);
    let work = story.work().unwrap();
    assert_eq!((&*work.job.work, work.pool_target), ("w2", target(32)));
}

#[test]
fn a_job_that_waits_for_its_target_closes_those_before_it_already() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    set_target(&mut story, 64);
    story.notify("j2", "p1", "w2");
    assert_eq!(job_of(&story.submit(1)), "j1");
    story.notify("j3", "p2", "w3");
    story.told();
    assert_eq!(story.submit(2), "");
    assert_eq!(story.told(), ["2 stale"]);
}

#[test]
fn a_job_that_waits_for_its_target_does_not_outlive_its_connection() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    story.lose();
    story.log_in(GIVEN);
    story.later(seconds(1));
    assert!(story.work().is_none());
}

#[test]
fn a_job_that_waits_for_its_target_survives_a_fallback_and_a_new_extranonce_replaces_it() {
    let mut story = Story::with(Coin::<true> { wide: true, ..Coin::default() });
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    set_target(&mut story, 1);
    story.submit(1);
    story.notify("j2", "p2", "w2");
    story.refuses("[20,\"incorrect size of extranonce2\"]");
    assert_eq!(story.work().unwrap().job.work, "w1");
    story.later(millis(50));
    let work = story.work().unwrap();
    assert_eq!((&*work.job.work, work.generation), ("w2", Generation(2)));

    story.notify("j3", "p3", "w3");
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    story.notify("j4", "p4", "w4");
    assert!(story.work().is_none(), "w3 was of the old extranonce");
    story.later(millis(50));
    let work = story.work().unwrap();
    assert_eq!((&*work.job.work, work.generation), ("w4", Generation(3)));
}
