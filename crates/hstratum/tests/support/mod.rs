//! What the integration tests share.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::path::Path;

use bytes::BytesMut;
use orepass_hstratum::job::Job;
use orepass_hstratum::{Hstratum, Options};
use orepass_stratum::dialect::PoolEvent;
use orepass_stratum::error::ParseError;
use orepass_stratum::testing;
use serde_json::Value;
use serde_json::value::RawValue;

/// The text of a file in `tests/vectors`.
pub(crate) fn file(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read_to_string(root.join(name)).unwrap()
}

pub(crate) fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&file("handshake.json")).unwrap();
    all[section].as_array().unwrap().clone()
}

pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} of {row}"))
}

pub(crate) fn hex(row: &Value, key: &str) -> Vec<u8> {
    const_hex::decode(text(row, key)).unwrap()
}

pub(crate) fn hash(row: &Value, key: &str) -> [u8; 32] {
    hex(row, key).try_into().unwrap()
}

// By value, so that `json!` can stand in the call.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn raw(json: impl ToString) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

pub(crate) fn dialect() -> Hstratum {
    Hstratum::new(Options::default())
}

pub(crate) fn notify(params: &Value) -> Result<Job, ParseError> {
    match testing::hear(&dialect(), "mining.notify", &raw(params))? {
        PoolEvent::Job(Ok(job)) => Ok(job),
        other => panic!("{other:?}"),
    }
}

/// What a `put_…` method writes, read back.
pub(crate) fn written(put: impl FnOnce(&mut BytesMut)) -> Value {
    let mut out = BytesMut::new();
    put(&mut out);
    assert_eq!(out.last(), Some(&b'\n'));
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice(&out).unwrap()
}
