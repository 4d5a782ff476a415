//! A first pool that is connected and worthless, and a second one that is good.

use std::sync::Arc;
use std::time::Duration;

use orepass::config::Failover;
use orepass::route::Route;
use orepass_farm::pools::Standing;
use orepass_hstratum::Hstratum;
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{answers, bad_submits, books};
use orepass_tests::log::Log;
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::wait::{until, within};
use orepass_tests::wires::{Wired, slow_rig};
use tokio::time::{Instant, sleep};

const RIGS: usize = 6;

/// Two pools over real sockets, and rigs of which every other takes `mining.set_extranonce`.
struct Farmstead {
    first: PoolServer,
    second: PoolServer,
    route: Arc<Route<Hstratum>>,
    farm: RigFarm,
    log: Log,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Farmstead {
    /// With a first pool that has this fault from the start.
    async fn start(fault: Option<PoolFault>) -> Self {
        let (log, _guard) = Log::capture();
        let mut plan = Plan::deployed();
        plan.route.failover = Failover {
            healthy_for: Duration::from_secs(1),
            trial_share: 0.5,
            trial_for: Duration::from_secs(1),
        };
        let mut pools = Vec::new();
        let mut addresses = Vec::new();
        for rank in 0..2 {
            let coin = Arc::new(plan.coin.clone());
            let pool = PoolServer::new(PoolConfig { coin, seed: rank as u64, ..plan.pool.clone() });
            if let Some(fault) = fault.clone().filter(|_| rank == 0) {
                pool.fault(fault);
            }
            let address = pool.listen("127.0.0.1:0").await.unwrap().to_string();
            addresses.push((address, Standing { rank, weight: 1.0 }));
            pools.push(pool);
        }
        let (route, address) = plan.start_route(addresses).await;
        let farm = RigFarm::start(RIGS, &address, Duration::ZERO, mixed_rig);
        let [first, second] = pools.try_into().unwrap_or_else(|_| unreachable!());
        Self { first, second, route, farm, log, _guard }
    }

    /// All rigs earn, at the second pool alone.
    async fn all_earn_at_the_second(&self) {
        let log = &self.log;
        log.says(&["pool.", "to=\"pool1\""]).await;
        self.all_earn(3).await;
        let (at_first, at_second) = (self.first.stats().submits, self.second.stats().accepted);
        let enough = |shares: &u64| *shares >= at_second + 20 * RIGS as u64;
        until("shares at the second pool", || self.second.stats().accepted, enough).await;
        assert_eq!(self.first.stats().submits, at_first, "they stay");
    }

    async fn all_earn(&self, more: u64) {
        let before: Vec<u64> = self.farm.rigs().iter().map(|rig| rig.stats().accepted).collect();
        for (rig, before) in self.farm.rigs().iter().zip(before) {
            until("a rig earns", || rig.stats(), |stats| stats.accepted >= before + more).await;
        }
    }

    /// Ends the story: what the pools did wrong is nobody else's fault.
    async fn finish(self) {
        self.farm.stop_mining();
        until("answers", || self.farm.stats(), |stats| stats.pending == 0).await;
        until("verdicts", || self.route.totals(), |totals| totals.sent == totals.ended()).await;
        let rigs = self.farm.close().await;
        within("the route stops", self.route.stop()).await;
        for pool in [&self.first, &self.second] {
            bad_submits(&pool.stats()).assert_none();
            pool.close();
        }
        books(&self.route.totals()).assert_none();
        answers(&rigs).assert_none();
    }
}

#[tokio::test]
async fn rigs_leave_a_pool_that_refuses_every_share_as_stale_and_the_log_says_so() {
    let site = Farmstead::start(None).await;
    site.all_earn(1).await;
    site.first.fault(PoolFault::StaleVerdicts);
    let line = site.log.says(&["pool.failed", "pool0"]).await;
    let of = ["cause=\"rejects\"", "of=20", "job not found (21)"];
    assert!(of.iter().all(|part| line.contains(part)), "{line}");
    site.all_earn_at_the_second().await;
    assert!(site.route.totals().count(Verdict::Stale) > 10);
    site.finish().await;
}

#[tokio::test]
async fn rigs_leave_a_pool_that_closes_after_each_share() {
    let site = Farmstead::start(None).await;
    site.all_earn(1).await;
    site.first.fault(PoolFault::CloseAfterShare);
    site.log.says(&["pool.failed", "pool0", "cause=\"losses\""]).await;
    site.all_earn_at_the_second().await;
    let connections = site.first.stats().connections_total;
    assert!(connections < 20, "it was called {connections} times");
    site.finish().await;
}

#[tokio::test]
async fn no_rig_goes_to_a_pool_that_answers_logins_with_a_reconnect() {
    let site = Farmstead::start(Some(PoolFault::ReconnectAtLogin)).await;
    site.log.says(&["pool.active", "pool1"]).await;
    site.log.says(&["pool.failed", "pool0", "cause=\"connection\""]).await;
    site.all_earn(10).await;
    assert_eq!(site.first.stats().submits, 0);
    site.finish().await;
}

#[tokio::test]
async fn rigs_leave_a_pool_that_begins_to_answer_logins_with_a_reconnect() {
    let site = Farmstead::start(None).await;
    site.all_earn(1).await;
    site.first.fault(PoolFault::ReconnectAtLogin);
    site.first.fault(PoolFault::DropConnections);
    site.all_earn_at_the_second().await;
    site.finish().await;
}

#[tokio::test]
async fn no_rig_goes_to_a_pool_that_tells_no_job_until_it_tells_one() {
    for fault in [PoolFault::Jobless, PoolFault::UnusableJobs] {
        let site = Farmstead::start(Some(fault)).await;
        site.log.says(&["pool.active", "pool1"]).await;
        // Longer than it would have to prove itself.
        site.all_earn(50).await;
        assert_eq!(site.first.stats().submits, 0);
        site.first.heal();
        site.first.new_job();
        site.log.says(&["pool.switch", "from=\"pool1\"", "to=\"pool0\""]).await;
        site.finish().await;
    }
}

#[tokio::test]
async fn a_sole_pool_that_refuses_every_share_is_kept_and_named_once() {
    let (log, _guard) = Log::capture();
    let site = Plan::deployed().start().await;
    site.pool.fault(PoolFault::RefuseShares);
    let farm = site.farm(RIGS, |number| site.rig(number));
    let line = log.says(&["pool.kept"]).await;
    for part in ["cause=\"rejects\"", "refused=20", "of=20", "20 × share refused (20)"] {
        assert!(line.contains(part), "{line}");
    }
    let before = farm.stats().rejected;
    until("refusals", || farm.stats().rejected, |refused| *refused > before + 100).await;
    assert_eq!(log.lines(&["pool.kept"]).len(), 1);
    assert!(log.lines(&["pool.failed"]).is_empty());
    site.finish(farm).await.honesty().assert_none();
}

#[tokio::test(start_paused = true)]
async fn a_jobless_pool_is_given_up_every_half_minute_with_what_was_wrong_with_its_jobs() {
    let (log, _guard) = Log::capture();
    let site = Wired::start(Plan::deployed(), 2, |number, pool| {
        if number == 0 {
            pool.fault(PoolFault::UnusableJobs);
        }
    });
    let rigs = site.rigs(2, slow_rig);
    sleep(Duration::from_secs(300)).await;
    let line = log.says(&["ERROR", "pool.down", "pool0", "told no job that can be mined"]).await;
    assert!(line.contains("expected") && line.contains("a pool of hstratum?"), "{line}");
    assert_eq!(log.lines(&["pool.failed", "pool0", "cause=\"jobs\""]).len(), 1);
    assert!(log.lines(&["pool.serves", "pool0"]).is_empty());
    assert!(site.waits(0).iter().all(|wait| *wait >= 30), "{:?}", site.waits(0));
    assert!(rigs.iter().all(|rig| rig.stats().accepted > 100));
}

#[tokio::test(start_paused = true)]
async fn while_no_pool_serves_none_is_waited_for_long_and_one_connection_brings_the_others() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.route.max_rigs_per_channel = 1;
    plan.route.hold_for = None;
    let site = Wired::start(plan, 2, |_, _| {});
    site.cut(1, true);
    let rigs = site.rigs(3, slow_rig);
    for rig in &rigs {
        rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    }
    // The second pool has been away for so long that it is hardly called any more.
    sleep(Duration::from_secs(300)).await;
    assert!(site.waits(1).last().is_some_and(|wait| *wait >= 10));

    site.cut(0, true);
    site.pools[0].fault(PoolFault::DropConnections);
    log.says(&["pool.outage"]).await;
    let outage = Instant::now();
    sleep(Duration::from_secs(120)).await;
    for pool in 0..2 {
        let (attempts, since) = (site.attempts(pool), outage);
        let mut waits = attempts.iter().skip_while(|at| **at <= since).map(|at| *at - since);
        assert!(waits.next().unwrap() <= Duration::from_secs(5), "pool {pool}");
        let mut later = attempts.windows(2).filter(|pair| pair[0] > since);
        assert!(later.all(|pair| pair[1] - pair[0] <= Duration::from_secs(5)), "pool {pool}");
    }

    site.cut(0, false);
    until("a connection", || site.route.live_channels(), |live| *live > 0).await;
    let first = Instant::now();
    until("all connections", || site.route.live_channels(), |live| *live == 3).await;
    assert!(first.elapsed() <= Duration::from_millis(300), "{:?}", first.elapsed());
}

#[tokio::test(start_paused = true)]
async fn rigs_that_are_held_are_let_go_when_their_time_is_over() {
    let (log, _guard) = Log::capture();
    let site = Wired::start(Plan::deployed(), 1, |_, _| {});
    let rigs = site.rigs(2, slow_rig);
    for rig in &rigs {
        rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    }
    site.cut(0, true);
    site.pools[0].fault(PoolFault::DropConnections);
    log.says(&["pool.outage", "held"]).await;
    sleep(Duration::from_millis(299_900)).await;
    assert!(rigs.iter().all(|rig| rig.stats().disconnects == 0));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(log.lines(&["pool.outage", "let go"]).len(), 1);
    assert!(rigs.iter().all(|rig| rig.stats().disconnects > 0));
}

#[tokio::test(start_paused = true)]
async fn a_live_connection_that_ends_is_not_said_to_have_never_been_made() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.route.max_rigs_per_channel = 1;
    let site = Wired::start(plan, 1, |_, _| {});
    let rigs = site.rigs(2, slow_rig);
    for rig in &rigs {
        rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    }
    // Both are told the same, while they mine.
    site.pools[0].fault(PoolFault::SameExtranonce1);
    site.pools[0].fault(PoolFault::SetExtranonce);
    log.says(&["pool.down", "connection lost", "extranonce1 of another"]).await;
    assert!(log.lines(&["cannot connect"]).is_empty());
    site.pools[0].heal();
    for rig in &rigs {
        rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn shares_that_come_while_a_connection_is_being_made_are_answered_at_once() {
    let site = Wired::start(Plan::deployed(), 1, |_, _| {});
    let rigs = site.rigs(2, slow_rig);
    for rig in &rigs {
        rig.wait_for(|stats| stats.accepted > 0).await.unwrap();
    }
    site.hang(0);
    site.pools[0].fault(PoolFault::DropConnections);
    until("an attempt", || site.attempts(0).len(), |attempts| *attempts == 2).await;
    for rig in &rigs {
        let before = rig.stats().rejected;
        rig.wait_for(|stats| stats.rejected > before + 3).await.unwrap();
        rig.stop_mining();
        assert_eq!(rig.drained().await.unwrap().disconnects, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_no_outage() {
    let (log, _guard) = Log::capture();
    let site = Wired::start(Plan::deployed(), 2, |_, _| {});
    log.says(&["pool.active"]).await;
    site.route.stop().await;
    log.says(&["route.stopped"]).await;
    assert!(log.lines(&["pool.outage"]).is_empty());
}
