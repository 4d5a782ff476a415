//! The end of a route.

use std::sync::Arc;
use std::time::Duration;

use orepass_sim::net::RigFarm;
use orepass_sim::pool::PoolFault;
use orepass_sim::rig::RigConfig;
use orepass_stratum::downstream::Reply;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{Accounts, answers, bad_submits, books};
use orepass_tests::client::Client;
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::{until, within};
use tokio::net::TcpStream;

const RIGS: usize = 10;
const SHARES: u64 = 4;
const ALL: u64 = RIGS as u64 * SHARES;
const LATE: PoolFault = PoolFault::LateVerdicts(Duration::from_millis(700));

/// Rigs whose shares all wait for the pool's verdict.
async fn in_flight(fault: PoolFault) -> (Site, RigFarm) {
    in_flight_at(Plan::deployed().start().await, fault).await
}

async fn in_flight_at(site: Site, fault: PoolFault) -> (Site, RigFarm) {
    site.pool.fault(fault);
    let farm = site.farm(RIGS, |number| RigConfig {
        share_limit: Some(SHARES),
        // Those that are let go do not come back.
        reconnect_min: Duration::from_secs(600),
        reconnect_max: Duration::from_secs(600),
        ..site.rig(number)
    });
    site.pool.wait_for(|stats| stats.submits == ALL).await.unwrap();
    (site, farm)
}

async fn stop(site: &Site, farm: &RigFarm) -> Accounts {
    within("the route stops", site.route.stop()).await;
    let rigs = until("rigs leave", || farm.stats(), |stats| stats.connected == 0).await;
    let pool = until(
        "the route leaves the pool",
        || site.pool.stats(),
        |stats| stats.connections_open == 0,
    );
    let accounts = Accounts { pool: pool.await, route: site.totals(), rigs };
    assert!(TcpStream::connect(&site.address).await.is_err(), "nobody listens any more");
    assert_eq!((site.route.live_channels(), site.route.roster().online()), (0, 0));
    // Whatever was started for the route has ended: nothing holds it but the test.
    let holders = || Arc::strong_count(&site.route);
    until("tasks of the route end", holders, |holders| *holders == 1).await;
    books(&accounts.route).assert_none();
    answers(&accounts.rigs).assert_none();
    bad_submits(&accounts.pool).assert_none();
    accounts
}

#[tokio::test]
async fn shares_in_flight_get_the_verdicts_that_a_slow_pool_still_gives() {
    let (site, farm) = in_flight(LATE).await;
    assert_eq!(farm.stats().pending, ALL);
    let accounts = stop(&site, &farm).await;
    assert_eq!((accounts.rigs.accepted, accounts.rigs.unanswered), (ALL, 0));
    assert_eq!(accounts.count(Verdict::AcceptedByPool), ALL);
    farm.close().await;
}

#[tokio::test]
async fn the_stop_waits_for_verdicts_that_no_rig_waits_for() {
    // The rigs were told the proxy's own verdict at once.
    let mut plan = Plan::deployed();
    plan.route.downstream.reply = Reply::Local;
    let (site, farm) = in_flight_at(plan.start().await, LATE).await;
    let accounts = stop(&site, &farm).await;
    assert_eq!(accounts.count(Verdict::AcceptedByPool), ALL);
    farm.close().await;
}

#[tokio::test]
async fn the_stop_waits_for_verdicts_on_shares_of_rigs_that_have_left() {
    let (site, farm) = in_flight(LATE).await;
    farm.close().await;
    within("the route stops", site.route.stop()).await;
    let totals = site.totals();
    books(&totals).assert_none();
    assert_eq!(totals.count(Verdict::AcceptedByPool), ALL);
}

#[tokio::test]
async fn a_rig_that_says_no_more_after_a_share_is_answered_and_then_closed() {
    let site = Plan::deployed().start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    site.pool.fault(LATE);
    client.send_share("rig", login.job(), &login.shares(1)[0]).await;
    client.half_close().await;
    assert_eq!(client.answer("s").await["result"], true);
    assert_eq!(client.line().await, None);
    until("the session ends", || site.route.roster().online(), |online| *online == 0).await;
    assert_eq!(site.totals().undeliverable, 0);
    site.close().await;
}

#[tokio::test]
async fn a_rig_that_is_to_have_another_extranonce_gets_its_verdicts_before_it_is_closed() {
    let site = Plan::deployed().start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    site.pool.fault(LATE);
    client.send_share("rig", login.job(), &login.shares(1)[0]).await;
    site.pool.wait_for(|stats| stats.submits == 1).await.unwrap();
    // It has not said that it can be told another one.
    site.pool.fault(PoolFault::SetExtranonce);
    assert_eq!(client.answer("s").await["result"], true);
    assert_eq!(client.rest().await, Vec::<serde_json::Value>::new());
    assert_eq!(site.totals().undeliverable, 0);
    site.close().await;
}

#[tokio::test]
async fn a_pool_that_judges_nothing_does_not_hold_the_stop_up() {
    let (site, farm) = in_flight(PoolFault::NoVerdicts).await;
    let accounts = stop(&site, &farm).await;
    assert_eq!(accounts.count(Verdict::LostOnFailover), ALL);
    // Even then each rig is told what became of its shares.
    assert_eq!((accounts.rigs.rejected, accounts.rigs.unanswered), (ALL, 0));
    assert_eq!(accounts.route.undeliverable, 0);
    farm.close().await;
}

#[tokio::test]
async fn a_route_without_rigs_or_pool_stops_at_once() {
    let site = Plan::deployed().start().await;
    site.pool.fault(PoolFault::RefuseConnections);
    site.close().await;
    assert_eq!(site.totals().sent, 0);
}
