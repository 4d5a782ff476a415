//! A block is forwarded once, whatever else is thought of it.

use super::*;
use crate::conduct::MAX_BAD;
use crate::filters::MAX_PER_LEASE;

const JOB: &str = "6b000000";
const BLOCK: &str = "\"00000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";

impl Story {
    /// Whether a block is forwarded, and not when it is repeated.
    fn takes_block(&mut self, job: &str, extranonce2: &str) {
        let heard = self.submit(70, job, extranonce2, BLOCK);
        let submission = self.forwarded.take().unwrap_or_else(|| panic!("{heard}"));
        assert!(submission.is_block && submission.probe.is_none());
        let heard = self.submit(71, job, extranonce2, BLOCK);
        assert!(heard.contains("[22,"), "a repetition is a duplicate: {heard}");
        assert!(self.forwarded.take().is_none());
    }
}

fn mining() -> Story {
    Story::mining(DownstreamConfig::default())
}

#[test]
fn a_block_of_a_quarantined_rig_goes_out() {
    let mut story = mining();
    let bad = format!("\"{}\"", "e".repeat(64));
    for at in 0..=u64::from(MAX_BAD) {
        story.submit(at, JOB, &format!("0000{at:02x}"), &bad);
    }
    assert!(story.rig.is_quarantined());
    story.takes_block(JOB, "010000");
}

#[test]
fn a_block_of_a_replaced_job_goes_out() {
    let mut story = mining();
    story.work("p2", "w2", 256.0);
    story.show();
    assert!(story.submit(3, JOB, "000001", GOOD).contains("[21,"));
    story.takes_block(JOB, "000002");
    // However many jobs ago, as long as it is known at all.
    for number in 0..6 {
        story.work("p3", &format!("w3{number}"), 256.0);
        story.show();
    }
    story.takes_block(JOB, "000003");
}

#[test]
fn a_block_of_a_place_that_the_rig_has_left_goes_out_once() {
    let mut story = mining();
    story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
    story.ground("11223344");
    story.work("p1", "w9", 256.0);
    story.show();
    story.seat();
    story.later(3_600);
    story.rig.handle_timeout(story.now);
    assert!(story.submit(3, JOB, "000001", GOOD).contains("[21,"));
    for number in 0..20 {
        story.takes_block(JOB, &format!("0001{number:02x}"));
    }
}

#[test]
fn a_block_passes_a_target_that_changed() {
    let mut story = mining();
    story.view.wanted = Arc::new(Wanted::sure(Target::new(ruint::aliases::U256::from(1))));
    story.show();
    story.takes_block(JOB, "000001");
}

#[test]
fn a_block_passes_a_target_that_is_harder_than_a_blocks() {
    let mut story = mining();
    story.work("p1", "w2", 2_f64.powi(40));
    story.show();
    assert!(story.submit(3, "6b000001", "000001", GOOD).contains("[23,"));
    story.takes_block("6b000001", "000002");
}

#[test]
fn a_block_that_is_a_second_solution_goes_out() {
    let mut story = mining();
    assert_eq!(story.submit(3, JOB, "5e0001", GOOD), "");
    story.judged(&Ok(()));
    let other = GOOD.replace("00f", "00e");
    assert!(story.submit(4, JOB, "5e0001", &other).contains("one solution per nonce"));
    story.takes_block(JOB, "5e0001");
}

#[test]
fn the_first_solution_that_is_forwarded_is_no_second_one() {
    let mut config = DownstreamConfig::default();
    config.vardiff.max = Difficulty::new(2.0);
    let mut story = Story::mining(config);
    let heard = story.submit(3, JOB, "5e0001", ONE);
    assert!(
        heard.contains("true") && story.forwarded.is_none(),
        "below the pool's target: {heard}"
    );
    assert_eq!(story.submit(4, JOB, "5e0001", GOOD), "");
    assert!(story.forwarded.take().is_some());
}

#[test]
fn a_share_that_is_refused_here_leaves_its_evidence() {
    let mut story = mining();
    let shown = |story: &mut Story| {
        let ended = std::iter::from_fn(|| story.rig.poll_event());
        ended.fold(None, |shown, event| match event {
            Event::Ended { complaint: Some(complaint), .. } => complaint.evidence.or(shown),
            _ => shown,
        })
    };
    let bad = format!("\"{}\"", "e".repeat(64));
    story.submit(3, JOB, "000001", &bad);
    let evidence = shown(&mut story).expect("the first of its kind");
    assert!(evidence.submit.contains("000001"), "{evidence:?}");
    story.submit(4, JOB, "000002", &bad);
    assert!(shown(&mut story).is_none(), "one of a kind is enough");
    assert!(story.submit(5, "6b00ffff", "000003", GOOD).contains("[21,"), "no job, no evidence");
    assert!(shown(&mut story).is_none());
}

#[test]
fn a_block_finds_a_place_where_other_shares_find_none() {
    let mut story = mining();
    for at in 0..MAX_IN_FLIGHT as u64 - 1 {
        story.submit(at, JOB, &format!("{at:06x}"), GOOD);
        assert!(story.forwarded.take().is_some());
    }
    assert!(story.submit(98, JOB, "fffff0", GOOD).contains("too many shares wait"));
    story.takes_block(JOB, "fffff1");
    let heard = story.submit(99, JOB, "fffff2", BLOCK);
    assert!(heard.contains("true"), "its answer cannot be waited for: {heard}");
    assert!(story.forwarded.take().is_some());
}

#[test]
fn a_block_goes_out_where_no_more_shares_can_be_remembered() {
    let mut config = DownstreamConfig::default();
    config.vardiff.max = Difficulty::new(2.0);
    let mut story = Story::mining(config);
    for at in 0..MAX_PER_LEASE - 1 {
        let heard = story.submit(at as u64, JOB, &format!("{at:06x}"), ONE);
        assert!(heard.contains("true"), "{heard}");
    }
    assert!(story.submit(98, JOB, "fffff0", ONE).contains("too many shares to remember"));
    let heard = story.submit(99, JOB, "fffff1", BLOCK);
    assert_eq!(heard, "");
    assert!(story.forwarded.take().unwrap().is_block);
}
