//! Whatever happens.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Up,
    Lost,
    Down(Cause),
    Released,
    Verdicts(usize, &'static str),
    Block(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let cause = prop::sample::select(vec![Cause::Connection, Cause::Account, Cause::Jobs]);
    let fate = prop::sample::select(vec!["good", "refused", "lost"]);
    prop_oneof![
        4 => Just(Step::Up),
        2 => Just(Step::Lost),
        1 => cause.prop_map(Step::Down),
        1 => Just(Step::Released),
        3 => (1..25_usize, fate).prop_map(|(shares, fate)| Step::Verdicts(shares, fate)),
        2 => (0..9_u64).prop_map(Step::Block),
    ]
}

/// Times from nothing to longer than any wait of the machine.
fn time() -> impl Strategy<Value = Duration> {
    prop::sample::select(vec![0, 50, 1_000, 5_999, 6_000, 61_000, 300_000, 4_000_000])
        .prop_map(Duration::from_millis)
}

fn config() -> impl Strategy<Value = PoolsConfig> {
    (time(), time(), proptest::option::of(time()), prop::bool::ANY).prop_map(
        |(healthy_for, trial_for, hold_for, equal)| {
            let ranks = if equal { [0, 0, 1] } else { [0, 1, 2] };
            let standing = |rank| Standing { rank, weight: 1.0 + rank as f64 };
            let pools = ranks.map(standing).to_vec();
            PoolsConfig { pools, healthy_for, trial_share: 0.1, trial_for, hold_for }
        },
    )
}

proptest! {
    /// The parts add up to one exactly while a pool serves, only pools that serve have any, and
    /// the next wake-up is always later than the last.
    #[test]
    fn the_parts_add_up_and_the_machine_never_spins(
        config in config(),
        steps in prop::collection::vec((step(), 0_usize..3, 0_u64..2, time()), 1..200),
    ) {
        let mut night = Night::new(config);
        for (step, pool, connection, wait) in steps {
            let Night { pools, now } = &mut night;
            let link = Link { pool, number: connection, dedicated: connection == 1 };
            match step {
                Step::Up => pools.up(link, *now),
                Step::Lost => pools.lost(link, *now),
                Step::Down(cause) => pools.down(link, cause, *now),
                Step::Released => pools.released(link, *now),
                Step::Verdicts(shares, fate) => {
                    let verdict = match fate {
                        "good" => Ok(()),
                        "lost" => Err(Reject::lost()),
                        words => refused(words),
                    };
                    (0..shares).for_each(|_| pools.verdict(link, &verdict, *now));
                }
                Step::Block(key) => pools.block(pool, key, *now),
            }
            *now += wait;
            pools.handle_timeout(*now);
            prop_assert!(pools.poll_timeout().is_none_or(|at| at > *now));
            let shares = pools.shares();
            let sum: f64 = shares.iter().sum();
            let serves = (0..3).any(|pool| pools.serves(pool));
            prop_assert_eq!(pools.gate() == Gate::Open, sum > 0.0);
            prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9, "{shares:?}");
            prop_assert!(serves || sum == 0.0);
            for (pool, share) in shares.iter().enumerate() {
                prop_assert!(*share == 0.0 || pools.serves(pool));
            }
        }
        // Wherever it was left, it wakes up only now and then.
        night.events();
        night.sleep(100_000);
        prop_assert!(night.events().len() < MAX_EVENTS);
    }
}
