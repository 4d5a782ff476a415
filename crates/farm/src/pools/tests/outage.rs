//! The start, and times without any pool.

use super::*;
use PoolsEvent::{Closing, Outage, Switched, Up};

#[test]
fn all_pools_gone_means_hold_and_then_close() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    assert_eq!(night.down(0).last(), Some(&Outage));
    assert_eq!(night.pools.gate(), Gate::Hold);
    assert_eq!(night.sleep(299), []);
    assert_eq!(night.sleep(1), [Closing]);
    assert_eq!(night.pools.gate(), Gate::Closed);
    night.up(1);
    assert_eq!(night.pools.gate(), Gate::Open);

    let patient = PoolsConfig { hold_for: None, ..PoolsConfig::in_order(1) };
    let mut night = Night::new(patient);
    assert_eq!(night.sleep(1_000_000), [Outage]);
    assert_eq!(night.pools.gate(), Gate::Hold);
}

#[test]
fn a_lesser_pool_that_is_there_first_waits_for_a_better_one() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.up(1), [Up(1)]);
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);

    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.up(1), [Up(1)]);
    assert_eq!(night.sleep(3), [Switched { from: None, to: 1 }], "not for long");

    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(1);
    let events = [down(0, Cause::Connection), Switched { from: None, to: 1 }];
    assert_eq!(night.down(0), events, "nor once it is known to be down");
}

#[test]
fn an_outage_at_the_start_is_told_as_soon_as_it_is_known() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.down(0), [down(0, Cause::Connection)]);
    assert_eq!(night.down(1), [down(1, Cause::Connection), Outage]);
    assert_eq!(night.sleep(299), []);
    assert_eq!(night.sleep(1), [Closing]);

    let mut night = Night::new(PoolsConfig::in_order(2));
    night.down(0);
    assert_eq!(night.sleep(2), [], "the other may still come");
    assert_eq!(night.sleep(1), [Outage]);
    assert_eq!(night.pools.gate(), Gate::Hold);
    assert_eq!(night.up(1), [Up(1), Switched { from: None, to: 1 }]);
}

#[test]
fn rigs_that_are_not_to_be_held_are_not_let_go_before_the_first_login_had_its_time() {
    let config = PoolsConfig { hold_for: Some(Duration::ZERO), ..PoolsConfig::in_order(2) };
    let mut night = Night::new(config.clone());
    night.pools.handle_timeout(night.now);
    assert_eq!(night.events(), []);
    assert_eq!(night.pools.gate(), Gate::Hold);
    assert_eq!(night.sleep(2), []);
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);
    assert_eq!(night.down(0), [down(0, Cause::Connection), Outage, Closing]);

    let mut night = Night::new(config);
    assert_eq!(night.sleep(3), [Outage, Closing]);
    assert_eq!(night.pools.gate(), Gate::Closed);
}

#[test]
fn nothing_is_decided_again_and_again_while_a_better_pool_is_waited_for() {
    let short = Duration::from_secs(1);
    let mut night = Night::new(PoolsConfig {
        healthy_for: short,
        trial_for: Duration::ZERO,
        hold_for: Some(short),
        ..PoolsConfig::in_order(2)
    });
    night.up(1);
    night.now += Duration::from_secs(2);
    night.pools.handle_timeout(night.now);
    assert!(night.pools.poll_timeout().unwrap() > night.now);
    assert_eq!(night.sleep(1), [Switched { from: None, to: 1 }]);
}

#[test]
fn a_pool_that_answers_each_login_with_a_reconnect_is_down_after_six_seconds() {
    let mut night = Night::calm();
    night.lost(0);
    for _ in 0..5 {
        assert_eq!(night.sleep(1), []);
        night.lost(0);
    }
    assert_eq!(night.sleep(1), [down(0, Cause::Connection), switched(0, 1)]);

    let mut night = Night::new(PoolsConfig::in_order(2));
    night.lost(0);
    night.down(1);
    assert_eq!(night.sleep(2), [], "it may have been sent to where it is served");
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);
}

#[test]
fn a_pool_that_tells_no_jobs_is_used_by_nobody() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(1);
    assert_eq!(night.sleep(30), [Switched { from: None, to: 1 }]);
    assert_eq!(night.fails(0, Cause::Jobs), [down(0, Cause::Jobs)]);
    for _ in 0..100 {
        night.sleep(60);
        assert_eq!(night.fails(0, Cause::Jobs), []);
    }
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
}

#[test]
fn a_benched_pool_is_better_than_none_also_when_it_connects_later() {
    let mut night = Night::calm();
    night.judges(0, JUDGED_SHARES, &refused("no"));
    night.lost(0);
    assert_eq!(night.down(1), [down(1, Cause::Connection), Outage], "it has no connection");
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);
}
