//! Every input that is kept for a fuzz target is borne: the seeds, and what fuzzing has found on this
//! machine. Fuzzing itself needs a nightly toolchain; this does not.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::fs;
use std::path::{Path, PathBuf};

use orepass_fuzz::{TARGETS, records};

/// Those that have targets of their own.
const COINS: [&str; 4] = ["aion", "bitcoin", "hstratum", "zcash"];

/// The entries of a folder in the fuzz targets', by name; none where there is no such folder.
fn entries(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz")).join(folder);
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Names without endings.
fn names(folder: &str) -> Vec<String> {
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries(folder).iter().map(name).collect()
}

#[test]
fn every_target_has_a_shell_and_seeds_and_there_are_no_others() {
    let mut targets = TARGETS.map(|(name, _)| name);
    targets.sort_unstable();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("seeds"), targets);
    for (target, shell) in targets.into_iter().zip(entries("fuzz_targets")) {
        assert!(!entries(&format!("seeds/{target}")).is_empty(), "{target} has no seeds");
        let shell = fs::read_to_string(shell).unwrap();
        let mut words = target.split('_').filter(|word| COINS.contains(word));
        let coin = words.next().map_or_else(String::new, |coin| format!("::<orepass_{coin}::"));
        let own = COINS.iter().find_map(|coin| target.strip_prefix(coin)?.strip_prefix('_'));
        let body = own.unwrap_or(target);
        assert!(shell.contains(&format!("orepass_fuzz::{body}{coin}")), "{target}: {shell}");
    }
}

#[test]
fn every_kept_input_is_borne_and_the_seeds_reach_good_shares() {
    for (name, body) in TARGETS {
        let mut reached = 0;
        for folder in ["seeds", "corpus", "artifacts"] {
            for input in entries(&format!("{folder}/{name}")) {
                // Shown where one panics.
                println!("{}", input.display());
                let worth = body(&fs::read(&input).unwrap());
                reached += if folder == "seeds" { worth } else { 0 };
            }
        }
        println!("{name}: {reached}");
        assert!(reached > 1, "the seeds of {name} no longer reach what they were made for");
    }
}

#[test]
fn what_real_servers_and_rigs_have_said_is_borne() {
    for (name, body) in TARGETS {
        let inputs = records::inputs(name);
        let made = !["sessions", "farm", "proxy_header", "history_row"].contains(&name);
        assert_eq!(!inputs.is_empty(), made, "{name}");
        for input in &inputs {
            let _ = body(input);
        }
    }
}

/// Operations at random, by the thousand: the same in every run.
#[test]
fn the_models_hold_whatever_happens() {
    let mut random = fastrand::Rng::with_seed(11);
    for (name, body) in TARGETS.into_iter().filter(|(name, _)| ["sessions", "farm"].contains(name))
    {
        let (mut worth, runs) = (0, if name == "farm" { 100 } else { 2_000 });
        for run in 0..runs {
            let input: Vec<u8> = (0..random.usize(0..800)).map(|_| random.u8(..)).collect();
            let done = std::panic::catch_unwind(|| body(&input));
            worth += done.unwrap_or_else(|_| panic!("{name}, run {run}: {input:?}"));
        }
        assert!(2 * worth > runs, "{name}: {worth} in {runs} runs: nothing happened");
    }
}
