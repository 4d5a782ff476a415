//! What Orepass says was credited, held against what the pools say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orepass::route::Route;
use orepass_farm::pools::Standing;
use orepass_farm::stats::Totals;
use orepass_hstratum::Hstratum;
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_stratum::verdict::Verdict;
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::wait::{until, within};

const RIGS: usize = 12;
/// The account that the route itself mines as: what a pool got before it had shown whether it takes names.
const OWN: &str = "account";

/// Rigs at two pools, of which the first is lost for a while with shares on the way, gives no verdicts for
/// a while, and comes back.
async fn story(wait: Duration) {
    let mut plan = Plan::deployed();
    plan.route.pools[0].user = "account.{worker}".parse().unwrap();
    plan.route.failover.healthy_for = Duration::from_secs(1);
    plan.route.failover.trial_for = Duration::from_secs(1);
    if !wait.is_zero() {
        // Rigs need new work before they have found all that can be remembered of one.
        plan.pool.fixed_time = None;
        plan.pool.job_interval = Some(Duration::from_secs(30));
        plan.pool.difficulty *= 16.0;
    }
    let mut pools = Vec::new();
    let mut addresses = Vec::new();
    for rank in 0..2 {
        let coin = Arc::new(plan.coin.clone());
        let pool = PoolServer::new(PoolConfig { coin, seed: rank as u64, ..plan.pool.clone() });
        if !wait.is_zero() {
            pool.begin_schedule();
        }
        let address = pool.listen("127.0.0.1:0").await.unwrap();
        addresses.push((address.to_string(), Standing { rank, weight: 1.0 }));
        pools.push(pool);
    }
    let (route, address) = plan.start_route(addresses).await;
    let farm = RigFarm::start(RIGS, &address, Duration::ZERO, mixed_rig);
    earn(&farm, 5).await;
    tokio::time::sleep(wait).await;

    pools[0].fault(PoolFault::LateVerdicts(Duration::from_millis(300)));
    earn(&farm, 2).await;
    pools[0].fault(PoolFault::RefuseConnections);
    pools[0].fault(PoolFault::DropConnections);
    let second = &pools[1];
    until("shares at the second pool", || second.stats().accepted, |shares| *shares > 0).await;
    earn(&farm, 5).await;
    tokio::time::sleep(wait).await;
    let first = pools[0].stats().accepted;
    pools[0].heal();
    // It was away for so long that it is not tried at once; the other one goes on meanwhile.
    let both = || [pools[0].stats().accepted, pools[1].stats().accepted];
    until("shares at the first pool again", both, |shares| shares[0] > first).await;
    earn(&farm, 5).await;

    farm.stop_mining();
    until("answers", || farm.stats(), |stats| stats.pending == 0).await;
    until("verdicts", || route.totals(), |totals| totals.sent == totals.ended()).await;
    farm.close().await;
    within("the route stops", route.stop()).await;
    balance(&route, &pools);
    pools.iter().for_each(PoolServer::close);
}

async fn earn(farm: &RigFarm, more: u64) {
    let before: Vec<u64> = farm.rigs().iter().map(|rig| rig.stats().accepted).collect();
    for (rig, before) in farm.rigs().iter().zip(before) {
        until("a rig earns", || rig.stats(), |stats| stats.accepted >= before + more).await;
    }
}

/// Credited by us, then what may have been credited besides.
fn bounds(totals: &Totals) -> (u64, u64) {
    let of = |verdict| totals.count(verdict);
    let credited = of(Verdict::AcceptedByPool);
    (credited, credited + of(Verdict::Unanswered) + of(Verdict::LostOnFailover))
}

fn balance(route: &Route<Hstratum>, pools: &[PoolServer]) {
    let mut at_pools: BTreeMap<String, u64> = BTreeMap::new();
    for (name, worker) in pools.iter().flat_map(|pool| pool.stats().workers) {
        *at_pools.entry(name).or_default() += worker.accepted;
    }
    let own = at_pools.remove(OWN).unwrap_or_default();
    let workers: BTreeMap<_, _> = route.roster().workers().into_iter().collect();
    assert_eq!(workers.len(), RIGS);
    let mut unnamed = 0;
    for (name, totals) in &workers {
        let (least, most) = bounds(totals);
        let at_pools = at_pools.remove(&format!("{OWN}.{name}")).unwrap_or_default();
        assert!(at_pools <= most, "{name}: the pools credited {at_pools}, at most {most} here");
        unnamed += least.saturating_sub(at_pools);
        // Every share of it has its kind.
        assert_eq!(totals.sent, totals.ended(), "{name}: {totals:?}");
    }
    assert!(at_pools.is_empty(), "the pools know others too: {at_pools:?}");
    assert!(unnamed <= own, "{unnamed} credited to workers that no pool has, {own} to the account");

    let (least, most) = bounds(&route.totals());
    let credited: u64 = pools.iter().map(|pool| pool.stats().accepted).sum();
    assert!((least..=most).contains(&credited), "{credited} at the pools, {least} to {most} here");
    // The route's book is that of its workers, kind by kind, and that of its pools as far as they go.
    for verdict in Verdict::ALL {
        let by_workers: u64 = workers.values().map(|totals| totals.count(verdict)).sum();
        assert_eq!(route.totals().count(verdict), by_workers, "{verdict}");
    }
    use orepass::watch::Watched;
    let by_pools: Vec<Totals> = route.pool_books().iter().map(|(_, book)| book.totals()).collect();
    for verdict in [Verdict::AcceptedByPool, Verdict::RejectedByPool, Verdict::Unanswered] {
        let by_pools: u64 = by_pools.iter().map(|totals| totals.count(verdict)).sum();
        assert_eq!(route.totals().count(verdict), by_pools, "{verdict}");
    }
    for (totals, pool) in by_pools.iter().zip(pools) {
        let (least, most) = bounds(totals);
        let credited = pool.stats().accepted;
        assert!((least..=most).contains(&credited), "{credited} at one, {least} to {most} here");
    }
    // What pools credit in work is what they say of their own: each share at the pool's target.
    let work: f64 = pools.iter().map(|pool| pool.stats().work).sum();
    let ours = route.totals().credited;
    let open =
        route.totals().work(Verdict::Unanswered) + route.totals().work(Verdict::LostOnFailover);
    assert!(ours <= work * 1.0001 && work <= (ours + open) * 1.0001, "{ours} here, {work} there");
}

#[tokio::test]
async fn credited_here_is_credited_there_for_every_worker_and_pool_across_a_failover() {
    story(Duration::ZERO).await;
}

/// `MINUTES=60 cargo test -p orepass-tests --test e2e reconciled -- --ignored`
#[tokio::test]
#[ignore = "takes an hour, or so many minutes as $MINUTES says"]
async fn the_same_after_an_hour() {
    let minutes = std::env::var("MINUTES").ok().and_then(|minutes| minutes.parse().ok());
    story(Duration::from_secs(60 * minutes.unwrap_or(60) / 2)).await;
}
