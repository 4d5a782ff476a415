//! One entry of the config at work: rigs on these ports go to this pool.

pub mod channel;
mod listener;
mod seats;
mod summary;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::job::JobIds;
use orepass_stratum::stats::{Book, Totals};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::config::PoolUrl;
use crate::net::connect::Connector;
use crate::net::junk::JunkLog;
use crate::roster::Roster;
use channel::Channel;
use seats::Pacer;

pub use seats::{Answer as SeatAnswer, Waiting};

/// How long shares in flight may still get their verdicts when the proxy stops.
const DRAIN_FOR: Duration = Duration::from_secs(5);

/// What a route needs to know.
#[derive(Debug, Clone)]
pub struct RouteConfig {
    /// Its name, in logs and figures.
    pub name: String,
    /// The wishes for its rigs.
    pub downstream: DownstreamConfig,
    /// How many bytes tell rigs apart; the dialect's own choice when absent.
    pub prefix_bytes: Option<usize>,
    /// The most pool connections.
    pub max_channels: usize,
    /// The most rigs on one of them.
    pub max_rigs_per_channel: usize,
    /// The pool.
    pub pool: PoolConfig,
}

/// A server and the account there.
#[derive(Clone)]
pub struct PoolConfig {
    /// Its label.
    pub name: String,
    /// Where it is.
    pub url: PoolUrl,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for PoolConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolConfig")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A route at work.
pub struct Route<D: Dialect> {
    pub(crate) config: RouteConfig,
    pub(crate) dialect: Arc<D>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) downstream: Arc<DownstreamConfig>,
    pub(crate) ids: Arc<JobIds>,
    pub(crate) book: Arc<Book>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) junk: JunkLog,
    pub(crate) closing: Pacer,
    /// The pool is known to need the stricter split.
    pub(crate) fallback: AtomicBool,
    channels: Mutex<Vec<Arc<Channel<D>>>>,
    next_channel: AtomicU64,
    waiting: AtomicUsize,
    /// Counts changes after which a waiting rig may find a seat.
    changed: watch::Sender<u64>,
    /// Told to stop: no new rigs, no new shares.
    stopping: CancellationToken,
    /// Told to end at once.
    ending: CancellationToken,
    sessions: TaskTracker,
    tasks: TaskTracker,
}

impl<D: Dialect> Route<D> {
    /// Starts a route on listeners that are bound already.
    #[must_use]
    pub fn start(
        config: RouteConfig,
        dialect: Arc<D>,
        connector: Arc<dyn Connector>,
        listeners: Vec<TcpListener>,
    ) -> Arc<Self> {
        let route = Arc::new(Self {
            downstream: Arc::new(config.downstream.clone()),
            ids: Arc::new(JobIds::new(unix_seconds())),
            config,
            dialect,
            connector,
            book: Arc::default(),
            roster: Arc::default(),
            junk: JunkLog::default(),
            closing: Pacer::default(),
            fallback: AtomicBool::new(false),
            channels: Mutex::default(),
            next_channel: AtomicU64::new(1),
            waiting: AtomicUsize::new(0),
            changed: watch::Sender::new(0),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
            sessions: TaskTracker::new(),
            tasks: TaskTracker::new(),
        });
        route.open_channel();
        for listener in listeners {
            route.tasks.spawn(listener::accept(Arc::clone(&route), listener));
        }
        route.tasks.spawn(summary::report(Arc::clone(&route)));
        route
    }

    /// Stops accepting, lets shares in flight get their verdicts, closes everything.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.sessions.close();
        if tokio::time::timeout(DRAIN_FOR, self.sessions.wait()).await.is_err() {
            warn!(
                event = "route.drain",
                route = self.config.name,
                sessions = self.sessions.len(),
                "some shares got no verdict within {DRAIN_FOR:?}"
            );
        }
        self.ending.cancel();
        self.sessions.wait().await;
        self.tasks.close();
        self.tasks.wait().await;
        let totals = self.totals();
        info!(
            event = "route.stopped",
            route = self.config.name,
            "stopped after {} shares",
            totals.sent
        );
    }

    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The figures of all shares so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.book.totals()
    }

    /// The rigs that are connected.
    #[must_use]
    pub const fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// How many pool connections are open and take shares.
    #[must_use]
    pub fn live_channels(&self) -> usize {
        self.channels().iter().filter(|channel| channel.is_live()).count()
    }

    /// The token by which sessions learn that the proxy stops.
    pub(crate) const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// The token by which everything learns that time is up.
    pub(crate) const fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    pub(crate) fn needs_fallback(&self) -> bool {
        self.fallback.load(Ordering::Relaxed)
    }
}

/// The clock's Unix seconds: the start of job ids, which never repeat as long as the route makes
/// fewer than one a second.
fn unix_seconds() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() as u32
}
