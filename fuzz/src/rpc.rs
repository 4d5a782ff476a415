//! Any bytes as one line of JSON-RPC: what is read is what the library of JSON reads, an id is given
//! back as it came, and words are words whatever is in them.
//!
//! Input: the line.

use bytes::BytesMut;
use orepass_stratum::error::{Reject, shown};
use orepass_stratum::rpc::{
    Id, MAX_ID, Message, Params, PoolError, Quoted, array, boolean, number, put_error, put_result,
    string, whole,
};
use orepass_stratum::secret::masked;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Line, text};

/// Takes an input as the head of this file says, and gives 1 for a message, else 0.
///
/// # Panics
/// When something is read otherwise than it is written.
pub fn rpc(line: &[u8]) -> usize {
    let Ok(message) = Message::parse(line) else { return 0 };
    // A field that nobody asks for may have bytes that are no text.
    if let Ok(value) = serde_json::from_slice::<Value>(line) {
        assert!(value.is_object());
        let method = value["method"].as_str();
        assert_eq!(message.method.as_deref(), method);
    }
    if let Some(id) = Id::new(message.id) {
        echoed(&id, message.id);
    } else {
        let given = message.id.expect("null is an id").get();
        assert!(given.len() > MAX_ID || given.starts_with(['{', '[']), "{given}");
    }
    for value in [message.id, message.params, message.result, message.error].into_iter().flatten() {
        read(value);
    }
    let error = message.error.and_then(PoolError::parse).unwrap_or_else(|| PoolError::beside(line));
    assert!(error.message.chars().count() <= 640, "an error quotes too much: {error}");
    1
}

/// An answer has the id that the call had, whether it is yes or no.
fn echoed(id: &Id, given: Option<&RawValue>) {
    let given = given.map_or("null", RawValue::get);
    let mut out = BytesMut::new();
    put_result(&mut out, id, true);
    put_error(&mut out, id, &Reject::invalid(shown(given)), "null");
    let out = String::from_utf8(out.to_vec()).expect("UTF-8 is written");
    assert_eq!(out.lines().count(), 2, "{out}");
    for line in out.lines() {
        let line: Line = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(text(&line, "id"), given);
    }
}

/// A value, read in every way that it can be.
fn read(value: &RawValue) {
    let plain: Result<Value, _> = serde_json::from_str(value.get());
    let (Ok(plain), heard) = (plain, string(value)) else { return };
    if let Some(text) = heard {
        assert_eq!(plain.as_str(), Some(&*text));
        let quoted = Quoted(&text).to_string();
        let again: String = serde_json::from_str(&quoted).expect("JSON of our own");
        assert_eq!(again, text);
        let short = shown(&text);
        assert!(!short.chars().any(char::is_control));
        if let Some(without) = masked(value.get(), "hunter2") {
            assert!(!without.contains("hunter2"), "{without}");
        } else {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    if let Some(number) = whole(value) {
        assert!(plain.is_number() || plain.is_string());
        assert!(plain.as_u64().is_none_or(|plain| plain == number));
    }
    if let Some(number) = number(value) {
        assert!(number.is_finite(), "{number}");
    }
    assert!(boolean(value).is_none_or(|flag| plain.as_bool().is_none_or(|plain| plain == flag)));
    if let Some((elements, count)) = array::<3>(value) {
        assert_eq!(plain.as_array().map(Vec::len), Some(count));
        assert_eq!(elements.len(), count.min(3));
    }
    if let Ok(params) = Params::read(value) {
        assert_eq!(plain.as_array().map(Vec::len), Some(params.count()));
    }
}
