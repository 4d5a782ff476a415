//! What the tests of the dialect share.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::path::Path;

use bytes::BytesMut;
use orepass_aion::job::Job;
use orepass_aion::{Aion, Options};
use orepass_stratum::dialect::PoolEvent;
use orepass_stratum::error::ParseError;
use orepass_stratum::testing;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The text of a file in `tests/vectors`.
pub(crate) fn file(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read_to_string(root.join(name)).unwrap()
}

pub(crate) fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&file("aion.json")).unwrap();
    all[section].as_array().unwrap().clone()
}

pub(crate) fn vector(name: &str) -> Value {
    vectors("valid").into_iter().find(|row| row["name"] == name).unwrap()
}

pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} of {row}"))
}

// By value, so that `json!` can stand in the call.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn raw(json: impl ToString) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

pub(crate) fn dialect() -> Aion {
    Aion::new(Options::default())
}

pub(crate) fn notify(params: &Value) -> Result<Job, ParseError> {
    match testing::hear(&dialect(), "mining.notify", &raw(params))? {
        PoolEvent::Job(Ok(job)) => Ok(job),
        other => panic!("{other:?}"),
    }
}

/// A notify for a vector; without a target of its own it gets the easiest.
pub(crate) fn notify_of(row: &Value) -> Value {
    let target = row["target"].as_str().map_or_else(|| "f".repeat(64), str::to_owned);
    json!(["1", true, target, row["header_hash"]])
}

/// A submit for a vector of which the miner chose the nonce from byte `told` on.
pub(crate) fn submit_of(row: &Value, told: usize) -> Value {
    let extranonce2 = &text(row, "nonce")[2 * told..];
    let solution = format!("fd8005{}", text(row, "solution"));
    json!(["0xa0.rig1", "1", "000000006b00b3a4", extranonce2, solution])
}

/// What a `put_…` method writes.
pub(crate) fn line(put: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    put(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.ends_with("}\n") && text.lines().count() == 1 && !text.contains('\r'), "{text}");
    text
}

/// What a `put_…` method writes, read back.
pub(crate) fn written(put: impl FnOnce(&mut BytesMut)) -> Value {
    serde_json::from_str(&line(put)).unwrap()
}
