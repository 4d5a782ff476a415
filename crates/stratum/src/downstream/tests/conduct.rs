//! Rigs that send rubbish, misfits, silent ones, and how a rig's first difficulty is chosen.

use super::*;
use crate::conduct::{LOOKED_AT, MAX_BAD, Turn};
use crate::dialect::Diagnosis;
use crate::firmware::Firmware;

const JOB: &str = "6b000000";

fn bad_proof() -> String {
    format!("\"{}\"", "e".repeat(64))
}

/// A rig that was quarantined for bad proofs.
fn quarantined() -> Story {
    let mut story = Story::mining(DownstreamConfig::default());
    for at in 0..=u64::from(MAX_BAD) {
        story.submit(at, JOB, &format!("0000{at:02x}"), &bad_proof());
    }
    story
}

fn turns(events: Vec<Event>) -> Vec<Turn> {
    let turn = |event| if let Event::Conduct(turn, _) = event { Some(turn) } else { None };
    events.into_iter().filter_map(turn).collect()
}

#[test]
fn good_shares_of_a_quarantined_rig_go_out() {
    let mut story = quarantined();
    assert_eq!(turns(story.events()), [Turn::Quarantined]);
    assert!(story.submit(50, JOB, "010000", &bad_proof()).contains("[20,\"bad proof"));
    for at in 0..u64::from(LOOKED_AT) - 1 {
        assert_eq!(story.submit(at, JOB, &format!("02{at:04x}"), GOOD), "");
        let number = story.forwarded.take().unwrap().number;
        story.rig.handle_verdict(number, &Ok(()), story.now);
        story.hears();
    }
    assert_eq!(turns(story.events()), [Turn::Released]);
}

#[test]
fn shares_of_a_quarantined_rig_that_nobody_can_check_are_held_back() {
    let mut story = quarantined();
    story.work("p2", "ask1", 256.0);
    story.show();
    let heard = story.submit(60, "6b000001", "020000", GOOD);
    assert!(heard.contains("[20,\"quarantined"), "{heard}");
    assert!(story.forwarded.take().is_none());
    let heard = story.submit(61, "6b000001", "020000", GOOD);
    assert!(heard.contains("[22,"), "what was held back is remembered: {heard}");
}

#[test]
fn a_rig_with_an_extranonce2_of_its_own_length_is_let_go_for_a_connection_of_its_own() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.events();
    for at in 0..20 {
        assert!(!story.rig.is_closed(), "after {at}");
        let heard = story.submit(at, JOB, &format!("000000{at:02x}"), GOOD);
        assert!(heard.contains("[20,\"extranonce2 is 4 bytes"), "{heard}");
        story.later(2);
    }
    let misfit = Diagnosis::IGNORES_EXTRANONCE2_SIZE;
    let events = story.events();
    let end = &events[events.len() - 2..];
    assert_eq!(end, [Event::Misfit(misfit), Event::Closed(CloseReason::Misfit(misfit))]);
    assert!(Firmware::remedy(misfit).unwrap().is_particular());
}

#[test]
fn a_slow_misfit_is_let_go_after_a_minute() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.submit(1, JOB, "00000001", GOOD);
    story.later(60);
    story.rig.handle_timeout(story.now);
    assert!(story.rig.is_closed());
}

#[test]
fn what_is_known_of_its_firmware_goes_before_what_the_rig_asks_for() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
    assert!(story.rig.takes_set_extranonce());
    let ignores = Firmware::remedy(Diagnosis::IGNORES_SET_EXTRANONCE).unwrap();
    story.rig.handle_firmware(&ignores, story.now);
    assert!(!story.rig.takes_set_extranonce());
}

#[test]
fn a_silent_rig_is_offered_an_easier_difficulty_and_then_closed() {
    let mut story = Story::mining(DownstreamConfig::default());
    let wait_for = |story: &mut Story, seconds: u64| {
        let end = story.now + Duration::from_secs(seconds);
        while let Some(at) = story.rig.poll_timeout().filter(|&at| at <= end) {
            story.now = at;
            story.rig.handle_timeout(at);
        }
        story.now = end;
    };
    wait_for(&mut story, 301);
    story.work("p1", "w2", 256.0);
    assert!(story.show().contains("mining.set_difficulty"));
    wait_for(&mut story, 299);
    assert!(!story.rig.is_closed());
    wait_for(&mut story, 2);
    let last = story.events().pop();
    let silent = Event::Closed(CloseReason::Silent(Duration::from_secs(300)));
    assert_eq!(last, Some(silent));
}

#[test]
fn no_rig_is_silent_while_its_pool_is_gone() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.view.live = false;
    story.show();
    story.later(100_000);
    story.rig.handle_timeout(story.now);
    assert!(!story.rig.is_closed());
}

#[test]
fn the_weightiest_word_on_the_first_difficulty_stands() {
    let start = |value: f64| Difficulty::new(value).unwrap();
    let mut config = DownstreamConfig::default();
    config.vardiff.start = Difficulty::new(2.0);
    let first = |story: &mut Story| {
        story.says("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r1\",\"x\"]}")
    };
    let mut story = Story::new(config.clone());
    story.work("p1", "w1", 256.0);
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
    story.seat();
    assert!(first(&mut story).contains("\"mining.set_difficulty\",\"params\":[2]"));

    let mut story = Story::new(DownstreamConfig { await_welcome: true, ..config });
    story.work("p1", "w1", 256.0);
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
    let profile = Firmware { difficulty: Some(start(4.0)), ..Firmware::default() };
    story.rig.handle_firmware(&profile, story.now);
    story.says("{\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[8]}");
    story.rig.handle_firmware(&profile, story.now);
    story.seat();
    assert!(!first(&mut story).contains("mining.notify"), "it is not welcomed yet");
    story.rig.handle_welcome(&profile, Some(start(16.0)), story.now);
    assert!(story.hears().contains("\"mining.set_difficulty\",\"params\":[16]"));
    story.says("{\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[64]}");
    story.work("p1", "w2", 256.0);
    assert!(!story.show().contains("mining.set_difficulty"), "what is remembered weighs more");
}

#[test]
fn a_login_may_wish_for_a_difficulty_and_its_password_weighs_most() {
    let authorize = |name: &str, password: &str| {
        let mut story = Story::new(DownstreamConfig::default());
        story.work("p1", "w1", 256.0);
        story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
        story.seat();
        let params = format!("[\"{name}\",\"{password}\"]");
        let heard = story
            .says(&format!("{{\"id\":2,\"method\":\"mining.authorize\",\"params\":{params}}}"));
        (story, heard)
    };
    let told = |value: u32| format!("\"mining.set_difficulty\",\"params\":[{value}]");
    let (mut story, heard) = authorize("farm.r1+16", "x");
    assert!(heard.contains(&told(16)), "{heard}");
    assert_eq!(story.rig.worker().map(|name| &**name), Some("farm.r1"));
    for name in ["farm.r1", "farm.r1+16"] {
        let params = format!("[\"{name}\",\"6b000000\",\"00000{}\",{GOOD}]", name.len() % 10);
        let line = format!("{{\"id\":3,\"method\":\"mining.submit\",\"params\":{params}}}");
        assert_eq!(story.says(&line), "");
        let submission = story.forwarded.take().unwrap();
        assert_eq!(&*submission.worker, "farm.r1");
    }
    let (mut story, heard) = authorize("farm.r1+16", "x,d=32");
    assert!(heard.contains(&told(32)), "{heard}");
    story.rig.handle_welcome(&Firmware::default(), Difficulty::new(2.0), story.now);
    story.work("p1", "w2", 256.0);
    assert!(!story.show().contains("mining.set_difficulty"), "what is remembered weighs less");
}
