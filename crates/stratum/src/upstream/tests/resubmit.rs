//! Shares that are sent once more after a lost connection.

use super::*;
use crate::dialect::Pace;

const DUPLICATE: &str = "[22,\"duplicate share\"]";

/// A session that sends shares again, logged in, with a first job `j1` of work `w1`.
fn resubmitting(coin: Coin<false>) -> Story {
    let mut story = Story::with(coin);
    story.resubmit(true);
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    story.told();
    story
}

/// As [`resubmitting`], with shares 1 and 2 written and the connection lost.
fn lost_with_two() -> Story {
    let mut story = resubmitting(Coin::default());
    story.submit(1);
    story.submit(2);
    story.lose();
    assert_eq!(story.told(), ["view"], "no verdict yet");
    assert_eq!(story.pool.in_flight(), 2);
    story
}

#[test]
fn shares_are_sent_again_when_their_work_is_told_again() {
    let mut story = lost_with_two();
    story.later(seconds(3));
    story.log_in(GIVEN);
    assert_eq!(story.told().iter().filter(|told| told.contains("lost")).count(), 0);
    let heard = story.notify("k1", "p1", "w1");
    let lines: Vec<&str> = heard.lines().collect();
    assert_eq!(lines.iter().map(|line| job_of(line)).collect::<Vec<_>>(), ["k1", "k1"]);
    assert!(lines[0].contains("\"2a000001\"") && lines[1].contains("\"2a000002\""), "{heard}");
    assert_eq!(story.told(), ["view", "resent", "resent"]);
    assert_eq!(story.pool.in_flight(), 2);

    story.result(id_of(lines[0]), "true");
    story.refuses_id(id_of(lines[1]), DUPLICATE);
    assert_eq!(story.told(), ["1 accepted", "duplicate of a resent", "2 accepted"]);
    assert_eq!(story.pool.in_flight(), 0);
}

#[test]
fn shares_are_sent_again_as_soon_as_a_resumed_session_is_live() {
    const KEPT: &str = "[\"kept1\",\"aabbccdd\",4]";
    let mut story = resubmitting(Coin::default());
    story.log_in(KEPT);
    story.notify("k1", "p1", "w1");
    story.submit(1);
    story.lose();
    story.connect();
    story.told();
    assert!(!story.answers(KEPT).contains("mining.submit"), "not before the authorize");
    let heard = story.answers("true");
    assert_eq!(job_of(&heard), "k1");
    assert_eq!(story.told(), ["Live", "view", "resent"]);
}

#[test]
fn a_job_that_comes_before_the_authorizes_answer_waits_for_it() {
    let mut story = lost_with_two();
    story.connect();
    story.answers(GIVEN);
    let authorize = story.asked;
    assert_eq!(story.notify("k1", "p1", "w1"), "");
    assert_eq!(story.result(authorize, "true").lines().count(), 2);
}

#[test]
fn other_refusals_of_a_share_that_was_sent_again_stand() {
    let mut story = lost_with_two();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    story.told();
    story.refuses_id(story.asked - 1, "[21,\"job not found\"]");
    story.refuses_id(story.asked, "[23,\"high-hash\",false]");
    assert_eq!(story.told(), ["1 stale", "2 rejected_by_pool"]);
}

#[test]
fn a_duplicate_that_was_sent_once_stays_one() {
    let mut story = lost_with_two();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    story.submit(3);
    story.told();
    story.refuses(DUPLICATE);
    assert_eq!(story.told(), ["3 rejected_by_pool"]);
}

#[test]
fn nothing_is_sent_a_third_time() {
    let mut story = lost_with_two();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    story.submit(3);
    story.told();
    story.lose();
    assert_eq!(story.told(), ["1 lost_on_failover", "2 lost_on_failover", "view"]);
    assert_eq!(story.pool.in_flight(), 1);
    story.log_in(GIVEN);
    assert!(story.notify("l1", "p1", "w1").contains("\"2a000003\""), "that was its first time");
    story.lose();
    assert!(story.news().ends_with(&["resent".into(), "3 lost_on_failover".into()]));
}

#[test]
fn a_pool_that_has_gone_on_means_that_they_are_lost() {
    let mut story = lost_with_two();
    story.log_in(GIVEN);
    story.told();
    assert_eq!(story.notify("k2", "p1", "w2"), "");
    assert_eq!(story.news(), ["1 lost_on_failover", "2 lost_on_failover"]);
}

#[test]
fn a_share_that_its_works_new_name_does_not_take_is_lost() {
    let mut story = lost_with_two();
    story.log_in(GIVEN);
    story.told();
    assert_eq!(story.notify("late1", "p1", "w1"), "");
    assert_eq!(story.news(), ["1 lost_on_failover", "2 lost_on_failover"]);
}

#[test]
fn another_extranonce_means_that_they_are_lost_at_once() {
    let mut story = lost_with_two();
    story.connect();
    story.answers("[\"s2\",\"11223344\",4]");
    assert_eq!(
        story.news(),
        ["ground 11223344 for 250", "1 lost_on_failover", "2 lost_on_failover"]
    );
}

#[test]
fn they_are_held_for_thirty_seconds_connected_or_not() {
    for connects in [false, true] {
        let mut story = lost_with_two();
        let limit = story.now + seconds(30);
        if connects {
            story.later(seconds(25));
            story.log_in(GIVEN);
            story.told();
        }
        assert_eq!(story.pool.poll_timeout(), Some(limit));
        story.later(limit - story.now - millis(1));
        assert_eq!(story.news(), [""; 0]);
        story.later(millis(1));
        assert_eq!(story.news(), ["1 lost_on_failover", "2 lost_on_failover"], "{connects}");
        assert_eq!(story.pool.in_flight(), 0);
    }
}

#[test]
fn attempts_that_fail_meanwhile_change_nothing() {
    let mut story = lost_with_two();
    for _ in 0..5 {
        story.later(seconds(5));
        story.connect();
        story.lose();
    }
    story.log_in(GIVEN);
    assert_eq!(story.notify("k1", "p1", "w1").lines().count(), 2);
}

#[test]
fn a_share_of_the_extranonce_before_is_lost_at_once() {
    let mut story = resubmitting(Coin::default());
    story.submit(1);
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    story.notify("j2", "p1", "w2");
    story.submit(2);
    story.told();
    story.lose();
    assert_eq!(story.news(), ["1 lost_on_failover"]);
    assert_eq!(story.pool.in_flight(), 1);
}

#[test]
fn a_window_holds_for_them_too_and_what_was_never_written_is_no_second_try() {
    let pace = Some(Pace { bytes: 9_600, submits: 3 });
    let mut story = resubmitting(Coin { pace, ..Coin::default() });
    for ticket in 1..=4 {
        story.submit(ticket);
    }
    story.lose();
    story.told();
    story.log_in(GIVEN);
    let heard = story.notify("k1", "p1", "w1");
    assert_eq!(heard.lines().count(), 2, "{heard}");
    let heard = story.answers("true");
    assert!(heard.contains("\"2a000003\""), "{heard}");
    story.refuses(DUPLICATE);
    let news = story.news();
    let resent = news.iter().filter(|news| *news == "resent").count();
    assert_eq!(resent, 2, "{news:?}");
    assert!(news.ends_with(&["2 accepted".into(), "3 rejected_by_pool".into()]), "{news:?}");
    story.lose();
    assert!(story.news().ends_with(&["1 lost_on_failover".into(), "4 lost_on_failover".into()]));
}

#[test]
fn a_server_that_does_not_answer_duplicates_is_not_given_up_for_it() {
    let mut story = resubmitting(Coin::default());
    for ticket in 1..=5 {
        story.submit(ticket);
    }
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    story.told();
    story.later(seconds(30));
    let unanswered: Vec<String> = (1..=5).map(|ticket| format!("{ticket} unanswered")).collect();
    assert_eq!(story.news(), unanswered);
    assert!(story.pool.is_live());
}

#[test]
fn a_target_that_became_harder_is_looked_at_again() {
    let mut story = resubmitting(Coin::default());
    let work = story.work().unwrap();
    story.submit_for(1, &work, POOR);
    story.lose();
    story.told();
    story.log_in(GIVEN);
    story.difficulty(16);
    assert_eq!(story.notify("k1", "p1", "w1"), "");
    assert!(story.news().contains(&"1 below_pool_target".to_owned()));
}

#[test]
fn however_many_there_are_each_has_one_verdict() {
    let mut story = resubmitting(Coin::default());
    for ticket in 0..2_000 {
        story.submit(ticket);
    }
    story.told();
    story.lose();
    assert_eq!(story.pool.in_flight(), 1_278);
    story.told();
    story.log_in(GIVEN);
    let heard = story.notify("k1", "p1", "w1");
    assert_eq!(heard.lines().count(), 1_023);
    assert_eq!(story.pool.in_flight(), 1_278);
    story.submit(5_000);
    assert!(story.news().ends_with(&["5000 overflow".into()]), "the queue is full");
    story.lose();
    story.later(seconds(30));
    let news = story.news();
    assert_eq!(news.iter().filter(|news| news.ends_with(" lost_on_failover")).count(), 1_278);
    assert_eq!(story.pool.in_flight(), 0);
}

#[test]
fn a_connection_that_is_given_up_holds_its_shares_too() {
    let mut story = resubmitting(Coin::default());
    for ticket in 1..=4 {
        story.submit(ticket);
        story.later(seconds(1));
    }
    story.later(seconds(28));
    let news = story.news();
    assert_eq!(news.len(), 4, "{news:?}");
    assert!(news[3].starts_with("down: 3 shares in a row"), "{news:?}");
    story.lose();
    story.log_in(GIVEN);
    assert!(story.notify("k1", "p1", "w1").contains("\"2a000004\""));
}
