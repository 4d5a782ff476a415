//! What is known of rigs after a restart.

use std::path::PathBuf;

use orepass::clock::unix_seconds;
use orepass::store::Store;
use orepass_farm::knowledge::{Change, WorkerRecord};
use orepass_sim::handshake::ExtranoncePolicy::AlwaysFour;
use orepass_sim::rig::{LoginOrder, RigConfig};
use orepass_stratum::target::Difficulty;
use orepass_stratum::vardiff::VardiffConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;

/// A file that nobody else uses, gone before the test.
fn state_file(name: &str) -> PathBuf {
    let file = format!("orepass-{name}-{}.db", std::process::id());
    let path = std::env::temp_dir().join(file);
    let _ = std::fs::remove_file(&path);
    path
}

async fn site(memory: &Store, vardiff: bool) -> Site {
    let mut plan = Plan::deployed();
    plan.memory = Some(memory.route("test"));
    if vardiff {
        plan.route.downstream.vardiff = VardiffConfig::default();
        plan.pool.difficulty = 1.0;
    }
    plan.start().await
}

#[tokio::test]
async fn firmware_that_was_found_out_is_served_as_it_needs_from_the_start() {
    let path = state_file("firmware");
    for restarted in [false, true] {
        let memory = Store::open(&path);
        let site = site(&memory, false).await;
        let farm = site.farm(1, |number| site.rig_with(number, AlwaysFour));
        site.all_earn(&farm, 5).await;
        assert_eq!(farm.stats().disconnects, u64::from(!restarted));
        farm.close().await;
        let refused = if restarted { 0 } else { 20 };
        assert_eq!(site.totals().count(Verdict::Invalid), refused);
        site.close().await;
        memory.close().await;
    }
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_worker_has_its_difficulty_and_its_lease_again() {
    let path = state_file("worker");
    let login = LoginOrder::AuthorizeFirst;
    let mut first = None;
    for restarted in [false, true] {
        let memory = Store::open(&path);
        let site = site(&memory, true).await;
        // Before a restart it comes as the third, after it as the first.
        let others = site.farm(if restarted { 0 } else { 2 }, |number| site.rig(number + 5));
        site.all_in(&others).await;
        let farm = site.farm(1, |number| RigConfig { login, ..site.rig(number) });
        site.all_in(&farm).await;
        let told = || farm.stats().difficulty;
        let start = until("a difficulty", told, Option::is_some).await.unwrap();
        let extranonce1 = farm.stats().extranonce1;
        if restarted {
            assert_eq!(first, Some((1e-3, extranonce1)), "the lease is the same");
            assert!((start - 2_f64.powi(-10)).abs() < 1e-9, "{start}");
        } else {
            assert!((start - 1.0).abs() < 1e-9, "nothing is known: the pool's own, {start}");
            first = Some((1e-3, extranonce1));
        }
        farm.close().await;
        others.close().await;
        site.close().await;
        if !restarted {
            // As if it had proven this one.
            let record =
                WorkerRecord { difficulty: Difficulty::new(1e-3), slot: Some(2), agent: None };
            memory.route("test").note(Change::Worker("rig0".into(), Some(record)), unix_seconds());
        }
        memory.close().await;
    }
    std::fs::remove_file(path).unwrap();
}
