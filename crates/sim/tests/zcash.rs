//! Zcash's pool says and takes what servers of the NOMP family do, and its rig does as nheqminer.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;

use common::{Client, script, start};
use orepass_equihash::solver::Solver;
use orepass_sim::equihash::Solvers;
use orepass_sim::net::PoolServer;
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_sim::rig::{RigConfig, Rubbish};
use orepass_sim::zcash::{ZcashPool, ZcashRig};
use orepass_zcash::pow::EQUIHASH;
use serde_json::{Value, json};

/// A block of mainnet.
fn block() -> Value {
    let text = include_str!("vectors/zcash.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all["valid"][2].clone()
}

fn bytes(hex: &str) -> Vec<u8> {
    const_hex::decode(hex).unwrap()
}

/// The fields of a notify, joined to the header's first 108 bytes.
fn head(notify: &Value) -> Vec<u8> {
    let fields = &notify.as_array().unwrap()[1..7];
    bytes(&fields.iter().map(|field| field.as_str().unwrap()).collect::<String>())
}

/// Logs in; the extranonce1 and the first notify.
async fn login(pool: &PoolServer) -> (Client, String, Value) {
    let mut client = Client::new(pool.connect());
    let mut subscribed = client
        .ask(r#"{"id":1,"method":"mining.subscribe","params":["test",null,"pool.example",3337]}"#)
        .await;
    assert_eq!(subscribed["result"][0], Value::Null);
    let extranonce1 = subscribed["result"][1].take();
    let welcome = client.ask(r#"{"id":2,"method":"mining.authorize","params":["w","x"]}"#).await;
    assert_eq!(welcome["result"], true);
    let target = client.line().await;
    assert_eq!(target["method"], "mining.set_target");
    assert_eq!(target["params"][0].as_str().unwrap().len(), 64);
    let mut notify = client.line().await;
    assert_eq!(notify["method"], "mining.notify");
    (client, extranonce1.as_str().unwrap().to_owned(), notify["params"].take())
}

/// A pool, a client of it, and a share that it takes: time, extranonce2, solution.
async fn solved() -> (PoolServer, Client, String, [String; 3]) {
    let pool = PoolServer::new(PoolConfig { seed: 7, ..PoolConfig::zcash() });
    let (client, extranonce1, notify) = login(&pool).await;
    let (head, time) = (head(&notify), notify[5].as_str().unwrap().to_owned());
    let mut solver = Solver::new(EQUIHASH).unwrap();
    let (nonce, solution) = (0_u8..)
        .find_map(|count| {
            let nonce = format!("{:0<64}", format!("{extranonce1}{count:02x}"));
            let solution = solver.solve(&head, &bytes(&nonce)).pop()?;
            Some((nonce, solution))
        })
        .unwrap();
    let solution = format!("fd4005{}", const_hex::encode(solution));
    let fields = [time, nonce[extranonce1.len()..].to_owned(), solution];
    (pool, client, notify[0].as_str().unwrap().to_owned(), fields)
}

#[tokio::test]
async fn the_pool_judges_as_zip_301_has_it() {
    let (pool, mut client, job, [time, extranonce2, solution]) = solved().await;
    let mut flipped = solution.clone();
    flipped.replace_range(2000..2001, if &solution[2000..2001] == "0" { "1" } else { "0" });
    let late = const_hex::encode(u32::MAX.to_le_bytes());
    for (job, time, extranonce2, solution, code, text) in [
        (&*job, &time[2..], &*extranonce2, &*solution, 20, "incorrect size of ntime"),
        (&job, "01000000", &extranonce2, &solution, 20, "ntime out of range"),
        (&job, &late, &extranonce2, &solution, 20, "ntime out of range"),
        (&job, &time, &extranonce2[2..], &solution, 20, "incorrect size of nonce"),
        (&job, &time, &format!("zz{}", &extranonce2[2..]), &solution, 20, "invalid hex"),
        (&job, &time, &extranonce2, &solution[6..], 20, "incorrect size of solution"),
        (&job, &time, &extranonce2, &solution.replace("fd4005", "fd4006"), 20, "invalid solution"),
        (&job, &time, &extranonce2, &flipped, 20, "invalid solution"),
        ("1", &time, &extranonce2, &solution, 21, "job not found"),
    ] {
        let fields = [time, extranonce2, solution].map(str::to_owned);
        let answer = client.submit("w", job, &fields).await;
        assert_eq!(answer, json!({"id": "s", "result": null, "error": [code, text, null]}));
    }
    let upper = [&time, &extranonce2, &solution].map(|field| field.to_uppercase());
    assert_eq!(client.submit("w", &job, &upper).await["result"], true);
    let answer = client.submit("w", &job, &[time, extranonce2, solution]).await;
    assert_eq!(answer["error"], json!([22, "duplicate share", null]));
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.duplicates, stats.unknown_job), (1, 1, 1));
    // Whoever sends too much at once is thrown out.
    client.send(&["x"; 6_000].join("\n")).await;
    assert!(client.ended().await);
}

/// A share is a block where the network's target is as easy.
#[tokio::test]
async fn a_share_that_meets_the_bits_is_a_block() {
    let coin = ZcashPool { bits: 0x2100_ffff };
    let config = PoolConfig { coin: Arc::new(coin), real_blocks: false, ..PoolConfig::zcash() };
    let pool = PoolServer::new(config);
    let handle = start(&pool, RigConfig { share_limit: Some(1), ..RigConfig::zcash() });
    handle.wait_for(|stats| stats.accepted == 1).await.unwrap();
    assert_eq!(pool.stats().blocks_found, 1);
}

/// The rig solves for real, and what it sends beside that is refused.
#[tokio::test]
async fn solved_nonces_are_shares_and_rubbish_is_not() {
    let pool = PoolServer::new(PoolConfig::zcash());
    let rubbish = vec![Rubbish::OldTime, Rubbish::BadProof, Rubbish::WrongExtranonce2];
    let config = RigConfig { share_limit: Some(4), rubbish, ..RigConfig::zcash() };
    let handle = start(&pool, config);
    handle.wait_for(|stats| stats.accepted == 4 && stats.pending == 0).await.unwrap();
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.workers["sim"].accepted), (4, 4));
    assert!(stats.invalid_solutions >= 1 && stats.rejected() >= 3, "{stats:?}");
}

/// The miner's own words, line by line, with the solution of a block of mainnet.
#[tokio::test]
async fn the_rig_submits_a_block_as_nheqminer_would() {
    let block = block();
    let text = |key: &str| block[key].as_str().unwrap();
    let fields = ["version", "prev_hash", "merkle_root", "reserved", "time", "bits"].map(text);
    let nonce = text("nonce");
    // A counter of one byte, which comes to the block's after nonces without a solution.
    let (given, counter) = nonce.split_at(62);
    let solvers = Solvers::new(EQUIHASH, 1);
    let teach = |nonce: &str, solutions| {
        solvers.teach(bytes(&fields.concat()), bytes(nonce).try_into().unwrap(), solutions);
    };
    for count in 0..bytes(counter)[0] {
        teach(&format!("{given}{count:02x}"), Vec::new());
    }
    teach(nonce, vec![bytes(text("solution"))]);
    let coin = ZcashRig { seat: solvers.seat(), ..ZcashRig::default() };
    let config = RigConfig {
        coin: Arc::new(coin),
        worker: "w".into(),
        share_limit: Some(1),
        ..RigConfig::zcash()
    };
    let (mut pool, _handle) = script(config);
    let subscribe = pool.line().await;
    assert_eq!(subscribe["params"].as_array().unwrap().len(), 4, "{subscribe}");
    pool.send(&json!({"id": 1, "result": [null, given], "error": null}).to_string()).await;
    pool.line().await;
    pool.send(r#"{"id":2,"result":true,"error":null}"#).await;
    pool.line().await;
    let call = |method: &str, params: Value| {
        json!({"id": null, "method": method, "params": params}).to_string()
    };
    pool.send(&call("mining.set_target", json!(["f".repeat(64)]))).await;
    let [version, prev, root, reserved, time, bits] = fields;
    // It passes over jobs that are not clean.
    let job = |id: &str, clean: bool| json!([id, version, prev, root, reserved, time, bits, clean]);
    pool.send(&call("mining.notify", job("soft", false))).await;
    pool.send(&call("mining.notify", job("cccd", true))).await;
    let submit = pool.line().await;
    let solution = format!("fd4005{}", text("solution"));
    assert_eq!(submit["params"], json!(["w", "cccd", time, counter, solution]));
}

#[tokio::test]
async fn a_refused_login_ends_the_miner() {
    let pool = PoolServer::new(PoolConfig::zcash());
    pool.fault(PoolFault::RefuseWorker("*".into()));
    let (rig, _handle) = orepass_sim::net::RigDriver::new(RigConfig::zcash());
    let stats = rig.run(common::connector(&pool)).await;
    assert_eq!((stats.connects, stats.authorize_refused), (1, 1));
}
