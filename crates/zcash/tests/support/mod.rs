//! What the tests of the dialect share: the blocks of `tests/vectors/zcash.json`, which name their source,
//! as pools and rigs would have told them.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use orepass_equihash::Scratch;
use orepass_stratum::dialect::{Basis, Checked, Diagnosis, Dialect, FailedShare, PoolEvent};
use orepass_stratum::error::{ParseError, Reject};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::Params;
use orepass_stratum::target::Target;
use orepass_stratum::testing;
use orepass_zcash::Zcash;
use orepass_zcash::job::Job;
use orepass_zcash::share::Share;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The text of a file in `tests/vectors`.
pub(crate) fn file(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read_to_string(root.join(name)).unwrap()
}

pub(crate) fn vectors() -> Value {
    serde_json::from_str(&file("zcash.json")).unwrap()
}

pub(crate) fn blocks() -> Vec<Block> {
    vectors()["valid"].as_array().unwrap().iter().cloned().map(Block).collect()
}

/// Block 415,000.
pub(crate) fn block() -> Block {
    blocks().into_iter().find(|block| block.text("name") == "mainnet_block_415000").unwrap()
}

/// A block of mainnet.
pub(crate) struct Block(Value);

impl Block {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key} of {}", self.0))
    }

    pub(crate) fn notify(&self) -> Value {
        let fields = ["version", "prev_hash", "merkle_root", "reserved", "time", "bits"];
        let [version, prev, root, reserved, time, bits] = fields.map(|field| self.text(field));
        json!(["cccd", version, prev, root, reserved, time, bits, true])
    }

    /// With an extranonce1 of so many bytes.
    pub(crate) fn submit(&self, told: usize) -> Value {
        let extranonce2 = &self.text("nonce")[2 * told..];
        let solution = format!("fd4005{}", self.text("solution"));
        json!(["t1account.rig1", "cccd", self.text("time"), extranonce2, solution])
    }

    pub(crate) fn job(&self) -> Job {
        job(&self.notify()).unwrap()
    }

    /// The nonce up to a byte.
    pub(crate) fn extranonce1(&self, told: usize) -> Extranonce {
        self.text("nonce")[..2 * told].parse().unwrap()
    }

    pub(crate) fn share(&self, told: usize) -> Share {
        share(&self.job(), 32 - told, &self.submit(told)).unwrap()
    }

    pub(crate) fn target(&self) -> Target {
        Target::from_hex(self.text("target")).unwrap()
    }
}

// By value, so that `json!` can stand in the call.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn raw(json: impl ToString) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

pub(crate) fn job(params: &Value) -> Result<Job, ParseError> {
    match testing::hear(&Zcash, "mining.notify", &raw(params))? {
        PoolEvent::Job(job) => job,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn share(job: &Job, extranonce2: usize, params: &Value) -> Result<Share, Reject> {
    testing::read_share(&Zcash, job, extranonce2, &raw(params))
}

/// Checks a share as it comes.
pub(crate) fn check(
    job: &Job,
    extranonce1: &Extranonce,
    share: &Share,
    target: &Target,
) -> Result<Checked, Reject> {
    let (age, scratch) = (Duration::ZERO, &mut Scratch::default());
    testing::check(&Zcash, job, extranonce1, share, target, age, scratch)
}

/// What is said of a submit's form.
pub(crate) fn diagnose_form(job: &Job, extranonce2: usize, params: &Value) -> Option<Diagnosis> {
    let (params, extranonce1) = (raw(params), &Extranonce::default());
    let told = Basis { job, terms: &(), rig: &(), extranonce1, pool_extranonce1: 0, extranonce2 };
    Zcash.why(&told, FailedShare::Form(&Params::read(&params).unwrap()))
}

/// The one line that is written.
pub(crate) fn written(put: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    put(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
    text.trim_end().to_owned()
}
