//! One entry of the config at work: rigs on these ports go to these pools.

pub mod channel;
mod decisions;
mod drain;
pub(crate) mod mailbox;
pub(crate) mod now;
mod operated;
mod reports;
pub(crate) mod summary;
pub mod ticket;
mod times;
pub mod traffic;
pub(crate) mod window;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_farm::farm::ChannelId;
use orepass_farm::stats::Totals;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::job::JobIds;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{info, warn};

use crate::books::MeteredBook;
use crate::config::{ListenAddr, Name, RouteConfig};
use crate::evidence::EvidenceLog;
use crate::limits::Door;
use crate::net::connect::Connector;
use crate::net::front::Front;
use crate::net::junk::JunkLog;
use crate::process::Process;
use crate::rig::crowd::Crowd;
use crate::rig::listener;
use crate::rig::roster::Roster;
use crate::rig::warnings::RigWarnings;
use crate::store::{RouteStore, Store};
use crate::worker_threads::{WorkerThread, WorkerThreads};
use channel::Channel;
use decisions::Decisions;
use mailbox::{Mailboxes, STOP};
use now::RouteNow;
use times::RouteTimes;
use traffic::Traffic;

pub use crate::rig::refusal::Full;
pub use operated::Operated;

/// How long shares in flight may still get their verdicts when the proxy stops, or their rig says
/// no more.
pub(crate) const DRAIN_FOR: Duration = Duration::from_secs(10);

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
    pub(crate) name: Name,
    /// What it has of its config at the moment.
    now: Mutex<Arc<RouteNow<D>>>,
    pub(crate) around: Surroundings,
    pub(crate) ids: Arc<JobIds>,
    pub(crate) book: Arc<MeteredBook>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) times: RouteTimes,
    pub(crate) traffic: Traffic,
    pub(crate) junk: Arc<JunkLog>,
    /// Rigs that come and go, for the log.
    pub(crate) crowd: Arc<Crowd>,
    /// What all rigs together are warned of.
    pub(crate) warnings: RigWarnings,
    /// Refused shares that were shown.
    pub(crate) evidence: EvidenceLog,
    /// What its listeners expect before stratum.
    front: Mutex<Arc<Front>>,
    /// The way in for this route's rigs.
    pub(crate) door: Arc<Door>,
    decisions: Decisions,
    /// Those that have not ended.
    channels: Mutex<BTreeMap<ChannelId, Arc<Channel<D>>>>,
    rigs: Mailboxes,
    workers: Arc<WorkerThreads>,
    /// Working memory for checking shares, as much as is in use at a time: one for each worker.
    scratch: Mutex<Vec<D::Scratch>>,
    /// Where the rig that comes next will probably sit.
    filling: Mutex<WorkerThread>,
    /// Told to stop: no new rigs, no new shares.
    stopping: CancellationToken,
    /// The sockets from which it takes connections, each told to be left alone.
    accepting: Mutex<Vec<(ListenAddr, CancellationToken)>>,
    /// Told to end at once.
    ending: CancellationToken,
    /// Told that even the last words have had their time.
    closing_now: CancellationToken,
    pub(crate) sessions: TaskTracker,
    /// Shares on their way to a pool or back, whether or not a rig waits for them.
    shares: TaskTracker,
    pub(crate) tasks: TaskTracker,
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
        let door = Arc::new(Door::new(listener::room(&config)));
        let front = Mutex::new(Arc::new(Front::new(&config.front, config.has_tls())));
        let workers =
            around.process.workers.clone().unwrap_or_else(|| Arc::new(WorkerThreads::here()));
        let ids = Arc::new(JobIds::new(around.memory.first_job_id()));
        let farm = now::farm(&config, &around.memory, &around.process.admission);
        let habits = |pool| farm.habits(pool).cloned().unwrap_or_default();
        let (name, now) = (config.name.clone(), RouteNow::first(config, dialects, &ids, habits));
        for pool in &now.pools {
            let server = pool.account.url.authority();
            around.memory.hold(&server, &pool.shared.grounds);
        }
        let route = Arc::new(Self {
            name,
            now: Mutex::new(Arc::new(now)),
            decisions: Decisions::new(farm),
            ids,
            around,
            book: Arc::default(),
            roster: Arc::default(),
            times: RouteTimes::new(),
            traffic: Traffic::default(),
            junk: Arc::default(),
            crowd: Arc::default(),
            warnings: RigWarnings::default(),
            evidence: EvidenceLog::default(),
            front,
            door,
            channels: Mutex::default(),
            rigs: Mailboxes::default(),
            filling: Mutex::new(workers.next()),
            scratch: Mutex::default(),
            workers,
            stopping: CancellationToken::new(),
            accepting: Mutex::default(),
            ending: CancellationToken::new(),
            closing_now: CancellationToken::new(),
            sessions: TaskTracker::new(),
            shares: TaskTracker::new(),
            tasks: TaskTracker::new(),
        });
        route.tasks.spawn(Arc::clone(&route).keep_time());
        for listener in listeners {
            let socket = listener.local_addr().and_then(|at| Ok((at, listener.into_std()?)));
            match socket {
                Ok((address, socket)) => route.listen(address.into(), socket),
                Err(error) => {
                    let route = route.name();
                    warn!(event = "listen.failed", route, %error, "cannot take connections");
                }
            }
        }
        route.tasks.spawn(summary::report(Arc::clone(&route)));
        route
    }

    /// Takes connections from a socket, which the config calls by this address, until the route
    /// stops or that is [taken back](Self::unlisten).
    pub fn listen(self: &Arc<Self>, address: ListenAddr, socket: std::net::TcpListener) {
        let closing = self.stopping.child_token();
        self.accepting().push((address, closing.clone()));
        listener::listen(self, socket, address.is_tls(), closing);
    }

    /// Takes no more connections from a socket. It stays open as long as somebody else has it.
    pub fn unlisten(&self, address: &ListenAddr) {
        self.accepting().retain(|(of, closing)| {
            let stays = of != address;
            if !stays {
                closing.cancel();
            }
            stays
        });
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
        if let Some(count) = self.crowd.finish() {
            summary::say_crowd(self.name(), &count);
        }
        self.warnings.write_rest(self.name());
        let totals = self.totals();
        info!(event = "route.stopped", route = self.name(), "stopped after {} shares", totals.sent);
    }

    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
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
        self.channels().values().filter(|channel| channel.is_live()).count()
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

    pub(crate) fn channels(&self) -> MutexGuard<'_, BTreeMap<ChannelId, Arc<Channel<D>>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often balancers have looked whether it lives.
    #[must_use]
    pub fn health_checks(&self) -> u64 {
        self.front().health_checks()
    }

    /// What its listeners expect before stratum.
    pub(crate) fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who comes from now on is expected to say this.
    pub(crate) fn set_front(&self, front: Front) {
        *self.front.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(front);
    }

    /// All rigs, to be called.
    pub(crate) const fn rigs(&self) -> &Mailboxes {
        &self.rigs
    }

    /// Where the rig that comes next should be served: where the last one found its seat.
    pub(crate) fn next_worker(&self) -> WorkerThread {
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

    fn accepting(&self) -> MutexGuard<'_, Vec<(ListenAddr, CancellationToken)>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fills(&self, worker: WorkerThread) {
        *self.filling.lock().unwrap_or_else(PoisonError::into_inner) = worker;
    }

    /// Where its tasks run.
    pub(crate) const fn workers(&self) -> &Arc<WorkerThreads> {
        &self.workers
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use orepass_hstratum::{Hstratum, Options};

    use super::*;
    use crate::config::PoolAccount;
    use crate::net::connect::Tcp;
    use crate::store::RESERVED_IDS;

    /// A route without rigs, whose pool is dead.
    fn start(memory: &Store) -> Arc<Route<Hstratum>> {
        let url = "stratum+tcp://127.0.0.1:1".parse().unwrap();
        let pool = PoolAccount::new("pool".parse().unwrap(), url, "account".parse().unwrap());
        let config = RouteConfig::new("hns".parse().unwrap(), Hstratum::NAME, vec![pool]);
        let around =
            Surroundings { memory: memory.route("hns"), ..Surroundings::new(Arc::new(Tcp)) };
        let dialects = vec![Arc::new(Hstratum::new(Options::default()))];
        Route::start(config, dialects, around, vec![])
    }

    /// Tells its farm something as it ends, and the farm panics.
    struct Ending<'a>(&'a Arc<Route<Hstratum>>);

    impl Drop for Ending<'_> {
        fn drop(&mut self) {
            self.0.tell(|_, _| panic!("on the way out"));
        }
    }

    #[tokio::test]
    async fn a_farm_that_panics_ends_nobody_but_who_told_it() {
        let route = start(&Store::fleeting());
        let tell = |what: &dyn Fn()| catch_unwind(AssertUnwindSafe(what)).is_err();
        assert!(tell(&|| route.tell(|_, _| panic!("told"))), "whoever told it ends");
        assert!(tell(&|| {
            let _ending = Ending(&route);
            panic!("a session");
        }));
        // Nobody holds the lock, and the farm is there.
        let mut told = false;
        route.tell(|farm, _| told = farm.live_channels() == 0);
        assert!(told);
        tokio::time::timeout(Duration::from_secs(30), route.stop()).await.unwrap();
    }

    #[tokio::test]
    async fn job_ids_are_reserved_as_they_are_used_and_counted_on_after_a_restart() {
        let now = 1_800_000_000;
        let path = std::env::temp_dir().join(format!("orepass-ids-{}.db", std::process::id()));
        let memory = Store::open_at(&path, now);
        let route = start(&memory);
        assert_eq!(u64::from(route.ids.peek().get()), now);
        for _ in 0..200_000 {
            route.ids.next();
        }
        let used = route.ids.peek().get();
        route.tell(|_, _| {});
        tokio::task::yield_now().await;
        route.stop().await;
        memory.close().await;

        let memory = Store::open_at(&path, now);
        let route = start(&memory);
        assert_eq!(route.ids.peek().get(), used + RESERVED_IDS);
        route.stop().await;
        memory.close().await;
        std::fs::remove_file(&path).unwrap();
    }
}
