//! The route's wishes change while a rig mines.

use super::*;

impl Story {
    fn wishes(&mut self, config: DownstreamConfig) {
        self.rig.handle_config(Arc::new(config), self.now);
    }
}

fn at_most(max: f64) -> DownstreamConfig {
    let mut config = DownstreamConfig::default();
    config.vardiff.max = Difficulty::new(max);
    config
}

#[test]
fn another_limit_is_told_with_the_next_work_and_what_was_told_stays_good() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.wishes(at_most(64.0));
    assert_eq!(story.show(), "", "not by itself");
    assert!(story.submit(9, "6b000000", "000001", GOOD).is_empty());
    assert!(story.forwarded.is_some(), "judged by the target that it was told");
    story.work("p1", "w2", 256.0);
    let heard = story.show();
    assert!(heard.contains("\"mining.set_difficulty\",\"params\":[64]"), "{heard}");
    // And off: the pool's own.
    let mut config = DownstreamConfig::default();
    config.vardiff.enabled = false;
    story.wishes(config);
    story.work("p1", "w3", 256.0);
    let heard = story.show();
    assert!(heard.contains("\"mining.set_difficulty\",\"params\":[256]"), "{heard}");
    story.later(600);
    story.rig.handle_timeout(story.now);
    story.work("p1", "w4", 256.0);
    let heard = story.show();
    let told = heard.matches("set_difficulty").count();
    assert_eq!(
        told,
        heard.matches("set_difficulty\",\"params\":[256]").count(),
        "no other: {heard}"
    );
}

#[test]
fn a_share_in_flight_is_answered_as_it_was_to_be_and_the_next_by_the_new_wish() {
    let mut story = Story::mining(DownstreamConfig::default());
    assert_eq!(story.submit(7, "6b000000", "000001", GOOD), "");
    let number = story.forwarded.take().unwrap().number;
    story.wishes(DownstreamConfig::default().with_reply(Reply::Local));
    let hash = GOOD.replace("ff\"", "fe\"");
    assert!(story.submit(8, "6b000000", "000002", &hash).contains("true"), "at once");
    story.rig.handle_verdict(number, &Ok(()), story.now);
    let heard = story.hears();
    assert!(heard.contains("\"id\":7") && heard.contains("true"), "the pool's: {heard}");
    assert_eq!(story.rig.in_flight(), 0);
}

#[test]
fn the_same_wishes_leave_the_difficulty_as_it_has_become() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.later(31);
    story.rig.handle_timeout(story.now);
    story.work("p1", "w2", 256.0);
    assert!(story.show().contains("\"params\":[64]"));
    story.wishes(DownstreamConfig::default().with_reply(Reply::Local));
    story.work("p1", "w3", 256.0);
    assert!(!story.show().contains("set_difficulty"));
}
