//! From one pool to the next and back.

use super::*;
use PoolsEvent::{Outage, Switched, Trial, TrialFailed, Up};

#[test]
fn the_next_pool_takes_over_and_the_first_comes_back_in_two_steps() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);
    assert_eq!(night.up(1), [Up(1)]);
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
    assert_eq!(night.pools.warm(), [0, 1], "the next one is kept warm");
    assert_eq!(night.down(0), [down(0, Cause::Connection), switched(0, 1)]);
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
    assert_eq!(night.up(0), [Up(0)], "not at once");
    assert_eq!(night.sleep(299), []);
    assert_eq!(night.sleep(1), [Trial { to: 0 }]);
    assert_eq!(night.pools.shares(), [0.1, 0.9]);
    assert_eq!(night.sleep(60), [switched(1, 0)]);
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
}

#[test]
fn a_standby_that_is_of_no_use_is_none() {
    let mut night = Night::new(PoolsConfig::in_order(4));
    night.up(0);
    night.up(1);
    assert_eq!(night.pools.warm(), [0, 1]);
    night.down(1);
    assert_eq!(night.pools.warm(), [0, 1, 2], "it is still tried, and so is the next one");
    night.down(2);
    assert_eq!(night.pools.warm(), [0, 1, 2, 3]);
    night.down(3);
    assert_eq!(night.pools.warm(), [0, 1, 2, 3]);
    night.up(1);
    assert_eq!(night.pools.warm(), [0, 1]);
}

/// How long the first pool has to be healthy after a failure, in seconds.
fn wait_after_failure(night: &mut Night) -> u64 {
    night.down(0);
    night.up(0);
    let back = night.now;
    while !night.pools.shares()[0].gt(&0.5) {
        night.sleep(1);
    }
    (night.now - back).as_secs() - 60
}

#[test]
fn a_flapping_pool_has_to_prove_itself_for_longer_each_time_until_it_holds_for_an_hour() {
    let mut night = Night::calm();
    let waits: Vec<u64> = (0..6).map(|_| wait_after_failure(&mut night)).collect();
    assert_eq!(waits, [300, 600, 1200, 2400, 3600, 3600]);
    night.sleep(3600);
    assert_eq!(wait_after_failure(&mut night), 300);
}

#[test]
fn a_failed_trial_takes_its_rigs_back() {
    let mut night = Night::calm();
    night.down(0);
    night.up(0);
    assert_eq!(night.sleep(310).last(), Some(&Trial { to: 0 }));
    assert!(night.down(0).contains(&TrialFailed { rank: 0 }));
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
}

#[test]
fn a_trial_of_no_time_is_over_at_once_and_the_best_rank_wins() {
    let config = PoolsConfig {
        trial_for: Duration::ZERO,
        healthy_for: Duration::ZERO,
        ..PoolsConfig::in_order(3)
    };
    let mut night = Night::new(config);
    night.up(2);
    night.sleep(3);
    night.up(1);
    night.up(0);
    night.sleep(0);
    assert_eq!(night.pools.shares(), [1.0, 0.0, 0.0]);
}

#[test]
fn a_connection_that_is_back_at_once_is_no_failure() {
    let mut night = Night::calm();
    night.lost(0);
    night.sleep(3);
    assert_eq!(night.up(0), []);
    night.lost(0);
    assert_eq!(night.sleep(7), [down(0, Cause::Connection), switched(0, 1)]);
}

#[test]
fn a_pool_is_down_with_the_last_of_its_connections_alone() {
    let mut night = Night::calm();
    night.pools.up(numbered(0, 7), night.now);
    assert_eq!(night.down(0), [], "another one serves");
    night.pools.down(numbered(0, 8), Cause::Jobs, night.now);
    assert_eq!(night.events(), []);
    night.pools.released(numbered(0, 7), night.now);
    assert_eq!(night.sleep(7), [down(0, Cause::Connection), switched(0, 1)]);
}

#[test]
fn a_cause_that_changes_is_said() {
    let mut night = Night::calm();
    night.down(0);
    assert_eq!(night.down(0), []);
    assert_eq!(night.fails(0, Cause::Account), [down(0, Cause::Account)]);
    assert_eq!(night.fails(0, Cause::Account), []);
}

#[test]
fn weights_divide_a_rank() {
    let mut config = PoolsConfig::in_order(3);
    config.pools[0] = Standing { rank: 0, weight: 70.0 };
    config.pools[1] = Standing { rank: 0, weight: 30.0 };
    config.pools[2] = Standing { rank: 1, weight: 1.0 };
    let mut night = Night::new(config);
    night.up(0);
    assert_eq!(night.pools.shares(), [1.0, 0.0, 0.0], "all to the one that serves");
    night.up(1);
    night.up(2);
    let shares = night.pools.shares();
    assert!((shares[0] - 0.7).abs() < 1e-9 && (shares[1] - 0.3).abs() < 1e-9, "{shares:?}");
    night.down(0);
    assert_eq!(night.pools.shares(), [0.0, 1.0, 0.0], "the rank still serves");
    night.down(1);
    assert_eq!(night.pools.shares(), [0.0, 0.0, 1.0]);
}

#[test]
fn a_pool_without_a_connection_that_needs_none_neither_serves_nor_lags() {
    let mut night = Night::calm();
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.pools.released(link(1), night.now);
    night.pools.block(0, 2, night.now);
    assert_eq!(night.sleep(3600), [], "it is not behind");
    assert_eq!(night.down(0), [down(0, Cause::Connection), Outage], "nobody knows how it does");
    assert_eq!(night.up(1), [Up(1), Switched { from: None, to: 1 }], "it takes over at once");
}
