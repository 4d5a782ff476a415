//! A route in weather: 50 seeds, a virtual day each. `cargo run --release -p orepass-tests --bin
//! storm` runs more of them and longer.

use orepass_tests::storm::kept;
use orepass_tests::storm::run::{DAY, Report, Storm};

/// How many seeds every change must weather.
const SEEDS: u64 = 50;

#[test]
fn every_rule_holds_through_a_day_of_weather() {
    for seed in 0..SEEDS {
        let storm = Storm::of_seed(seed);
        let report = storm.run(|_| {});
        assert_unbroken(storm, &report);
        assert!(report.books.sent > 0 && report.pools.taken > 0, "seed {seed} did nothing");
    }
}

/// What broke a rule once does not again.
#[test]
fn kept_stories_are_told_again() {
    for (path, storm) in kept::all(&kept::folder()).unwrap() {
        println!("{}", path.display());
        assert_unbroken(storm, &storm.run(|_| {}));
    }
}

#[test]
fn a_seed_tells_the_same_story_twice_line_by_line() {
    for seed in [3, 7, 19] {
        let storm = Storm { span: DAY / 2, lines: usize::MAX, ..Storm::of_seed(seed) };
        let (first, second) = (storm.run(|_| {}), storm.run(|_| {}));
        assert!(first.story.len() > 1000, "seed {seed}: {} lines", first.story.len());
        let at = first.story.iter().zip(&second.story).position(|(first, second)| first != second);
        if let Some(at) = at {
            let around = |report: &Report| report.story[at.saturating_sub(5)..=at].join("\n");
            panic!("seed {seed}:\n{}\n\nor\n\n{}", around(&first), around(&second));
        }
        assert_eq!(first.story.len(), second.story.len(), "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
    }
}

fn assert_unbroken(storm: Storm, report: &Report) {
    if !report.violations.is_empty() {
        for line in &report.story {
            println!("{line}");
        }
        let (seed, rules) = (storm.seed, &report.violations);
        panic!("seed {seed} broke {} rules: {rules:#?}", rules.len());
    }
}
