//! Pools that log us in and tell no job.

use super::*;

#[test]
fn a_pool_that_tells_no_job_is_given_up_after_half_a_minute() {
    let mut story = Story::new();
    story.log_in(GIVEN);
    story.told();
    assert_eq!(story.pool.poll_timeout(), Some(story.now + JOB_WITHIN));
    assert!(story.pool.is_live() && !story.pool.serves());
    story.later(JOB_WITHIN - millis(1));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.told(), ["down: the pool told no job within 30s", "view"]);
    assert!(story.pool.was_live() && !story.pool.was_serving());
}

#[test]
fn a_pool_of_another_coin_is_given_up_with_what_was_wrong_with_its_jobs() {
    let mut story = Story::new();
    story.log_in(GIVEN);
    story.calls("mining.set_difficulty", "[\"x\"]");
    for _ in 0..10 {
        story.later(seconds(2));
        story.calls("mining.notify", "[\"1\",\"00ff\"]");
        story.calls("mining.set_difficulty", "[\"x\"]");
    }
    story.told();
    story.later(seconds(10));
    let down = "down: the pool told no job that can be mined within 30s: \
        mining.notify has 2 parameters, expected 4; is this a pool of test?";
    assert_eq!(story.told(), [down, "view"]);
    let reason = DownReason::NoJob { unusable: None, dialect: "test" };
    assert_eq!(reason.fault(), crate::error::Fault::Pool);
}

#[test]
fn a_pool_serves_from_the_first_job_of_the_present_connection_on() {
    let mut story = Story::new();
    story.log_in(GIVEN);
    assert!(!story.pool.serves());
    story.calls("mining.notify", "[\"1\"]");
    assert!(!story.pool.serves(), "that was none");
    story.notify("j1", "p1", "w1");
    assert!(story.pool.serves());
    story.lose();
    assert!(!story.pool.serves() && story.pool.was_live() && story.pool.was_serving());

    story.connect();
    assert!(!story.pool.was_live() && !story.pool.was_serving(), "that was another connection");
    story.answers(GIVEN);
    story.answers("true");
    assert!(story.work().is_some() && !story.pool.serves(), "it has not told that one here");
    assert!(story.pool.was_live() && !story.pool.was_serving());
    story.notify("j2", "p1", "w1");
    assert!(story.pool.serves());
}

#[test]
fn a_job_before_the_login_counts_and_one_that_came_once_is_enough() {
    let mut story = Story::new();
    story.connect();
    story.notify("j1", "p1", "w1");
    story.answers(GIVEN);
    assert!(!story.pool.serves());
    story.answers("true");
    assert!(story.pool.serves());
    story.told();
    story.later(JOB_WITHIN * 2 - millis(1));
    assert_eq!(story.told(), [""; 0]);
}

#[test]
fn a_session_that_was_given_up_is_offline_when_it_says_so_and_has_been_live() {
    let mut story = Story::mining();
    for ticket in 0..3 {
        story.submit(ticket);
    }
    story.later(VERDICT_WITHIN);
    assert!(story.told().last().is_some_and(|last| last == "view"));
    assert!(!story.pool.is_live());
    assert!(story.pool.was_live() && story.pool.was_serving());
    story.lose();
    assert!(story.pool.was_serving(), "also when the driver has closed it");
}

#[test]
fn a_pool_that_the_operator_bars_is_given_up_at_once() {
    let mut story = Story::mining();
    story.notify("j2", "p1", "barred for what it does");
    assert_eq!(story.told(), ["down: the pool is not served: barred for what it does", "view"]);
    let reason = DownReason::Barred(String::new());
    assert_eq!(reason.fault(), crate::error::Fault::Operator);
}

#[test]
fn what_there_is_to_say_of_jobs_is_said_once_for_each_connection() {
    let said = |story: &mut Story| {
        story.news().into_iter().filter(|news| news.contains("odd")).collect::<Vec<_>>()
    };
    let mut story = Story::mining();
    story.notify("j2", "p1", "odd work");
    assert_eq!(said(&mut story), ["Job(\"its work is odd\")"]);
    story.notify("j3", "p1", "w3");
    story.notify("j4", "p2", "odd work again");
    assert_eq!(said(&mut story), [""; 0]);
    story.lose();
    story.log_in(GIVEN);
    story.notify("j5", "p2", "odd work still");
    assert_eq!(said(&mut story).len(), 1);
}
