//! What is borne of one rig, and what it is told when it was too much.

use super::*;
use crate::pace::PRESSED_FOR;
use crate::secret::Secret;

const PING: &str = "{\"id\":1,\"method\":\"mining.ping\"}";

fn limited(limits: SessionLimits) -> DownstreamConfig {
    DownstreamConfig::default().with_limits(limits)
}

fn closed_for(story: &mut Story) -> Option<CloseReason> {
    story.events().into_iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

fn authorize(worker: &str, password: &str) -> String {
    format!("{{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{worker}\",\"{password}\"]}}")
}

#[test]
fn a_rig_that_calls_too_often_is_read_slowly_and_then_told_why_it_is_closed() {
    let limits = SessionLimits { requests_per_second: 10, ..SessionLimits::default() };
    let mut story = Story::mining(limited(limits));
    let began = story.now;
    let mut calls = 0;
    while !story.rig.is_closed() {
        let said = story.says(PING);
        assert!(said.contains("pong"), "{said}");
        calls += 1;
        story.now = story.rig.reads_at().map_or(story.now, |reads| reads.max(story.now));
    }
    let took = story.now - began;
    assert!(took >= PRESSED_FOR && calls < 400, "{calls} in {took:?}");
    assert_eq!(closed_for(&mut story), Some(CloseReason::Requests(10)));
}

#[test]
fn good_shares_are_no_requests_however_many_there_are() {
    let limits = SessionLimits { requests_per_second: 1, ..SessionLimits::default() };
    let mut story = Story::mining(limited(limits));
    for number in 0..1000 {
        story.submit(number, "6b000000", &format!("{number:06x}"), GOOD);
        let share = story.forwarded.take().expect("it is good");
        story.rig.handle_verdict(share.number, &Ok(()), story.now);
        story.events();
        assert_eq!(story.rig.reads_at(), None);
    }
    assert!(!story.rig.is_closed());
}

#[test]
fn a_share_that_is_refused_for_no_fault_of_its_rig_is_no_request() {
    let limits = SessionLimits { requests_per_second: 1, ..SessionLimits::default() };
    let mut story = Story::mining(limited(limits));
    for number in 0..200 {
        story.submit(number, "6b000000", &format!("{number:06x}"), GOOD);
    }
    let verdicts = story.verdicts();
    assert!(verdicts.len() > 100 && verdicts.iter().all(|verdict| *verdict == Verdict::Overflow));
    assert!(story.rig.reads_at().is_none() && !story.rig.is_closed());
}

#[test]
fn a_rig_that_is_trusted_is_neither_slowed_nor_closed() {
    let limits = SessionLimits { requests_per_second: 1, bad_lines: 1, ..SessionLimits::default() };
    let mut story = Story::mining(limited(limits));
    story.rig.handle_trust();
    for number in 0..1000 {
        story.says(PING);
        story.says("nonsense");
        story.submit(number, "nojob", "000000", GOOD);
        assert_eq!(story.rig.reads_at(), None);
    }
    assert!(!story.rig.is_closed());
}

#[test]
fn so_many_lines_without_sense_are_borne_as_are_configured() {
    let mut story =
        Story::mining(limited(SessionLimits { bad_lines: 2, ..SessionLimits::default() }));
    story.says("nonsense");
    assert!(!story.rig.is_closed());
    let said = story.says("nonsense");
    assert!(said.contains("[20,\"too many lines made no sense"), "{said}");
}

#[test]
fn who_is_late_with_its_login_is_told_so() {
    let mut story = Story::new(DownstreamConfig::default());
    story.now += Duration::from_secs(10);
    story.rig.handle_timeout(story.now);
    let said = story.hears();
    assert_eq!(
        said,
        "{\"id\":null,\"result\":null,\"error\":[20,\"no subscribe within 10s\",null]}\n"
    );
    assert!(story.rig.is_closed());
}

#[test]
fn without_the_access_password_nobody_is_let_in_and_a_pool_never_sees_it() {
    let access_password = Some(Secret::new("let me in"));
    let mut story =
        Story::new(limited(SessionLimits { access_password, ..SessionLimits::default() }));
    for (password, attempt) in [("x", 1), ("", 2)] {
        let said = story.says(&authorize("farm.r1", password));
        assert!(said.contains("[24,\"unauthorized: wrong access password\""), "{said}");
        assert!(story.rig.worker().is_none() && !story.rig.is_closed(), "{attempt}");
    }
    let said = story.says(&authorize("farm.r1", "let me in,d=512"));
    assert!(said.contains("\"result\":true"), "{said}");
    assert_eq!(story.rig.password("farm.r1").map(Secret::reveal), Some("d=512"));

    // Another name on the same connection needs it too, and the third failure is the last.
    let said = story.says(&authorize("farm.r2", "x"));
    assert!(said.contains("wrong access password, 3 times"), "{said}");
    assert_eq!(closed_for(&mut story), Some(CloseReason::AccessDenied(3)));
}
