//! What a pool shows of its habits, and what is made of that.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orepass::net::connect::Tcp;
use orepass::store::Store;
use orepass_aion::Aion;
use orepass_hstratum::Hstratum;
use orepass_sim::aion::{AionPool, AionRig, Family};
use orepass_sim::handshake::ExtranoncePolicy::{AlwaysFour, Respect};
use orepass_sim::handshake::{ExtranoncePolicy, HandshakeRig, PoolScale, StratumGeneration};
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::{JudgedBy, PoolConfig, PoolFault};
use orepass_sim::rig::RigConfig;
use orepass_stratum::target::Difficulty;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::bad_submits;
use orepass_tests::log::Log;
use orepass_tests::relay::{self, Way};
use orepass_tests::site::{EASY, Plan, Site};
use orepass_tests::wait::until;

const RIGS: usize = 3;

/// A file that nobody else uses, gone before the test.
fn state_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("orepass-{name}-{}.db", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// A rig that means Bitcoin's difficulty, whatever its pool means.
fn bitcoin_rig(site: &Site, number: usize) -> RigConfig {
    let scale = PoolScale::Bitcoin;
    let coin = HandshakeRig { scale, policy: Respect, ..HandshakeRig::default() };
    RigConfig { coin: Arc::new(coin), ..site.rig(number) }
}

/// Jobs of 10 fields come from servers of two scales. The easier one is asked for by a share; a
/// restart asks no more.
#[tokio::test]
async fn the_scale_of_a_pool_with_ten_fields_is_asked_for_once() {
    for (scale, word) in [(PoolScale::Hstratum, "hstratum"), (PoolScale::Bitcoin, "bitcoin")] {
        let path = state_file(&format!("scale-{word}"));
        let mut plan = Plan::new(StratumGeneration::DeployedMask);
        plan.coin.scale = scale;
        let easier = if word == "hstratum" { 256.0 } else { 1.0 };
        plan.pool.difficulty = EASY * easier;
        let (pool, at) = listening(&plan).await;
        for restarted in [false, true] {
            let (log, _guard) = Log::capture();
            let memory = Store::open(&path);
            let site = remembering(&plan, &memory, &pool, &at).await;
            let farm = site.farm(RIGS, |number| bitcoin_rig(&site, number));
            site.all_in(&farm).await;
            if !restarted {
                log.says(&["pool.habit", "difficulty_scale", word]).await;
            }
            // What rigs are told is what the pool judges by, from the next job on.
            site.pool.new_job();

            let near = |told: f64| (told / EASY - 1.0).abs() < 1e-3;
            for rig in farm.rigs() {
                let told = || rig.stats().difficulty.unwrap_or_default();
                until("the pool's own difficulty", told, |told| near(*told)).await;
            }
            site.all_earn(&farm, 20).await;
            let accounts = site.drain(&farm).await;
            farm.close().await;
            site.route.stop().await;
            memory.close().await;
            accounts.honesty().assert_none();
            assert_eq!(accounts.rigs.rejected, 0, "{word}");
            let asked = u64::from(word == "bitcoin");
            assert_eq!(accounts.pool.low_difficulty, asked, "{word}");
            assert_eq!(log.lines(&["pool.habit"]).len(), usize::from(!restarted), "{word}");
        }
        pool.close();
        std::fs::remove_file(path).unwrap();
    }
}

async fn listening(plan: &Plan) -> (PoolServer, String) {
    let pool = plan.make_pool();
    let at = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    (pool, at)
}

/// A route to a pool, with what earlier ones learnt.
async fn remembering(plan: &Plan, memory: &Store, pool: &PoolServer, at: &str) -> Site {
    let mut plan = plan.clone();
    plan.memory = Some(memory.route("test"));
    plan.start_between(pool.clone(), at, Hstratum::default(), Tcp).await
}

fn four(site: &Site, policy: ExtranoncePolicy) -> RigConfig {
    RigConfig { hashrate: 2000.0, ..site.rig_with(99, policy) }
}

/// A pool that announces 4 bytes and would take more shows it by a share of a rig that sends 4
/// whatever it is told.
#[tokio::test]
async fn a_pool_that_announces_less_than_it_takes_is_found_out_and_remembered() {
    let path = state_file("split");
    let mut plan = Plan::deployed();
    plan.pool.difficulty = 1e-7;
    let (pool, at) = listening(&plan).await;
    for restarted in [false, true] {
        let (log, _guard) = Log::capture();
        let memory = Store::open(&path);
        let site = remembering(&plan, &memory, &pool, &at).await;
        let farm = site.farm(RIGS, |number| site.rig(number));
        site.all_in(&farm).await;
        let stubborn = site.farm(1, |_| four(&site, AlwaysFour));
        if !restarted {
            log.says(&["pool.habit", "split", "wide"]).await;
            site.pool.new_job();
        }
        site.all_earn(&stubborn, 20).await;
        site.all_earn(&farm, 20).await;
        assert_eq!(site.route.live_channels(), 1, "no connection of its own");
        site.drain(&stubborn).await;
        let accounts = site.drain(&farm).await;
        let told = stubborn.close().await;
        farm.close().await;
        site.route.stop().await;
        memory.close().await;
        bad_submits(&accounts.pool).assert_none();
        // What they still find under the leases of before counts.
        assert_eq!(accounts.rigs.rejected, 0);
        if restarted {
            assert_eq!((told.rejected, told.disconnects), (0, 0), "from the start");
        }
        assert_eq!(log.lines(&["pool.habit"]).len(), usize::from(!restarted));
    }
    pool.close();
    std::fs::remove_file(path).unwrap();
}

/// A pool that judges by what it announced last shows it by one refusal, which is nobody's fault.
#[tokio::test]
async fn a_difficulty_that_is_in_force_at_once_costs_one_refusal() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.pool.judge = JudgedBy::AtOnce;
    let site = plan.start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_earn(&farm, 5).await;
    let mut low = 0;
    for (raised, factor) in [(1, 8.0), (2, 64.0)] {
        site.drain(&farm).await;
        let before = log.lines(&["pool.target"]).len();
        site.pool.fault(PoolFault::DifficultyAlone(Difficulty::new(EASY * factor).unwrap()));
        if raised == 1 {
            // Behind it a line that is seen to have come.
            site.pool.fault(PoolFault::UnusableNotify);
            log.says(&["pool.unusable"]).await;
        } else {
            let told = || log.lines(&["pool.target"]).len();
            until("it is in force", told, |lines| *lines > before).await;
        }
        site.start_mining(&farm);
        site.all_earn(&farm, 20).await;
        log.says(&["pool.habit", "at_once"]).await;
        let refused = site.pool.stats().low_difficulty;
        // Those that were on their way when the first was refused.
        let expected = if raised == 1 { 1..=4 * RIGS as u64 } else { low..=low };
        assert!(expected.contains(&refused), "{refused}, {expected:?}");
        low = refused;
    }
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    assert_eq!(accounts.rigs.rejected, 0, "the rigs did as they were told");
    assert!(accounts.count(Verdict::BelowPoolTarget) > low);
    assert_eq!(log.lines(&["pool.habit"]).len(), 1);
}

async fn aion(coin: AionPool, difficulty: f64) -> (Site<Aion>, RigFarm) {
    aion_as(coin, difficulty, "rig0").await
}

/// Its rig submits under this name, whatever it authorized as.
async fn aion_as(coin: AionPool, difficulty: f64, name: &'static str) -> (Site<Aion>, RigFarm) {
    let pool = PoolServer::new(PoolConfig {
        coin: Arc::new(coin.clone()),
        ..PoolConfig::aion(coin.family, difficulty)
    });
    let at = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    let site = Plan::deployed().start_between(pool, &at, Aion::default(), Tcp).await;
    let wire = relay::start(site.address.clone(), move |way, line| {
        let renamed = way == Way::Up && line.contains("mining.submit");
        vec![if renamed { line.replace("rig0", name) } else { line }]
    });
    let wire = wire.await.to_string();
    let farm = RigFarm::start(1, &wire, Duration::ZERO, |number| RigConfig {
        coin: Arc::new(AionRig::default()),
        worker: format!("rig{number}"),
        hashrate: 50.0,
        ..RigConfig::default()
    });
    (site, farm)
}

/// Aion's miners may name another worker in a submit than in their authorize.
#[tokio::test]
async fn an_aion_submit_that_names_another_worker_counts_for_its_rig() {
    let (site, farm) = aion_as(AionPool::new(Family::Miningcore), 1.0, "somebody").await;
    site.all_earn(&farm, 2).await;
    let route = Arc::clone(&site.route);
    let accounts = site.finish(farm).await;
    bad_submits(&accounts.pool).assert_none();
    assert_eq!(accounts.rigs.rejected, accounts.count(Verdict::SecondSolution));
    let workers: Vec<_> = route.roster().workers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(workers.iter().map(|name| &**name).collect::<Vec<_>>(), ["rig0"]);
}

/// The notify of a node-based server has its share target, and that of a Miningcore fork the
/// block's. Which it is shows by what it announces beside.
#[tokio::test]
async fn what_the_target_of_an_aion_notify_is_shows_itself() {
    let (log, _guard) = Log::capture();
    let node = AionPool { announce_times: Some(8.0), ..AionPool::new(Family::Node) };
    let (site, farm) = aion(node, 2.0).await;
    site.all_earn(&farm, 3).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    bad_submits(&accounts.pool).assert_none();
    assert_eq!(accounts.rigs.rejected, accounts.count(Verdict::SecondSolution));
    log.says(&["pool.habit", "notify_target", "share"]).await;

    let (log, _guard) = Log::capture();
    let fork = AionPool { tells_target: false, ..AionPool::new(Family::Miningcore) };
    let (site, farm) = aion(fork, 2.0).await;
    site.all_earn(&farm, 3).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    bad_submits(&accounts.pool).assert_none();
    assert_eq!(accounts.rigs.rejected, accounts.count(Verdict::SecondSolution));
    log.says(&["pool.habit", "notify_target", "network"]).await;
}
