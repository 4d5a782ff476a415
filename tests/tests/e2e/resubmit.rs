//! A route that sends shares once more after a lost connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use orepass::net::connect::Tcp;
use orepass_hstratum::Hstratum;
use orepass_sim::net::RigFarm;
use orepass_sim::pool::PoolFault;
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::bad_submits;
use orepass_tests::relay::{self, Way};
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;

const RIGS: usize = 5;
const SHARES: u64 = 4;
const ALL: u64 = RIGS as u64 * SHARES;

/// A pool that gives the same extranonce1 again, and a route that sends shares again.
fn plan() -> Plan {
    let mut plan = Plan::deployed();
    plan.pool.resume_sessions = true;
    plan.route.pools[0].resubmit = true;
    plan
}

/// Rigs that find so many shares and no more.
fn farm(site: &Site) -> RigFarm {
    site.farm(RIGS, |number| RigConfig { share_limit: Some(SHARES), ..site.rig(number) })
}

/// Rigs whose shares the pool has and has not answered.
async fn judged_in_silence(site: &Site) -> RigFarm {
    site.pool.fault(PoolFault::NoVerdicts);
    let farm = farm(site);
    site.pool.wait_for(|stats| stats.submits == ALL).await.unwrap();
    assert_eq!(farm.stats().pending, ALL);
    site.pool.heal();
    farm
}

#[tokio::test]
async fn shares_that_the_pool_had_taken_count_as_accepted() {
    let site = plan().start().await;
    let farm = judged_in_silence(&site).await;
    site.pool.fault(PoolFault::DropConnections);
    let rigs = until("verdicts", || farm.stats(), |stats| stats.pending == 0).await;
    assert_eq!((rigs.accepted, rigs.rejected, rigs.disconnects), (ALL, 0, 0));

    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    let pool = accounts.pool;
    assert_eq!((pool.submits, pool.accepted, pool.duplicates), (2 * ALL, ALL, ALL));
    let route = accounts.route;
    assert_eq!((route.resent, route.resent_duplicates), (ALL, ALL));
    assert_eq!(route.count(Verdict::AcceptedByPool), ALL);
}

#[tokio::test]
async fn shares_that_the_pool_never_read_are_not_lost() {
    let plan = plan();
    let pool = plan.make_pool();
    let at_pool = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    let swallows = Arc::new(AtomicBool::new(true));
    let swallowed = Arc::new(AtomicU64::new(0));
    let (swallowing, count) = (Arc::clone(&swallows), Arc::clone(&swallowed));
    let wire = relay::start(at_pool, move |way, line| {
        let submit = way == Way::Up && line.contains("mining.submit");
        if submit && swallowing.load(Ordering::SeqCst) {
            count.fetch_add(1, Ordering::SeqCst);
            return vec![];
        }
        vec![line]
    });
    let wire = wire.await.to_string();
    let site = plan.start_between(pool, &wire, Hstratum::default(), Tcp).await;
    let farm = farm(&site);
    until("shares on the wire", || swallowed.load(Ordering::SeqCst), |count| *count == ALL).await;
    swallows.store(false, Ordering::SeqCst);
    site.pool.fault(PoolFault::DropConnections);
    until("verdicts", || farm.stats(), |stats| stats.pending == 0).await;

    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    bad_submits(&accounts.pool).assert_none();
    assert_eq!((accounts.pool.submits, accounts.rigs.accepted), (ALL, ALL));
    assert_eq!((accounts.route.resent, accounts.route.resent_duplicates), (ALL, 0));
}

#[tokio::test]
async fn with_another_extranonce1_there_is_nothing_to_send_again() {
    let site = plan().start().await;
    let farm = judged_in_silence(&site).await;
    site.pool.fault(PoolFault::NewExtranonce1);
    until("verdicts", || site.totals(), |totals| totals.ended() == ALL).await;

    let accounts = site.finish(farm).await;
    assert_eq!(accounts.pool.submits, ALL);
    assert_eq!((accounts.route.resent, accounts.route.resent_duplicates), (0, 0));
    assert_eq!(accounts.count(Verdict::LostOnFailover), ALL);
}

#[tokio::test]
async fn with_another_block_meanwhile_they_are_lost_and_said_to_be() {
    let site = plan().start().await;
    let farm = judged_in_silence(&site).await;
    site.pool.fault(PoolFault::RefuseConnections);
    until("the pool is lost", || site.route.live_channels(), |live| *live == 0).await;
    site.pool.new_block();
    site.pool.heal();
    let rigs = until("verdicts", || farm.stats(), |stats| stats.pending == 0).await;
    assert_eq!(rigs.rejected_by_code.get(&20), Some(&ALL));
    assert!(rigs.last_error.unwrap().contains("pool connection lost"));

    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    assert_eq!(accounts.pool.submits, ALL);
    assert_eq!(accounts.count(Verdict::LostOnFailover), ALL);
}
