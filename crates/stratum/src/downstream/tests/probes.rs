//! Shares by which the pool is asked something.

use super::*;
use crate::dialect::Diagnosis;

const JOB: &str = "6b000000";

/// A pool that takes shares of difficulty 256 for sure, and of difficulty 1 perhaps.
fn doubtful() -> Story {
    let coin = TestCoin { asks_scale: true, ..TestCoin::default() };
    let mut story = Story::mining_with(coin, DownstreamConfig::default());
    story.events();
    story
}

#[test]
fn rigs_are_told_the_easier_target_and_one_share_between_asks() {
    let mut story = doubtful();
    assert_eq!(story.rig.difficulty(), Difficulty::new(1.0));
    assert_eq!(story.submit(3, JOB, "000001", ONE), "");
    let asked = story.forwarded.take().unwrap();
    let probe = asked.probe.unwrap();
    assert_eq!(probe.habit(), Habit::DifficultyScale);
    assert!(story.submit(4, JOB, "000002", ONE).contains("true"), "one at a time");
    assert_eq!(story.verdicts(), [Verdict::BelowPoolTarget]);
    assert_eq!(story.submit(5, JOB, "000003", GOOD), "");
    let sure = story.forwarded.take().unwrap();
    assert!(sure.probe.is_none(), "what meets both asks nothing");
    probe.taken();
    assert_eq!(story.submit(6, JOB, "000004", ONE), "");
    assert!(story.forwarded.take().unwrap().probe.is_none(), "it is known now");
}

#[test]
fn where_the_harder_target_rules_the_easier_shares_stay_here() {
    let mut story = doubtful();
    story.submit(3, JOB, "000001", ONE);
    story.forwarded.take().unwrap().probe.unwrap().refused();
    assert!(story.submit(4, JOB, "000002", ONE).contains("true"));
    assert!(story.forwarded.take().is_none());
    story.work("p1", "w2", 256.0);
    assert!(story.show().contains("\"mining.set_difficulty\",\"params\":[256]"));
}

#[test]
fn a_share_of_which_nothing_is_known_asks_nothing() {
    let coin = TestCoin { asks_scale: true, asks_split: true, ..TestCoin::default() };
    let config = DownstreamConfig { verify: Verify::Off, ..DownstreamConfig::default() };
    let mut story = Story::mining_with(coin, config);
    assert_eq!(story.submit(3, JOB, "000001", ONE), "");
    assert!(story.forwarded.take().unwrap().probe.is_none());
    assert!(story.submit(4, JOB, "00000001", ONE).contains("extranonce2 is 4 bytes"));
}

/// A pool behind the narrow split that may take more.
fn narrow() -> Story {
    let coin = TestCoin { asks_split: true, ..TestCoin::default() };
    let mut story = Story::mining_with(coin, DownstreamConfig::default());
    story.events();
    story
}

#[test]
fn one_share_of_a_rig_that_sends_four_bytes_anyway_asks_for_the_wide_split() {
    let mut story = narrow();
    assert_eq!(story.submit(3, JOB, "00000001", GOOD), "");
    let asked = story.forwarded.take().unwrap();
    let probe = asked.probe.unwrap();
    assert_eq!((probe.habit(), asked.share.extranonce2.len()), (Habit::Split, 4));
    let diagnosis = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::Ended { complaint: Some(complaint), .. } => complaint.diagnosis,
            _ => None,
        })
    };
    assert_eq!(diagnosis(&story.events()), None, "it counts against nobody");
    assert!(story.submit(4, JOB, "00000002", GOOD).contains("extranonce2 is 4 bytes"));
    assert_eq!(diagnosis(&story.events()), Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
    probe.taken();
    story.ground("aabbccdd");
    story.work("p1", "w2", 256.0);
    assert_eq!(story.view.ground.as_ref().unwrap().split.rig_extranonce2, 4);
}

#[test]
fn a_share_of_the_other_length_must_be_good_to_ask() {
    let mut story = narrow();
    let bad = format!("\"{}\"", "e".repeat(64));
    for (hash, why) in [(ONE, "misses the target"), (&bad, "proves nothing")] {
        let heard = story.submit(3, JOB, "00000001", hash);
        assert!(heard.contains("extranonce2 is 4 bytes"), "{why}: {heard}");
    }
    story.submit(4, JOB, "00000001", GOOD);
    story.forwarded.take().unwrap().probe.unwrap().refused();
    assert!(story.submit(5, JOB, "00000002", GOOD).contains("extranonce2 is 4 bytes"));
    let block = "\"00000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";
    assert_eq!(story.submit(6, JOB, "00000003", block), "", "a block goes out all the same");
    assert!(story.forwarded.take().unwrap().is_block);
}

#[test]
fn where_nothing_is_checked_rigs_are_told_the_sure_target() {
    let coin = TestCoin { asks_scale: true, ..TestCoin::default() };
    let config = DownstreamConfig { verify: Verify::Off, ..DownstreamConfig::default() };
    let mut story = Story::mining_with(coin, config);
    let mut forwarded = 0;
    for at in 0..40_u64 {
        story.submit(at, JOB, &format!("{at:06x}"), ONE);
        if let Some(submission) = story.forwarded.take() {
            assert!(submission.probe.is_none());
            forwarded += 1;
            let low = Reject::new(
                crate::error::RejectCode::LowDifficulty,
                "pool: high-hash",
                Verdict::RejectedByPool,
            );
            story.rig.handle_verdict(submission.number, &Err(low), story.now);
        }
    }
    assert_eq!(story.rig.difficulty(), Difficulty::new(256.0), "{forwarded} bad shares went out");
    assert!(story.rig.is_quarantined(), "the pool's word counts as ours would");
}
