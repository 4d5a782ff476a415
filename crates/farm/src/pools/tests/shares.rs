//! Pools that refuse shares.

use super::*;
use PoolsEvent::{Alike, Kept, Up};

#[test]
fn a_pool_that_rejects_most_shares_is_left_alone_for_a_while() {
    let mut night = Night::calm();
    for _ in 0..JUDGED_SHARES / 2 {
        night.judges(0, 1, &Ok(()));
        night.judges(0, 1, &refused("no"));
    }
    assert_eq!(night.events(), [], "half is not most");
    let events = night.judges(0, 2, &refused("no"));
    assert_eq!(bare(events), [down(0, Cause::Rejects), switched(0, 1)]);
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
    assert_eq!(night.sleep(299), []);
    assert_eq!(night.sleep(1), [Up(0)]);
}

#[test]
fn a_pool_that_is_left_says_what_it_refused_and_in_which_words() {
    let mut night = Night::calm();
    night.judges(0, 6, &Ok(()));
    night.judges(0, 3, &refused("high-hash (23)"));
    night.judges(0, 10, &refused("stale-work (21)"));
    let events = night.judges(0, 1, &Err(Reject::unanswered()));
    let PoolsEvent::Down { pool: 0, cause: Cause::Rejects, evidence } = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!((evidence.refused, evidence.lost, evidence.of), (14, 0, 20));
    let words = "10 × stale-work (21), 3 × high-hash (23), 1 × the pool did not answer";
    assert_eq!(evidence.words(), words);
}

#[test]
fn words_are_few_and_short() {
    let mut night = Night::calm();
    for share in 0..JUDGED_SHARES {
        night.pools.verdict(link(0), &refused(&format!("{share}{}", "x".repeat(9000))), night.now);
    }
    let events = night.events();
    let PoolsEvent::Down { evidence, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(evidence.words.len(), 8);
    assert!(evidence.words.iter().all(|(text, _)| text.chars().count() <= 65));
}

#[test]
fn refusals_of_former_hours_count_no_more() {
    let mut night = Night::calm();
    night.judges(0, 19, &refused("no"));
    night.sleep(2 * 3600);
    assert_eq!(night.judges(0, 19, &refused("no")), []);
    assert_eq!(night.judges(0, 1, &refused("no")).len(), 2);
}

#[test]
fn a_sole_pool_that_refuses_most_shares_is_kept_and_that_is_said_every_five_minutes() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    let events = night.judges(0, 100, &refused("stale"));
    let [Kept { pool: 0, cause: Cause::Rejects, evidence }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((evidence.refused, evidence.of, &*evidence.words()), (20, 20, "20 × stale"));
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
    night.sleep(299);
    assert_eq!(night.judges(0, 100, &refused("stale")), []);
    night.sleep(1);
    assert_eq!(bare(night.judges(0, 100, &refused("stale"))), [kept(0, Cause::Rejects)]);
}

#[test]
fn where_the_next_pool_refuses_alike_the_rigs_return_and_stay_for_half_an_hour() {
    let mut night = Night::calm();
    night.judges(0, JUDGED_SHARES, &refused("no"));
    night.sleep(60);
    let events = night.judges(1, JUDGED_SHARES, &refused("bad proof"));
    let [Up(0), Alike { pool: 1, first: 0, evidence }, back] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(evidence.words(), "20 × bad proof");
    assert_eq!(back, &switched(1, 0));
    for _ in 0..5 {
        night.sleep(300);
        assert_eq!(bare(night.judges(0, 30, &refused("no"))), [kept(0, Cause::Rejects)]);
    }
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
    night.sleep(300);
    let events = night.judges(0, 30, &refused("no"));
    assert_eq!(bare(events), [down(0, Cause::Rejects), switched(0, 1)], "it may be the pool now");
}

#[test]
fn a_pool_that_has_credited_meanwhile_refuses_for_reasons_of_its_own() {
    let mut night = Night::new(PoolsConfig::in_order(3));
    (0..3).for_each(|pool| drop(night.up(pool)));
    night.judges(0, JUDGED_SHARES, &refused("no"));
    night.judges(1, JUDGED_SHARES, &Ok(()));
    let events = night.judges(1, JUDGED_SHARES, &refused("no"));
    assert_eq!(bare(events), [down(1, Cause::Rejects), switched(1, 2)]);
}

#[test]
fn a_pool_that_begins_to_refuse_is_left_also_for_one_that_was_left_before() {
    let mut night = Night::calm();
    night.judges(0, JUDGED_SHARES, &refused("no"));
    night.judges(1, JUDGED_SHARES, &Ok(()));
    let events = night.judges(1, JUDGED_SHARES, &refused("no"));
    assert_eq!(bare(events), [down(1, Cause::Rejects), Up(0), switched(1, 0)]);
    let events = night.judges(0, JUDGED_SHARES, &refused("no"));
    assert!(matches!(&events[..], [Up(1), Alike { pool: 0, first: 1, .. }]), "{events:?}");
    assert_eq!(night.judges(0, JUDGED_SHARES, &Ok(())), [], "but not again and again");
}

#[test]
fn a_pool_that_refuses_again_after_its_time_is_left_alone_for_longer() {
    let standing = Standing { rank: 0, weight: 1.0 };
    let config = PoolsConfig { pools: vec![standing; 2], ..PoolsConfig::in_order(2) };
    let mut night = Night::new(config);
    night.up(0);
    night.up(1);
    let mut waits = Vec::new();
    for _ in 0..6 {
        night.judges(0, JUDGED_SHARES, &refused("no"));
        let since = night.now;
        night.judges(1, JUDGED_SHARES, &Ok(()));
        while !night.pools.serves(0) {
            night.sleep(1);
        }
        waits.push((night.now - since).as_secs());
    }
    assert_eq!(waits, [300, 600, 1200, 2400, 3600, 3600]);
    night.sleep(3600);
    night.judges(0, JUDGED_SHARES, &refused("no"));
    assert_eq!(night.sleep(300), [Up(0)], "an hour without is forgiven");
}

#[test]
fn a_released_pool_stays_benched_and_does_not_come_back_by_itself() {
    let mut night = Night::calm();
    night.judges(1, JUDGED_SHARES, &refused("no"));
    night.pools.released(link(1), night.now);
    assert_eq!(night.up(1), [], "its time is not over");
    night.pools.released(link(1), night.now);
    assert_eq!(night.sleep(3600), []);
    assert!(!night.pools.serves(1));
    assert_eq!(night.up(1), [Up(1)]);
}
