//! Each fault does what it says.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::Duration;

use common::{Client, EASY, config, rig_config, solve, start};
use orepass_sim::handshake::{HandshakeRig, StratumGeneration};
use orepass_sim::net::{PoolServer, RigHandle};
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_sim::rig::RigConfig;
use orepass_stratum::target::Difficulty;
use serde_json::json;
use tokio::time::Instant;

fn difficulty(number: f64) -> Difficulty {
    Difficulty::new(number).unwrap()
}

/// A pool and a rig that mines there already.
async fn mining() -> (PoolServer, RigHandle) {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let rig = start(&pool, rig_config(StratumGeneration::Deployed));
    rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    (pool, rig)
}

/// Waits until the rig has so many shares more accepted, and checks that no answer was wrong.
async fn goes_on(rig: &RigHandle) {
    let before = rig.stats();
    rig.wait_for(|stats| stats.accepted >= before.accepted + 3).await.unwrap();
    let stats = rig.stats();
    assert_eq!((stats.double_answers, stats.unknown_answers), (0, 0));
}

#[tokio::test]
async fn drop() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::DropConnections);
    let stats = rig.wait_for(|stats| stats.connects == 2 && stats.logged_in == 1).await.unwrap();
    assert_eq!(stats.disconnects, 1);
    assert_eq!(stats.extranonce1.as_deref(), Some("00000001"));
    goes_on(&rig).await;
    assert_eq!(pool.stats().connections_open, 1);
    assert_eq!(pool.stats().connections_total, 2);
}

#[tokio::test]
async fn refuse_connections() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::RefuseConnections);
    rig.wait_for(|stats| stats.disconnects > 5).await.unwrap();
    pool.heal();
    rig.wait_for(|stats| stats.logged_in == 1).await.unwrap();
    goes_on(&rig).await;
}

#[tokio::test]
async fn restart_gives_the_same_extranonce1_again() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::Restart);
    let stats = rig.wait_for(|stats| stats.connects == 2 && stats.logged_in == 1).await.unwrap();
    assert_eq!(stats.extranonce1.as_deref(), Some("00000000"));
    let second = start(&pool, rig_config(StratumGeneration::Deployed));
    let stats = second.wait_for(|stats| stats.logged_in == 1).await.unwrap();
    assert_eq!(stats.extranonce1.as_deref(), Some("00000001"));
}

#[tokio::test]
async fn new_extranonce1_and_resumed_sessions() {
    let pool = PoolConfig { resume_sessions: true, ..config(StratumGeneration::Deployed) };
    let pool = PoolServer::new(pool);
    let subscribe = |former: &str| {
        format!(r#"{{"id":1,"method":"mining.subscribe","params":["a","{former}"]}}"#)
    };
    let mut first = Client::new(pool.connect());
    assert_eq!(first.ask(&subscribe("")).await["result"][1], "00000000");
    let mut second = Client::new(pool.connect());
    let given = second.ask(&subscribe("00000000")).await["result"][1].clone();
    assert_eq!(given, "00000001", "the first is in use");
    std::mem::drop(first);
    pool.wait_for(|stats| stats.connections_open == 1).await.unwrap();
    let mut third = Client::new(pool.connect());
    assert_eq!(third.ask(&subscribe("00000000")).await["result"][1], "00000000");
    pool.fault(PoolFault::NewExtranonce1);
    assert!(third.ended().await && second.ended().await);
    pool.wait_for(|stats| stats.connections_open == 0).await.unwrap();
    let mut fourth = Client::new(pool.connect());
    assert_eq!(fourth.ask(&subscribe("00000000")).await["result"][1], "00000002");
}

#[tokio::test]
async fn set_extranonce() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::SetExtranonce);
    let stats = rig.wait_for(|stats| stats.set_extranonces == 1 && stats.jobs == 2).await.unwrap();
    assert_eq!(stats.extranonce1.as_deref(), Some("00000001"));
    goes_on(&rig).await;
    rig.stop_mining();
    let stats = rig.drained().await.unwrap();
    assert_eq!((stats.rejected, stats.connects), (0, 1));
}

#[tokio::test]
async fn difficulty_from_the_next_job_on() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::Difficulty(difficulty(2.0 * EASY)));
    assert_eq!(rig.stats().difficulties, 1);
    pool.new_job();
    let stats = rig.wait_for(|stats| stats.jobs == 2).await.unwrap();
    assert_eq!(stats.difficulty, Some(2.0 * EASY));
    goes_on(&rig).await;
    assert_eq!(rig.stats().rejected, 0);
}

#[tokio::test]
async fn difficulty_now_repeats_the_job() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, allotment, notify) = Client::login(&pool).await;
    let share = solve(&HandshakeRig::default(), &allotment, &notify, EASY);
    pool.fault(PoolFault::DifficultyNow(difficulty(1e6)));
    assert_eq!(client.line().await["params"], json!([1_000_000]));
    assert_eq!(client.line().await["params"], notify);
    let answer = client.submit("rig", notify[0].as_str().unwrap(), &share.fields).await;
    assert_eq!(answer["result"], true, "it met what the job was first told with");
}

#[tokio::test]
async fn refuse_worker() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::RefuseWorker("bad".into()));
    let config = RigConfig { worker: "bad".into(), ..rig_config(StratumGeneration::Deployed) };
    let rig = start(&pool, config);
    rig.wait_for(|stats| stats.authorize_refused > 2).await.unwrap();
    let good = start(&pool, rig_config(StratumGeneration::Deployed));
    good.wait_for(|stats| stats.authorized == 1).await.unwrap();
    assert_eq!(rig.stats().logged_in, 0);
    pool.heal();
    rig.wait_for(|stats| stats.logged_in == 1).await.unwrap();
}

#[tokio::test]
async fn refuse_shares() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::RefuseShares);
    let stats = rig.wait_for(|stats| stats.rejected > 2).await.unwrap();
    assert_eq!(stats.rejected_by_code[&20], stats.rejected);
    assert!(pool.stats().refused > 2);
}

#[tokio::test]
async fn no_verdicts() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::NoVerdicts);
    let config = RigConfig { share_limit: Some(5), ..rig_config(StratumGeneration::Deployed) };
    let rig = start(&pool, config);
    pool.wait_for(|stats| stats.withheld_verdicts == 5).await.unwrap();
    let stats = rig.stats();
    assert_eq!((stats.pending, stats.accepted), (5, 0));
    assert_eq!(pool.stats().accepted, 5);
    rig.drop_connection();
    let stats = rig.wait_for(|stats| stats.connects == 2).await.unwrap();
    assert_eq!((stats.pending, stats.unanswered, stats.disconnects), (0, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn late_verdicts() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, allotment, notify) = Client::login(&pool).await;
    let share = solve(&HandshakeRig::default(), &allotment, &notify, EASY);
    pool.fault(PoolFault::LateVerdicts(Duration::from_secs(40)));
    let sent = Instant::now();
    let answer = client.submit("rig", notify[0].as_str().unwrap(), &share.fields).await;
    assert_eq!(answer["result"], true);
    assert_eq!(sent.elapsed().as_secs(), 40);
}

#[tokio::test]
async fn stall() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, _, notify) = Client::login(&pool).await;
    pool.fault(PoolFault::Stall);
    client.send(r#"{"id":9,"method":"mining.get_transactions","params":["x"]}"#).await;
    pool.new_job();
    pool.wait_for(|stats| stats.ignored_lines == 1).await.unwrap();
    pool.heal();
    pool.new_job();
    let next = client.line().await;
    assert_eq!(next["method"], "mining.notify");
    assert_ne!(next["params"][0], notify[0]);
}

#[tokio::test]
async fn unusable_overlong_and_repeated_notifies() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::UnusableNotify);
    rig.wait_for(|stats| stats.jobs_unusable == 1).await.unwrap();
    pool.fault(PoolFault::OverlongNotify);
    rig.wait_for(|stats| stats.malformed_lines == 1).await.unwrap();
    goes_on(&rig).await;
    assert_eq!(rig.stats().rejected, 0);
    pool.fault(PoolFault::RepeatNotify);
    let stats = rig.wait_for(|stats| stats.job_ids_repeated == 1).await.unwrap();
    assert_eq!(stats.works_repeated, 1);
    // The rig begins the same work from the beginning, as firmwares do.
    pool.wait_for(|stats| stats.duplicates > 0).await.unwrap();
    assert_eq!(pool.stats().duplicates_across_connections, 0);
}

#[tokio::test]
async fn jobless_and_unusable_jobs() {
    for (fault, unusable) in [(PoolFault::Jobless, 0), (PoolFault::UnusableJobs, 1)] {
        let pool = PoolServer::new(config(StratumGeneration::Deployed));
        pool.fault(fault);
        let rig = start(&pool, rig_config(StratumGeneration::Deployed));
        rig.wait_for(|stats| stats.logged_in == 1).await.unwrap();
        pool.new_job();
        let told = rig.wait_for(|stats| stats.jobs_unusable > unusable || unusable == 0).await;
        assert_eq!(told.unwrap().jobs, 0);
        pool.heal();
        pool.new_job();
        goes_on(&rig).await;
        assert_eq!(rig.stats().connects, 1);
    }
}

#[tokio::test]
async fn stale_verdicts() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::StaleVerdicts);
    let stats = rig.wait_for(|stats| stats.rejected > 2).await.unwrap();
    assert_eq!(stats.rejected_by_code[&21], stats.rejected);
    let stats = pool.stats();
    assert!(stats.refused > 2 && stats.stale == 0, "they were good");
}

#[tokio::test]
async fn close_after_share() {
    let (pool, rig) = mining().await;
    pool.fault(PoolFault::CloseAfterShare);
    let before = rig.stats().accepted;
    let stats = rig.wait_for(|stats| stats.disconnects > 2).await.unwrap();
    assert!(stats.accepted >= before + 3, "each was answered before");
    assert_eq!(pool.stats().connections_ended, 0, "it was not the rig's fault");
}

#[tokio::test]
async fn reconnect_at_login() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::ReconnectAtLogin);
    let mut client = Client::new(pool.connect());
    client.ask(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    let answer = client.ask(r#"{"id":2,"method":"mining.authorize","params":["rig","x"]}"#).await;
    assert_eq!(answer["result"], true);
    let call = client.line().await;
    assert_eq!((&call["method"], &call["params"]), (&json!("client.reconnect"), &json!([])));
}

#[tokio::test]
async fn error_objects() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::ErrorObjects);
    let (mut client, ..) = Client::login(&pool).await;
    let answer = client.submit("rig", "nojob", &["00".into()]).await;
    let wanted = json!({"code": 21, "message": "job not found", "data": null});
    assert_eq!(answer["error"], wanted);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_makes_jobs_and_blocks() {
    let pool = PoolServer::new(PoolConfig {
        job_interval: Some(Duration::from_secs(10)),
        block_interval: Some(Duration::from_secs(35)),
        ..config(StratumGeneration::Deployed)
    });
    pool.begin_schedule();
    tokio::time::sleep(Duration::from_secs(72)).await;
    assert_eq!(pool.stats().jobs, 1 + 7 + 2);
    pool.close();
    tokio::time::sleep(Duration::from_secs(72)).await;
    assert_eq!(pool.stats().jobs, 1 + 7 + 2, "a closed pool makes none");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_pool_goes_on_where_it_stopped() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, ..) = Client::login(&pool).await;
    pool.fault(PoolFault::Freeze);
    client.send(r#"{"id":5,"method":"mining.submit","params":["rig","nojob","","",""]}"#).await;
    let silence = tokio::time::timeout(Duration::from_secs(60), client.line());
    assert!(silence.await.is_err());
    pool.new_job();
    pool.heal();
    assert_eq!(client.line().await["method"], "mining.notify");
    assert_eq!(client.line().await["id"], 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ever_said_in_a_black_hole() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    let (mut client, ..) = Client::login(&pool).await;
    pool.fault(PoolFault::BlackHole);
    assert!(client.ended().await);
    let mut client = Client::new(pool.connect());
    client.send(r#"{"id":1,"method":"mining.subscribe","params":["test"]}"#).await;
    pool.wait_for(|stats| stats.ignored_lines == 1).await.unwrap();
    pool.heal();
    pool.new_job();
    let silence = tokio::time::timeout(Duration::from_secs(60), client.line());
    assert!(silence.await.is_err());
    Client::login(&pool).await;
}

#[tokio::test(start_paused = true)]
async fn connections_to_a_pool_that_hangs_wait() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::Hang);
    let waits = tokio::time::timeout(Duration::from_secs(60), Client::login(&pool));
    assert!(waits.await.is_err());
    assert_eq!(pool.stats().connections_total, 0);
    pool.heal();
    Client::login(&pool).await;
}

#[tokio::test(start_paused = true)]
async fn blocks_come_late_or_not_at_all() {
    let pool = PoolServer::new(config(StratumGeneration::Deployed));
    pool.fault(PoolFault::Trail(Duration::from_secs(30)));
    pool.new_block();
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(pool.stats().jobs, 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(pool.stats().jobs, 2);
    pool.fault(PoolFault::Lag);
    pool.new_block();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(pool.stats().jobs, 2);
}
