//! The rigs that are connected, and the workers that they mine as.

mod books;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use orepass_farm::stats::{Book, Totals, WorkSum};

pub(crate) use books::HeldBooks;
pub use books::MAX_WORKERS;
use books::WorkerBooks;

/// All live sessions of a route, and the books of its workers.
#[derive(Debug, Default)]
pub struct Roster {
    rigs: DashMap<u64, Arc<OnlineRig>>,
    workers: WorkerBooks,
    next: AtomicU64,
    online: AtomicUsize,
    came: AtomicU64,
    went: AtomicU64,
}

/// One connected rig.
#[derive(Debug)]
pub struct OnlineRig {
    /// Its session's serial; never used again.
    pub serial: u64,
    /// Where it connects from.
    pub peer: SocketAddr,
    /// All the work that its shares have proven.
    pub work: Arc<WorkSum>,
    identity: Mutex<Identity>,
}

/// What a rig says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its first worker name.
    pub worker: Option<Arc<str>>,
    /// The name of its software.
    pub agent: Option<Arc<str>>,
}

impl OnlineRig {
    /// What the rig has said of itself so far.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what it says of itself.
    pub fn identify(&self, identity: Identity) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

impl Roster {
    /// A rig has connected. It is on the roster until the entry is dropped.
    pub fn enter(self: &Arc<Self>, peer: SocketAddr) -> RosterEntry {
        let serial = self.next.fetch_add(1, Ordering::Relaxed);
        let rig = OnlineRig { serial, peer, work: Arc::default(), identity: Mutex::default() };
        let rig = Arc::new(rig);
        self.rigs.insert(serial, Arc::clone(&rig));
        self.online.fetch_add(1, Ordering::Relaxed);
        self.came.fetch_add(1, Ordering::Relaxed);
        RosterEntry { roster: Arc::clone(self), rig }
    }

    /// How many rigs are connected.
    #[must_use]
    pub fn online(&self) -> usize {
        self.online.load(Ordering::Relaxed)
    }

    /// How many rigs have come and gone since the start.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        (self.came.load(Ordering::Relaxed), self.went.load(Ordering::Relaxed))
    }

    /// The book of a session's worker, which outlives its connections. `held` are the books that
    /// the session has so far; the name must be the session's own [`Arc`].
    pub(crate) fn worker(&self, name: &Arc<str>, held: &mut HeldBooks) -> Arc<Book> {
        self.workers.book(name, held)
    }

    /// The workers and their figures at this moment, in no order: at most [`MAX_WORKERS`], those
    /// that were heard of last.
    #[must_use]
    pub fn workers(&self) -> Vec<(Arc<str>, Totals)> {
        self.workers.totals()
    }

    /// All rigs at this moment, in the order in which they came.
    #[must_use]
    pub fn rigs(&self) -> Vec<Arc<OnlineRig>> {
        let mut rigs: Vec<_> = self.rigs.iter().map(|entry| Arc::clone(entry.value())).collect();
        rigs.sort_unstable_by_key(|rig| rig.serial);
        rigs
    }
}

/// A rig's place on the roster, left when it is dropped, also while a panic unwinds.
#[derive(Debug)]
pub struct RosterEntry {
    roster: Arc<Roster>,
    rig: Arc<OnlineRig>,
}

impl RosterEntry {
    /// The rig.
    #[must_use]
    pub const fn rig(&self) -> &Arc<OnlineRig> {
        &self.rig
    }
}

impl Drop for RosterEntry {
    fn drop(&mut self) {
        self.roster.rigs.remove(&self.rig.serial);
        self.roster.online.fetch_sub(1, Ordering::Relaxed);
        self.roster.went.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rigs_come_and_go() {
        let roster = Arc::new(Roster::default());
        let one = roster.enter("10.0.0.1:5".parse().unwrap());
        let two = roster.enter("10.0.0.2:5".parse().unwrap());
        assert_ne!(one.rig().serial, two.rig().serial);
        drop(one);
        assert_eq!((roster.online(), roster.traffic()), (1, (2, 1)));
        assert_eq!(roster.rigs()[0].peer, two.rig().peer);
    }
}
