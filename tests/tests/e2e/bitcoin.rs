//! Bitcoin: versions that roll, an extranonce2 of every length, and pools that pay others.

use std::sync::Arc;
use std::time::Duration;

use orepass::net::connect::Tcp;
use orepass_bitcoin::address::PayAddress;
use orepass_bitcoin::{Bitcoin, Options, VersionMask};
use orepass_sim::bitcoin::{BitcoinPool, BitcoinRig, ROLLABLE};
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::{RigConfig, Rubbish};
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::bad_submits;
use orepass_tests::log::Log;
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;

/// Whom the simulated pool pays.
const PAID: &str = "bc1q29g4z52329g4z52329g4z52329g4z523kp9s53";
const OTHER: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";

async fn site(pool: BitcoinPool, options: Options) -> Site<Bitcoin> {
    let plan = Plan::deployed();
    let server = PoolServer::new(PoolConfig {
        fixed_time: plan.pool.fixed_time,
        seed: plan.pool.seed,
        ..PoolConfig::bitcoin(pool, 1e-8)
    });
    let at = server.listen("127.0.0.1:0").await.unwrap().to_string();
    plan.start_between(server, &at, Bitcoin::new(options), Tcp).await
}

fn rigs(site: &Site<Bitcoin>, coins: &[BitcoinRig]) -> RigFarm {
    RigFarm::start(coins.len(), &site.address, Duration::ZERO, |number| RigConfig {
        coin: Arc::new(coins[number].clone()),
        worker: format!("rig{number}"),
        hashrate: 20_000.0,
        max_pending: 4,
        extranonce_subscribe: number % 2 == 0,
        seed: number as u64,
        ..RigConfig::bitcoin()
    })
}

fn rolls(version_mask: u32) -> BitcoinRig {
    BitcoinRig { version_mask, nonces: 64, ..BitcoinRig::default() }
}

#[tokio::test]
async fn rigs_of_every_mask_earn_at_pools_of_every_mask() {
    let coins = [rolls(ROLLABLE), rolls(0x0001_e000), rolls(0), rolls(u32::MAX)];
    for pool in [
        BitcoinPool::default(),
        BitcoinPool { narrows_to: Some(0x0000_6000), ..BitcoinPool::default() },
        BitcoinPool { version: 0x2000_6004, ..BitcoinPool::default() },
        BitcoinPool { version_mask: 0, ..BitcoinPool::default() },
        BitcoinPool { version_mask: 0, knows_no_configure: true, ..BitcoinPool::default() },
    ] {
        let site = site(pool.clone(), Options::default()).await;
        let farm = rigs(&site, &coins);
        site.all_earn(&farm, 10).await;
        site.pool.new_job();
        site.all_earn(&farm, 10).await;
        site.drain(&farm).await;
        site.pool.new_block();
        site.start_mining(&farm);
        site.all_earn(&farm, 10).await;
        let accounts = site.finish(farm).await;
        bad_submits(&accounts.pool).assert_none();
        // What a rig had begun when the block came.
        let stale = accounts.count(Verdict::Stale);
        assert_eq!(accounts.rigs.rejected, stale, "{pool:?}: {:?}", accounts.rigs);
    }
}

#[tokio::test]
async fn an_extranonce2_of_every_length_is_divided() {
    let coins = [rolls(ROLLABLE), rolls(ROLLABLE), rolls(0)];
    for extranonce2_size in [3, 4, 6, 8, 12, 16] {
        let pool = BitcoinPool { extranonce2_size, ..BitcoinPool::default() };
        let site = site(pool, Options::default()).await;
        let farm = rigs(&site, &coins);
        site.all_earn(&farm, 10).await;
        let accounts = site.finish(farm).await;
        accounts.honesty().assert_none();
        bad_submits(&accounts.pool).assert_none();
        assert_eq!(accounts.rigs.rejected, 0, "{extranonce2_size}");
    }
}

#[tokio::test]
async fn a_rig_that_may_not_roll_is_told_so_with_the_remedy() {
    let (log, _guard) = Log::capture();
    let pool = BitcoinPool { version_mask: 0, ..BitcoinPool::default() };
    let site = site(pool, Options::default()).await;
    let farm = rigs(&site, &[rolls(ROLLABLE), rolls(0)]);
    site.all_earn(&farm, 2).await;
    let said = log.says(&["rig.diagnosis", "rig0", "asked to roll versions"]).await;
    assert!(said.contains("use a pool that grants version rolling"), "{said}");
    site.finish(farm).await;
    assert_eq!(log.lines(&["rig.diagnosis"]).len(), 1, "the other one did not ask");
}

#[tokio::test]
async fn bits_outside_of_the_mask_are_refused_with_both() {
    let (log, _guard) = Log::capture();
    let site = site(BitcoinPool::default(), Options::default()).await;
    let farm = rigs(&site, &[BitcoinRig { rolls_too_much: true, ..BitcoinRig::default() }]);
    until("refusals", || farm.stats(), |stats| stats.rejected_by_code.get(&20) >= Some(&3)).await;
    log.says(&["outside of the mask 1fffe000", "rolls bits of the version that it was not given"])
        .await;
    let accounts = site.finish(farm).await;
    assert_eq!(accounts.pool.accepted, 0);
    assert_eq!(accounts.count(Verdict::Invalid), accounts.rigs.rejected);
}

#[tokio::test]
async fn rubbish_is_refused_here() {
    use Rubbish::{Duplicate, LowDifficulty, NotHex, OldTime, UnknownJob, WrongExtranonce2};
    let site = site(BitcoinPool::default(), Options::default()).await;
    let rubbish = vec![WrongExtranonce2, NotHex, OldTime, Duplicate, UnknownJob, LowDifficulty];
    let farm = RigFarm::start(1, &site.address, Duration::ZERO, |_| RigConfig {
        rubbish: rubbish.clone(),
        rubbish_every: 10,
        hashrate: 20_000.0,
        max_pending: 4,
        ..RigConfig::bitcoin()
    });
    until("rubbish", || farm.stats(), |stats| stats.rubbish_rejected >= 12).await;
    let accounts = site.finish(farm).await;
    assert_eq!((accounts.rigs.rejected, accounts.rigs.rubbish_accepted), (0, 0));
    bad_submits(&accounts.pool).assert_none();
}

#[tokio::test]
async fn a_pool_that_pays_as_wanted_is_served_and_another_is_not() {
    let wanted = |address: &str| {
        let address: PayAddress = address.parse().unwrap();
        Options::default().with_verify_payout(vec![address])
    };
    let served = site(BitcoinPool::default(), wanted(PAID)).await;
    let farm = rigs(&served, &[rolls(ROLLABLE)]);
    served.all_earn(&farm, 5).await;
    served.finish(farm).await.honesty().assert_none();

    let (log, _guard) = Log::capture();
    let barred = site(BitcoinPool::default(), wanted(OTHER)).await;
    let said = log.says(&["ERROR", "pool.down", "the pool is not served"]).await;
    let expected = format!(
        "its jobs must pay {OTHER} and nobody else (`verify_payout`), and what came is 3.125 BTC to {PAID}"
    );
    assert!(said.contains(&expected), "{said}");
    barred.close().await;
}

#[tokio::test]
async fn a_coinbase_that_cannot_be_decoded_is_said_once_and_mined() {
    let (log, _guard) = Log::capture();
    let pool = BitcoinPool { breaks_coinbases: true, ..BitcoinPool::default() };
    let site = site(pool, Options::default()).await;
    let farm = rigs(&site, &[rolls(ROLLABLE)]);
    site.all_earn(&farm, 5).await;
    site.pool.new_job();
    site.all_earn(&farm, 5).await;
    log.says(&["WARN", "pool.job", "cannot be decoded"]).await;
    site.finish(farm).await.honesty().assert_none();
    assert_eq!(log.lines(&["pool.job"]).len(), 1);
}

#[tokio::test]
async fn a_rig_works_at_no_easier_difficulty_than_it_asked_for() {
    let site = site(BitcoinPool::default(), Options::default()).await;
    let least = BitcoinRig { minimum_difficulty: Some(1e-7), ..rolls(0) };
    let farm = rigs(&site, &[least]);
    site.all_earn(&farm, 3).await;
    let told = farm.stats().difficulty.unwrap();
    assert!(told >= 0.99e-7, "{told}: the pool asks for less");
    site.finish(farm).await.honesty().assert_none();
}

#[tokio::test]
async fn an_operator_may_forbid_to_roll_versions() {
    let site =
        site(BitcoinPool::default(), Options::default().with_version_mask(VersionMask::NONE)).await;
    let farm = rigs(&site, &[rolls(ROLLABLE), rolls(0)]);
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    bad_submits(&accounts.pool).assert_none();
    assert_eq!(accounts.rigs.rejected, 0);
}
