//! Farms by virtual time, whose hashrates are known.

mod farm;

use proptest::prelude::*;

use super::*;
use farm::{Dice, Farm, differences, unequal};

const WEIGHTS: [f64; 2] = [0.7, 0.3];

#[test]
fn unequal_rigs_are_split_by_work() {
    for seed in 0..10 {
        let mut farm = Farm::new(&WEIGHTS, &unequal(20, seed));
        farm.run(12 * 60);
        let first_hour = farm.real.worst(&WEIGHTS, 0, 60);
        assert!(first_hour < 0.01, "{seed}: {first_hour}");
    }
}

#[test]
fn the_luck_of_shares_does_not_upset_the_split() {
    for seed in 0..10 {
        let mut farm = Farm::new(&WEIGHTS, &unequal(20, seed)).lucky(seed);
        farm.run(12 * 60);
        let proven = farm.proven.worst(&WEIGHTS, 0, 60);
        // What has been done without being proven is nobody's to see.
        let (real, in_the_long_run) =
            (farm.real.worst(&WEIGHTS, 0, 60), farm.real.worst(&WEIGHTS, 0, 360));
        assert!(proven < 0.02, "{seed}: {proven}");
        assert!(real < 0.03 && in_the_long_run < 0.01, "{seed}: {real} {in_the_long_run}");
    }
}

#[test]
fn three_pools_share() {
    let wanted = [0.5, 0.3, 0.2];
    for seed in 0..10 {
        let mut farm = Farm::new(&wanted, &unequal(20, seed));
        farm.run(12 * 60);
        let off = farm.real.worst(&wanted, 0, 60);
        assert!(off < 0.01, "{seed}: {off}");
    }
}

#[test]
fn two_rigs_take_turns() {
    for rates in [[1.0, 1.0], [1.0, 2.0], [1.0, 5.0], [1.0, 50.0]] {
        let mut farm = Farm::new(&WEIGHTS, &rates);
        farm.run(24 * 60);
        let off = farm.real.worst(&WEIGHTS, 0, 360);
        assert!(off < 0.02, "{rates:?}: {off}");
    }
}

#[test]
fn a_rig_larger_than_all_others_takes_turns() {
    for wanted in [[0.5, 0.5], WEIGHTS, [0.2, 0.8]] {
        let mut rates = unequal(10, 3);
        rates.push(2.0 * rates.iter().sum::<f64>());
        let mut farm = Farm::new(&wanted, &rates);
        farm.run(24 * 60);
        let off = farm.real.worst(&wanted, 0, 360);
        assert!(off < 0.02, "{wanted:?}: {off}");
    }
}

#[test]
fn rigs_may_come_and_go_all_the_time() {
    for seed in 0..10 {
        let mut farm = Farm::new(&WEIGHTS, &unequal(40, seed)).lucky(seed);
        let mut dice = Dice(seed);
        farm.run_with(12 * 60, |farm| {
            // Half the farm is another one every hour.
            if dice.roll() < 0.33 {
                farm.go((dice.roll() * farm.rigs.len() as f64) as usize);
                farm.come(100_f64.powf(dice.roll()));
            }
        });
        let off = farm.proven.worst(&WEIGHTS, 60, 60);
        assert!(off < 0.03, "{seed}: {off}");
    }
}

#[test]
fn rigs_that_must_reconnect_to_move_are_known_again() {
    for seed in 0..10 {
        let mut farm = Farm::new(&WEIGHTS, &unequal(20, seed)).lucky(seed);
        farm.reconnecting = true;
        farm.run(12 * 60);
        let off = farm.proven.worst(&WEIGHTS, 0, 60);
        assert!(off < 0.02, "{seed}: {off}");
    }
}

#[test]
fn nothing_moves_once_the_parts_are_right() {
    let mut farm = Farm::new(&WEIGHTS, &[5.0; 20]);
    farm.run(12 * 60);
    assert_eq!(farm.moved.iter().sum::<usize>(), 0);
    assert_eq!((farm.assignment.rigs_at(0), farm.assignment.rigs_at(1)), (14, 6));
    assert_eq!(farm.moved.len(), 72, "it is looked every ten minutes");
    let parts = farm.assignment.parts();
    assert!((parts[0] - 0.7).abs() < 1e-9 && (parts[1] - 0.3).abs() < 1e-9, "{parts:?}");
}

#[test]
fn few_rigs_move_for_the_luck_of_shares() {
    for seed in 0..10 {
        let mut farm = Farm::new(&WEIGHTS, &unequal(200, seed)).lucky(seed);
        farm.run(12 * 60);
        let looks = farm.moved.len();
        let quiet = farm.moved.iter().filter(|moved| **moved == 0).count();
        assert!(farm.moved.iter().all(|moved| *moved <= 4), "{seed}: {:?}", farm.moved);
        assert!(quiet > looks / 2, "{seed}: {quiet} of {looks}");
    }
}

#[test]
fn a_large_farm_is_balanced_in_two_looks() {
    // All the large rigs are at one pool, since they came so.
    let rates: Vec<f64> = (0..10_000).map(|n| if n % 2 == 0 { 10.0 } else { 1.0 }).collect();
    let mut farm = Farm::new(&[0.5, 0.5], &rates);
    assert!(farm.part(0) > 0.9, "{}", farm.part(0));
    farm.run(2 * 60);
    assert!(farm.moved[2..].iter().all(|moved| *moved < 100), "{:?}", farm.moved);
    let off = farm.real.worst(&[0.5, 0.5], 12, 60);
    assert!(off < 0.01, "{off}");
}

#[test]
fn all_rigs_move_from_a_pool_that_fails_and_no_others() {
    let mut farm = Farm::new(&[0.5, 0.3, 0.2], &unequal(30, 1));
    farm.run(130);
    let before = farm.pools();
    let moved = farm.set_shares(&[0.0, 0.6, 0.4]);
    let movers = differences(&before, &farm.pools());
    assert_eq!(moved, movers.len());
    assert!(movers.iter().all(|&rig| before[rig] == Some(0)), "{movers:?}");
    assert!((farm.part(1) - 0.6).abs() < 0.02, "{}", farm.part(1));

    let at_second = farm.assignment.rigs_at(1);
    assert_eq!(farm.set_shares(&[0.0, 0.0, 1.0]), at_second);
    assert_eq!(farm.pools(), [Some(2); 30]);
    assert_eq!(farm.assignment.poll_timeout(), None, "one pool has it all");
}

/// Behind a pool that takes no share nothing is proven, so no rig has a rate.
#[test]
fn rigs_without_any_proven_work_move_too() {
    let mut now = orepass_stratum::testing::start();
    let mut assignment = Assignment::new(2);
    let idle = || (0..5).map(|serial| (serial, 0.0));
    assignment.set_shares(&[1.0, 0.0], [], now);
    for serial in 0..5 {
        assignment.enter(serial, IpAddr::from([10, 0, 0, serial as u8]), now);
    }
    for _ in 0..6 {
        now += REBALANCE_EVERY;
        assignment.handle_timeout(now, idle());
    }
    assert_eq!(assignment.set_shares(&[0.0, 1.0], idle(), now), 5);
    assert!((0..5).all(|serial| assignment.pool_of(serial) == Some(1)));
    assert!((1..=4).contains(&assignment.set_shares(&[0.5, 0.5], idle(), now)));
}

#[test]
fn a_trial_takes_the_tenth_of_the_work_that_it_is_given() {
    // Of many small rigs a tenth, of three equal ones the one that it needs, of one none.
    for (rates, most, off) in
        [(unequal(100, 1), 20, 0.002), (vec![3.0; 3], 1, 0.24), (vec![3.0], 0, 0.11)]
    {
        let mut farm = Farm::new(&[0.0, 1.0], &rates);
        farm.run(30);
        let before = farm.pools();
        let moved = farm.set_shares(&[0.1, 0.9]);
        assert!(moved <= most, "{moved}");
        assert_eq!(differences(&before, &farm.pools()).len(), moved);
        assert!((farm.part(0) - 0.1).abs() < off, "{}", farm.part(0));
        assert_eq!(farm.set_shares(&[1.0, 0.0]), farm.rigs.len() - moved, "the rest follows");
    }
}

#[test]
fn an_outage_leaves_the_rigs_where_they_were() {
    let mut farm = Farm::new(&WEIGHTS, &unequal(20, 2));
    farm.run(30);
    let before = farm.pools();
    assert_eq!(farm.set_shares(&[0.0, 0.0]), 0);
    assert_eq!(farm.pools(), [None; 20]);
    assert_eq!(farm.assignment.poll_timeout(), None);
    farm.come(1.0);
    assert_eq!(farm.assignment.pool_of(20), None);
    farm.set_shares(&WEIGHTS);
    assert!(differences(&before, &farm.pools()[..20]).len() <= 3);
    assert!(farm.assignment.pool_of(20).is_some());
}

#[test]
fn the_first_rig_is_looked_at_soon_and_then_every_ten_minutes() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let mut farm = Farm::new(&WEIGHTS, &[]);
    assert_eq!(farm.assignment.poll_timeout(), None);
    farm.run(30);
    farm.come(1.0);
    let first = farm.now + FIRST_LOOK;
    assert_eq!(farm.assignment.poll_timeout(), Some(first));
    farm.run(3);
    assert_eq!(farm.assignment.poll_timeout(), Some(first + minutes(10)));
    farm.go(0);
    farm.come(1.0);
    assert_eq!(farm.assignment.poll_timeout(), Some(first + minutes(10)), "not sooner");
}

/// What may happen to a route.
#[derive(Debug, Clone)]
enum Happening {
    Come(f64),
    Go(prop::sample::Index),
    Shares([u8; 3]),
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0.0_f64..100.0).prop_map(Happening::Come),
        1 => any::<prop::sample::Index>().prop_map(Happening::Go),
        1 => any::<[u8; 3]>().prop_map(|parts| Happening::Shares(parts.map(|part| part / 64))),
        2 => (1_u64..40).prop_map(Happening::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens: a rig has a pool with a part as long as there is one, none is lost, and
    /// none moves but when the parts change or the time has come.
    #[test]
    fn every_rig_has_its_pool(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut farm = Farm::new(&[0.5, 0.5, 0.0], &[]);
        let mut shares = [2, 2, 0];
        for happening in happenings {
            let mut before = farm.pools();
            match happening {
                Happening::Come(rate) => {
                    farm.come(rate);
                    prop_assert_eq!(&before, &farm.pools()[..before.len()]);
                }
                Happening::Go(_) if farm.rigs.is_empty() => {}
                Happening::Go(index) => {
                    let index = index.index(before.len());
                    before.swap_remove(index);
                    farm.go(index);
                    prop_assert_eq!(before, farm.pools());
                }
                Happening::Shares(parts) => {
                    shares = parts;
                    farm.set_shares(&parts.map(f64::from));
                }
                // The steps between looks move nothing.
                Happening::Pass(steps) => for _ in 0..steps {
                    let (before, looks) = (farm.pools(), farm.moved.len());
                    farm.step();
                    prop_assert!(looks < farm.moved.len() || before == farm.pools());
                },
            }
            let pools = farm.pools();
            let open = |pool: &Option<PoolIndex>| pool.is_some_and(|pool| shares[pool] > 0);
            prop_assert!(shares == [0; 3] || pools.iter().all(open), "{pools:?} {shares:?}");
            prop_assert!(shares != [0; 3] || pools.iter().all(Option::is_none));
            prop_assert_eq!(farm.assignment.rigs.len(), farm.rigs.len());
            if shares != [0; 3] {
                let at = |pool| pools.iter().filter(|at| **at == Some(pool)).count();
                prop_assert!((0..3).all(|pool| farm.assignment.rigs_at(pool) == at(pool)));
            }
            prop_assert!(farm.assignment.debts.iter().all(|debt| debt.is_finite()));
            prop_assert!(farm.assignment.periods.len() <= 7);
        }
    }
}
