//! One entry of the config at work: rigs on these ports go to these pools.

pub mod channel;
mod director;
mod known;
pub(crate) mod mailbox;
mod seats;
mod summary;
pub mod ticket;
pub(crate) mod window;

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_farm::assignment::Assignment;
use orepass_farm::pools::{PoolIndex, Pools, PoolsConfig};
use orepass_farm::stats::{Book, Totals};
use orepass_stratum::channel::PoolShared;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::habits::{Habit, HabitBook, Habits, Learnt};
use orepass_stratum::job::JobIds;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{info, warn};

use crate::clock::{now, unix_seconds};
use crate::config::{Failover, PoolAccount, RouteConfig};
use crate::limits::Door;
use crate::net::connect::Connector;
use crate::net::junk::JunkLog;
use crate::pool::log::Said;
use crate::process::Process;
use crate::rig::listener;
use crate::rig::roster::Roster;
use crate::store::{RouteStore, Store};
use crate::watch;
use crate::workers::{Worker, Workers};
use channel::Channel;
use mailbox::{Mailboxes, STOP};
use seats::Pacer;

pub use crate::rig::listener::Full;
pub(crate) use known::{Needs, Rig};
pub use seats::{Answer as SeatAnswer, Waiting, Wish};

use known::Known;

/// How long shares in flight may still get their verdicts when the proxy stops, or their rig says
/// no more.
pub(crate) const DRAIN_FOR: Duration = Duration::from_secs(5);

/// How long rigs may then take to read what is left to say.
const FAREWELL_FOR: Duration = Duration::from_secs(1);

/// What a route is given beside its config.
#[derive(Clone)]
pub struct Surroundings {
    /// How connections to its pools are made.
    pub connector: Arc<dyn Connector>,
    /// What is known of its rigs and pools from earlier runs.
    pub memory: RouteStore,
    /// What it shares with the other routes of the process.
    pub process: Process,
}

impl Surroundings {
    /// For a route that is alone in its process, and forgets at its end.
    pub fn new(connector: Arc<dyn Connector>) -> Self {
        Self { connector, memory: Store::fleeting().route(""), process: Process::default() }
    }
}

/// A route at work.
pub struct Route<D: Dialect> {
    pub(crate) config: RouteConfig,
    /// The dialect with each pool's options, in the order of the pools.
    pub(crate) dialects: Vec<Arc<D>>,
    pub(crate) around: Surroundings,
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
    /// All rigs, and those among them that wait for a seat.
    rigs: Mailboxes,
    expectant: Mailboxes,
    workers: Arc<Workers>,
    /// Working memory for checking shares, as much as is in use at a time: one for each worker.
    scratch: Mutex<Vec<D::Scratch>>,
    /// Where the rig that comes next will probably sit.
    filling: Mutex<Worker>,
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
        around: Surroundings,
        listeners: Vec<TcpListener>,
    ) -> Arc<Self> {
        let standings = config.pools.iter().map(|pool| pool.standing).collect();
        let Failover { healthy_for, trial_share, trial_for } = config.failover;
        let hold_for = config.hold_for;
        let pools = PoolsConfig { pools: standings, healthy_for, trial_share, trial_for, hold_for };
        let door = Arc::new(listener::door(&config));
        let said = config.pools.iter().map(|_| Arc::default()).collect();
        let workers = around.process.workers.clone().unwrap_or_else(|| Arc::new(Workers::here()));
        let ids = Arc::new(JobIds::new(around.memory.first_job_id()));
        let route = Arc::new(Self {
            shared: config.pools.iter().map(|pool| shared(&ids, pool, &around.memory)).collect(),
            choice: Mutex::new(Pools::new(pools, now())),
            assignment: Mutex::new(Assignment::new(config.pools.len())),
            happened: Notify::new(),
            news: config.pools.iter().map(|_| watch::Sender::new(0)).collect(),
            urgent: watch::Sender::new(false),
            known: Known::new(config.profiles.clone(), around.memory.clone(), now()),
            downstream: Arc::new(config.downstream.clone().with_await_welcome(true)),
            ids,
            config,
            dialects,
            around,
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
            rigs: Mailboxes::default(),
            expectant: Mailboxes::default(),
            filling: Mutex::new(workers.next()),
            scratch: Mutex::default(),
            workers,
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
        self.rigs.ring(STOP);
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
                route = self.name(),
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
        self.rigs.ring(STOP);
        self.sessions.wait().await;
        self.tasks.close();
        self.tasks.wait().await;
        let totals = self.totals();
        info!(event = "route.stopped", route = self.name(), "stopped after {} shares", totals.sent);
    }

    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.config.name.as_str()
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

    pub(crate) fn pool(&self, pool: PoolIndex) -> &PoolAccount {
        &self.config.pools[pool]
    }

    /// Keeps what was found out about a pool.
    pub(crate) fn remember_habit(&self, pool: PoolIndex, learnt: Learnt) {
        let server = self.pool(pool).url.authority();
        let Learnt { habit, answer } = learnt;
        let word = habit.word(answer);
        self.around.memory.remember_habit(&server, habit.name(), word, unix_seconds());
    }

    /// What was found out about a pool too long ago is found out again; how its extranonce is divided
    /// only after a restart, since every change of that moves all rigs.
    pub(crate) fn refresh_habits(&self, pool: PoolIndex) {
        let (server, now) = (self.pool(pool).url.authority(), unix_seconds());
        let is_over = |habit: &Habit| self.around.memory.habit_is_over(&server, habit.name(), now);
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

    /// All rigs, to be called.
    pub(crate) const fn rigs(&self) -> &Mailboxes {
        &self.rigs
    }

    /// Where the rig that comes next should be served: where the last one found its seat.
    pub(crate) fn next_worker(&self) -> Worker {
        *self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Working memory for checking shares, to be given back.
    pub(crate) fn take_scratch(&self) -> D::Scratch {
        let mut free = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_default()
    }

    pub(crate) fn return_scratch(&self, scratch: D::Scratch) {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    fn fills(&self, worker: Worker) {
        *self.filling.lock().unwrap_or_else(PoisonError::into_inner) = worker;
    }

    /// Where its tasks run.
    pub(crate) const fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }
}

/// What all connections to a pool share, with what is remembered of the pool.
fn shared(ids: &Arc<JobIds>, pool: &PoolAccount, memory: &RouteStore) -> PoolShared {
    let remembered = remembered(&pool.url.authority(), memory);
    let habits = HabitBook::new(pool.habits, remembered);
    PoolShared { habits, ..PoolShared::from(Arc::clone(ids)) }
}

/// What was found out about the pool at a server, and not too long ago.
pub(crate) fn remembered(server: &str, memory: &RouteStore) -> Habits {
    Habit::ALL.into_iter().fold(Habits::default(), |habits, habit| {
        let known = memory.habit(server, habit.name(), unix_seconds());
        habits.with(habit, known.and_then(|known| habit.of_word(&known.answer)))
    })
}
