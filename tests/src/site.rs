//! A route between a simulated pool and its rigs.

use std::sync::Arc;
use std::time::Duration;

use orepass::config::{ListenAddr, PoolAccount, RouteConfig};
use orepass::net::connect::{Connector, Tcp};
use orepass::route::{Route, Surroundings};
use orepass::store::RouteStore;
use orepass_farm::pools::Standing;
use orepass_farm::stats::Totals;
use orepass_hstratum::{Hstratum, Options};
use orepass_sim::handshake::{ExtranoncePolicy, HandshakePool, HandshakeRig, StratumGeneration};
use orepass_sim::net::{PoolServer, RigFarm, RigHandle};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::vardiff::VardiffConfig;
use tokio::net::TcpListener;

use crate::check::Accounts;
use crate::wait::until;

/// One share in 43 hashes, on Bitcoin's scale.
pub const EASY: f64 = 1e-8;
/// One share in 4,300 hashes: hard enough that none is found by luck.
pub const HARD: f64 = 1e-6;

/// What a site is made of; tests change what they are about.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The coin of the pool.
    pub coin: HandshakePool,
    /// The pool beside its coin.
    pub pool: PoolConfig,
    /// The route; where its pool is gets filled in.
    pub route: RouteConfig,
    /// The dialect's options.
    pub options: Options,
    /// What the route knows from earlier runs; nothing, and it forgets at its end, when absent.
    pub memory: Option<RouteStore>,
}

impl Plan {
    /// A deterministic pool of a generation with easy shares, and a route to it whose rigs all get
    /// the pool's own target.
    #[must_use]
    pub fn new(generation: StratumGeneration) -> Self {
        Self {
            coin: HandshakePool::new(generation),
            pool: PoolConfig {
                difficulty: difficulty(generation, EASY),
                fixed_time: Some(1_700_000_000),
                seed: 7,
                ..PoolConfig::default()
            },
            route: RouteConfig {
                downstream: DownstreamConfig::default()
                    .with_vardiff(VardiffConfig { enabled: false, ..VardiffConfig::default() }),
                max_channels: 4,
                // Rigs here find many shares; only a test that is about it slows them down.
                max_pool_shares_per_second: 10_000,
                ..RouteConfig::new("test".parse().unwrap(), Hstratum::NAME, vec![account()])
            },
            options: Options::default(),
            memory: None,
        }
    }

    /// A site of the deployed generation, as [`new`](Self::new).
    #[must_use]
    pub fn deployed() -> Self {
        Self::new(StratumGeneration::Deployed)
    }

    /// Starts the pool and the route.
    pub async fn start(self) -> Site {
        let dialect = Hstratum::new(self.options);
        self.start_as(dialect).await
    }

    /// Starts the pool, and the route in a dialect of the test's own.
    pub async fn start_as<D: Dialect>(self, dialect: D) -> Site<D> {
        let pool = self.make_pool();
        let address = pool.listen("127.0.0.1:0").await.unwrap();
        self.start_between(pool, &address.to_string(), dialect, Tcp).await
    }

    /// Starts the route alone, to pools at these addresses; gives where rigs connect to.
    pub async fn start_route(
        mut self,
        pools: impl IntoIterator<Item = (String, Standing)>,
    ) -> (Arc<Route<Hstratum>>, String) {
        let account = self.route.pools.remove(0);
        let accounts = pools.into_iter().enumerate().map(|(number, (address, standing))| {
            let url = format!("stratum+tcp://{address}").parse().unwrap();
            PoolAccount {
                name: format!("pool{number}").parse().unwrap(),
                url,
                standing,
                ..account.clone()
            }
        });
        self.route.pools = accounts.collect();
        let dialect = Arc::new(Hstratum::new(self.options));
        let dialects = vec![dialect; self.route.pools.len()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let around = self.around(Tcp);
        (Route::start(self.route, dialects, around, vec![listener]), address)
    }

    fn around(&self, connector: impl Connector) -> Surroundings {
        let around = Surroundings::new(Arc::new(connector));
        Surroundings { memory: self.memory.clone().unwrap_or(around.memory), ..around }
    }

    /// The pool alone, listening nowhere yet.
    #[must_use]
    pub fn make_pool(&self) -> PoolServer {
        let coin = Arc::new(self.coin.clone());
        PoolServer::new(PoolConfig { coin, ..self.pool.clone() })
    }

    /// Starts a route to `address`, where the pool, or what stands before it, is.
    pub async fn start_between<D: Dialect>(
        mut self,
        pool: PoolServer,
        address: &str,
        dialect: D,
        connector: impl Connector,
    ) -> Site<D> {
        let scheme = self.route.pools[0].url.scheme();
        self.route.pools[0].url = format!("{scheme}://{address}").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let around = self.around(connector);
        let route = Route::start(self.route, vec![Arc::new(dialect)], around, vec![listener]);
        Site { pool, route, address, coin: self.coin }
    }
}

/// The route's account at the pool; where that is gets filled in.
fn account() -> PoolAccount {
    let url = "stratum+tcp://127.0.0.1:1".parse().unwrap();
    PoolAccount::new("pool".parse().unwrap(), url, "account".parse().unwrap())
}

/// A running route and its pool.
pub struct Site<D: Dialect = Hstratum> {
    /// The pool.
    pub pool: PoolServer,
    /// The route.
    pub route: Arc<Route<D>>,
    /// Where rigs connect to.
    pub address: String,
    coin: HandshakePool,
}

impl<D: Dialect> Site<D> {
    /// A rig with a firmware that does what it is told, in the pool's generation.
    #[must_use]
    pub fn rig(&self, number: usize) -> RigConfig {
        self.rig_with(number, ExtranoncePolicy::Respect)
    }

    /// A rig with this way to divide the extranonce.
    #[must_use]
    pub fn rig_with(&self, number: usize, policy: ExtranoncePolicy) -> RigConfig {
        let scale = self.coin.scale;
        RigConfig {
            coin: Arc::new(HandshakeRig { policy, scale, ..HandshakeRig::default() }),
            worker: format!("rig{number}"),
            hashrate: 20_000.0,
            reconnect_max: Duration::from_millis(50),
            max_pending: 4,
            seed: number as u64,
            ..RigConfig::default()
        }
    }

    /// Starts so many rigs, with the habits that `config` gives them.
    pub fn farm(&self, count: usize, config: impl FnMut(usize) -> RigConfig) -> RigFarm {
        RigFarm::start(count, &self.address, Duration::ZERO, config)
    }

    /// Has the route listen on one more socket, as the config would have it; gives where that is.
    #[must_use]
    pub fn listens(&self, address: &str) -> String {
        let address: ListenAddr = address.parse().unwrap();
        let socket = std::net::TcpListener::bind(address.get()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let bound = socket.local_addr().unwrap().to_string();
        self.route.listen(address, socket);
        bound
    }

    /// The books of the route.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.route.totals()
    }

    /// Waits until each rig has `more` shares accepted than it has now.
    pub async fn all_earn(&self, farm: &RigFarm, more: u64) {
        let before: Vec<u64> = farm.rigs().iter().map(|rig| rig.stats().accepted).collect();
        for (rig, before) in farm.rigs().iter().zip(before) {
            until("a rig earns", || rig.stats(), |stats| stats.accepted >= before + more).await;
        }
    }

    /// Starts the rigs' mining again.
    pub fn start_mining(&self, farm: &RigFarm) {
        farm.rigs().iter().for_each(RigHandle::start_mining);
    }

    /// Waits until every rig has been told one more job than in these accounts.
    pub async fn all_told(&self, farm: &RigFarm, before: &Accounts) {
        let told = before.rigs.jobs + farm.rigs().len() as u64;
        until("a job at all rigs", || farm.stats(), |stats| stats.jobs == told).await;
    }

    /// Waits until every rig is logged in.
    pub async fn all_in(&self, farm: &RigFarm) {
        let all = farm.rigs().len() as u64;
        until("rigs log in", || farm.stats(), |stats| stats.logged_in == all).await;
    }

    /// Stops the rigs' mining and waits until each share has its answer and its verdict.
    ///
    /// On a runtime of one thread no rig sends another share afterwards.
    pub async fn drain(&self, farm: &RigFarm) -> Accounts {
        farm.stop_mining();
        let rigs =
            until("answers to all shares", || farm.stats(), |stats| stats.pending == 0).await;
        let settled = |totals: &Totals| totals.sent == totals.ended();
        let route = until("verdicts on all shares", || self.totals(), settled).await;
        Accounts { pool: self.pool.stats(), route, rigs }
    }

    /// As [`drain`](Self::drain), then ends everything: the rigs, the route, the pool.
    pub async fn finish(self, farm: RigFarm) -> Accounts {
        self.drain(&farm).await;
        let rigs = farm.close().await;
        self.close().await;
        Accounts { pool: self.pool.stats(), route: self.totals(), rigs }
    }

    /// Stops the route and the pool.
    pub async fn close(&self) {
        crate::wait::within("the route stops", self.route.stop()).await;
        self.pool.close();
    }
}

/// A rig at a deployed pool, of which every other one takes `mining.set_extranonce`.
#[must_use]
pub fn mixed_rig(number: usize) -> RigConfig {
    RigConfig {
        worker: format!("rig{number}"),
        hashrate: 20_000.0,
        extranonce_subscribe: number % 2 == 1,
        reconnect_max: Duration::from_millis(50),
        max_pending: 4,
        seed: number as u64,
        ..RigConfig::default()
    }
}

/// A difficulty that is given on Bitcoin's scale, on the scale of a generation's pools.
#[must_use]
pub fn difficulty(generation: StratumGeneration, bitcoin: f64) -> f64 {
    if generation.is_seed() { bitcoin * 256.0 } else { bitcoin }
}
