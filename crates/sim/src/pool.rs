//! A simulated pool that checks every share.

mod config;
mod connection;
mod fault;
mod ledger;
mod session;
mod stats;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use orepass_stratum::target::Difficulty;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use self::ledger::{Ledger, MadeJob};
use crate::clock::unix_seconds;
use crate::wait::{self, WaitTimeout};

pub use config::{ExtranonceSource, Judge, PoolConfig};
pub use fault::{Fault, FaultError};
pub use stats::{Duplicate, PoolStats, WorkerStats};

/// How many events a connection may be behind.
const EVENTS: usize = 64;
/// How many bytes a connection in memory holds in each direction.
const PIPE: usize = 64 * 1024;
/// More than any line that is read from a pool.
const OVERLONG: usize = 600 * 1024;
/// How long to wait after a failed accept, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A simulated pool. Clones are handles to the same pool.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: PoolConfig,
    ledger: Mutex<Ledger>,
    events: broadcast::Sender<Event>,
    closed: CancellationToken,
}

/// What connections are told to do.
#[derive(Debug, Clone)]
enum Event {
    NewJob(Arc<MadeJob>),
    Drop,
    Raw(Bytes),
    Repeat,
    RepeatWithDifficulty,
    Announce,
    SetExtranonce,
}

impl Pool {
    /// A pool with its first job made.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        let ledger = Mutex::new(Ledger::new(&config));
        let (events, _) = broadcast::channel(EVENTS);
        let inner = Inner { config, ledger, events, closed: CancellationToken::new() };
        let pool = Self { inner: Arc::new(inner) };
        pool.new_job();
        pool
    }

    /// Serves one connection, until one side ends it or the pool is closed.
    pub async fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        connection::serve(Arc::clone(&self.inner), stream).await;
    }

    /// A connection in memory, served in the background.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(PIPE);
        let pool = self.clone();
        tokio::spawn(async move { pool.serve(far).await });
        near
    }

    /// Serves TCP connections at this address in the background, until the pool is closed.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let pool = self.clone();
        tokio::spawn(async move {
            let closed = pool.inner.closed.clone();
            // Ends the accepting; connections end by themselves.
            closed.run_until_cancelled(pool.accept(listener)).await;
        });
        Ok(address)
    }

    async fn accept(&self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tracing::debug!(%peer, "connected");
                    // A failure makes answers slower, nothing else.
                    let _ = stream.set_nodelay(true);
                    let pool = self.clone();
                    tokio::spawn(async move { pool.serve(stream).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Makes jobs and blocks at the configured intervals, in the background, until the pool is
    /// closed.
    pub fn spawn_schedule(&self) -> JoinHandle<()> {
        let pool = self.clone();
        tokio::spawn(async move {
            let config = &pool.inner.config;
            let jobs = pool.every(config.job_interval, Self::new_job);
            let blocks = pool.every(config.block_interval, Self::new_block);
            let schedule = async { tokio::join!(jobs, blocks) };
            pool.inner.closed.run_until_cancelled(schedule).await;
        })
    }

    async fn every(&self, period: Option<Duration>, act: impl Fn(&Self)) {
        let Some(period) = period.filter(|period| !period.is_zero()) else {
            return;
        };
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            act(self);
        }
    }

    /// Makes a job on the present block and tells it to everybody.
    pub fn new_job(&self) {
        let mut ledger = self.inner.ledger();
        self.inner.make_job(&mut ledger);
    }

    /// Begins a block: a job on it is told to everybody, and where
    /// [blocks close jobs](PoolConfig::blocks_close_jobs), all before it become stale.
    pub fn new_block(&self) {
        self.inner.begin_block(None);
    }

    /// Makes the pool misbehave.
    pub fn fault(&self, fault: Fault) {
        tracing::info!(?fault, "fault");
        let inner = &self.inner;
        let mut ledger = inner.ledger();
        match fault {
            Fault::DropConnections => inner.tell(Event::Drop),
            Fault::RefuseConnections => {
                ledger.faults.refuse_connections = true;
                inner.tell(Event::Drop);
            }
            Fault::Stall => ledger.faults.stall = true,
            Fault::NewExtranonce1 => {
                ledger.forget_extranonces();
                inner.tell(Event::Drop);
            }
            Fault::Restart => {
                ledger.restart_extranonces(&inner.config);
                inner.tell(Event::Drop);
            }
            Fault::SameExtranonce1 => ledger.faults.same_extranonce1 = true,
            Fault::SetExtranonce => {
                inner.tell(Event::SetExtranonce);
                inner.make_job(&mut ledger);
            }
            Fault::Difficulty(difficulty) => ledger.difficulty = difficulty,
            Fault::DifficultyNow(difficulty) => {
                ledger.difficulty = difficulty;
                inner.tell(Event::RepeatWithDifficulty);
            }
            Fault::DifficultyAlone(difficulty) => {
                ledger.difficulty = difficulty;
                inner.tell(Event::Announce);
            }
            Fault::RefuseWorker(name) => ledger.faults.refuse_worker(name),
            Fault::RefuseShares => ledger.faults.refuse_shares = true,
            Fault::NoVerdicts => ledger.faults.no_verdicts = true,
            Fault::LateVerdicts(delay) => ledger.faults.late_verdicts = Some(delay),
            Fault::UnusableNotify => inner.tell_notify(&inner.config.coin.unusable_notify()),
            Fault::OverlongNotify => {
                inner.tell_notify(&format_args!("[\"{}\"]", "0".repeat(OVERLONG)));
            }
            Fault::RepeatNotify => inner.tell(Event::Repeat),
            Fault::ErrorObjects => ledger.faults.error_objects = true,
            Fault::Jobless => ledger.faults.jobless = true,
            Fault::UnusableJobs => ledger.faults.unusable_jobs = true,
            Fault::StaleVerdicts => ledger.faults.stale_verdicts = true,
            Fault::CloseAfterShare => ledger.faults.close_after_share = true,
            Fault::ReconnectAtLogin => ledger.faults.reconnect_at_login = true,
        }
    }

    /// Ends all lasting faults; a changed difficulty stays. Connections that were left without jobs
    /// hear of the next one.
    pub fn heal(&self) {
        self.inner.ledger().faults = fault::Standing::default();
    }

    /// Sets the difficulty from the next job on.
    pub fn set_difficulty(&self, difficulty: Difficulty) {
        self.fault(Fault::Difficulty(difficulty));
    }

    /// The counters as they are now.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.inner.ledger().stats.clone()
    }

    /// Waits until the counters satisfy `wanted`, at most 30 s.
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&PoolStats) -> bool,
    ) -> Result<PoolStats, WaitTimeout> {
        wait::until(wait::PATIENCE, || self.stats(), wanted).await
    }

    /// Ends all connections, the listeners and the schedule.
    pub fn close(&self) {
        self.inner.closed.cancel();
    }
}

impl Inner {
    /// A panic while the books were open leaves them readable; every entry is made at once.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events are told with the books open, so that their order is the order of entries.
    fn make_job(&self, ledger: &mut Ledger) {
        let made = ledger.make_job(&self.config, unix_seconds(), Instant::now());
        tracing::debug!(job = made.job.id(), "new job");
        self.tell(Event::NewJob(made));
    }

    fn begin_block(&self, tip: Option<[u8; 32]>) {
        let mut ledger = self.ledger();
        ledger.begin_block(&self.config, tip);
        self.make_job(&mut ledger);
    }

    fn tell(&self, event: Event) {
        // Nobody listening is no failure.
        let _ = self.events.send(event);
    }

    fn tell_notify(&self, params: &dyn std::fmt::Display) {
        let mut line = BytesMut::new();
        self.config.coin.put_call("mining.notify", params, &mut line);
        self.tell(Event::Raw(line.freeze()));
    }
}
