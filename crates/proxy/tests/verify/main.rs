//! `orepass verify`, as a program: real shares and blocks of each coin, whole and damaged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aion;
mod bitcoin;
mod handshake;
#[path = "../common/verify.rs"]
mod run;
mod zcash;

use serde_json::Value;

use self::run::verify;

/// What the program answers to requests, one for each, and its exit code.
fn verify_all(requests: &[Value]) -> (Vec<Value>, i32) {
    let (answers, code) = verify(requests.iter().map(|it| format!("{it}\n")).collect::<String>());
    assert_eq!(answers.len(), requests.len());
    (answers, code)
}

fn verify_one(request: &Value) -> (Value, i32) {
    let (mut answers, code) = verify_all(std::slice::from_ref(request));
    (answers.remove(0), code)
}
