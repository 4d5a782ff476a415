//! What every dialect must do, of both generations.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod support;

use allocation_counter::measure;
use orepass_hstratum::Hstratum;
use orepass_stratum::testing::kit::Kit;
use serde_json::{Value, json};
use support::{dialect, vectors};

fn call(method: &str, params: &Value) -> String {
    json!({ "id": 1, "method": method, "params": params }).to_string()
}

fn kit(jobs: &[&Value], submits: &[Value], extranonce1: &str) -> Kit<Hstratum> {
    let of = |method: &'static str| move |params: &&Value| call(method, params);
    Kit {
        dialect: dialect(),
        jobs: jobs.iter().map(of("mining.notify")).collect(),
        login: vec![call("mining.subscribe", &json!(["rig/1"]))],
        submits: submits.iter().map(|params| call("mining.submit", params)).collect(),
        terms: (),
        extranonce1: extranonce1.parse().unwrap(),
        extranonce2: 4,
        allocations: Some(|run| measure(run).count_total),
    }
}

#[test]
fn the_deployed_generation_keeps_to_the_kit() {
    let row = &vectors("stratum")[0];
    let mut other = row["notify_params"].clone();
    other[1] = "11".repeat(32).into();
    let submits = ["aa923a8b", "aa923a8c"]
        .map(|extranonce2| json!(["r", "1", extranonce2, "5e49aa25", "73a37ddb"]));
    kit(&[&row["notify_params"], &other], &submits, "02c05bfd").run();
}

#[test]
fn the_seed_generation_keeps_to_the_kit() {
    // The first has no transactions to ask for.
    let row = &vectors("seed_generation")[0];
    let mut other = row["params"].clone();
    other[1] = "11".repeat(32).into();
    let submits = ["11223300", "11223301"]
        .map(|extranonce2| json!(["r", "1", extranonce2, row["ntime"], row["nonce"]]));
    kit(&[&row["params"], &other], &submits, "00000000").run();
}
