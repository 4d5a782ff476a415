//! The rigs that are connected, and the workers that they mine as.

mod books;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dashmap::DashMap;
use orepass_farm::farm::ChannelId;
use orepass_farm::pools::PoolIndex;
use orepass_farm::stats::{Totals, WorkSum};
use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;

use crate::books::MeteredBook;
use crate::clock::now;
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
    /// When it came.
    pub since: Instant,
    /// All the work that its shares have proven.
    pub work: Arc<WorkSum>,
    /// From its first share on.
    book: OnceLock<Arc<MeteredBook>>,
    shown: Mutex<ShownRig>,
}

/// What there is to see of a rig.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShownRig {
    /// Its first worker name.
    pub worker: Option<Arc<str>>,
    /// The name of its software.
    pub agent: Option<Arc<str>>,
    /// Where it sits.
    pub seat: Option<ShownSeat>,
    /// What it was told, on the scale of its dialect.
    pub difficulty: Option<Difficulty>,
    /// Its shares are held back, since most are bad.
    pub quarantined: bool,
    /// What may be wrong with it.
    pub diagnosis: Option<Diagnosis>,
}

/// Where a rig sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownSeat {
    /// On which pool.
    pub pool: PoolIndex,
    /// On which connection.
    pub channel: ChannelId,
    /// The number of its lease; the lease's prefix as a number.
    pub slot: Option<u64>,
    /// Nobody shares the connection.
    pub alone: bool,
}

impl OnlineRig {
    /// What there is to see of it.
    #[must_use]
    pub fn shown(&self) -> ShownRig {
        self.lock().clone()
    }

    /// Something about it has changed.
    pub fn show(&self, change: impl FnOnce(&mut ShownRig)) {
        change(&mut self.lock());
    }

    /// Its book; the first share makes it.
    pub fn book(&self) -> &Arc<MeteredBook> {
        self.book.get_or_init(Arc::default)
    }

    /// Its book, if it has sent any share.
    #[must_use]
    pub fn book_if_any(&self) -> Option<&Arc<MeteredBook>> {
        self.book.get()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ShownRig> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster {
    /// A rig has connected. It is on the roster until the entry is dropped.
    pub fn enter(self: &Arc<Self>, peer: SocketAddr) -> RosterEntry {
        let serial = self.next.fetch_add(1, Ordering::Relaxed);
        let rig = Arc::new(OnlineRig {
            serial,
            peer,
            since: now(),
            work: Arc::default(),
            book: OnceLock::new(),
            shown: Mutex::default(),
        });
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
    pub(crate) fn worker(&self, name: &Arc<str>, held: &mut HeldBooks) -> Arc<MeteredBook> {
        self.workers.book(name, held)
    }

    /// The workers and their figures at this moment, in no order: at most [`MAX_WORKERS`], those
    /// that were heard of last.
    #[must_use]
    pub fn workers(&self) -> Vec<(Arc<str>, Totals)> {
        let books = self.workers.all().into_iter();
        books.map(|(name, book)| (name, book.totals())).collect()
    }

    /// The workers and their books, likewise.
    #[must_use]
    pub fn books(&self) -> Vec<(Arc<str>, Arc<MeteredBook>)> {
        self.workers.all()
    }

    /// One worker's book.
    #[must_use]
    pub fn book_of(&self, worker: &str) -> Option<Arc<MeteredBook>> {
        self.workers.of(worker)
    }

    /// The book of the shares whose workers are not booked by name, since there is no room.
    #[must_use]
    pub const fn other_workers(&self) -> &Arc<MeteredBook> {
        self.workers.others()
    }

    /// The book of a worker that is known from an earlier run; none where there is no room for its
    /// name.
    #[must_use]
    pub fn expect(&self, worker: &Arc<str>) -> Option<Arc<MeteredBook>> {
        self.workers.expect(worker)
    }

    /// Forgets a worker, unless a rig of it is connected.
    pub fn forget(&self, worker: &str) -> bool {
        self.workers.forget(worker)
    }

    /// A connected rig.
    #[must_use]
    pub fn rig(&self, serial: u64) -> Option<Arc<OnlineRig>> {
        self.rigs.get(&serial).map(|rig| Arc::clone(&rig))
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
