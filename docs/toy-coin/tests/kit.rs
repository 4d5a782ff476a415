//! What every dialect must do.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass_stratum::serde_json::{Value, json};
use orepass_stratum::testing::kit::Kit;
use toy_coin::{Mask, Toy};

fn call(method: &str, params: &Value) -> String {
    json!({ "id": 1, "method": method, "params": params }).to_string()
}

fn kit(mask: u32, login: &[(&str, Value)], submits: &[Value]) -> Kit<Toy> {
    let block = "0".repeat(64);
    let jobs = ["0b", "0c"].map(|root| json!(["0a", "7", root, "20004000", block, true]));
    Kit {
        dialect: Toy { open_jobs: 4 },
        jobs: jobs.iter().map(|params| call("mining.notify", params)).collect(),
        login: login.iter().map(|(method, params)| call(method, params)).collect(),
        submits: submits.iter().map(|params| call("mining.submit", params)).collect(),
        terms: Mask(mask),
        extranonce1: "aabb".parse().unwrap(),
        extranonce2: 3,
        allocations: None,
    }
}

#[test]
fn it_keeps_to_the_kit_where_versions_roll() {
    let wish = json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]);
    let login = [("mining.configure", wish), ("mining.subscribe", json!(["rig/1"]))];
    let submits = [("00000001", "00004000"), ("00000001", "00002000"), ("00000002", "00002000")]
        .map(|(nonce, bits)| json!(["r", "00000007", "010203", nonce, bits]));
    kit(0x0000_e000, &login, &submits).run();
}

#[test]
fn it_keeps_to_the_kit_where_they_do_not() {
    let login = [("mining.subscribe", json!(["rig/1"]))];
    let submits = ["00000001", "00000002"].map(|nonce| json!(["r", "00000007", "010203", nonce]));
    kit(0, &login, &submits).run();
}
