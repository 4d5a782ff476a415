//! Rigs that flood, that speak nonsense now and then, and what good shares show of a rig.

use super::*;
use crate::dialect::{Diagnosis, Fingerprint};
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
    let diagnosed = |event: &Event| *event == Event::Diagnosed(Diagnosis::READS_TOO_HARD);
    assert_eq!(story.events().iter().filter(|event| diagnosed(event)).count(), 1);
}

#[test]
fn a_busy_rig_is_not_refused_since_former_works_fill_its_filter() {
    let mut config = DownstreamConfig::default();
    config.vardiff.enabled = false;
    let mut story = Story::new(config);
    story.work("p1", "w0", 256.0);
    story.log_in();
    let (mut sent, mut refused) = (0, 0);
    for number in 0..40 {
        if number > 0 {
            story.work("p1", &format!("w{number}"), 256.0);
            story.show();
        }
        let id = format!("{:08x}", 0x6b00_0000_u32 + number);
        // 20 a second, and a new work every 30 s.
        for at in 0..600_u64 {
            sent += 1;
            let heard = story.submit(at, &id, &format!("{at:06x}"), GOOD);
            if heard.contains("too many shares to remember") {
                refused += 1;
            } else {
                story.judged(&Ok(()));
            }
        }
    }
    assert_eq!(refused, 0, "of {sent} good shares");
}

#[test]
fn a_flood_of_rubbish_is_slowed_where_the_filter_is_full() {
    let mut config = DownstreamConfig::default();
    config.vardiff.max = Difficulty::new(2.0);
    let mut story = Story::mining(config);
    let one = "\"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";
    for at in 0..16_383 {
        story.submit(at as u64, "6b000000", &format!("{at:06x}"), one);
    }
    let bad = format!("\"{}\"", "e".repeat(64));
    for at in 0..5_000_u64 {
        story.submit(at, "6b000000", &format!("{:06x}", 0x80_0000 + at), &bad);
    }
    assert!(story.rig.is_closed() || story.rig.reads_at().is_some());
}

#[test]
fn a_flood_of_repetitions_is_slowed() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.submit(3, "6b000000", "000001", GOOD);
    story.judged(&Ok(()));
    story.says("{\"id\":5,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
    for at in 0..5_000_u64 {
        story.submit(at, "6b000001", "000001", GOOD);
    }
    assert!(story.rig.is_closed() || story.rig.reads_at().is_some());
}

#[test]
fn a_flood_of_calls_is_slowed() {
    for line in [
        "{\"id\":5,\"method\":\"mining.nonsense\",\"params\":[]}",
        "{\"id\":5,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}",
        "{\"id\":5,\"method\":\"mining.authorize\",\"params\":[]}",
    ] {
        let mut story = Story::mining(DownstreamConfig::default());
        let before = story.ids.peek().get();
        for _ in 0..5_000 {
            story.says(line);
        }
        let ids = story.ids.peek().get() - before;
        assert!(
            story.rig.is_closed() || story.rig.reads_at().is_some(),
            "{line}: {ids} job ids used"
        );
    }
}

/// More was sent by those that left than is kept, so nobody knows what was sent under this lease.
#[test]
fn a_rig_whose_leases_filters_were_forgotten_comes_again_where_a_work_comes_back() {
    let mut story = Story::new(DownstreamConfig::default());
    story.work("p1", "a", 256.0);
    let a = story.view.work.as_ref().unwrap().work;
    let mut seats: Vec<_> = (0..5).map(|_| story.view.seat(&Wish::default()).unwrap()).collect();
    for seat in &mut seats {
        assert!(seat.lease.tell(a, 8));
        let seen = seat.lease.filters_mut().of_mut(a).unwrap();
        for share in 0..13_200 {
            seen.insert(Fingerprint { share, nonce: None });
        }
    }
    drop(seats);
    story.work("p1", "b", 256.0);
    story.log_in();
    let mut seat = story.view.seat(&Wish { slot: Some(4), ..Wish::default() }).unwrap();
    seat.lease.belongs_to(HERE.address.unwrap(), None);
    let config = Arc::clone(&story.rig.config);
    story.rig = Downstream::new(Arc::clone(&story.dialect), config, "2b".into(), story.now);
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
    story.rig.handle_seat(seat, &story.view, story.now);
    story.show();
    story.says("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r1\",\"x\"]}");
    assert_eq!(story.rig.slot(), Some(4));
    story.work("p1", "a", 256.0);
    assert_eq!(story.show(), "");
    assert!(story.rig.is_closed(), "rather than to mine the work before for nothing");
}
