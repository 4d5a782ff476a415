//! One entry of the config at work: rigs on these ports go to these pools.

pub mod channel;
mod director;
mod known;
mod seats;
mod summary;
pub mod ticket;

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_stratum::assignment::Assignment;
use orepass_stratum::channel::PoolShared;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::habits::{Habit, HabitBook, Habits, Learnt};
use orepass_stratum::job::JobIds;
use orepass_stratum::pools::{PoolIndex, Pools, PoolsConfig, Standing};
use orepass_stratum::stats::{Book, Totals};
use orepass_stratum::target::Difficulty;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{info, warn};

use crate::clock::{now, unix_seconds};
use crate::config::{self, Failover, PoolUrl, UserTemplate};
use crate::limits::Door;
use crate::memory::{Memory, RouteMemory};
use crate::net::connect::Connector;
use crate::net::junk::JunkLog;
use crate::pool::log::Said;
use crate::rig::listener;
use crate::rig::roster::Roster;
use crate::watch;
use channel::Channel;
use seats::Pacer;

pub use crate::rig::listener::Full;
pub use known::Profile;
pub(crate) use known::{Needs, Rig};
pub use seats::{Answer as SeatAnswer, Waiting, Wish};

use known::Known;

/// How long shares in flight may still get their verdicts when the proxy stops, or their rig says
/// no more.
pub(crate) const DRAIN_FOR: Duration = Duration::from_secs(5);

/// How long rigs may then take to read what is left to say.
const FAREWELL_FOR: Duration = Duration::from_secs(1);

/// What a route needs to know.
#[derive(Debug, Clone)]
pub struct RouteConfig {
    /// Its name, in logs and figures.
    pub name: String,
    /// The wishes for its rigs.
    pub downstream: DownstreamConfig,
    /// How many bytes tell rigs apart; the dialect's own choice when absent.
    pub prefix_bytes: Option<usize>,
    /// The most connections to each pool.
    pub max_channels: usize,
    /// The most rigs on one of them.
    pub max_rigs_per_channel: usize,
    /// The most connections to each pool that serve one rig alone.
    pub max_dedicated: usize,
    /// What rigs of certain kinds need; the first that says something decides.
    pub profiles: Vec<Profile>,
    /// So many shares a second on one of them, and rigs get a harder target than the pool's until
    /// the pool has retargeted.
    pub max_pool_shares_per_second: u32,
    /// The pools, in order of preference; at least one.
    pub pools: Vec<PoolConfig>,
    /// How long rigs are held while no pool serves; for ever when absent.
    pub hold_for: Option<Duration>,
    /// How rigs go back to a better pool.
    pub failover: Failover,
    /// What is known of its rigs from earlier runs.
    pub memory: RouteMemory,
    /// The way in for the connections of all routes of the process.
    pub door: Arc<Door>,
}

impl RouteConfig {
    /// A route with the usual limits, which forgets at its end.
    #[must_use]
    pub fn new(name: impl Into<String>, pools: Vec<PoolConfig>) -> Self {
        let name = name.into();
        Self {
            memory: Memory::fleeting().route(&name),
            name,
            downstream: DownstreamConfig::default(),
            prefix_bytes: None,
            max_channels: config::DEFAULT_MAX_CHANNELS,
            max_rigs_per_channel: config::DEFAULT_MAX_RIGS,
            max_dedicated: config::DEFAULT_MAX_DEDICATED,
            profiles: Vec::new(),
            max_pool_shares_per_second: config::DEFAULT_MAX_SHARES,
            pools,
            hold_for: Some(config::DEFAULT_HOLD),
            failover: Failover::default(),
            door: Arc::default(),
        }
    }
}

/// A server and the account there.
#[derive(Clone)]
pub struct PoolConfig {
    /// Its label.
    pub name: String,
    /// Where it is.
    pub url: PoolUrl,
    /// The account, and the names of workers.
    pub user: UserTemplate,
    /// Its password.
    pub password: String,
    /// Whether a worker authorizes with the password that its rig gave.
    pub pass_password: bool,
    /// The difficulty that it is asked for, on its own scale.
    pub start_difficulty: Option<Difficulty>,
    /// Whether shares that a connection is lost with are sent once more on the next.
    pub resubmit: bool,
    /// What the operator says of its habits.
    pub habits: Habits,
    /// Its rank and weight among the route's pools.
    pub standing: Standing,
}

impl PoolConfig {
    /// A pool that stands alone, with the usual password for none.
    #[must_use]
    pub fn new(name: impl Into<String>, url: PoolUrl, user: UserTemplate) -> Self {
        Self {
            name: name.into(),
            url,
            user,
            password: config::DEFAULT_PASSWORD.into(),
            pass_password: false,
            start_difficulty: None,
            resubmit: false,
            habits: Habits::default(),
            standing: Standing { rank: 0, weight: 1.0 },
        }
    }
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
    /// The dialect with each pool's options, in the order of the pools.
    pub(crate) dialects: Vec<Arc<D>>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) downstream: Arc<DownstreamConfig>,
    pub(crate) ids: Arc<JobIds>,
    pub(crate) book: Arc<Book>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) junk: JunkLog,
    pub(crate) closing: Pacer,
    /// The way in for this route's rigs.
    pub(crate) door: Arc<Door>,
    pub(crate) known: Known,
    /// What the log says of each pool, in the order of the pools.
    pub(crate) said: Vec<Arc<Said>>,
    /// What all connections to one pool share, in the order of the pools.
    pub(crate) shared: Vec<PoolShared>,
    choice: Mutex<Pools>,
    assignment: Mutex<Assignment>,
    /// Counts decisions about pools, after which a rig may belong elsewhere.
    plan: watch::Sender<u64>,
    /// Something has happened that the director should look at.
    happened: Notify,
    /// Counts how often a connection has come to serve, in the order of the pools.
    news: Vec<watch::Sender<u64>>,
    /// Whether no pool serves at all.
    urgent: watch::Sender<bool>,
    channels: Mutex<Vec<Arc<Channel<D>>>>,
    next_channel: AtomicU64,
    /// Rigs that wait for a seat; those that may need a connection of their own apart.
    waiting: AtomicUsize,
    waiting_alone: AtomicUsize,
    /// Counts changes after which a waiting rig may find a seat.
    changed: watch::Sender<u64>,
    /// Told to stop: no new rigs, no new shares.
    stopping: CancellationToken,
    /// Told to end at once.
    ending: CancellationToken,
    /// Told that even the last words have had their time.
    closing_now: CancellationToken,
    pub(crate) sessions: TaskTracker,
    /// Shares on their way to a pool or back, whether or not a rig waits for them.
    shares: TaskTracker,
    tasks: TaskTracker,
}

impl<D: Dialect> Route<D> {
    /// Starts a route on listeners that are bound already. `dialects` are the dialect with each
    /// pool's options, in the order of the pools.
    #[must_use]
    pub fn start(
        config: RouteConfig,
        dialects: Vec<Arc<D>>,
        connector: Arc<dyn Connector>,
        listeners: Vec<TcpListener>,
    ) -> Arc<Self> {
        let standings = config.pools.iter().map(|pool| pool.standing).collect();
        let Failover { healthy_for, trial_share, trial_for } = config.failover;
        let hold_for = config.hold_for;
        let pools = PoolsConfig { pools: standings, healthy_for, trial_share, trial_for, hold_for };
        let door = Arc::new(listener::door(&config));
        let said = config.pools.iter().map(|_| Arc::default()).collect();
        let ids = Arc::new(JobIds::new(config.memory.first_job_id()));
        let route = Arc::new(Self {
            shared: config.pools.iter().map(|pool| shared(&ids, pool, &config.memory)).collect(),
            choice: Mutex::new(Pools::new(pools, now())),
            assignment: Mutex::new(Assignment::new(config.pools.len())),
            plan: watch::Sender::new(0),
            happened: Notify::new(),
            news: config.pools.iter().map(|_| watch::Sender::new(0)).collect(),
            urgent: watch::Sender::new(false),
            known: Known::new(config.profiles.clone(), config.memory.clone(), now()),
            downstream: Arc::new(config.downstream.clone().with_await_welcome(true)),
            ids,
            config,
            dialects,
            connector,
            book: Arc::default(),
            roster: Arc::default(),
            junk: JunkLog::default(),
            said,
            closing: Pacer::default(),
            door,
            channels: Mutex::default(),
            next_channel: AtomicU64::new(1),
            waiting: AtomicUsize::new(0),
            waiting_alone: AtomicUsize::new(0),
            changed: watch::Sender::new(0),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
            closing_now: CancellationToken::new(),
            sessions: TaskTracker::new(),
            shares: TaskTracker::new(),
            tasks: TaskTracker::new(),
        });
        route.tasks.spawn(director::direct(Arc::clone(&route)));
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
        self.shares.close();
        let drained = async {
            self.sessions.wait().await;
            // No rig waits for these: it was answered already, or has left.
            self.shares.wait().await;
        };
        if tokio::time::timeout(DRAIN_FOR, drained).await.is_err() {
            let (shares, sessions) = (self.shares.len(), self.sessions.len());
            warn!(
                event = "route.drain",
                route = self.config.name,
                shares,
                sessions,
                "{shares} shares got no verdict within {DRAIN_FOR:?}"
            );
        }
        // The channels end, which answers what is still in flight as lost; the sessions pass
        // that on and end.
        self.ending.cancel();
        let _ = tokio::time::timeout(FAREWELL_FOR, self.sessions.wait()).await;
        self.closing_now.cancel();
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

    /// To be held for a share until it has its verdict.
    pub(crate) fn open_share(&self) -> TaskTrackerToken {
        self.shares.token()
    }

    /// The token by which sessions learn that the proxy stops.
    pub(crate) const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// The token by which everything learns that time is up.
    pub(crate) const fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// The token by which sessions learn that nothing more can be said.
    pub(crate) const fn closing_now(&self) -> &CancellationToken {
        &self.closing_now
    }

    /// The dialect as rigs speak it before they have a place.
    pub(crate) fn dialect(&self) -> &Arc<D> {
        &self.dialects[0]
    }

    pub(crate) fn pool(&self, pool: PoolIndex) -> &PoolConfig {
        &self.config.pools[pool]
    }

    /// Keeps what was found out about a pool.
    pub(crate) fn remember_habit(&self, pool: PoolIndex, learnt: Learnt) {
        let server = self.pool(pool).url.authority();
        let Learnt { habit, answer } = learnt;
        let word = habit.word(answer);
        self.config.memory.remember_habit(&server, habit.name(), word, unix_seconds());
    }

    /// What was found out about a pool too long ago is found out again; how its extranonce is divided
    /// only after a restart, since every change of that moves all rigs.
    pub(crate) fn refresh_habits(&self, pool: PoolIndex) {
        let (server, now) = (self.pool(pool).url.authority(), unix_seconds());
        let is_over = |habit: &Habit| self.config.memory.habit_is_over(&server, habit.name(), now);
        let habits = &self.shared[pool].habits;
        let others = Habit::ALL.into_iter().filter(|habit| *habit != Habit::Split);
        others.filter(is_over).for_each(|habit| habits.forget(habit));
    }

    /// Reports something to the choice of pools, and has its consequences drawn.
    pub(crate) fn report(&self, report: impl FnOnce(&mut Pools, Instant)) {
        report(&mut self.choice(), now());
        self.happened.notify_one();
    }

    /// Reports something that happens all the time, and wakes the director only for a decision.
    pub(crate) fn mention(&self, report: impl FnOnce(&mut Pools, Instant)) {
        let mut choice = self.choice();
        report(&mut choice, now());
        if choice.has_news() {
            self.happened.notify_one();
        }
    }

    /// The present choice of pools.
    pub(crate) fn choice(&self) -> MutexGuard<'_, Pools> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which rig mines at which pool. Not locked together with the choice.
    fn assignment(&self) -> MutexGuard<'_, Assignment> {
        self.assignment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a pool has come to serve: those to it that wait need not wait any more.
    pub(crate) fn good_news(&self, pool: PoolIndex) {
        self.news[pool].send_modify(|count| *count += 1);
    }

    /// A receiver of a pool's good news.
    pub(crate) fn news(&self, pool: PoolIndex) -> watch::Receiver<u64> {
        self.news[pool].subscribe()
    }

    /// Whether no pool serves at all, which is no time to wait.
    pub(crate) fn urgent(&self) -> watch::Receiver<bool> {
        self.urgent.subscribe()
    }

    /// A receiver of changes of the choice, and of who mines where.
    pub(crate) fn plan(&self) -> watch::Receiver<u64> {
        self.plan.subscribe()
    }
}

/// What all connections to a pool share, with what is remembered of the pool.
fn shared(ids: &Arc<JobIds>, pool: &PoolConfig, memory: &RouteMemory) -> PoolShared {
    let remembered = remembered(&pool.url.authority(), memory);
    let habits = HabitBook::new(pool.habits, remembered);
    PoolShared { habits, ..PoolShared::from(Arc::clone(ids)) }
}

/// What was found out about the pool at a server, and not too long ago.
pub(crate) fn remembered(server: &str, memory: &RouteMemory) -> Habits {
    Habit::ALL.into_iter().fold(Habits::default(), |habits, habit| {
        let known = memory.habit(server, habit.name(), unix_seconds());
        habits.with(habit, known.and_then(|known| habit.of_word(&known.answer)))
    })
}
