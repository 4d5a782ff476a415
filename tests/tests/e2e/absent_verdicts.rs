//! A pool that takes shares and says nothing. This takes half a minute, since that is how long a
//! pool may take.

use std::time::Duration;

use orepass::clock::now;
use orepass_sim::pool::PoolFault;
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::log::Log;
use orepass_tests::site::Plan;
use orepass_tests::wait::until;

#[tokio::test]
async fn shares_that_are_never_judged_end_as_unanswered_and_late_verdicts_are_only_counted() {
    tokio::join!(never_judged(), judged_too_late(), never_back());
}

async fn never_judged() {
    const SHARES: u64 = 4;
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    let site = plan.start().await;
    site.pool.fault(PoolFault::NoVerdicts);
    let mut limit = RigConfig { share_limit: Some(SHARES), ..site.rig(0) };
    let farm = site.farm(1, |_| limit.clone());
    let answered = until("answers", || farm.stats(), |stats| stats.rejected == SHARES).await;
    assert_eq!(answered.rejected_by_code.get(&20), Some(&SHARES));
    assert_eq!(answered.disconnects, 0);
    log.says(&["pool.down", "3 shares in a row got no answer within 30s"]).await;
    site.pool.heal();
    site.pool.wait_for(|stats| stats.connections_total == 2).await.unwrap();
    limit.worker = "another".into();
    let more = site.farm(1, |_| limit.clone());
    until("credit", || more.stats(), |stats| stats.accepted == SHARES).await;
    more.close().await;
    let accounts = site.finish(farm).await;
    orepass_tests::check::books(&accounts.route).assert_none();
    orepass_tests::check::bad_submits(&accounts.pool).assert_none();
    let unanswered = accounts.count(Verdict::Unanswered);
    assert!((3..=SHARES).contains(&unanswered), "{unanswered}");
    assert_eq!(unanswered + accounts.count(Verdict::LostOnFailover), SHARES);
    assert_eq!(accounts.count(Verdict::AcceptedByPool), SHARES);
}

async fn judged_too_late() {
    let site = Plan::deployed().start().await;
    site.pool.fault(PoolFault::LateVerdicts(Duration::from_secs(32)));
    // One alone is no reason to give the connection up.
    let farm = site.farm(1, |_| RigConfig { share_limit: Some(1), ..site.rig(0) });
    let told = until("an answer", || farm.stats(), |stats| stats.rejected == 1).await;
    assert!(told.last_error.unwrap().contains("the pool did not answer"));
    until("the verdict", || site.totals(), |totals| totals.late_verdicts == 1).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    assert_eq!(accounts.count(Verdict::Unanswered), 1);
    assert_eq!(accounts.route.ended(), 1);
    assert_eq!(accounts.pool.connections_total, 1);
}

/// Shares that are held for the pool's return are given up, whatever the channel is waiting for.
async fn never_back() {
    const SHARES: u64 = 3;
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    plan.route.pools[0].resubmit = true;
    let site = plan.start().await;
    site.pool.fault(PoolFault::NoVerdicts);
    let farm = site.farm(1, |_| RigConfig { share_limit: Some(SHARES), ..site.rig(0) });
    site.pool.wait_for(|stats| stats.submits == SHARES).await.unwrap();
    site.pool.fault(PoolFault::RefuseConnections);
    let lost = now();
    let totals =
        until("verdicts", || site.totals(), |totals| totals.count(Verdict::LostOnFailover) > 0)
            .await;
    assert!((now() - lost) > Duration::from_secs(29), "{:?}", (now() - lost));
    assert_eq!((totals.count(Verdict::LostOnFailover), totals.resent), (SHARES, 0));
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    assert_eq!(accounts.rigs.rejected_by_code.get(&20), Some(&SHARES));
}
