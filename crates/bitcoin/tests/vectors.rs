//! Blocks and shares that are public, read and judged as the dialect does.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::time::Duration;

use orepass_bitcoin::address::Network;
use orepass_bitcoin::job::Job;
use orepass_bitcoin::rig::RigWishes;
use orepass_bitcoin::share::{self, Share};
use orepass_bitcoin::terms::{CoinbaseRoom, PoolGrant};
use orepass_bitcoin::wire::submit;
use orepass_bitcoin::{Bitcoin, VersionMask, payout, scale};
use orepass_stratum::dialect::{BasisOf, Checked, Dialect, Work};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::Params;
use orepass_stratum::target::Target;
use serde_json::Value;
use serde_json::value::RawValue;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/bitcoin.json")).unwrap()
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

struct Found {
    job: Job,
    extranonce1: Extranonce,
    share: Share,
}

impl Found {
    fn read(vector: &Value) -> Self {
        let extranonce1: Extranonce = vector["extranonce1"].as_str().unwrap().parse().unwrap();
        let extranonce2 = vector["submit"][2].as_str().unwrap().len() / 2;
        let room = CoinbaseRoom { extranonce1: extranonce1.len(), extranonce2 };
        let job = Job::parse(&raw(&vector["notify"]), Some(room)).unwrap();
        let params = raw(&vector["submit"]);
        let told = BasisOf::<Bitcoin> {
            job: &job,
            terms: &PoolGrant { mask: VersionMask::ROLLABLE, room: Some(room) },
            rig: &RigWishes { mask: VersionMask::ROLLABLE, ..RigWishes::default() },
            extranonce1: &extranonce1,
            pool_extranonce1: extranonce1.len(),
            extranonce2,
        };
        let share = submit::read(&told, &Params::read(&params).unwrap()).unwrap();
        Self { job, extranonce1, share }
    }
}

#[test]
fn shares_and_blocks_hash_as_recorded() {
    for vector in vectors()["shares"].as_array().unwrap() {
        let (name, Found { job, extranonce1, share }) = (&vector["name"], Found::read(vector));
        let header = share::header(&job, extranonce1.as_bytes(), &share);
        assert_eq!(const_hex::encode(header), vector["header"].as_str().unwrap(), "{name}");
        let judged = share::judge(&job, &extranonce1, &share, &Target::MAX);
        assert_eq!(judged.hash.to_string(), vector["hash"].as_str().unwrap(), "{name}");
        assert_eq!(judged.block, vector["block"].as_bool(), "{name}");
        let difficulty = scale::bitcoin().difficulty_lossy(judged.hash.as_target()).get();
        let recorded = vector["difficulty"].as_f64().unwrap();
        assert!((difficulty / recorded - 1.0).abs() < 1e-9, "{name}: {difficulty}");
    }
}

#[test]
fn coinbases_say_whom_they_pay() {
    for vector in vectors()["shares"].as_array().unwrap() {
        let job = Found::read(vector).job;
        let payouts = &job.coinbase().unwrap().unwrap().payouts;
        let texts: Vec<String> =
            payouts.iter().map(|payout| payout::shown(payout, Network::Main).to_string()).collect();
        assert_eq!(serde_json::json!(texts), vector["payouts"], "{}", vector["name"]);
    }
}

#[test]
fn a_version_is_rolled_as_a_block_was() {
    for row in vectors()["headers"].as_array().unwrap() {
        let text = |name: &str| row[name].as_str().unwrap();
        let header: [u8; 80] = const_hex::decode_to_array(text("header")).unwrap();
        assert_eq!(share::of_header(&header).to_string(), text("hash"));
        let number = |name| u32::from_str_radix(text(name), 16).unwrap();
        let mask: VersionMask = text("version_mask").parse().unwrap();
        let version = mask.apply(number("version"), number("version_bits"));
        assert_eq!(version.to_le_bytes(), header[..4]);
    }
}

#[test]
fn a_check_looks_at_the_time_first() {
    let vectors = vectors();
    let Found { job, extranonce1, share } = Found::read(&vectors["shares"][4]);
    let check = |time, age| {
        let rig = orepass_stratum::testing::PlainRig::<Bitcoin>::new();
        let told = rig.told(&job, &extranonce1, 8);
        let share = Share { time, ..share.clone() };
        let age = Duration::from_secs(age);
        Bitcoin::default().check(&told, &share, &Target::MAX, age, &mut ())
    };
    let first = job.parts().time;
    assert!(matches!(check(first, 0), Ok(Checked::Proven(_))));
    assert!(check(first + 7_000, 0).is_ok() && check(first + 7_060, 60).is_ok());
    let early = check(first - 1, 60).unwrap_err().reason;
    assert!(early.contains(&format!("{} lies before the job's {first}", first - 1)), "{early}");
    let late = check(first + 7_061, 60).unwrap_err().reason;
    assert!(late.contains("too far ahead"), "{late}");
    assert!(check(u32::MAX, u64::MAX).is_ok(), "no sum is too large");
    // Told again with a later time, the same work takes what has that.
    let of = |time| Share { time, ..share.clone() };
    assert!(job.serves(&of(first)) && !job.serves(&of(first - 1)));
}
