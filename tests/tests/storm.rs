//! A route in weather: 50 seeds, a virtual day each. `cargo run --release -p orepass-tests --bin
//! storm` runs more of them and longer.

use orepass_tests::storm::run::{DAY, run};

/// How many seeds every change must weather.
const SEEDS: u64 = 50;

#[test]
fn every_rule_holds_through_a_day_of_weather() {
    for seed in 0..SEEDS {
        let report = run(seed, DAY, |_| {});
        if !report.violations.is_empty() {
            for line in &report.story {
                println!("{line}");
            }
            panic!("seed {seed} broke {} rules: {:#?}", report.violations.len(), report.violations);
        }
        assert!(report.books.sent > 0 && report.pools.taken > 0, "seed {seed} did nothing");
    }
}

/// Only this way does the runtime itself toss its coins by the seed.
#[cfg(tokio_unstable)]
#[test]
fn a_seed_tells_the_same_story_twice() {
    let digest = || run(7, DAY, |_| {}).digest;
    assert_eq!(digest(), digest());
}
