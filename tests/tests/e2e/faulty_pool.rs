//! A pool that says what makes no sense, or refuses.

use std::time::Duration;

use orepass_sim::pool::PoolFault;
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::log::Log;
use orepass_tests::site::Plan;
use orepass_tests::wait::until;
use orepass_tests::wires::{Wired, slow_rig};

const RIGS: usize = 4;

#[tokio::test]
async fn an_unusable_job_is_logged_with_its_reason_and_the_last_good_one_stays() {
    let (log, _guard) = Log::capture();
    let site = Plan::deployed().start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    for _ in 0..10 {
        site.pool.fault(PoolFault::UnusableNotify);
    }
    let line = log.says(&["pool.unusable", "mining.notify"]).await;
    assert!(line.contains("expected"), "{line:?}");
    site.all_earn(&farm, 5).await;
    site.pool.new_job();
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.rigs.jobs, 2 * RIGS as u64);
    assert_eq!(accounts.pool.connections_total, 1);
    assert_eq!(log.lines(&["pool.unusable"]).len(), 1, "ten of them are one line");
}

#[tokio::test]
async fn an_overlong_job_is_skipped_and_a_second_within_a_minute_reconnects() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    let site = plan.start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    site.pool.fault(PoolFault::OverlongNotify);
    log.says(&["pool.overlong", "524288 bytes"]).await;
    site.pool.new_job();
    site.all_earn(&farm, 5).await;
    assert_eq!(site.pool.stats().connections_total, 1);

    site.pool.fault(PoolFault::OverlongNotify);
    log.says(&["pool.down", "two lines from the pool"]).await;
    site.pool.wait_for(|stats| stats.connections_total == 2).await.unwrap();
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    orepass_tests::check::bad_submits(&accounts.pool).assert_none();
    let rigs = accounts.rigs;
    assert_eq!((rigs.disconnects, rigs.jobs), (0, 2 * RIGS as u64));
    assert_eq!(rigs.rejected, accounts.route.count(Verdict::LostOnFailover));
}

#[tokio::test]
async fn refusals_of_either_form_are_passed_on_with_the_pools_words() {
    for objects in [false, true] {
        let site = Plan::deployed().start().await;
        site.pool.fault(PoolFault::RefuseShares);
        if objects {
            site.pool.fault(PoolFault::ErrorObjects);
        }
        let farm = site.farm(RIGS, |number| RigConfig { share_limit: Some(5), ..site.rig(number) });
        let all = 5 * RIGS as u64;
        let rigs = until("refusals", || farm.stats(), |stats| stats.rejected == all).await;
        assert_eq!(rigs.rejected_by_code.get(&20), Some(&all));
        let error = rigs.last_error.unwrap();
        assert!(error.contains("pool: share refused (20)"), "{error}");
        let accounts = site.finish(farm).await;
        accounts.honesty().assert_none();
        assert_eq!(accounts.count(Verdict::RejectedByPool), all);
        assert!(accounts.route.proven_work() < 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_refuses_the_account_is_asked_again_after_half_a_minute_while_the_rigs_wait() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.route.hold_for = None;
    plan.route.downstream.park_for = Duration::from_secs(3600);
    plan.route.pools[0].password = orepass::config::Secret::new("sesame-97");
    let site =
        Wired::start(plan, 1, |_, pool| pool.fault(PoolFault::RefuseWorker("account".into())));
    let rigs = site.rigs(RIGS, slow_rig);
    tokio::time::sleep(Duration::from_secs(900)).await;
    let waits = site.waits(0);
    assert!((3..10).contains(&waits.len()), "{waits:?}");
    assert!(waits.iter().all(|wait| (30..=300).contains(wait)), "{waits:?}");
    let line = log.says(&["ERROR", "pool.down", "refused user \"account\""]).await;
    assert!(line.contains("check `user` and `password`"), "{line}");
    assert!(
        line.contains("only after it was added there, by a miner's `mining.add_user`"),
        "{line}"
    );
    assert_eq!(log.lines(&["pool.failed", "cause=\"account\""]).len(), 1);
    assert!(rigs.iter().all(|rig| rig.stats().logged_in == 0));

    site.pools[0].heal();
    tokio::time::sleep(Duration::from_secs(300)).await;
    for rig in &rigs {
        let stats = rig.wait_for(|stats| stats.accepted >= 5).await.unwrap();
        assert_eq!(stats.disconnects, 0);
    }
    assert!(log.lines(&["sesame-97"]).is_empty());
}

#[tokio::test]
async fn a_pool_that_counts_extranonces_from_zero_after_a_restart_changes_nothing_for_rigs() {
    let site = Plan::deployed().start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    site.pool.fault(PoolFault::Restart);
    site.pool.wait_for(|stats| stats.connections_total == 2).await.unwrap();
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    orepass_tests::check::bad_submits(&accounts.pool).assert_none();
    assert_eq!((accounts.rigs.disconnects, accounts.rigs.jobs), (0, RIGS as u64));
}
