//! Connections that are lost and made again.

use super::*;
use crate::space::Wish;

#[test]
fn every_share_of_a_lost_connection_gets_one_verdict() {
    let pace = Some(crate::dialect::Pace { bytes: 9_600, submits: 2 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    for ticket in 1..=5 {
        story.submit(ticket);
    }
    assert_eq!(story.pool.in_flight(), 5);
    story.lose();
    let mut told = story.told();
    assert_eq!(told.pop().as_deref(), Some("view"));
    told.sort();
    let expected: Vec<String> =
        (1..=5).map(|ticket| format!("{ticket} lost_on_failover")).collect();
    assert_eq!(told, expected);
    assert!(!story.pool.view().live);
    assert_eq!((story.pool.in_flight(), story.pool.poll_timeout()), (0, None));
    story.lose();
    assert_eq!(story.news(), [""; 0]);
}

#[test]
fn with_the_same_extranonce_rigs_go_on_as_soon_as_the_work_is_told_again() {
    let mut story = Story::mining();
    story.notify("j2", "p1", "w2");
    let shown = story.shown();
    story.lose();
    story.log_in(GIVEN);
    story.told();
    assert_eq!(story.pool.view().generation, Generation(1));
    assert_eq!(story.shown(), shown, "there is nothing better to do for the rigs");
    assert_eq!(story.submit(1), "");
    assert_eq!(story.told(), ["1 stale"], "the pool has not told the job on this connection");

    story.notify("k1", "p1", "w2");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.shown(), shown);
    assert_eq!(job_of(&story.submit(2)), "k1");
    story.notify("k2", "p1", "w2");
    assert_eq!(job_of(&story.submit(3)), "k2");
}

#[test]
fn names_of_a_former_connection_are_not_used_again() {
    let mut story = Story::mining();
    story.lose();
    story.log_in(GIVEN);
    story.notify("late1", "p1", "w1");
    story.told();
    assert_eq!(story.submit(1), "", "only j1 would take it, which may be anything now");
    assert_eq!(story.told(), ["1 stale"]);
    assert_eq!(job_of(&story.submit(0xff)), "late1");
}

#[test]
fn the_first_new_work_of_a_connection_makes_the_former_ones_worthless() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w2");
    assert_eq!(story.shown(), (Serial(2), "6b000001".into(), 1), "a new epoch");
    story.told();
    assert_eq!(story.submit_for(1, &first, GOOD), "");
    assert_eq!(story.told(), ["1 stale"]);
    story.notify("k2", "p1", "w3");
    assert_eq!(story.shown().2, 1);
    // Rigs cannot be sent back to a work that they were told already.
    story.notify("k3", "p1", "w1");
    assert_eq!(story.shown(), (Serial(3), "6b000002".into(), 1));
}

#[test]
fn a_connection_that_begins_with_an_older_work_leaves_rigs_with_an_open_one() {
    let mut story = Story::mining();
    story.notify("j2", "p1", "w2");
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    assert_eq!(story.shown(), (Serial(3), "6b000002".into(), 1));
    assert_eq!(job_of(&story.submit(1)), "k1");
}

#[test]
fn with_another_extranonce_everything_is_new() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    let space = story.pool.view().ground.unwrap().space;
    let lease = space.lease(&Wish::default(), None).unwrap();
    story.lose();
    story.log_in("[\"s2\",\"11223344\",4]");
    let view = story.pool.view();
    assert_eq!(view.generation, Generation(2));
    assert!(view.work.is_none());
    assert_eq!((view.ground.unwrap().space.lent(), space.lent()), (0, 1));
    drop(lease);
    assert_eq!(story.told().iter().filter(|told| *told == "ground 11223344 for 250").count(), 1);
    story.notify("k1", "p1", "w1");
    let work = story.work().unwrap();
    assert_eq!(work.id.to_string(), "6b000001");
    assert!(work.serial > first.serial);
    story.submit_for(1, &first, GOOD);
    assert_eq!(story.news(), ["1 lost_on_failover"]);
}

#[test]
fn an_answer_is_never_taken_for_that_to_another_connections_request() {
    let mut story = Story::mining();
    story.submit(1);
    story.submit(2);
    let (first, second) = (story.asked - 1, story.asked);
    story.later(seconds(20));
    story.result(first, "true");
    story.later(seconds(10));
    assert_eq!(story.told(), ["1 accepted", "2 unanswered"]);
    story.lose();
    story.connect();
    assert!(story.asked > second);
    // Whatever the pool answers to the former ids, it logs nobody in and judges nothing.
    for id in 0..=second {
        story.result(id, GIVEN);
        story.result(id, "true");
    }
    assert_eq!(story.told(), ["view"]);
    assert!(!story.pool.is_live());
    story.answers(GIVEN);
    story.answers("true");
    assert!(story.pool.is_live());
}

#[test]
fn a_connection_that_replaces_another_ends_it_first() {
    let mut story = Story::mining();
    story.submit(1);
    story.connect();
    assert_eq!(story.told(), ["1 lost_on_failover", "view"]);
    story.answers(GIVEN);
    story.answers("true");
    story.notify("j1", "p1", "w1");
    story.later(seconds(3_600));
    assert_eq!(story.told(), ["Live", "view", "view"], "nothing of it is left to time out");
}

#[test]
fn what_was_announced_holds_for_one_connection() {
    let mut story = Story::mining();
    story.difficulty(256);
    story.notify("j2", "p1", "w1");
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    story.lose();
    story.log_in(GIVEN);
    story.told();
    story.notify("k1", "p1", "w2");
    assert_eq!(story.told(), ["difficulty 1", "view"]);
    assert_eq!(story.pool.view().generation, Generation(1));
}

#[test]
fn a_flapping_pool_leaves_nothing_behind() {
    let mut story = Story::mining();
    for round in 0..500 {
        story.log_in(GIVEN);
        story.notify("j", "p1", &format!("w{round}"));
        story.submit(round);
        story.lose();
        story.told();
    }
    assert!(story.pool.jobs.names() <= 4);
    assert_eq!(story.pool.in_flight(), 0);
    assert!(story.pool.transmit().is_empty());
}
