//! Orepass behind Orepass.

use std::sync::Arc;
use std::time::Duration;

use orepass::config::{PoolAccount, RouteConfig};
use orepass::net::connect::Tcp;
use orepass::route::{Route, Surroundings};
use orepass_aion::Aion;
use orepass_hstratum::Hstratum;
use orepass_sim::aion::Family;
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{answers, bad_submits, books};
use orepass_tests::log::Log;
use orepass_tests::site::Plan;
use orepass_tests::wait::{until, within};
use orepass_zcash::Zcash;
use tokio::net::TcpListener;

/// A pool and so many routes, each of them the pool of the next.
struct Chain<D: Dialect> {
    pool: PoolServer,
    routes: Vec<Arc<Route<D>>>,
    /// Where rigs connect to.
    address: String,
}

impl<D: Dialect + Default> Chain<D> {
    async fn start(pool: PoolServer, route: RouteConfig, levels: usize) -> Self {
        let mut address = pool.listen("127.0.0.1:0").await.unwrap().to_string();
        let mut routes = Vec::new();
        for level in 0..levels {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("stratum+tcp://{address}").parse().unwrap();
            address = listener.local_addr().unwrap().to_string();
            let account = PoolAccount { url, ..route.pools[0].clone() };
            let name = format!("level{level}").parse().unwrap();
            let route = RouteConfig { name, pools: vec![account], ..route.clone() };
            let around = Surroundings::new(Arc::new(Tcp));
            routes.push(Route::start(route, vec![Arc::default()], around, vec![listener]));
        }
        Self { pool, routes, address }
    }

    /// Rigs mine until each has so many shares accepted; nothing is refused anywhere.
    async fn earns(&self, rigs: usize, shares: u64, rig: impl FnMut(usize) -> RigConfig) {
        let farm = RigFarm::start(rigs, &self.address, Duration::ZERO, rig);
        for rig in farm.rigs() {
            until("a rig earns", || rig.stats(), |stats| stats.accepted >= shares).await;
        }
        farm.stop_mining();
        until("answers", || farm.stats(), |stats| stats.pending == 0).await;
        let rigs = farm.close().await;
        answers(&rigs).assert_none();
        // Of the solutions of one nonce Miningcore's kind of pool counts one.
        let second = self.routes.last().unwrap().totals().count(Verdict::SecondSolution);
        assert_eq!((rigs.rejected, rigs.disconnects), (second, 0));
    }

    async fn finish(self) {
        for route in self.routes.iter().rev() {
            within("a route stops", route.stop()).await;
            books(&route.totals()).assert_none();
        }
        let pool = self.pool.stats();
        bad_submits(&pool).assert_none();
        let first = self.routes[0].totals().count(Verdict::AcceptedByPool);
        assert_eq!(pool.accepted, first);
        assert_eq!(pool.connections_total, 1);
        self.pool.close();
    }
}

/// A Handshake pool that announces such an extranonce2 size.
fn handshake(announced: usize) -> (Plan, PoolServer) {
    let mut plan = Plan::deployed();
    plan.coin.extranonce2_size = announced;
    plan.coin.strict_extranonce2 = announced == 4;
    let pool = plan.make_pool();
    (plan, pool)
}

#[tokio::test]
async fn two_levels_of_handshake_earn_behind_a_pool_that_gives_room() {
    let (plan, pool) = handshake(24);
    let chain = Chain::<Hstratum>::start(pool, plan.route, 2).await;
    chain
        .earns(6, 20, |number| RigConfig {
            worker: format!("rig{number}"),
            hashrate: 20_000.0,
            max_pending: 4,
            seed: number as u64,
            ..RigConfig::default()
        })
        .await;
    chain.finish().await;
}

#[tokio::test]
async fn where_no_room_is_left_the_lower_one_says_so() {
    let (log, _guard) = Log::capture();
    let (plan, pool) = handshake(4);
    // The first leaves 3 bytes, the second 2, which is what a rig needs.
    let chain = Chain::<Hstratum>::start(pool, plan.route, 3).await;
    let said = log.says(&["pool.down", "level2", "no room to split"]).await;
    assert!(said.contains("extranonce2 of 2 bytes"), "{said}");
    assert!(said.contains("set prefix_bytes = 0 for a pool connection per rig"), "{said}");
    assert!(log.lines(&["pool.down", "level1"]).is_empty());
    for route in chain.routes.iter().rev() {
        within("a route stops", route.stop()).await;
    }
    chain.pool.close();
}

/// The rigs really solve.
#[tokio::test]
async fn two_levels_of_aion_earn() {
    let (plan, _) = handshake(4);
    let pool = PoolServer::new(PoolConfig {
        block_interval: None,
        ..PoolConfig::aion(Family::Miningcore, 1.0)
    });
    let chain = Chain::<Aion>::start(pool, plan.route, 2).await;
    chain
        .earns(2, 1, |number| RigConfig {
            worker: format!("rig{number}"),
            seed: number as u64 + 1,
            ..RigConfig::aion()
        })
        .await;
    chain.finish().await;
}

/// The rigs really solve, and each solution of a nonce counts.
#[tokio::test]
async fn two_levels_of_zcash_earn() {
    let (plan, _) = handshake(4);
    let pool = PoolServer::new(PoolConfig { block_interval: None, ..PoolConfig::zcash() });
    let chain = Chain::<Zcash>::start(pool, plan.route, 2).await;
    chain
        .earns(2, 1, |number| RigConfig {
            worker: format!("rig{number}"),
            seed: number as u64 + 1,
            ..RigConfig::zcash()
        })
        .await;
    chain.finish().await;
}
