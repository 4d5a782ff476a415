//! Rigs whose firmware cannot be served like others.

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::firmware::Merit;
use wildmatch::WildMatch;

use super::*;
use crate::knowledge::{FirmwareRecord, Profile, WorkerRecord};

const ALONE: Firmware = Firmware {
    dedicated: true,
    max_extranonce1: None,
    extranonce2: None,
    set_extranonce: None,
    difficulty: None,
    least_difficulty: None,
    keepalive: None,
};

/// Three rigs of the kind have shown that they cannot share a connection.
fn after_three(config: FarmConfig) -> Story {
    let record = |worker: &str| {
        let record = FirmwareRecord {
            agent: "asic/1".into(),
            alone: Diagnosis::TRUNCATES_EXTRANONCE1.name().into(),
            ..FirmwareRecord::default()
        };
        (worker.into(), record)
    };
    let firmware = ["a", "b", "c"].map(record).into();
    let mut story = Story::after(config, Remembered { firmware, ..Remembered::default() });
    story.serve(1);
    story.acts();
    story
}

#[test]
fn a_rig_that_cannot_share_a_connection_gets_its_own() {
    let mut story = Story::serving(config(1), 250);
    story.connects(1);
    story.subscribes(1, ALONE);
    assert_eq!(story.acts(), ["know 1: true None None", "open 2 at A alone"]);
    story.serve(2);
    story.authorizes(1);
    assert_eq!(story.acts()[0], "seat 1 on 2");
    story.go(1);
    story.sleep(75_000);
    assert_eq!(story.acts(), ["close 2"]);
}

#[test]
fn past_the_last_connection_of_their_own_they_are_refused_with_the_reason() {
    let mut config = config(1);
    config.max_dedicated = 1;
    config.profiles = vec![Profile {
        agent: Some(WildMatch::new("asic/*")),
        worker: None,
        firmware: ALONE,
        hashrate: None,
    }];
    let mut story = Story::serving(config, 250);
    story.come(1, true);
    story.serve(2);
    story.acts();
    story.come(2, true);
    let full = "refuse 2: this rig needs a connection to A of its own, and all 1 of them are taken; \
                raise `max_dedicated`";
    assert_eq!(story.acts(), ["know 2: true None None", full]);
}

#[test]
fn a_guess_about_a_kind_is_given_up_before_a_rig_is_turned_away() {
    let mut config = config(1);
    config.max_dedicated = 1;
    let mut story = after_three(config);
    story.connects(1);
    story.subscribes(1, Firmware::default());
    assert_eq!(story.acts(), ["know 1: true None None", "open 2 at A alone"]);
    story.serve(2);
    assert_eq!(story.acts(), ["seat 1 on 2"]);
    story.connects(2);
    story.subscribes(2, Firmware::default());
    assert_eq!(story.acts(), ["know 2: true None None", "seat 2 on 1"]);
}

#[test]
fn a_guess_is_given_up_too_where_the_connection_does_not_come_in_time() {
    let mut story = after_three(config(1));
    story.connects(1);
    story.subscribes(1, Firmware::default());
    story.acts();
    story.sleep(5_000);
    assert_eq!(story.acts(), ["seat 1 on 1"]);
}

#[test]
fn where_the_pool_has_room_they_earn_side_by_side() {
    let mut story = Story::with(config(1), 250);
    story.rig_extranonce2 = 4;
    story.serve(1);
    story.acts();
    story.connects(1);
    let usual = Firmware { extranonce2: Some(4), ..Firmware::default() };
    story.subscribes(1, usual);
    assert_eq!(story.acts(), ["know 1: false Some(4) None", "seat 1 on 1"]);
}

#[test]
fn a_misfit_is_served_otherwise_when_it_comes_back() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.acts();
    story.farm.handle_misfit(RigId(1), Diagnosis::TRUNCATES_EXTRANONCE1, story.now);
    story.run();
    story.go(1);
    assert_eq!(story.acts(), [] as [&str; 0], "its session has ended by itself");
    // From the same address, before it says who it is.
    let work = Arc::default();
    story.farm.handle_rig(RigId(2), address(1), work, story.now);
    story.subscribes(2, Firmware::default());
    assert_eq!(story.acts(), ["know 2: true None None", "open 2 at A alone"]);
    story.serve(2);
    story.works_as(2, "rig1");
    assert_eq!(story.acts()[0], "seat 2 on 2");
    assert_eq!(story.channels_of(2..=2), [2], "it may stay");
}

#[test]
fn a_profile_by_worker_closes_its_rig_once_and_it_is_expected_back() {
    let mut config = config(1);
    config.profiles = vec![Profile {
        agent: None,
        worker: Some(WildMatch::new("odd*")),
        firmware: ALONE,
        hashrate: None,
    }];
    let mut story = Story::serving(config, 250);
    story.connects(1);
    story.subscribes(1, Firmware::default());
    story.works_as(1, "odd1");
    let acts = story.acts();
    assert_eq!(acts[0], "seat 1 on 1");
    assert!(acts[1].starts_with("leave 1: "), "{acts:?}");
    story.go(1);
    story.farm.handle_rig(RigId(2), address(1), Arc::default(), story.now);
    story.subscribes(2, Firmware::default());
    assert_eq!(story.acts(), ["know 2: true None None", "open 2 at A alone"]);
}

#[test]
fn one_that_does_well_clears_its_kind() {
    let mut story = after_three(config(1));
    story.connects(1);
    story.subscribes(1, Firmware::default());
    story.works_as(1, "good");
    assert_eq!(story.acts()[..2], ["know 1: true None None", "open 2 at A alone"]);
    story.farm.handle_merit(RigId(1), Merit::Shares, story.now);
    story.connects(2);
    story.subscribes(2, Firmware::default());
    assert_eq!(story.acts(), ["seat 2 on 1"]);
}

#[test]
fn a_worker_has_its_difficulty_and_its_lease_again() {
    let difficulty = Difficulty::new(64.0);
    let record = WorkerRecord { difficulty, slot: Some(9), agent: None };
    let remembered = Remembered { workers: vec![("rig1".into(), record)], ..Remembered::default() };
    let mut story = Story::after(config(1), remembered);
    story.serve(1);
    story.acts();
    // It authorizes first.
    story.connects(1);
    story.authorizes(1);
    story.subscribes(1, Firmware::default());
    assert_eq!(story.acts(), ["welcome 1 at 64", "seat 1 on 1"]);
    assert_eq!(story.seats[&RigId(1)].1.lease.number(), 9);
    story.changes.clear();
    story.go(1);
    let record = WorkerRecord { difficulty, slot: Some(9), agent: Some("asic/1".into()) };
    assert_eq!(story.changes, [Change::Worker("rig1".into(), Some(record))]);
}

#[test]
fn three_quarantines_or_a_flood_and_a_rig_is_refused_for_a_while() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.acts();
    for _ in 0..3 {
        assert_eq!(story.acts(), [] as [&str; 0]);
        story.farm.handle_quarantine(RigId(1), story.now);
        story.run();
    }
    assert!(story.acts()[0].starts_with("leave 1: "));
    story.go(1);
    let refused = |story: &mut Story, rig| {
        story.farm.handle_rig(RigId(rig), address(1), Arc::default(), story.now);
        story.works_as(rig, "rig1");
        let acts = story.acts();
        story.go(rig);
        !acts.is_empty()
    };
    assert!(refused(&mut story, 2));
    story.sleep(600_000);
    assert!(!refused(&mut story, 3));
    story.come(4, true);
    story.farm.handle_flood(RigId(4), story.now);
    story.go(4);
    story.acts();
    story.farm.handle_rig(RigId(5), address(4), Arc::default(), story.now);
    story.works_as(5, "rig4");
    assert!(story.acts()[0].starts_with("leave 5: "));
}
