//! A pool whose connection is lost while rigs mine.

use orepass_sim::net::RigHandle;
use orepass_sim::pool::PoolFault;
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{bad_submits, books};
use orepass_tests::client::Client;
use orepass_tests::site::Plan;
use orepass_tests::wait::until;

const RIGS: usize = 10;

#[tokio::test]
async fn with_the_same_extranonce1_again_rigs_stay_and_go_on_as_before() {
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    let site = plan.start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    let before = farm.stats();

    for drops in 1..=2 {
        site.pool.fault(PoolFault::DropConnections);
        let back = |connections: &u64| *connections == 1 + drops;
        until("a connection", || site.pool.stats().connections_total, back).await;
        site.all_earn(&farm, 5).await;
    }

    let accounts = site.finish(farm).await;
    let rigs = &accounts.rigs;
    assert_eq!((rigs.connects, rigs.disconnects), (RIGS as u64, 0));
    // The work goes on where it was: told again, it would make rigs repeat themselves.
    assert_eq!(rigs.jobs, before.jobs);
    accounts.honesty().assert_none();
    bad_submits(&accounts.pool).assert_none();
    let lost = accounts.count(Verdict::LostOnFailover);
    assert_eq!(rigs.rejected, lost);
    assert_eq!(rigs.accepted, accounts.count(Verdict::AcceptedByPool));
    assert_eq!(accounts.route.sent, rigs.accepted + lost);
}

#[tokio::test]
async fn with_another_extranonce1_rigs_that_can_are_told_and_the_others_come_back() {
    let site = Plan::deployed().start().await;
    // The odd ones subscribe to `mining.set_extranonce`.
    let farm = site.farm(RIGS, |number| RigConfig {
        extranonce_subscribe: number % 2 == 1,
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    let before: Vec<_> = farm.rigs().iter().map(RigHandle::stats).collect();

    site.pool.fault(PoolFault::NewExtranonce1);
    for (number, rig) in farm.rigs().iter().enumerate() {
        let was = before[number].extranonce1.clone();
        let moved = until(
            "another extranonce1",
            || rig.stats(),
            |stats| {
                stats.extranonce1 != was && stats.logged_in == 1 && stats.jobs > before[number].jobs
            },
        )
        .await;
        let expected = if number % 2 == 1 { (1, 0, 1) } else { (0, 1, 2) };
        assert_eq!((moved.set_extranonces, moved.disconnects, moved.connects), expected);
    }
    site.all_earn(&farm, 5).await;

    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    bad_submits(&accounts.pool).assert_none();
    assert_eq!(accounts.pool.connections_total, 2);
}

#[tokio::test]
async fn shares_that_the_pool_had_not_judged_are_lost_and_said_to_be() {
    const SHARES: u64 = 4;
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    let site = plan.start().await;
    let farm =
        site.farm(RIGS, |number| RigConfig { share_limit: Some(SHARES), ..site.rig(number) });
    site.pool.fault(PoolFault::NoVerdicts);
    site.all_in(&farm).await;
    let all = RIGS as u64 * SHARES;
    site.pool.wait_for(|stats| stats.submits == all).await.unwrap();
    assert_eq!(farm.stats().pending, all);

    site.pool.heal();
    site.pool.fault(PoolFault::DropConnections);
    let rigs = until("verdicts", || farm.stats(), |stats| stats.pending == 0).await;
    assert_eq!(rigs.rejected_by_code.get(&20), Some(&all));
    assert!(rigs.last_error.unwrap().contains("pool connection lost"));
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    assert_eq!(accounts.count(Verdict::LostOnFailover), all);
    assert_eq!(accounts.route.work(Verdict::AcceptedByPool), 0.0);
}

/// What one rig reads on the wire.
#[tokio::test]
async fn a_rig_without_a_pool_is_told_so_with_each_share_and_mines_on_afterwards() {
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    let site = plan.start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    let shares = login.shares(3);
    assert_eq!(client.submit("rig", login.job(), &shares[0]).await["result"], true);

    site.pool.fault(PoolFault::RefuseConnections);
    until("the pool is lost", || site.route.live_channels(), |live| *live == 0).await;
    let answer = client.submit("rig", login.job(), &shares[1]).await;
    assert_eq!(answer["error"], serde_json::json!([20, "pool connection lost", false]), "{answer}");

    site.pool.heal();
    until("the pool is back", || site.route.live_channels(), |live| *live == 1).await;
    let mut answer = client.submit("rig", login.job(), &shares[2]).await;
    // The connection takes shares from the authorize's answer on; its job may come right after.
    for more in login.shares(20).into_iter().skip(3) {
        if answer["result"] == true {
            break;
        }
        answer = client.submit("rig", login.job(), &more).await;
    }
    assert_eq!(answer["result"], true, "{answer}");
    let totals = site.totals();
    assert_eq!(totals.count(Verdict::AcceptedByPool), 2);
    books(&totals).assert_none();
    site.close().await;
    assert_eq!(client.rest().await.len(), 0);
}
