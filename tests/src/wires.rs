//! A route between pools and rigs on wires in memory, for tests that stop the clock: what takes
//! half a minute takes no time then.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orepass::config::{PoolAccount, PoolUrl};
use orepass::net::connect::{ConnectError, Connector, PoolConnection, Reach};
use orepass::route::{Route, Surroundings};
use orepass_farm::pools::Standing;
use orepass_hstratum::Hstratum;
use orepass_sim::net::{PoolServer, RigDriver, RigHandle};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use tokio::io::{duplex, split};
use tokio::time::Instant;

use crate::site::{Plan, mixed_rig};

/// How many bytes a wire holds in each direction.
const WIRE: usize = 64 * 1024;

/// A route and its pools, in order of preference.
pub struct Wired {
    /// The pools.
    pub pools: Vec<PoolServer>,
    /// The route.
    pub route: Arc<Route<Hstratum>>,
    wires: Wires,
}

/// The way to the pools. Clones are the same way.
#[derive(Clone, Default)]
struct Wires {
    pools: Vec<PoolServer>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By pool, whether no connection is made.
    cut: Vec<bool>,
    /// By pool, whether attempts come to no end.
    hanging: Vec<bool>,
    /// The attempts so far, by pool.
    attempts: Vec<Vec<Instant>>,
}

impl Wired {
    /// Starts so many pools like the plan's, each of a rank of its own, and the route. `prepare` is
    /// given each pool before the route knows of it.
    #[must_use]
    pub fn start(plan: Plan, count: usize, prepare: impl Fn(usize, &PoolServer)) -> Self {
        let coin = Arc::new(plan.coin.clone());
        let make = |number: usize| {
            let seed = plan.pool.seed + number as u64;
            PoolServer::new(PoolConfig { coin: Arc::clone(&coin) as _, seed, ..plan.pool.clone() })
        };
        let pools: Vec<PoolServer> = (0..count).map(make).collect();
        pools.iter().enumerate().for_each(|(number, pool)| prepare(number, pool));
        let no = || vec![false; count];
        let state = State { cut: no(), hanging: no(), attempts: vec![Vec::new(); count] };
        let wires = Wires { pools: pools.clone(), state: Arc::new(Mutex::new(state)) };
        let mut route = plan.route;
        let account = route.pools.remove(0);
        let account = |rank: usize| PoolAccount {
            name: format!("pool{rank}").parse().unwrap(),
            url: format!("stratum+tcp://127.0.0.1:{}", rank + 1).parse().unwrap(),
            standing: Standing { rank, weight: 1.0 },
            ..account.clone()
        };
        route.pools = (0..count).map(account).collect();
        let dialect = Arc::new(Hstratum::new(plan.options));
        let dialects = vec![dialect; count];
        let around = Surroundings::new(Arc::new(wires.clone()));
        let route = Route::start(route, dialects, around, Vec::new());
        Self { pools, route, wires }
    }

    /// Starts so many rigs, which come back at once when they are closed.
    pub fn rigs(&self, count: usize, mut config: impl FnMut(usize) -> RigConfig) -> Vec<RigHandle> {
        let rig = |number: usize| {
            let (rig, handle) = RigDriver::new(config(number));
            let route = Arc::clone(&self.route);
            let peer = ([10, 0, 0, number as u8], 1024).into();
            tokio::spawn(rig.run(move || {
                let (near, far) = duplex(WIRE);
                route.admit(far, peer, 3333).unwrap();
                std::future::ready(Ok(near))
            }));
            handle
        };
        (0..count).map(rig).collect()
    }

    /// Lets no connection to a pool be made, or lets them again.
    pub fn cut(&self, pool: usize, cut: bool) {
        self.wires.state().cut[pool] = cut;
    }

    /// Lets attempts to connect to a pool come to no end.
    pub fn hang(&self, pool: usize) {
        self.wires.state().hanging[pool] = true;
    }

    /// When connections to a pool were wanted.
    #[must_use]
    pub fn attempts(&self, pool: usize) -> Vec<Instant> {
        self.wires.state().attempts[pool].clone()
    }

    /// How long passed between the attempts, in whole seconds.
    #[must_use]
    pub fn waits(&self, pool: usize) -> Vec<u64> {
        let attempts = self.attempts(pool);
        let pairs = attempts.windows(2);
        pairs.map(|pair| Duration::as_secs(&pair[1].duration_since(pair[0]))).collect()
    }
}

/// A rig that finds a share a second: on a stopped clock hashes are all that takes time.
#[must_use]
pub fn slow_rig(number: usize) -> RigConfig {
    RigConfig { hashrate: 43.0, ..mixed_rig(number) }
}

impl Wires {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Connector for Wires {
    async fn connect(&self, url: &PoolUrl, _: &Reach) -> Result<PoolConnection, ConnectError> {
        let pool = usize::from(url.port()) - 1;
        let (cut, hangs) = {
            let mut state = self.state();
            state.attempts[pool].push(Instant::now());
            (state.cut[pool], state.hanging[pool])
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        if cut {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        }
        let (reader, writer) = split(self.pools[pool].connect());
        let peer = SocketAddr::from(([127, 0, 0, 1], url.port()));
        Ok(PoolConnection::new(Box::new(reader), Box::new(writer), peer))
    }
}
