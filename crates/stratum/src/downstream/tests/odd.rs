//! Rigs that flood, that speak nonsense now and then, and what good shares show of a rig.

use super::*;
use crate::dialect::Diagnosis;
use crate::flood::TOO_MANY;

const JOB: &str = "6b000000";

#[test]
fn a_flood_of_rubbish_is_slowed_and_ends_the_session() {
    let mut story = Story::mining(DownstreamConfig::default());
    for at in 0..u64::from(TOO_MANY) {
        assert!(!story.rig.is_closed(), "after {at}");
        if let Some(reads_at) = story.rig.reads_at() {
            assert!(reads_at <= story.now + Duration::from_millis(100));
            story.now = reads_at;
        }
        story.submit(at, "7b000000", "000001", GOOD);
    }
    assert_eq!(story.events().last(), Some(&Event::Closed(CloseReason::Flood)));
    assert!(story.now - start() < Duration::from_secs(60));
}

#[test]
fn a_line_without_sense_is_forgiven_for_good_ones_and_in_time() {
    let mut story = Story::mining(DownstreamConfig::default());
    for _ in 0..100 {
        story.says("half a line");
        (0..100).for_each(|_| drop(story.says("{\"id\":1,\"method\":\"mining.ping\"}")));
    }
    for _ in 0..100 {
        story.says("half a line");
        story.later(60);
    }
    assert!(!story.rig.is_closed());
    (0..5).for_each(|_| drop(story.says("half a line")));
    assert!(story.rig.is_closed(), "five in a row are too many");
}

#[test]
fn good_shares_show_what_a_rig_does_well_once() {
    let mut story = Story::mining(DownstreamConfig::default());
    let proven = |story: &mut Story| -> Vec<Merit> {
        let merit = |event| if let Event::Proven(merit) = event { Some(merit) } else { None };
        story.events().into_iter().filter_map(merit).collect()
    };
    story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
    story.submit(3, JOB, "000001", GOOD);
    assert_eq!(proven(&mut story), [Merit::Shares, Merit::Sizes]);
    story.ground("11223344");
    story.work("p1", "w9", 256.0);
    story.show();
    story.seat();
    story.submit(4, "6b000001", "000001", GOOD);
    assert_eq!(proven(&mut story), [Merit::Follows]);
    story.submit(5, "6b000001", "000002", GOOD);
    assert_eq!(proven(&mut story), []);
}

#[test]
fn a_rig_that_reads_its_difficulty_too_hard_is_found_out_by_its_good_shares() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.events();
    let too_good = GOOD.replace("00ff", "0000");
    for at in 0..40 {
        story.submit(at, JOB, &format!("{at:06x}"), &too_good);
    }
    let diagnosed = |event: &Event| *event == Event::Diagnosed(Diagnosis::ReadsTooHard);
    assert_eq!(story.events().iter().filter(|event| diagnosed(event)).count(), 1);
}
