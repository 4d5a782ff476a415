//! Dialects that tell rigs their extranonce by a call of its own, after the login.

use super::*;

const SUBSCRIBE: &str = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}";
const AUTHORIZE: &str = "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r1\",\"x\"]}";
const SUBSCRIBED: &str = "{\"id\":1,\"result\":[\"2a\",\"aabbccdd00\",3],\"error\":null}\n";
const AUTHORIZED: &str = "{\"id\":2,\"result\":true,\"error\":null}\n";
const EXTRANONCE: &str =
    "{\"id\":null,\"method\":\"mining.set_extranonce\",\"params\":[\"aabbccdd00\",3]}\n";
const WORK: &str = "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[256]}\n\
    {\"id\":null,\"method\":\"mining.notify\",\"params\":[\"6b000000\",\"p1\",\"w1\",true]}\n";

fn story() -> Story {
    let coin = TestCoin { late_extranonce: true, ..TestCoin::default() };
    let mut story = Story::with(coin, DownstreamConfig::default());
    story.work("p1", "w1", 256.0);
    story
}

#[test]
fn a_rig_is_told_its_extranonce_when_it_has_authorized() {
    let mut story = story();
    story.says(SUBSCRIBE);
    assert_eq!(story.seat(), SUBSCRIBED);
    assert_eq!(story.says(AUTHORIZE), [AUTHORIZED, EXTRANONCE, WORK].concat());
    let again = story.says("{\"id\":3,\"method\":\"mining.authorize\",\"params\":[\"farm.r2\"]}");
    assert_eq!(again, "{\"id\":3,\"result\":true,\"error\":null}\n", "once is enough");
}

#[test]
fn a_rig_that_authorizes_first_is_told_its_extranonce_when_it_has_a_seat() {
    let mut story = story();
    assert_eq!(story.says(AUTHORIZE), AUTHORIZED);
    assert_eq!(story.says(SUBSCRIBE), "");
    assert_eq!(story.seat(), [SUBSCRIBED, EXTRANONCE, WORK].concat());
}

#[test]
fn a_rig_that_subscribes_again_is_told_all_again() {
    let mut story = story();
    story.log_in();
    let heard = story.says(SUBSCRIBE);
    assert!(heard.starts_with(&[SUBSCRIBED, EXTRANONCE].concat()), "{heard}");
    assert!(heard.contains("mining.notify"), "{heard}");
    // Before it has said who works there is nothing more to tell.
    let mut story = self::story();
    story.says(SUBSCRIBE);
    assert_eq!(story.seat(), SUBSCRIBED);
    assert_eq!(story.says(SUBSCRIBE), SUBSCRIBED);
}

#[test]
fn rigs_of_other_dialects_are_told_their_extranonce_once() {
    let mut story = Story::new(DownstreamConfig::default());
    assert!(!story.log_in().contains("mining.set_extranonce"));
    assert!(!story.says(SUBSCRIBE).contains("mining.set_extranonce"));
}
