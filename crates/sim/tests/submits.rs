//! The pool judges every field of a submit, and speaks as the real servers do.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;

use common::{ALL, Client, EASY, config, firmware, search, solve, solve_target, start};
use orepass_sim::handshake::{HandshakePool, HandshakeRig, StratumGeneration};
use orepass_sim::net::PoolServer;
use orepass_sim::pool::{JudgedBy, PoolConfig, PoolFault};
use orepass_sim::rig::Rubbish;
use orepass_stratum::target::{Difficulty, Target};
use serde_json::{Value, json};

/// Another digit in this place.
fn changed(text: &str, place: usize) -> String {
    let mut digits = text.as_bytes().to_vec();
    digits[place] = if digits[place] == b'0' { b'1' } else { b'0' };
    String::from_utf8(digits).unwrap()
}

#[tokio::test]
async fn a_changed_digit_anywhere_spoils_a_share() {
    for generation in ALL {
        let base = config(generation);
        let difficulty = base.difficulty * 100.0;
        let pool = PoolServer::new(PoolConfig { difficulty, ..base });
        let (mut client, allotment, notify) = Client::login(&pool).await;
        let share = solve(&firmware(generation), &allotment, &notify, difficulty);
        let job = notify[0].as_str().unwrap();
        for field in 0..3 {
            for place in 0..share.fields[field].len() {
                let mut fields = share.fields.clone();
                fields[field] = changed(&fields[field], place);
                let answer = client.submit("rig", job, &fields).await;
                assert_eq!(answer["result"], Value::Null, "{generation:?} {fields:?}");
                let code = answer["error"][0].as_u64().unwrap();
                assert!(code == 23 || code == 20 && field == 1, "{answer}");
            }
        }
        let last = job.len() - 1;
        let answer = client.submit("rig", &changed(job, last), &share.fields).await;
        assert_eq!(answer["error"], json!([21, "job not found", false]));
        let answer = client.submit("rag", job, &share.fields).await;
        assert_eq!(answer["error"], json!([24, "unauthorized user", false]));
        let answer = client.submit("rig", job, &share.fields).await;
        assert_eq!(answer, json!({"id": "s", "result": true, "error": null}));
        let answer = client.submit("rig", job, &share.fields).await;
        assert_eq!(answer["error"], json!([22, "duplicate", false]));
        let stats = pool.stats();
        assert_eq!((stats.accepted, stats.duplicates, stats.unknown_job), (1, 1, 1));
        assert_eq!(stats.duplicates_across_connections, 0);
        assert_eq!(stats.last_duplicates[0].worker, "rig");
    }
}

#[tokio::test]
async fn malformed_submits_are_invalid() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, allotment, notify) = Client::login(&pool).await;
    let share = solve(&HandshakeRig::default(), &allotment, &notify, EASY).fields;
    let job = notify[0].as_str().unwrap();
    let with = |field: usize, text: &str| {
        let mut fields = share.clone();
        fields[field] = text.into();
        fields
    };
    let mut cases = vec![
        with(0, "0"),
        with(0, "0x00"),
        with(0, "zz000000"),
        with(0, &"00".repeat(21)),
        with(1, "123"),
        with(1, "+2345678"),
        with(2, "1"),
        with(2, &format!("00000000{}", share[2])),
        with(2, ""),
        share[..2].to_vec(),
    ];
    for masks in [&["x".repeat(64)][..], &["00".into()], &["0".repeat(64), "0".repeat(64)]] {
        cases.push([&share[..], masks].concat());
    }
    let count = cases.len() as u64;
    for fields in cases {
        let answer = client.submit("rig", job, &fields).await;
        assert_eq!(answer["error"], json!([0, "invalid params", false]), "{fields:?}");
    }
    for params in ["[]", "[1,2,3,4,5]", "{}", "null", "[1,2,3,4,5,6,7,8,9,10]"] {
        let call = format!("{{\"id\":9,\"method\":\"mining.submit\",\"params\":{params}}}");
        assert_eq!(client.ask(&call).await["error"][0], 0, "{params}");
    }
    assert_eq!(pool.stats().invalid_params, count + 5);
    // None of them stands in the way of the share itself.
    assert_eq!(client.submit("rig", job, &share).await["result"], true);
}

#[tokio::test]
async fn a_strict_pool_takes_four_bytes_only() {
    let coin = HandshakePool {
        extranonce2_size: 24,
        strict_extranonce2: true,
        ..HandshakePool::new(StratumGeneration::Deployed)
    };
    let strict =
        PoolServer::new(PoolConfig { coin: Arc::new(coin), ..config(StratumGeneration::Deployed) });
    let lenient = PoolServer::new(config(StratumGeneration::Deployed));
    for (pool, wanted) in [(strict, json!(0)), (lenient, Value::Null)] {
        let (mut client, mut allotment, notify) = Client::login(&pool).await;
        allotment.size = Some(5);
        let share = solve(&HandshakeRig::default(), &allotment, &notify, EASY);
        let answer = client.submit("rig", notify[0].as_str().unwrap(), &share.fields).await;
        assert_eq!(answer["error"].get(0).cloned().unwrap_or_default(), wanted, "{answer}");
    }
}

#[tokio::test]
async fn times_have_a_window() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, _, notify) = Client::login(&pool).await;
    let job = notify[0].as_str().unwrap();
    let time = 1_700_000_000_u32;
    let cases = [
        (time - 1, 20, "time too old"),
        (time + 7_500, 20, "time too new"),
        (time + 7_000, 23, "high-hash"),
    ];
    for (time, code, text) in cases {
        let fields = ["00000000".to_owned(), format!("{time:08x}"), "00000000".to_owned()];
        let answer = client.submit("rig", job, &fields).await;
        assert_eq!(answer["error"], json!([code, text, false]));
    }
    assert_eq!(pool.stats().bad_time, 2);
}

#[tokio::test]
async fn old_jobs_become_stale() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, allotment, notify) = Client::login(&pool).await;
    let job = notify[0].as_str().unwrap();
    let rig = HandshakeRig::default();
    let mut search = search(&rig, &allotment, &notify);
    let target = rig.scale.target(Difficulty::new(EASY).unwrap());
    // Five more jobs of the block leave the first one open; the sixth does not.
    for (jobs, wanted) in [(5, Value::Bool(true)), (1, Value::Null)] {
        for _ in 0..jobs {
            pool.new_job();
            client.line().await;
        }
        let share = solve_target(&mut *search, &target);
        let answer = client.submit("rig", job, &share.fields).await;
        assert_eq!(answer["result"], wanted, "{answer}");
    }
    pool.new_job();
    let notify = client.line().await["params"].clone();
    pool.new_block();
    let next = client.line().await["params"].clone();
    assert_ne!(notify[1], next[1]);
    let share = solve(&rig, &allotment, &notify, EASY);
    let answer = client.submit("rig", notify[0].as_str().unwrap(), &share.fields).await;
    assert_eq!(answer["error"], json!([21, "job not found", false]));
    assert_eq!(pool.stats().stale, 2);
}

#[tokio::test]
async fn a_share_is_judged_by_the_difficulty_at_its_job() {
    for (judge, wanted) in [(JudgedBy::AtJob, Value::Bool(true)), (JudgedBy::Present, Value::Null)]
    {
        let pool = PoolServer::new(PoolConfig { judge, ..config(StratumGeneration::Deployed) });
        let (mut client, allotment, notify) = Client::login(&pool).await;
        let share = solve(&HandshakeRig::default(), &allotment, &notify, EASY);
        pool.fault(PoolFault::Difficulty(Difficulty::new(1e6).unwrap()));
        pool.new_job();
        let told = client.line().await;
        assert_eq!(told["params"], json!([1_000_000]));
        let job = notify[0].as_str().unwrap();
        assert_eq!(client.submit("rig", job, &share.fields).await["result"], wanted);
    }
}

#[tokio::test]
async fn nothing_is_taken_before_the_login() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let mut client = Client::new(pool.connect());
    let submit = r#"{"id":5,"method":"mining.submit","params":["rig","1","00","00","00"]}"#;
    assert_eq!(client.ask(submit).await["error"], json!([25, "not subscribed", false]));
    client.ask(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    assert_eq!(client.ask(submit).await["error"], json!([24, "unauthorized user", false]));
    let unknown = client.ask(r#"{"id":"u","method":"mining.configure","params":[]}"#).await;
    assert_eq!(unknown, json!({"id": "u", "result": null, "error": true}));
    assert_eq!(pool.stats().unknown_methods["mining.configure"], 1);
    client.send("{bad json").await;
    assert_eq!(client.ask(submit).await["id"], 5);
    assert_eq!(pool.stats().malformed_lines, 1);
    client.try_send(&format!("{{\"id\":\"{}\"}}", "x".repeat(200_000))).await;
    assert!(client.ended().await);
}

#[tokio::test]
async fn duplicates_are_noticed_across_connections() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::SameExtranonce1);
    let rigs = ["one", "two"].map(|worker| {
        let config = common::rig_config(StratumGeneration::Deployed);
        start(
            &pool,
            orepass_sim::rig::RigConfig { worker: worker.into(), share_limit: Some(10), ..config },
        )
    });
    let stats = pool.wait_for(|stats| stats.submits == 20).await.unwrap();
    assert_eq!((stats.accepted, stats.duplicates), (10, 10));
    assert_eq!(stats.duplicates_across_connections, 10);
    assert_eq!(stats.last_duplicates.len(), 10);
    let rejected = |code| {
        rigs.iter()
            .map(|rig| rig.stats().rejected_by_code.get(&code).copied().unwrap_or(0))
            .sum::<u64>()
    };
    for rig in &rigs {
        rig.drained().await.unwrap();
    }
    assert_eq!(rejected(22), 10);
}

/// The form of a line: real and simulated servers differ only in hashes, times and job ids.
fn form(value: &Value) -> String {
    let hex = |text: &str| text.len() >= 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    match value {
        Value::String(text) if hex(text) => format!("hex{}", text.len()),
        Value::String(text) if text.contains(':') => format!("job{}", text.find(':').unwrap()),
        Value::Array(list) if list.iter().all(|item| form(item) == "hex64") => "hashes".into(),
        Value::Array(list) => format!("{:?}", list.iter().map(form).collect::<Vec<_>>()),
        Value::Object(fields) => {
            format!("{:?}", fields.iter().map(|(k, v)| (k, form(v))).collect::<Vec<_>>())
        }
        other => other.to_string(),
    }
}

/// Plays the client's lines of a recorded session to our pool, with our own job ids and shares in
/// place of the recorded ones, and compares the forms of everything that comes back.
async fn replay(record: &str, config: PoolConfig, generation: StratumGeneration) {
    let pool = PoolServer::new(config);
    let mut client = Client::new(pool.connect());
    let mut firmware = firmware(generation);
    let block = Target::from_compact(0x207f_ffff).unwrap();
    let mut recorded_job = Value::Null;
    let mut notify = Value::Null;
    let mut last = Vec::new();
    let mut allotment = None;
    for entry in record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let line = entry["line"].as_str().unwrap();
        let Ok(mut message) = serde_json::from_str::<Value>(line) else { break };
        if entry["dir"] == "S>C" {
            let ours = client.line().await;
            assert_eq!(form(&ours), form(&message), "{ours}\n{message}");
            if message["method"] == "mining.notify" {
                recorded_job = message["params"][0].take();
                notify = ours["params"].clone();
            } else if ours["result"][1].is_string() && ours["result"][0].is_array() {
                let result = common::raw(&ours["result"]);
                allotment =
                    orepass_sim::coin::RigCoin::parse_subscribed(&firmware, &result).unwrap();
            }
            continue;
        }
        let note = entry["note"].as_str().unwrap_or_default();
        match note {
            "user unknown to userdb" => pool.fault(PoolFault::RefuseWorker("alice".into())),
            _ => pool.heal(),
        }
        let params = message["params"].as_array_mut().unwrap();
        let job = params.iter_mut().find(|param| **param == recorded_job);
        if let Some(job) = job {
            *job = notify[0].clone();
        }
        if message["method"] == "mining.submit" {
            let params = message["params"].as_array_mut().unwrap();
            firmware.six_params = params.len() == 6;
            firmware.long_nonces = params.len() == 6;
            let mut search = search(&firmware, allotment.as_ref().unwrap(), &notify);
            let share = solve_target(&mut *search, &block).fields;
            if note.starts_with("same share again") {
                *params = last.clone();
            } else if note.starts_with("valid") || note.starts_with("pow") {
                params.splice(2.., share.into_iter().map(Value::from));
                last.clone_from(params);
            } else if note.starts_with("hash above") {
                search.step(64, &Target::ZERO);
                let any = orepass_sim::coin::Solution { fields: share };
                let bad = search.spoil(&any, Rubbish::LowDifficulty).unwrap();
                params.splice(2.., bad.fields.into_iter().map(Value::from));
            }
        }
        client.send(&message.to_string()).await;
    }
}

#[tokio::test]
async fn the_deployed_server_is_matched_line_by_line() {
    let coin = HandshakePool {
        long_nonces: true,
        strict_extranonce2: true,
        scale: orepass_sim::handshake::PoolScale::Hstratum,
        bits: 0x207f_ffff,
        ..HandshakePool::new(StratumGeneration::DeployedMask)
    };
    let config = PoolConfig {
        coin: Arc::new(coin),
        difficulty: 1.0,
        notify_before_authorize: true,
        ..config(StratumGeneration::DeployedMask)
    };
    let record = include_str!("vectors/handshake.jsonl");
    replay(record, config, StratumGeneration::DeployedMask).await;
}

#[tokio::test]
async fn the_seed_server_is_matched_line_by_line() {
    let coin = HandshakePool { bits: 0x207f_ffff, ..HandshakePool::new(StratumGeneration::Seed12) };
    let config =
        PoolConfig { coin: Arc::new(coin), difficulty: 1.0, ..config(StratumGeneration::Seed12) };
    let record = include_str!("vectors/handshake-seed-12field.jsonl");
    replay(record, config, StratumGeneration::Seed12).await;
}
