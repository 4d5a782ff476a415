//! What the recorded sessions of Aion's reference miner hold.

use std::sync::Arc;

use orepass_aion::pow::EQUIHASH;
use orepass_sim::aion::{AionPool, Family};
use orepass_sim::equihash::Solvers;
use orepass_sim::net::PoolServer;
use orepass_sim::pool::{ExtranonceSource, PoolConfig};
use serde_json::{Value, json};

use super::Client;

/// The header hash of most recorded jobs.
pub(crate) const HEADER: &str = "0eea30365c42971098271924343be7a4965615a2b8a1d139a9907a65bcd240f2";

/// The lines of a recorded scenario: who sent them, and their text.
pub(crate) fn scenario(name: &str) -> Vec<(String, String)> {
    records()
        .filter(|record| record["scenario"] == name && record.get("line").is_some())
        .map(|record| (text(&record["dir"]), text(&record["line"])))
        .collect()
}

/// All recorded solutions of a header hash that are good, each with its nonce, in hex.
pub(crate) fn solutions(header: &str) -> Vec<(String, String)> {
    records()
        .filter(|record| record["verdict"] == "ok" && record["header_hash"] == header)
        .map(|record| (text(&record["nonce"]), text(&record["solution"])))
        .collect()
}

/// The recorded solutions of one nonce of [`HEADER`], in hex.
pub(crate) fn solutions_of(nonce: &str) -> Vec<String> {
    let mut found: Vec<_> =
        solutions(HEADER).into_iter().filter(|(of, _)| of == nonce).map(|(_, hex)| hex).collect();
    let mut seen = std::collections::HashSet::new();
    found.retain(|hex| seen.insert(hex.clone()));
    found
}

/// Threads that know the solutions of the first `count` nonces of an extranonce1 under
/// [`HEADER`], as recorded.
pub(crate) fn taught(extranonce1: &str, count: u8) -> Solvers {
    let solvers = Solvers::new(EQUIHASH, 1);
    for counter in 0..count {
        let nonce = format!("{:0<64}", format!("{extranonce1}{counter:02x}"));
        let known = solutions_of(&nonce).iter().map(|hex| bytes(hex)).collect();
        solvers.teach(array(HEADER), array(&nonce), known);
    }
    solvers
}

/// A deterministic pool with recorded header hashes, whose first extranonce1 is this number.
pub(crate) fn config(family: Family, headers: &[&str], extranonce1: u64) -> PoolConfig {
    let headers = headers.iter().map(|header| array(header)).collect();
    PoolConfig {
        coin: Arc::new(AionPool { headers, ..AionPool::new(family) }),
        extranonce1: ExtranonceSource::CounterFrom(extranonce1),
        seed: 7,
        ..PoolConfig::aion(family, 1.0)
    }
}

/// Subscribes and authorizes; takes everything up to the first job, and gives its parameters.
pub(crate) async fn login(pool: &PoolServer) -> (Client, Value) {
    let mut client = Client::new(pool.connect());
    client.send(r#"{"id":1,"method":"mining.subscribe","params":["test",null]}"#).await;
    client.send(r#"{"id":2,"method":"mining.authorize","params":["w","x"]}"#).await;
    let mut notify = Value::Null;
    let mut authorized = false;
    while notify.is_null() || !authorized {
        let mut line = client.line().await;
        authorized |= line["id"] == 2;
        if line["method"] == "mining.notify" {
            notify = line["params"].take();
        }
    }
    (client, notify)
}

/// A submit's line with the id `s`.
pub(crate) fn submit(job: &str, time: &str, extranonce2: &str, solution: &str) -> String {
    let params = ["w", job, time, extranonce2, solution];
    json!({"id": "s", "method": "mining.submit", "params": params}).to_string()
}

pub(crate) fn array(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    const_hex::decode(hex).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn records() -> impl Iterator<Item = Value> {
    include_str!("../vectors/aion.jsonl").lines().map(|line| serde_json::from_str(line).unwrap())
}
