//! A route with a second pool to go to.

use std::sync::Arc;
use std::time::Duration;

use orepass::route::Route;
use orepass_farm::pools::Standing;
use orepass_hstratum::Hstratum;
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{answers, bad_submits, books};
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::wait::{until, within};

const RIGS: usize = 12;

/// Two pools that share nothing, and rigs of which every other takes `mining.set_extranonce`.
struct Farmstead {
    pools: [PoolServer; 2],
    route: Arc<Route<Hstratum>>,
    farm: RigFarm,
}

impl Farmstead {
    async fn start(standings: [Standing; 2]) -> Self {
        let plan = Plan::deployed();
        let mut pools = Vec::new();
        let mut addresses = Vec::new();
        for (number, standing) in standings.into_iter().enumerate() {
            let pool = PoolServer::new(PoolConfig {
                coin: Arc::new(plan.coin.clone()),
                seed: number as u64,
                ..plan.pool.clone()
            });
            let address = pool.listen("127.0.0.1:0").await.unwrap();
            addresses.push((address.to_string(), standing));
            pools.push(pool);
        }
        let (route, address) = plan.start_route(addresses).await;
        let farm = RigFarm::start(RIGS, &address, Duration::ZERO, mixed_rig);
        until("rigs log in", || farm.stats(), |stats| stats.logged_in == RIGS as u64).await;
        let pools = pools.try_into().unwrap_or_else(|_| unreachable!("two pools were made"));
        Self { pools, route, farm }
    }

    async fn all_earn(&self, more: u64) {
        let before: Vec<u64> = self.farm.rigs().iter().map(|rig| rig.stats().accepted).collect();
        for (rig, before) in self.farm.rigs().iter().zip(before) {
            until("a rig earns", || rig.stats(), |stats| stats.accepted >= before + more).await;
        }
    }

    /// Ends the story: no pool saw a share of the other's jobs, or one twice.
    async fn finish(self) -> orepass_farm::stats::Totals {
        self.farm.stop_mining();
        until("answers", || self.farm.stats(), |stats| stats.pending == 0).await;
        let settled = |totals: &orepass_farm::stats::Totals| totals.sent == totals.ended();
        until("verdicts", || self.route.totals(), settled).await;
        let rigs = self.farm.close().await;
        within("the route stops", self.route.stop()).await;
        for pool in &self.pools {
            bad_submits(&pool.stats()).assert_none();
            pool.close();
        }
        books(&self.route.totals()).assert_none();
        answers(&rigs).assert_none();
        self.route.totals()
    }
}

const IN_ORDER: [Standing; 2] =
    [Standing { rank: 0, weight: 1.0 }, Standing { rank: 1, weight: 1.0 }];

#[tokio::test]
async fn when_the_first_pool_dies_every_rig_goes_to_the_second() {
    let site = Farmstead::start(IN_ORDER).await;
    site.all_earn(3).await;
    let second = &site.pools[1];
    // The second is held warm, and mined at by nobody.
    until("a warm standby", || second.stats().authorized, |workers| *workers == 1).await;
    assert_eq!(second.stats().submits, 0);

    site.pools[0].fault(PoolFault::RefuseConnections);
    site.pools[0].fault(PoolFault::DropConnections);
    until("shares at the second pool", || second.stats().accepted, |shares| *shares > 0).await;
    site.all_earn(5).await;

    for (number, rig) in site.farm.rigs().iter().enumerate() {
        let stats = rig.stats();
        let takes_set_extranonce = number % 2 == 1;
        assert_eq!(stats.disconnects, u64::from(!takes_set_extranonce), "rig {number}");
        assert_eq!(stats.set_extranonces, u64::from(takes_set_extranonce), "rig {number}");
        assert_eq!((stats.works_repeated, stats.job_ids_repeated), (0, 0), "rig {number}");
    }
    let totals = site.finish().await;
    assert_eq!(totals.count(Verdict::RejectedByPool), 0);
}

#[tokio::test]
async fn pools_of_one_rank_share_the_rigs() {
    let standing = |weight| Standing { rank: 0, weight };
    let site = Farmstead::start([standing(1.0), standing(1.0)]).await;
    for pool in &site.pools {
        until("shares at both pools", || pool.stats().accepted, |shares| *shares >= 20).await;
    }
    site.finish().await;
}
