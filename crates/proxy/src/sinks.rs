//! Where records of the farm go: files, webhooks, NATS, and receivers of a program's own.
//!
//! ```text
//! rigs' and pools' tasks ── shares ──► tap ─┐
//! log ── events ────────────────────────────┼─► hub ──► a queue ──► a task ──► sink
//! diagnostics ── alerts ────────────────────┘              ▲
//! chronicle ── minutes of workers ─────────────────────────┘     (as many as there are sinks)
//! ```
//!
//! Nobody waits for a sink. The tap and each queue are bounded, and what finds no room is counted for the
//! sink that misses it. What is dropped and what fails is said in one place each (`queue.rs`, `task.rs`),
//! whatever the sink.

pub mod alerts;
mod file;
mod hub;
#[cfg(feature = "nats")]
mod nats;
mod queue;
pub mod record;
mod retry;
mod rotation;
mod runner;
mod sink;
mod spec;
mod tap;
mod task;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use self::queue::SinkCounts;
pub use self::rotation::Rotation;
pub(crate) use self::runner::SinkRunner;
pub use self::sink::{Sink, SinkError, SinkFailure, WantedAlerts, Wants};
pub use self::spec::SinkEntry;
pub(crate) use self::tap::{PendingShare, ShareTap};

use self::alerts::BLOCK_FOUND;
use self::queue::SinkQueue;
use self::record::{RecordBody, RecordId, SinkRecord, WorkerMinute};
use crate::history::{HistoryPart, SeriesKey};
use crate::watch::Concern;

/// The codes of all alerts that there are.
#[must_use]
pub fn alert_codes() -> Vec<&'static str> {
    Concern::ALL.map(Concern::code).into_iter().chain([BLOCK_FOUND]).collect()
}

/// The codes of those that a webhook sends unless it is told which.
#[must_use]
pub fn usual_alerts() -> BTreeSet<&'static str> {
    use Concern::{
        NoPool, OnBackup, PoolAccount, PoolDown, PoolRejects, RateLow, ReloadRefused, RigsSilent,
        SharesRefused, WorkersOffline,
    };
    let concerns = [
        NoPool,
        PoolAccount,
        PoolDown,
        OnBackup,
        RigsSilent,
        WorkersOffline,
        RateLow,
        PoolRejects,
        SharesRefused,
        ReloadRefused,
    ];
    concerns.map(Concern::code).into_iter().chain([BLOCK_FOUND]).collect()
}

/// The way to the sinks of the process, for those who have something for them. A clone is another handle.
#[derive(Debug, Clone)]
pub struct Sinks(Arc<SinksInner>);

#[derive(Debug)]
struct SinksInner {
    tap: ShareTap,
    feeds: Mutex<Arc<[Feed]>>,
    /// What needs somebody here is nobody's any more.
    is_leaving: AtomicBool,
    /// Of records; random in its upper half, so that no two runs have one in common.
    run: u64,
    last: AtomicU64,
}

/// What one sink is given.
#[derive(Debug)]
struct Feed {
    wants: Wants,
    queue: Arc<SinkQueue>,
}

impl Default for Sinks {
    /// None are there.
    fn default() -> Self {
        let feeds = Mutex::new(Arc::from([]));
        let (tap, last) = (ShareTap::default(), AtomicU64::new(0));
        let is_leaving = AtomicBool::new(false);
        Self(Arc::new(SinksInner { tap, feeds, is_leaving, run: random(), last }))
    }
}

impl Sinks {
    /// Where shares are told, while somebody wants them.
    pub(crate) fn tap(&self) -> &ShareTap {
        &self.0.tap
    }

    /// What was added to books in the minute of a time, in Unix seconds.
    pub(crate) fn note_minutes(&self, at: u64, minutes: &[(SeriesKey, HistoryPart)]) {
        let feeds = self.feeds();
        if !feeds.iter().any(|feed| feed.wants.minutes) {
            return;
        }
        let at_ms = 1000 * (at - at % 60);
        for (key, part) in minutes {
            if let Some((route, worker)) = key.as_worker() {
                let (route, worker) = (Arc::clone(route), Arc::clone(worker));
                let minute = WorkerMinute { route, worker, part: part.clone() };
                self.offer_to(&feeds, at_ms, RecordBody::WorkerMinute(minute));
            }
        }
    }

    /// The rigs leave, since the process ends or another one serves: that workers are gone, and what else
    /// needs somebody here, is nobody's concern any more, unless they come back.
    pub(crate) fn set_leaving(&self, is_leaving: bool) {
        self.0.is_leaving.store(is_leaving, Ordering::Relaxed);
    }

    /// What there is to tell of each sink.
    #[must_use]
    pub fn counts(&self) -> Vec<SinkCounts> {
        self.feeds().iter().map(|feed| feed.queue.counts()).collect()
    }

    /// Puts something into the queues of those who want it.
    fn offer(&self, at_ms: u64, body: RecordBody) {
        self.offer_to(&self.feeds(), at_ms, body);
    }

    fn offer_to(&self, feeds: &[Feed], at_ms: u64, body: RecordBody) {
        if feeds.is_empty() {
            return;
        }
        let number = 1 + self.0.last.fetch_add(1, Ordering::Relaxed);
        let id = RecordId { run: self.0.run, number };
        let record = Arc::new(SinkRecord { id, at_ms, body });
        for feed in feeds.iter().filter(|feed| feed.wants.has(&record)) {
            feed.queue.put(Arc::clone(&record));
        }
    }

    fn feeds(&self) -> Arc<[Feed]> {
        Arc::clone(&self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on there are these.
    fn set_feeds(&self, feeds: Vec<Feed>) {
        self.0.tap.set_wanted(feeds.iter().any(|feed| feed.wants.shares));
        *self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner) = feeds.into();
    }
}

/// A number that no other process has, on this machine or another.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let random = ring::rand::SystemRandom::new();
    match ring::rand::SecureRandom::fill(&random, &mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => crate::clock::unix_millis() << 20 | u64::from(std::process::id()),
    }
}
