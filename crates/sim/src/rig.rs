//! A simulated rig that really hashes.

mod config;
mod connection;
mod pace;
mod session;
mod stats;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::wait::{self, WaitTimeout};

pub use config::{LoginOrder, RigConfig, Rubbish};
pub use stats::RigStats;

/// How long an attempt at a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How many jobs a rig remembers, to notice repeated ones.
const MEMORY: usize = 256;

/// A rig that has not been started. It lives until its [`RigHandle`] closes it, and connects
/// again whenever its connection ends.
#[derive(Debug)]
pub struct Rig {
    config: RigConfig,
    stats: SharedStats,
    control: watch::Receiver<Control>,
    rng: fastrand::Rng,
    memory: Memory,
}

/// What a rig is told from outside: a state, so nothing is lost between two looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Control {
    mining: bool,
    /// How often the connection was to be dropped.
    drops: u64,
    closed: bool,
}

/// What a rig knows beyond one connection.
#[derive(Debug, Default)]
struct Memory {
    /// Hashes of job ids.
    job_ids: VecDeque<u64>,
    /// Fingerprints of works with their extranonce1.
    works: VecDeque<u64>,
    /// The id of the job that it took last.
    last_job: Option<String>,
    /// Which rubbish comes next.
    rubbish: usize,
    /// Where it is connected to; empty where that is no address.
    address: String,
    /// Whether it has given up for good.
    ended: bool,
}

impl Rig {
    /// A rig and its handle.
    #[must_use]
    pub fn new(config: RigConfig) -> (Self, RigHandle) {
        let stats = SharedStats::default();
        let (sender, control) = watch::channel(Control { mining: true, drops: 0, closed: false });
        let handle = RigHandle { stats: stats.clone(), control: Arc::new(sender) };
        let rng = fastrand::Rng::with_seed(config.seed);
        (Self { config, stats, control, rng, memory: Memory::default() }, handle)
    }

    /// Mines over the connections that `connect` makes, until the handle closes the rig.
    pub async fn run<S, F, C>(self, mut connect: F) -> RigStats
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: FnMut() -> C,
        C: Future<Output = io::Result<S>>,
    {
        self.mine(|_| connect()).await
    }

    /// Mines at a TCP address (`host:port`), until the handle closes the rig. Firmware that
    /// follows `client.reconnect` may end up at another.
    pub async fn run_tcp(mut self, address: String) -> RigStats {
        self.memory.address = address;
        self.mine(|address| async move {
            let stream = TcpStream::connect(&address).await?;
            // A failure makes shares slower, nothing else.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        })
        .await
    }

    async fn mine<S, F, C>(mut self, mut connect: F) -> RigStats
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: FnMut(String) -> C,
        C: Future<Output = io::Result<S>>,
    {
        while !self.control.borrow().closed {
            let attempt = timeout(CONNECT_PATIENCE, connect(self.memory.address.clone()));
            let attempt = tokio::select! {
                attempt = attempt => attempt,
                () = closed(self.control.clone()) => break,
            };
            match attempt {
                Ok(Ok(stream)) => connection::converse(&mut self, stream).await,
                Ok(Err(error)) => self.note_failure(&error),
                Err(_) => self.note_failure(&"the connection took too long"),
            }
            if self.memory.ended {
                break;
            }
            let pause = self.pause();
            tokio::select! {
                () = sleep(pause) => {}
                () = closed(self.control.clone()) => break,
            }
        }
        self.stats.lock().clone()
    }

    fn note_failure(&self, error: &dyn std::fmt::Display) {
        tracing::debug!(worker = self.config.worker, %error, "cannot connect");
        let mut stats = self.stats.lock();
        stats.connect_failures += 1;
        stats.last_error = Some(error.to_string());
    }

    /// How long to wait before the next connection.
    fn pause(&mut self) -> Duration {
        let range = self.config.reconnect_max.saturating_sub(self.config.reconnect_min);
        self.config.reconnect_min + range.mul_f64(self.rng.f64())
    }
}

/// Ends when the rig is closed, or its handles are gone.
async fn closed(mut control: watch::Receiver<Control>) {
    // An error means that nobody is left to close the rig.
    let _ = control.wait_for(|control| control.closed).await;
}

/// A running rig's strings. Clones hold the same ones; when the last is gone, the rig ends.
#[derive(Debug, Clone)]
pub struct RigHandle {
    stats: SharedStats,
    control: Arc<watch::Sender<Control>>,
}

impl RigHandle {
    /// Stops hashing; the connection stays, so that open answers come in.
    pub fn stop_mining(&self) {
        self.control.send_modify(|control| control.mining = false);
    }

    /// Starts hashing again.
    pub fn start_mining(&self) {
        self.control.send_modify(|control| control.mining = true);
    }

    /// Drops the connection; the rig comes back after its usual pause.
    pub fn drop_connection(&self) {
        self.control.send_modify(|control| control.drops += 1);
    }

    /// Ends the rig.
    pub fn close(&self) {
        self.control.send_modify(|control| control.closed = true);
    }

    /// The counters as they are now.
    #[must_use]
    pub fn stats(&self) -> RigStats {
        self.stats.lock().clone()
    }

    /// Waits until the counters satisfy `wanted`, at most 30 s.
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&RigStats) -> bool,
    ) -> Result<RigStats, WaitTimeout> {
        wait::until(wait::PATIENCE, || self.stats(), wanted).await
    }

    /// Waits until the rig does not hash and no share waits for its answer, at most 30 s. Meant for after
    /// [`stop_mining`](Self::stop_mining).
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn drained(&self) -> Result<RigStats, WaitTimeout> {
        self.wait_for(RigStats::is_idle).await
    }
}

/// Counters that the rig writes and its handles read.
#[derive(Debug, Clone, Default)]
struct SharedStats(Arc<Mutex<RigStats>>);

impl SharedStats {
    /// Counters stay readable after a panic.
    fn lock(&self) -> MutexGuard<'_, RigStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Notes a job; says whether its id and its work were there before.
    fn note_job(&mut self, id: u64, work: u64) -> (bool, bool) {
        let seen = (self.job_ids.contains(&id), self.works.contains(&work));
        if self.job_ids.len() == MEMORY {
            self.job_ids.pop_front();
        }
        if self.works.len() == MEMORY {
            self.works.pop_front();
        }
        self.job_ids.push_back(id);
        self.works.push_back(work);
        seen
    }
}
