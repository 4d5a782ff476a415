//! Rigs keep their books, and send rubbish when told to.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{EASY, config, rig_config, script, start};
use orepass_sim::handshake::StratumGeneration;
use orepass_sim::net::{PoolServer, RigDriver, RigFarm};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::{LoginOrder, RigConfig, Rubbish};
use serde_json::{Value, json};

const RUBBISH: [Rubbish; 8] = [
    Rubbish::MalformedLine,
    Rubbish::UnknownJob,
    Rubbish::WrongExtranonce2,
    Rubbish::LowDifficulty,
    Rubbish::Duplicate,
    Rubbish::NotHex,
    Rubbish::OldTime,
    Rubbish::WrongWorker,
];

#[tokio::test]
async fn rubbish_is_refused_and_good_shares_are_not() {
    for generation in common::ALL {
        let coin = orepass_sim::handshake::HandshakePool {
            strict_extranonce2: true,
            ..orepass_sim::handshake::HandshakePool::new(generation)
        };
        let pool = PoolServer::new(PoolConfig { coin: Arc::new(coin), ..config(generation) });
        let rig = start(
            &pool,
            RigConfig {
                rubbish: RUBBISH.to_vec(),
                rubbish_every: 2,
                share_limit: Some(32),
                ..rig_config(generation)
            },
        );
        rig.wait_for(|stats| stats.shares_sent == 32).await.unwrap();
        let wanted =
            |stats: &orepass_sim::rig::RigStats| stats.pending == 0 && stats.rubbish_rejected == 14;
        let stats = rig.wait_for(wanted).await.unwrap();
        assert_eq!((stats.accepted, stats.rejected), (32, 0));
        assert_eq!((stats.rubbish_sent, stats.rubbish_accepted), (16, 0));
        let pool = pool.stats();
        assert_eq!((pool.malformed_lines, pool.unknown_job, pool.invalid_params), (2, 2, 4));
        assert_eq!((pool.low_difficulty, pool.duplicates, pool.bad_time), (2, 2, 2));
        assert_eq!((pool.unauthorized, pool.accepted, pool.submits), (2, 32, 46));
        assert_eq!(pool.workers["sim"].rejected, 12);
    }
}

#[tokio::test]
async fn answers_are_matched_once() {
    let (mut pool, rig) = script(rig_config(StratumGeneration::Deployed));
    let subscribe = pool.line().await;
    assert_eq!(subscribe["method"], "mining.subscribe");
    let answer = json!({"id": subscribe["id"], "result": [[], "00000000", 4], "error": null});
    pool.send(&answer.to_string()).await;
    assert_eq!(pool.line().await["method"], "mining.authorize");
    pool.send(&answer.to_string()).await;
    pool.send(r#"{"id":77,"result":true,"error":null}"#).await;
    pool.send(r#"{"id":"2","result":true,"error":null}"#).await;
    pool.send(r#"{"id":null,"result":null,"error":[20,"hm",false]}"#).await;
    pool.send("{broken").await;
    let stats = rig.wait_for(|stats| stats.malformed_lines == 1).await.unwrap();
    assert_eq!((stats.double_answers, stats.unknown_answers), (1, 2));
    assert_eq!((stats.anonymous_errors, stats.authorized), (1, 0));
    pool.send(r#"{"id":2,"result":true,"error":null}"#).await;
    rig.wait_for(|stats| stats.logged_in == 1).await.unwrap();
}

#[tokio::test]
async fn logins_have_their_order() {
    let subscribe_first = [Value::from(1), "mining.subscribe".into(), "mining.authorize".into()];
    let handyminer = [
        Value::from("1"),
        "mining.authorize_admin".into(),
        "mining.add_user".into(),
        "mining.authorize".into(),
        "mining.subscribe".into(),
    ];
    let authorize_first = [
        Value::from(1),
        "mining.authorize".into(),
        "mining.subscribe".into(),
        "mining.extranonce.subscribe".into(),
    ];
    let plain = RigConfig::default();
    let cases = [
        (plain.clone(), &subscribe_first[..]),
        (RigConfig::handyminer(), &handyminer),
        (
            RigConfig { login: LoginOrder::AuthorizeFirst, extranonce_subscribe: true, ..plain },
            &authorize_first,
        ),
    ];
    for (config, wanted) in cases {
        let (mut pool, rig) = script(config);
        for (number, method) in wanted[1..].iter().enumerate() {
            let call = pool.line().await;
            assert_eq!(call["method"], *method);
            if number == 0 {
                assert_eq!(call["id"], wanted[0]);
            }
            let result = match method.as_str() {
                Some("mining.subscribe") => json!([[], "00000000", 4]),
                Some("mining.authorize") => json!(true),
                _ => Value::Null,
            };
            pool.send(&json!({"id": call["id"], "result": result, "error": null}).to_string())
                .await;
        }
        rig.wait_for(|stats| stats.logged_in == 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_rig_without_verdicts_stops_sending() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(orepass_sim::pool::PoolFault::NoVerdicts);
    let rig = start(&pool, RigConfig { max_pending: 4, ..rig_config(StratumGeneration::Deployed) });
    let stats = rig.wait_for(|stats| stats.withheld > 3).await.unwrap();
    assert_eq!((stats.pending, stats.shares_sent), (4, 4));
}

#[tokio::test]
async fn a_closed_rig_and_a_dropped_handle_end_the_run() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (rig, handle) = RigDriver::new(rig_config(StratumGeneration::Deployed));
    let running = tokio::spawn(rig.run(common::connector(&pool)));
    handle.wait_for(|stats| stats.accepted > 0).await.unwrap();
    handle.close();
    let stats = running.await.unwrap();
    assert_eq!(stats.connected, 0);
    assert_eq!(stats.shares_sent, stats.accepted + stats.rejected + stats.unanswered);

    let (rig, handle) = RigDriver::new(rig_config(StratumGeneration::Deployed));
    let running = tokio::spawn(rig.run(common::connector(&pool)));
    handle.wait_for(|stats| stats.logged_in == 1).await.unwrap();
    drop(handle);
    running.await.unwrap();
    pool.wait_for(|stats| stats.connections_open == 0).await.unwrap();
}

#[tokio::test]
async fn a_farm_mines_over_sockets() {
    let pool = PoolServer::new(PoolConfig { difficulty: EASY, ..PoolConfig::default() });
    let address = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    let farm = RigFarm::start(40, &address, Duration::from_millis(100), |number| RigConfig {
        worker: format!("farm.{number}"),
        hashrate: 2_000.0,
        seed: number as u64,
        ..RigConfig::default()
    });
    for rig in farm.rigs() {
        rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    }
    pool.new_block();
    farm.wait_for(|stats| stats.jobs == 80).await.unwrap();
    farm.drain(Duration::from_secs(30)).await.unwrap();
    let mined = farm.close().await;
    let stats = pool.stats();
    assert_eq!(stats.accepted, mined.accepted);
    // A share may have been under way when the block came.
    assert_eq!(stats.rejected(), stats.stale);
    assert_eq!((stats.duplicates, stats.workers.len()), (0, 40));
    assert_eq!((mined.works_repeated, mined.disconnects), (0, 0));
    pool.close();
}
