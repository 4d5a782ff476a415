//! Bitcoin's rigs at its pools, without anything between them.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::sync::Arc;

use orepass_sim::bitcoin::{BitcoinPool, BitcoinRig, ROLLABLE};
use orepass_sim::net::{PoolServer, RigDriver};
use orepass_sim::pool::{PoolConfig, PoolStats};
use orepass_sim::rig::{RigConfig, RigStats, Rubbish};

/// What a rig and its pool have come to when the rig has so many answers.
async fn mined(
    pool: BitcoinPool,
    coin: BitcoinRig,
    config: RigConfig,
    answers: u64,
) -> (RigStats, PoolStats) {
    let pool = PoolServer::new(PoolConfig::bitcoin(pool, 1e-7));
    let at = pool.listen("127.0.0.1:0").await.unwrap();
    let (rig, handle) = RigDriver::new(RigConfig { coin: Arc::new(coin), ..config });
    let running = tokio::spawn(rig.run_tcp(at.to_string()));
    let stats =
        handle.wait_for(|stats| stats.accepted + stats.rejected >= answers).await.unwrap().clone();
    handle.close();
    running.await.unwrap();
    (stats, pool.stats())
}

#[tokio::test]
async fn rigs_that_roll_and_rigs_that_do_not_earn() {
    for version_mask in [ROLLABLE, 0x0001_e000, 0] {
        for pool in [
            BitcoinPool::default(),
            BitcoinPool { narrows_to: Some(0x0000_6000), ..BitcoinPool::default() },
            BitcoinPool { version_mask: 0, ..BitcoinPool::default() },
            BitcoinPool { knows_no_configure: true, version_mask: 0, ..BitcoinPool::default() },
            BitcoinPool { extranonce2_size: 4, transactions: 0, ..BitcoinPool::default() },
        ] {
            let coin = BitcoinRig { version_mask, nonces: 64, ..BitcoinRig::default() };
            let (stats, _) = mined(pool.clone(), coin, RigConfig::bitcoin(), 4).await;
            assert_eq!((stats.rejected, stats.malformed_lines), (0, 0), "{pool:?}: {stats:?}");
        }
    }
}

#[tokio::test]
async fn a_bit_that_was_not_granted_is_refused() {
    let coin = BitcoinRig { rolls_too_much: true, ..BitcoinRig::default() };
    let (stats, pool) = mined(BitcoinPool::default(), coin, RigConfig::bitcoin(), 3).await;
    assert_eq!((stats.accepted, pool.accepted), (0, 0), "{stats:?}");
}

#[tokio::test]
async fn rubbish_is_refused_and_what_is_good_counts() {
    use Rubbish::{Duplicate, LowDifficulty, NotHex, OldTime, UnknownJob, WrongExtranonce2};
    let rubbish = vec![WrongExtranonce2, NotHex, OldTime, Duplicate, UnknownJob, LowDifficulty];
    let config = RigConfig { rubbish, ..RigConfig::bitcoin() };
    let (stats, _) = mined(BitcoinPool::default(), BitcoinRig::default(), config, 24).await;
    assert_eq!((stats.rejected, stats.rubbish_accepted), (0, 0), "{stats:?}");
    assert!(stats.rubbish_rejected > 12, "{stats:?}");
}
