//! A farm behind one route.

use std::sync::Arc;

use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::site::Plan;

const RIGS: usize = 300;
const SHARES: u64 = 6;

/// Three works of a block, another block, and again: 300 rigs on the two connections that they
/// need.
#[tokio::test]
async fn three_hundred_rigs_share_two_connections_and_every_share_counts_once() {
    let site = Plan::deployed().start().await;
    let farm = site.farm(RIGS, |number| RigConfig {
        hashrate: 800.0,
        // No more than a channel's queue holds from all its rigs together.
        max_pending: 1,
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    site.all_earn(&farm, SHARES).await;
    for _ in 0..2 {
        site.pool.new_job();
        site.all_earn(&farm, SHARES).await;
    }
    // Shares on their way when a block is found are stale by nobody's fault: none is.
    let before = site.drain(&farm).await;
    site.pool.new_block();
    site.all_told(&farm, &before).await;
    site.start_mining(&farm);
    site.all_earn(&farm, SHARES).await;

    assert_eq!(site.route.live_channels(), 2);
    let route = Arc::clone(&site.route);
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.pool.connections_total, 2, "{:?}", accounts.pool);
    assert_eq!(accounts.count(Verdict::AcceptedByPool), accounts.route.sent);
    assert_eq!(accounts.route.sent, accounts.rigs.accepted);
    assert!(accounts.route.sent >= RIGS as u64 * SHARES * 4, "{:?}", accounts.route);
    assert_eq!(accounts.rigs.connects, RIGS as u64, "no rig had to come back");
    let workers = route.roster().workers();
    assert_eq!(workers.len(), RIGS);
    let of_workers = workers.iter().map(|(_, totals)| totals.count(Verdict::AcceptedByPool));
    assert_eq!(of_workers.sum::<u64>(), accounts.route.sent);
    let work = accounts.route.proven_work();
    assert!((work / accounts.pool.work - 1.0).abs() < 1e-9, "{work} {}", accounts.pool.work);
}
