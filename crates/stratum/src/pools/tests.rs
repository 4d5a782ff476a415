//! Nights without an operator.

use super::*;
use crate::testing::start;

struct Night {
    pools: Pools,
    now: Instant,
}

impl Night {
    fn new(config: PoolsConfig) -> Self {
        let now = start();
        Self { pools: Pools::new(config, now), now }
    }

    fn up(&mut self, pool: PoolIndex) -> Vec<PoolsEvent> {
        self.pools.up(pool, self.now);
        self.events()
    }

    fn down(&mut self, pool: PoolIndex) -> Vec<PoolsEvent> {
        self.pools.down(pool, self.now);
        self.events()
    }

    fn events(&mut self) -> Vec<PoolsEvent> {
        std::iter::from_fn(|| self.pools.poll_event()).collect()
    }

    /// Lets time pass, waking up whenever asked to.
    fn sleep(&mut self, seconds: u64) -> Vec<PoolsEvent> {
        let end = self.now + Duration::from_secs(seconds);
        let mut events = Vec::new();
        for _ in 0..1000 {
            let Some(wake) = self.pools.poll_timeout().filter(|wake| *wake <= end) else {
                self.now = end;
                return events;
            };
            self.now = self.now.max(wake);
            self.pools.handle_timeout(self.now);
            events.extend(self.events());
        }
        panic!("it wakes up all the time");
    }
}

#[test]
fn the_next_pool_takes_over_and_the_first_comes_back_in_two_steps() {
    use PoolsEvent::{Down, Switched, Trial, Up};
    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);
    assert_eq!(night.up(1), [Up(1)]);
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
    assert_eq!(night.pools.warm(), [0, 1], "the next one is kept warm");
    assert_eq!(night.down(0), [Down(0, Cause::Connection), Switched { from: Some(0), to: 1 }]);
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
    assert_eq!(night.up(0), [Up(0)], "not at once");
    assert_eq!(night.sleep(299), []);
    assert_eq!(night.sleep(1), [Trial { to: 0 }]);
    assert_eq!(night.pools.shares(), [0.1, 0.9]);
    assert_eq!(night.sleep(60), [Switched { from: Some(1), to: 0 }]);
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
}

#[test]
fn a_flapping_pool_has_to_prove_itself_for_longer_each_time() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    let mut waits = Vec::new();
    for _ in 0..6 {
        night.down(0);
        night.up(0);
        let back = night.now;
        while !night.pools.shares()[0].gt(&0.5) {
            night.sleep(1);
        }
        waits.push((night.now - back).as_secs() - 60);
    }
    assert_eq!(waits, [300, 600, 1200, 2400, 3600, 3600]);
}

#[test]
fn a_failed_trial_takes_its_rigs_back() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.down(0);
    night.up(0);
    assert_eq!(night.sleep(310).last(), Some(&PoolsEvent::Trial { to: 0 }));
    assert!(night.down(0).contains(&PoolsEvent::TrialFailed { rank: 0 }));
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
}

#[test]
fn a_connection_that_is_back_at_once_is_no_failure() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.events();
    night.pools.lost(0, night.now);
    night.sleep(3);
    assert_eq!(night.up(0), []);
    night.pools.lost(0, night.now);
    let events = night.sleep(7);
    assert_eq!(events[0], PoolsEvent::Down(0, Cause::Connection));
    assert_eq!(events[1], PoolsEvent::Switched { from: Some(0), to: 1 });
}

#[test]
fn all_pools_gone_means_hold_and_then_close() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    assert_eq!(night.down(0).last(), Some(&PoolsEvent::Outage));
    assert_eq!(night.pools.gate(), Gate::Hold);
    assert_eq!(night.sleep(299), []);
    assert_eq!(night.sleep(1), [PoolsEvent::Closing]);
    assert_eq!(night.pools.gate(), Gate::Closed);
    night.up(1);
    assert_eq!(night.pools.gate(), Gate::Open);

    let patient = PoolsConfig { hold_for: None, ..PoolsConfig::in_order(1) };
    let mut night = Night::new(patient);
    assert_eq!(night.sleep(1_000_000), []);
    assert_eq!(night.pools.gate(), Gate::Hold);
}

#[test]
fn a_pool_that_rejects_most_shares_is_left_alone_for_a_while() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.events();
    for share in 0..20 {
        night.pools.verdict(0, share % 2 == 0, night.now);
    }
    assert_eq!(night.events(), [], "half is not most");
    night.pools.verdict(0, false, night.now);
    night.pools.verdict(0, false, night.now);
    assert_eq!(night.events()[0], PoolsEvent::Down(0, Cause::Rejects));
    assert_eq!(night.pools.shares(), [0.0, 1.0]);
    assert!(night.sleep(300).contains(&PoolsEvent::Up(0)));
}

#[test]
fn a_pool_that_rejects_most_shares_is_kept_where_there_is_no_other() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.events();
    for _ in 0..100 {
        night.pools.verdict(0, false, night.now);
    }
    assert_eq!(night.events(), []);
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
}

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
    assert_eq!(night.sleep(60)[0], PoolsEvent::Down(0, Cause::Lag));
}

#[test]
fn a_lesser_pool_that_is_there_first_waits_for_a_better_one() {
    use PoolsEvent::{Down, Switched, Up};
    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.up(1), [Up(1)]);
    assert_eq!(night.up(0), [Up(0), Switched { from: None, to: 0 }]);

    let mut night = Night::new(PoolsConfig::in_order(2));
    assert_eq!(night.up(1), [Up(1)]);
    assert_eq!(night.sleep(3), [Switched { from: None, to: 1 }], "not for long");

    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(1);
    let down = [Down(0, Cause::Connection), Switched { from: None, to: 1 }];
    assert_eq!(night.down(0), down, "nor once it is known to be down");
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
    use PoolsEvent::{Down, Outage, Switched, Up};
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.pools.released(1, night.now);
    night.pools.block(0, 2, night.now);
    assert_eq!(night.sleep(3600), [], "it is not behind");
    assert_eq!(night.down(0), [Down(0, Cause::Connection), Outage], "nobody knows how it does");
    assert_eq!(night.up(1), [Up(1), Switched { from: None, to: 1 }], "it takes over at once");
}

#[test]
fn a_released_pool_stays_benched_and_does_not_come_back_by_itself() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    for _ in 0..JUDGED_SHARES {
        night.pools.verdict(1, false, night.now);
    }
    night.events();
    night.pools.released(1, night.now);
    assert_eq!(night.up(1), [], "its time is not over");
    night.pools.released(1, night.now);
    assert_eq!(night.sleep(3600), []);
    assert!(!night.pools.serves(1));
    assert_eq!(night.up(1), [PoolsEvent::Up(1)]);
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
    assert_eq!(night.sleep(60), [PoolsEvent::Down(1, Cause::Lag)]);
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
    assert_eq!(night.sleep(1), [PoolsEvent::Down(2, Cause::Lag)]);
    night.up(2);
    night.pools.block(2, 8, night.now);
    night.events();
    assert_eq!(night.sleep(61).len(), 0, "it is left alone, and leads nobody");
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
    assert_eq!(
        events,
        [PoolsEvent::Down(1, Cause::Lag)],
        "nor does it come back before it is level"
    );
    night.pools.block(1, 199, night.now);
    assert_eq!(night.sleep(300), [PoolsEvent::Up(1)]);
}

#[test]
fn a_benched_pool_is_better_than_none() {
    use PoolsEvent::{Down, Switched, Up};
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    night.up(1);
    night.pools.block(0, 1, night.now);
    night.pools.block(1, 1, night.now);
    night.pools.block(1, 2, night.now);
    assert_eq!(night.sleep(60), [Down(0, Cause::Lag), Switched { from: Some(0), to: 1 }]);
    let switched = [Down(1, Cause::Connection), Up(0), Switched { from: Some(1), to: 0 }];
    assert_eq!(night.down(1), switched);
}

proptest::proptest! {
    /// Whatever happens: the parts add up to one exactly while a pool serves, only pools that
    /// serve have any, and the machine never spins.
    #[test]
    fn shares_always_add_up(steps in proptest::collection::vec((0_u8..6, 0_usize..3, 0_u64..900), 1..200)) {
        let mut night = Night::new(PoolsConfig::in_order(3));
        for (step, pool, seconds) in steps {
            match step {
                0 => drop(night.up(pool)),
                1 => drop(night.down(pool)),
                2 => night.pools.lost(pool, night.now),
                3 => night.pools.verdict(pool, seconds % 3 == 0, night.now),
                4 => night.pools.released(pool, night.now),
                _ => night.pools.block(pool, seconds / 100, night.now),
            }
            night.sleep(seconds / 10);
            let shares = night.pools.shares();
            let sum: f64 = shares.iter().sum();
            let serving = (0..3).any(|pool| night.pools.serves(pool));
            if serving && night.pools.gate() == Gate::Open {
                proptest::prop_assert!((sum - 1.0).abs() < 1e-9, "{shares:?}");
            }
            for (pool, share) in shares.iter().enumerate() {
                proptest::prop_assert!(*share == 0.0 || night.pools.serves(pool));
            }
        }
    }
}
