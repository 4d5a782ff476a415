//! Rigs mine at pools of every generation, without anything in between.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;

use common::{ALL, Client, config, firmware, rig_config, solve, start};
use orepass_sim::handshake::{ExtranoncePolicy, HandshakePool, HandshakeRig, StratumGeneration};
use orepass_sim::net::PoolServer;
use orepass_sim::pool::{ExtranonceSource, PoolConfig};
use orepass_sim::rig::RigConfig;
use orepass_stratum::target::Difficulty;

/// Mines through jobs and blocks; every share must count.
async fn mines(pool: PoolConfig, rig: RigConfig) {
    let pool = PoolServer::new(pool);
    let rig = start(&pool, rig);
    for round in 1..=6_u64 {
        rig.wait_for(|stats| stats.accepted >= 3 * round && stats.jobs >= round).await.unwrap();
        rig.stop_mining();
        rig.drained().await.unwrap();
        if round % 3 == 0 {
            pool.new_block();
        } else {
            pool.new_job();
        }
        rig.wait_for(|stats| stats.jobs > round).await.unwrap();
        rig.start_mining();
    }
    rig.stop_mining();
    let mined = rig.drained().await.unwrap();
    let stats = pool.stats();
    assert_eq!(stats.accepted, mined.shares_sent, "{stats:?}");
    assert_eq!((stats.rejected(), mined.rejected, mined.unanswered), (0, 0, 0), "{stats:?}");
    assert_eq!((mined.double_answers, mined.unknown_answers, mined.malformed_lines), (0, 0, 0));
    assert_eq!((mined.works_repeated, mined.jobs_unusable), (0, 0));
    assert_eq!(stats.workers["sim"].accepted, stats.accepted);
    assert!((stats.work / mined.work - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn every_generation_is_mined() {
    for generation in ALL {
        mines(config(generation), rig_config(generation)).await;
    }
}

#[tokio::test]
async fn a_secret_mask_changes_nothing_for_rigs() {
    let coin =
        HandshakePool { random_mask: true, ..HandshakePool::new(StratumGeneration::DeployedMask) };
    let pool = PoolConfig { coin: Arc::new(coin), ..config(StratumGeneration::DeployedMask) };
    mines(pool, rig_config(StratumGeneration::DeployedMask)).await;
}

#[tokio::test]
async fn seed_blocks_with_transactions_are_mined() {
    for generation in [StratumGeneration::Seed12, StratumGeneration::Seed13] {
        for transactions in [1, 2, 5] {
            let coin = HandshakePool { transactions, ..HandshakePool::new(generation) };
            let pool = PoolConfig { coin: Arc::new(coin), ..config(generation) };
            mines(pool, rig_config(generation)).await;
        }
    }
}

#[tokio::test]
async fn every_way_to_give_extranonces_is_understood() {
    for (extranonce2_size, strict_extranonce2) in [(4, true), (24, true), (24, false), (0, false)] {
        for source in [ExtranonceSource::Counter, ExtranonceSource::Random] {
            let coin = HandshakePool {
                extranonce2_size,
                strict_extranonce2,
                ..HandshakePool::new(StratumGeneration::Deployed)
            };
            let pool = PoolConfig {
                coin: Arc::new(coin),
                extranonce1: source,
                ..config(StratumGeneration::Deployed)
            };
            let firmware = HandshakeRig { nonces_per_extranonce2: 50, ..HandshakeRig::default() };
            let rig =
                RigConfig { coin: Arc::new(firmware), ..rig_config(StratumGeneration::Deployed) };
            mines(pool, rig).await;
        }
    }
}

#[tokio::test]
async fn firmwares_of_every_kind_are_served() {
    let pool = || {
        let coin =
            HandshakePool { long_nonces: true, ..HandshakePool::new(StratumGeneration::Deployed) };
        PoolConfig { coin: Arc::new(coin), ..config(StratumGeneration::Deployed) }
    };
    let handyminer =
        RigConfig { reconnect_max: std::time::Duration::ZERO, ..RigConfig::handyminer() };
    mines(pool(), handyminer).await;
    let firmware = HandshakeRig {
        six_params: true,
        long_nonces: true,
        policy: ExtranoncePolicy::AlwaysFour,
        ..HandshakeRig::default()
    };
    let rig = RigConfig {
        coin: Arc::new(firmware),
        string_ids: true,
        extranonce_subscribe: true,
        login: orepass_sim::rig::LoginOrder::AuthorizeFirst,
        ..rig_config(StratumGeneration::Deployed)
    };
    mines(pool(), rig).await;
}

#[tokio::test]
async fn a_firmware_that_truncates_extranonce1_fails() {
    let pool =
        PoolServer::new(PoolConfig { extranonce1_size: 5, ..config(StratumGeneration::Deployed) });
    let respect = start(&pool, rig_config(StratumGeneration::Deployed));
    respect.wait_for(|stats| stats.accepted >= 3).await.unwrap();
    let policy = ExtranoncePolicy::Truncate;
    let firmware = HandshakeRig { policy, ..HandshakeRig::default() };
    // With a first byte beyond those hashed, the header is another one.
    let rig = RigConfig { coin: Arc::new(firmware), ..rig_config(StratumGeneration::Deployed) };
    let truncate = start(&pool, rig);
    let stats = truncate.wait_for(|stats| stats.rejected >= 3).await.unwrap();
    assert_eq!(stats.rejected_by_code[&23], stats.rejected);
}

#[tokio::test]
async fn a_share_that_is_a_block_makes_a_block() {
    for generation in ALL {
        let coin = HandshakePool { bits: 0x207f_ffff, ..HandshakePool::new(generation) };
        // A share target that is never met: blocks count all the same.
        let pool = PoolConfig { coin: Arc::new(coin), difficulty: 1e12, ..config(generation) };
        let pool = PoolServer::new(pool);
        let (mut client, allotment, notify) = Client::login(&pool).await;
        let rig = firmware(generation);
        let share = solve(&rig, &allotment, &notify, 1.01 * rig_difficulty(&rig));
        let job = notify[0].as_str().unwrap();
        assert_eq!(client.submit("rig", job, &share.fields).await["result"], true);
        let next = client.line().await;
        assert_eq!(next["method"], "mining.notify");
        assert_ne!(next["params"][1], notify[1], "another previous block");
        assert_eq!(pool.stats().blocks_found, 1);
        let again = client.submit("rig", job, &share.fields).await;
        assert_eq!(again["error"], serde_json::json!([21, "job not found", false]));
        assert_eq!(pool.stats().stale, 1);
    }
}

/// The difficulty of 7fff… on a firmware's scale.
fn rig_difficulty(rig: &HandshakeRig) -> f64 {
    let one = rig.scale.target(Difficulty::ONE);
    one.hashes_lossy().recip() * 2.0
}
