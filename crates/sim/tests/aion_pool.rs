//! Each family of Aion's pools takes what the real servers take, and says what they say.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;

use common::Client;
use common::aion::{HEADER, array, config, login, scenario, solutions_of, submit};
use orepass_sim::aion::{AionPool, Family};
use orepass_sim::coin::PoolCoin;
use orepass_sim::net::PoolServer;
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_stratum::target::{Difficulty, PowHash};
use serde_json::{Value, json};

/// A nonce of which three solutions were recorded.
const NONCE: &str = "0000000000000001020000000000000000000000000000000000000000000000";
const TIME: &str = "000000006b00b3a6";

fn solution(number: usize) -> String {
    solutions_of(NONCE).swap_remove(number)
}

/// A pool whose first connection can use [`NONCE`], its extranonce2 and the job's id.
async fn pool_for(family: Family, difficulty: f64) -> (PoolServer, Client, &'static str, String) {
    let first = if family == Family::Node { 1 } else { 0 };
    let pool = PoolServer::new(PoolConfig { difficulty, ..config(family, &[HEADER], first) });
    let (client, notify) = login(&pool).await;
    let extranonce2 = &NONCE[2 * family.extranonce1_size()..];
    (pool, client, extranonce2, notify[0].as_str().unwrap().to_owned())
}

/// The whole session of the reference miner at the real solo pool, line by line.
#[tokio::test]
async fn the_real_solo_pool_would_have_said_the_same() {
    let session = scenario("real-solo-pool");
    let notifies = session.iter().filter(|(_, line)| line.contains("mining.notify"));
    let headers: Vec<String> = notifies
        .map(|(_, line)| serde_json::from_str::<Value>(line).unwrap()["params"][3].to_string())
        .map(|quoted| quoted.trim_matches('"').to_owned())
        .collect();
    assert_eq!(headers.len(), 7);
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let pool = PoolServer::new(config(Family::Node, &headers, 0x66fa_7b19_0000_0000));
    let mut client = Client::new(pool.connect());
    let mut jobs = 0;
    for (direction, line) in session {
        if direction == "miner->pool" {
            client.send(&line).await;
            continue;
        }
        if line.contains("mining.notify") {
            jobs += 1;
            if jobs > 1 {
                pool.new_block();
            }
        }
        assert_eq!(client.text().await, line);
    }
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.second_solutions, stats.submits), (6, 9, 15));
    assert_eq!((stats.duplicates, stats.connections_flooded), (0, 0));
}

#[tokio::test]
async fn a_node_pool_drops_whoever_floods_it() {
    let sizes = [(3, true), (4, false)];
    for (count, survives) in sizes {
        let (pool, mut client, extranonce2, job) = pool_for(Family::Node, 1.0).await;
        let line = submit(&job, TIME, extranonce2, &format!("fd8005{}", solution(0)));
        assert!((2_900..3_100).contains(&line.len()), "{}", line.len());
        client.send(&[&*line; 4][..count].join("\n")).await;
        if survives {
            for _ in 0..count {
                assert_eq!(client.line().await["id"], "s");
            }
            // The buffer is empty again, so three more do no harm.
            client.send(&[&*line; 3].join("\n")).await;
            assert_eq!(client.line().await["error"], json!([22, "duplicate share"]));
        } else {
            assert!(client.ended().await);
        }
        let stats = pool.stats();
        assert_eq!(stats.connections_flooded, u64::from(!survives));
        assert_eq!(stats.accepted, u64::from(survives));
    }
}

#[tokio::test]
async fn a_node_pool_is_strict() {
    let (pool, mut client, extranonce2, job) = pool_for(Family::Node, 1.0).await;
    let long = format!("fd8005{}", solution(0));
    let mut flipped = long.clone();
    flipped.replace_range(2000..2001, if &long[2000..2001] == "0" { "1" } else { "0" });
    let not_hex = format!("{}zz", &long[..2820]);
    let cases = [
        (&*job, "00000006b00b3a6", extranonce2, &*long, 20, "incorrect size of ntime"),
        (&job, "00000000006b00b3a6", extranonce2, &long, 20, "incorrect size of ntime"),
        (&job, TIME, &extranonce2[2..], &long, 20, "incorrect size of nonce"),
        (&job, TIME, &extranonce2.replace("02", "0x"), &long, 20, "invalid hex in extraNonce2"),
        (&job, TIME, extranonce2, &long[6..], 20, "incorrect size of solution"),
        (&job, TIME, extranonce2, "", 20, "incorrect size of solution"),
        (&job, TIME, extranonce2, &not_hex, 20, "invalid solution"),
        (&job, TIME, extranonce2, &flipped, 20, "invalid solution"),
        (&job, TIME, &extranonce2.replace("02", "03"), &long, 20, "invalid solution"),
        ("01", TIME, extranonce2, &long, 21, "job not found"),
    ];
    for (job, time, extranonce2, solution, code, text) in cases {
        client.send(&submit(job, time, extranonce2, solution)).await;
        let wanted = format!("{{\"id\":\"s\",\"result\":null,\"error\":[{code},\"{text}\"]}}");
        assert_eq!(client.text().await, wanted);
    }
    let stats = pool.stats();
    assert_eq!((stats.invalid_params, stats.invalid_solutions, stats.unknown_job), (6, 3, 1));
    // Any worker's name will do, and capitals.
    let good = submit(&job, TIME, &extranonce2.to_uppercase(), &long.to_uppercase());
    let answer = client.ask(&good.replace("\"w\"", "\"other\"")).await;
    assert_eq!(answer, json!({"id": "s", "result": true, "error": null}));
    // The same share and the nonce's other solution are told apart by the books alone.
    for solution in [solution(0), solution(1)] {
        let line = submit(&job, TIME, extranonce2, &format!("fd8005{solution}"));
        assert_eq!(client.ask(&line).await["error"], json!([22, "duplicate share"]));
    }
    // A second later it is another share to this server.
    let later = submit(&job, "000000006b00b3a7", extranonce2, &format!("fd8005{}", solution(2)));
    assert_eq!(client.ask(&later).await["result"], true);
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.duplicates, stats.second_solutions), (2, 1, 1));
    pool.new_block();
    assert_eq!(client.line().await["params"][0], "2");
    assert_eq!(client.ask(&later).await["error"], json!([21, "job not found"]));
    assert_eq!(pool.stats().stale, 1);
}

#[tokio::test]
async fn a_node_pool_wants_a_login() {
    let pool = PoolServer::new(config(Family::Node, &[HEADER], 1));
    let mut client = Client::new(pool.connect());
    let line = submit("1", TIME, "", "");
    assert_eq!(client.ask(&line).await["error"], json!([25, "not subscribed", null]));
    client.ask(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    assert_eq!(client.line().await["method"], "mining.notify");
    assert_eq!(client.ask(&line).await["error"], json!([24, "unauthorized worker", null]));
}

#[tokio::test]
async fn a_hash_must_lie_below_the_target() {
    let cases = [
        (Family::Node, json!([20, "Header hash larger than target"])),
        (Family::Miningcore, json!({"code": 23, "message": "low difficulty share", "data": null})),
    ];
    for (family, error) in cases {
        let (pool, mut client, extranonce2, job) = pool_for(family, 1e6).await;
        let line = submit(&job, TIME, extranonce2, &format!("fd8005{}", solution(0)));
        loop {
            let answer = client.ask(&line).await;
            if answer["id"] == "s" {
                assert_eq!(answer["error"], error);
                break;
            }
        }
        assert_eq!(pool.stats().low_difficulty, 1);
    }
}

/// The target comes after each notify, and a changed difficulty before it.
#[tokio::test]
async fn a_miningcore_pool_says_things_in_its_order() {
    let family = Family::Miningcore;
    let headers = vec![array(HEADER)];
    let coin = AionPool { network_difficulty: 4096.0, headers, ..AionPool::new(family) };
    let pool = PoolServer::new(PoolConfig { coin: Arc::new(coin), ..config(family, &[], 0xab) });
    let mut client = Client::new(pool.connect());
    client.send(r#"{"id":1,"method":"mining.subscribe","params":["one"]}"#).await;
    let refused =
        r#"{"result":false,"error":{"code":-1,"message":"invalid request","data":null},"id":1}"#;
    assert_eq!(client.text().await, refused);
    client.send(r#"{"id":2,"method":"mining.subscribe","params":["one",null]}"#).await;
    let subscribed = r#"{"result":[["mining.notify","0HLFI5QCB00ab","AionStratum/1.0.0"],"00ab"],"error":null,"id":2}"#;
    assert_eq!(client.text().await, subscribed);
    client.send(r#"{"id":3,"method":"mining.authorize","params":["0xa0.rig","d=512"]}"#).await;
    assert_eq!(client.text().await, r#"{"result":true,"error":null,"id":3}"#);
    let call = |method: &str, params: String| {
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"mining.{method}\",\"params\":[{params}]}}")
    };
    // The network's target is in the notify, whatever shares are judged by.
    let network = format!("0010{}", "0".repeat(60));
    let notify = client.text().await;
    let told = call("notify", format!("\"00000001\",true,\"{network}\",\"{HEADER}\""));
    assert_eq!(notify, told);
    // The target of difficulty 1 does not fit.
    assert_eq!(client.text().await, call("set_target", format!("\"{}\"", "0".repeat(64))));
    client.send(r#"{"id":4,"method":"mining.extranonce.subscribe","params":[]}"#).await;
    let unknown = client.line().await;
    assert_eq!(unknown["error"]["message"], "Unsupported request mining.extranonce.subscribe");
    pool.fault(PoolFault::DifficultyNow(Difficulty::new(2048.0).unwrap()));
    assert_eq!(client.text().await, call("set_difficulty", "2048".into()));
    assert_eq!(client.text().await, notify, "the same job again");
    let target = format!("\"0020{}\"", "0".repeat(60));
    assert_eq!(client.text().await, call("set_target", target.clone()));
    pool.new_block();
    let next = client.line().await;
    assert_eq!((&next["params"][0], &next["params"][1]), (&json!("00000002"), &json!(true)));
    assert_eq!(client.text().await, call("set_target", target));
    client.try_send(&format!("{{\"id\":\"{}\"}}", "x".repeat(32_768))).await;
    assert!(client.ended().await);
}

#[test]
fn a_hash_that_equals_the_target_is_good_for_the_node_family_alone() {
    let hash = PowHash::from_be_bytes([7; 32]);
    let meets = |family| AionPool::new(family).meets(&hash, &hash.as_target());
    assert!(meets(Family::Node));
    assert!(!meets(Family::Miningcore));
}

#[tokio::test]
async fn a_miningcore_pool_takes_both_forms_of_a_solution() {
    let (pool, mut client, extranonce2, job) = pool_for(Family::Miningcore, 1.0).await;
    assert_eq!(client.line().await["method"], "mining.set_target");
    let bare = submit(&job, TIME, extranonce2, &solution(0));
    assert_eq!(client.ask(&bare).await["result"], true);
    let error = |message: &str, code: i64| json!({"result": false, "error": {"code": code, "message": message, "data": null}, "id": "s"});
    // A nonce counts once, at whatever time.
    let second = submit(&job, "000000006b00b3a7", extranonce2, &format!("fd8005{}", solution(1)));
    assert_eq!(client.ask(&second).await, error("duplicate share", -1));
    assert_eq!(client.ask(&bare).await, error("duplicate share", -1));
    let cases = [
        (&*job, &solution(0)[2..], "incorrect size of solution", 20),
        (&job, &format!("zz{}", &solution(0)[2..]), "malformed PoW result", -1),
        (&job, &format!("80{}", &solution(0)[2..]), "invalid solution", 20),
        ("1", &solution(0), "stale share", -1),
    ];
    for (job, solution, message, code) in cases {
        let answer = client.ask(&submit(job, TIME, extranonce2, solution)).await;
        assert_eq!(answer, error(message, code));
    }
    // Blocks close no job here, but the fifth job closes the first.
    for job in 2..=5_u8 {
        pool.new_block();
        assert_eq!(client.line().await["params"][0], format!("{job:08x}"));
        client.line().await;
        let wanted = if job < 5 { "duplicate share" } else { "stale share" };
        assert_eq!(client.ask(&bare).await["error"]["message"], wanted);
    }
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.second_solutions, stats.duplicates), (1, 1, 4));
    assert_eq!((stats.stale, stats.unknown_job), (1, 1));
}

#[tokio::test]
async fn duplicates_are_noticed_across_connections() {
    let (pool, mut one, extranonce2, job) = pool_for(Family::Miningcore, 1.0).await;
    pool.fault(PoolFault::SameExtranonce1);
    let (mut other, _) = login(&pool).await;
    let line = submit(&job, TIME, extranonce2, &solution(0));
    for client in [&mut one, &mut other] {
        assert_eq!(client.line().await["method"], "mining.set_target");
    }
    assert_eq!(one.ask(&line).await["result"], true);
    assert_eq!(other.ask(&line).await["error"]["message"], "duplicate share");
    assert_eq!(pool.stats().duplicates_across_connections, 1);
}

#[tokio::test]
async fn jobs_between_blocks_may_be_soft() {
    let coin = AionPool { soft_jobs: true, ..AionPool::new(Family::Node) };
    let coin = AionPool { string_difficulty: true, network_difficulty: 16.0, ..coin };
    let pool = PoolServer::new(PoolConfig {
        coin: Arc::new(coin),
        ..config(Family::Node, &[], 0x4000_0001)
    });
    pool.new_job();
    let mut client = Client::new(pool.connect());
    let subscribe = r#"{"id":1,"method":"mining.subscribe","params":["test",null]}"#;
    assert_eq!(client.ask(subscribe).await["result"], json!([null, "0000000040000001"]));
    let difficulty = client.line().await;
    assert_eq!(
        difficulty["params"],
        json!(["f".repeat(64)]),
        "a target, where others say a number"
    );
    let params = |line: Value| [line["params"][0].clone(), line["params"][1].clone()];
    let first = client.line().await;
    assert_eq!(first["params"][2], format!("1{}", "0".repeat(63)));
    assert_eq!(params(first), [json!("2"), json!(true)], "a first job is clean");
    pool.new_job();
    assert_eq!(params(client.line().await), [json!("3"), json!(false)]);
    pool.new_block();
    assert_eq!(params(client.line().await), [json!("4"), json!(true)]);
}
