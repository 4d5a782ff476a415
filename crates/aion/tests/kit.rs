//! What every dialect must do.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod dialect_support;

use allocation_counter::measure;
use dialect_support::{dialect, notify_of, submit_of, vector};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::testing::kit::Kit;
use serde_json::{Value, json};

const BLOCK: &str = "mainnet_block_99995";

fn call(method: &str, params: &Value) -> String {
    json!({ "id": 1, "method": method, "params": params }).to_string()
}

#[test]
fn aion_keeps_to_the_kit() {
    let row = vector(BLOCK);
    let nonce = const_hex::decode(row["nonce"].as_str().unwrap()).unwrap();
    let mut other = notify_of(&row);
    other[3] = "11".repeat(32).into();
    let kit = Kit {
        dialect: dialect(),
        jobs: [notify_of(&row), other].map(|params| call("mining.notify", &params)).into(),
        login: vec![call("mining.subscribe", &json!(["rig/1", "AionStratum/1.0.0"]))],
        submits: vec![call("mining.submit", &submit_of(&row, 8))],
        terms: (),
        extranonce1: Extranonce::from_slice(&nonce[..8]).unwrap(),
        extranonce2: 24,
        allocations: Some(|run| measure(run).count_total),
    };
    kit.run();
}
