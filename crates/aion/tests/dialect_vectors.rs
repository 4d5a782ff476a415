//! The dialect against real mainnet blocks, shares of a real miner and values of other
//! implementations.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::time::Duration;

use dialect_support::{dialect, notify, notify_of, raw, submit_of, text, vector, vectors};
use orepass_aion::job::Job;
use orepass_aion::share;
use orepass_aion::{Aion, DifficultyScale, Options};
use orepass_equihash::Scratch;
use orepass_stratum::dialect::{Announced, Checked, Dialect, PoolEvent, ShareTarget};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing::{self, read_share};
use orepass_stratum::verdict::Verdict;
use serde_json::{Value, json};

/// Judges a vector as a share of a rig that was told `told` bytes.
fn check(row: &Value, told: usize, submit: &Value, easiest: &Target) -> Result<Checked, Reject> {
    let job = notify(&notify_of(row)).unwrap();
    let share = read_share(&dialect(), &job, 32 - told, &raw(submit))?;
    let extranonce1: Extranonce = text(row, "nonce")[..2 * told].parse().unwrap();
    let header = share::header(&job, extranonce1.as_bytes(), &share).unwrap();
    assert_eq!(
        const_hex::encode(header),
        format!("{}{}", text(row, "header_hash"), text(row, "nonce"))
    );
    let scratch = &mut Scratch::default();
    testing::check(&dialect(), &job, &extranonce1, &share, easiest, Duration::from_secs(7), scratch)
}

fn hash(checked: Result<Checked, Reject>) -> String {
    match checked {
        Ok(Checked::Proven(hash)) => hash.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Vectors whose header is a hash; one has a longer header, which no stratum can say.
fn hashed(section: &str) -> Vec<Value> {
    vectors(section).into_iter().filter(|row| text(row, "header_hash").len() == 64).collect()
}

#[test]
fn good_shares_in_every_form() {
    let rows = hashed("valid");
    assert_eq!(rows.len(), 14);
    for row in &rows {
        let target = row["target"].as_str().map_or(Target::MAX, |t| Target::from_hex(t).unwrap());
        for told in [0, 2, 4, 8, 10, 16, 31, 32] {
            let mut submit = submit_of(row, told);
            assert_eq!(hash(check(row, told, &submit, &target)), text(row, "pow_hash"));
            submit[4] = row["solution"].clone();
            assert_eq!(hash(check(row, told, &submit, &target)), text(row, "pow_hash"));
        }
        let mut submit = submit_of(row, 8);
        for index in 2..5 {
            submit[index] = submit[index].as_str().unwrap().to_uppercase().into();
        }
        assert_eq!(hash(check(row, 8, &submit, &target)), text(row, "pow_hash"));
        if let Some(meets) = row["meets_target"].as_bool() {
            let job = notify(&notify_of(row)).unwrap();
            let hash = Target::from_hex(text(row, "pow_hash")).unwrap();
            let hash = orepass_stratum::target::PowHash::from_be_bytes(hash.to_be_bytes());
            let price = dialect().price(&job, &Announced::default(), Habits::default());
            let is_block = price.block.map(|block| dialect().rules().good.meets(&hash, &block));
            assert_eq!(is_block, Some(meets));
        }
    }
}

#[test]
fn bad_shares_are_refused_for_their_reason() {
    let mut in_form = 0;
    for row in &hashed("invalid") {
        let (name, expect) = (text(row, "name"), text(row, "expect"));
        let mut submit = submit_of(row, 8);
        submit[4] = row["solution"].clone();
        let checked = check(row, 8, &submit, &Target::MAX);
        if name == "with_compactsize_prefix_not_stripped" {
            assert!(checked.is_ok(), "it is the form of the wire: {checked:?}");
            continue;
        }
        let reject = checked.unwrap_err();
        assert_eq!((reject.code as u8, reject.verdict), (20, Verdict::Invalid), "{name}: {reject}");
        let words: &[&str] = match expect {
            "bad_length" => &["solution is "],
            "nonzero_xor" => &["invalid solution: no collision", "invalid solution: root has"],
            "out_of_order" => &["invalid solution: subtrees out of order"],
            "duplicate" => &["invalid solution: index ", "invalid solution: subtrees out of order"],
            other => panic!("{other}"),
        };
        assert!(words.iter().any(|words| reject.reason.starts_with(words)), "{name}: {reject}");
        in_form += usize::from(expect != "bad_length");
    }
    assert_eq!(in_form, 11);
}

#[test]
fn a_hash_must_be_below_its_target() {
    let rows = vectors("target_edges");
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let share = vector(text(row, "vector"));
        let target = Target::from_hex(text(row, "target")).unwrap();
        let checked = check(&share, 8, &submit_of(&share, 8), &target);
        if row["meets_target"] == true {
            assert_eq!(hash(checked), text(&share, "pow_hash"));
            continue;
        }
        let reject = checked.unwrap_err();
        assert_eq!((reject.code as u8, reject.verdict), (23, Verdict::LowDifficulty));
        let (hash, target) = (text(&share, "pow_hash"), text(row, "target"));
        assert_eq!(
            reject.reason,
            format!("low difficulty: {hash} is not below the target {target}")
        );
    }
}

#[test]
fn a_target_that_is_missed_is_told_before_a_bad_solution() {
    let row = &hashed("invalid")[0];
    let mut submit = submit_of(row, 8);
    submit[4] = row["solution"].clone();
    let reject = check(row, 8, &submit, &Target::ZERO).unwrap_err();
    assert_eq!(reject.verdict, Verdict::LowDifficulty);
}

#[test]
fn difficulties_of_pools_and_rigs() {
    let rows = vectors("difficulty_target");
    assert_eq!(rows.len(), 10);
    let job = notify(&json!(["1", true, "00".repeat(32), "00".repeat(32)])).unwrap();
    for row in &rows {
        let expected = row["target"].as_str();
        let expected = expected.map_or(Target::MAX, |target| Target::from_hex(target).unwrap());
        let params = raw(json!([row["difficulty"]]));
        let event = testing::hear(&dialect(), "mining.set_difficulty", &params).unwrap();
        let PoolEvent::Difficulty(difficulty) = event else { panic!("{event:?}") };
        let announced = Announced { target: None, difficulty: Some(difficulty) };
        assert_eq!(wanted(&dialect(), &job, &announced), expected);
        let number = Difficulty::new(row["difficulty"].as_f64().unwrap()).unwrap();
        assert_eq!(dialect().scale(&job).target(number), expected);
        assert_eq!(dialect().scale(&job).difficulty_lossy(expected), number);
    }
    let options = Options::default().with_difficulty_scale(DifficultyScale::Node);
    let four = ShareTarget::Difficulty(Difficulty::new(4.0).unwrap());
    let announced = Announced { target: None, difficulty: Some(four) };
    let target = wanted(&Aion::new(options), &job, &announced);
    assert_eq!(target.to_string(), format!("0002{}", "0".repeat(60)));
}

fn wanted(dialect: &Aion, job: &Job, announced: &Announced) -> Target {
    dialect.price(job, announced, Habits::default()).wanted.surely(Habits::default())
}
