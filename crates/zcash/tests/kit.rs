//! What every dialect must do.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod support;

use allocation_counter::measure;
use orepass_stratum::testing::kit::Kit;
use orepass_zcash::Zcash;
use serde_json::{Value, json};
use support::{block, blocks};

fn call(method: &str, params: &Value) -> String {
    json!({ "id": 1, "method": method, "params": params }).to_string()
}

#[test]
fn zcash_keeps_to_the_kit() {
    let subscribe = json!(["nheqminer/0.5c", null, "pool.example", "3333"]);
    for told in [1, 4, 9, 12] {
        let block = block();
        let others = blocks().into_iter().filter(|other| other.text("name") != block.text("name"));
        let jobs = std::iter::once(block.notify()).chain(others.map(|block| block.notify()));
        let kit = Kit {
            dialect: Zcash,
            jobs: jobs.map(|params| call("mining.notify", &params)).collect(),
            login: vec![call("mining.subscribe", &subscribe)],
            submits: vec![call("mining.submit", &block.submit(told))],
            terms: (),
            extranonce1: block.extranonce1(told),
            extranonce2: 32 - told,
            allocations: Some(|run| measure(run).count_total),
        };
        kit.run();
    }
}
