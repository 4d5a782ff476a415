//! Pools that are behind.

use super::*;
use PoolsEvent::Up;

#[test]
fn a_pool_that_stays_behind_another_ones_block_is_left() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.events();
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.pools.block(1, 2, night.now);
    night.sleep(30);
    night.pools.block(0, 2, night.now);
    assert_eq!(night.sleep(600), [], "it caught up");
    night.pools.block(1, 3, night.now);
    assert_eq!(night.sleep(60)[0], down(0, Cause::Lag));
}

#[test]
fn an_old_block_is_not_the_newest() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    for block in 1..4 {
        night.pools.block(0, block, night.now);
    }
    night.pools.block(1, 2, night.now);
    night.events();
    assert_eq!(night.sleep(60), [down(1, Cause::Lag)]);
}

#[test]
fn a_pool_that_comes_with_an_unknown_block_does_not_lead() {
    let mut night = Night::new(PoolsConfig::in_order(3));
    night.up(0);
    night.up(1);
    for block in 5..8 {
        night.pools.block(0, block, night.now);
        night.pools.block(1, block, night.now);
    }
    night.up(2);
    night.pools.block(2, 1, night.now);
    night.events();
    assert_eq!(night.sleep(600), [], "nobody knows whether it is ahead or behind");
    night.pools.block(2, 6, night.now);
    assert_eq!(night.sleep(1), [down(2, Cause::Lag)]);
    night.up(2);
    night.pools.block(2, 8, night.now);
    night.events();
    assert_eq!(night.sleep(61).len(), 0, "it is left alone, and leads nobody");
}

#[test]
fn two_pools_that_are_left_alone_and_agree_lead() {
    let mut night = Night::new(PoolsConfig::in_order(3));
    for pool in 0..3 {
        night.up(pool);
    }
    for pool in 0..3 {
        night.pools.block(pool, 1, night.now);
    }
    night.pools.block(2, 2, night.now);
    night.events();
    let lag = [down(0, Cause::Lag), down(1, Cause::Lag), switched(0, 2)];
    assert_eq!(night.sleep(60), lag);
    for pool in 0..2 {
        night.pools.block(pool, 2, night.now);
        night.pools.block(pool, 3, night.now);
    }
    assert_eq!(night.sleep(60), [down(2, Cause::Lag), Up(0), switched(2, 0)]);
}

#[test]
fn a_pool_that_was_behind_leads_again_once_it_has_gone_on_twice() {
    let mut night = Night::calm();
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.pools.block(0, 2, night.now);
    night.events();
    assert_eq!(night.sleep(60), [down(1, Cause::Lag)]);
    night.pools.block(1, 2, night.now);
    night.pools.block(1, 3, night.now);
    assert_eq!(night.sleep(90), [], "one block may be an old one that nobody had told");
    night.pools.block(1, 4, night.now);
    assert_eq!(bare(night.sleep(1))[0], down(0, Cause::Lag), "it is no straggler any more");
}

#[test]
fn a_pool_that_was_left_for_refusals_leads_nobody() {
    let mut night = Night::calm();
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.events();
    let left = bare(night.judges(1, JUDGED_SHARES, &refused("no")));
    assert_eq!(left, [down(1, Cause::Rejects)]);
    for block in 2..6 {
        night.pools.block(1, block, night.now);
    }
    assert_eq!(night.sleep(200), []);
}

#[test]
fn a_pool_stays_behind_however_fast_the_blocks_come() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    let mut events = night.events();
    for block in 0..200 {
        night.pools.block(0, block, night.now);
        if block < 2 {
            night.pools.block(1, block, night.now);
        }
        events.extend(night.sleep(10));
    }
    assert_eq!(events, [down(1, Cause::Lag)], "nor does it come back before it is level");
    night.pools.block(1, 199, night.now);
    assert_eq!(night.sleep(300), [Up(1)]);
}

#[test]
fn a_benched_pool_is_better_than_none() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.pools.block(1, 2, night.now);
    assert_eq!(night.sleep(60), [down(0, Cause::Lag), switched(0, 1)]);
    let events = [down(1, Cause::Connection), Up(0), switched(1, 0)];
    assert_eq!(night.down(1), events);
}
