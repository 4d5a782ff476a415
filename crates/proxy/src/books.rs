//! Where a share is booked: with its route, its pool, its worker and its rig.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orepass_farm::stats::{Book, Measured, Minute, Norm, RateMeter, Totals, WINDOWS, WindowRates};
use orepass_stratum::target::PowHash;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

use crate::clock::{now, unix_seconds};
use crate::history::WorkerSeen;

/// A book, how fast it fills, and how fast it usually does.
///
/// Whoever has a share books it and waits for nobody; the rest is worked out by one who looks at all
/// books every [few seconds](crate::watch).
#[derive(Debug)]
pub struct MeteredBook {
    book: Book,
    reading: Mutex<BookReading>,
}

/// What the last looks at a book have shown.
#[derive(Debug, Clone)]
pub struct BookReading {
    meter: RateMeter,
    norm: Norm,
    /// Of a worker: since when it is known, and what is known of it besides from earlier runs.
    seen: Option<WorkerSeen>,
}

impl MeteredBook {
    /// An empty book.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let meter = RateMeter::new(&Totals::default(), now);
        let reading = Mutex::new(BookReading { meter, norm: Norm::default(), seen: None });
        Self { book: Book::default(), reading }
    }

    /// The book itself.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The figures at this moment.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.book.totals()
    }

    /// What the last looks have shown.
    #[must_use]
    pub fn reading(&self) -> BookReading {
        self.with(|reading| reading.clone())
    }

    /// When a share last ended, as the last look has shown.
    #[must_use]
    pub fn last_share(&self) -> Option<Instant> {
        self.with(|reading| reading.last_share())
    }

    /// Looks at the book, which is that of somebody who `is_there`.
    pub(crate) fn look(&self, is_there: bool, since: Duration, now: Instant) {
        let totals = self.book.totals();
        self.with(|reading| {
            let work = reading.meter.look(&totals, now);
            if is_there {
                reading.norm.learn(since, work, reading.present());
            }
        });
    }

    /// What has happened since this was last asked.
    pub(crate) fn take_minute(&self) -> Minute {
        self.with(|reading| reading.meter.take_minute())
    }

    /// It is that of a worker of whom a rig is connected.
    pub(crate) fn is_seen(&self) {
        let (at, totals) = (unix_seconds(), self.book.totals());
        self.with(|reading| {
            let first = WorkerSeen { first_seen: at, ..WorkerSeen::default() };
            let seen = reading.seen.get_or_insert(first);
            seen.last_seen = at;
            if let Some(last) = reading.meter.last_share() {
                let ago = now().saturating_duration_since(last).as_secs();
                seen.last_share = seen.last_share.max(Some(at.saturating_sub(ago)));
            }
            seen.best_share = seen.best_share.max(totals.best);
            seen.norm_hs = reading.norm.per_second().or(seen.norm_hs);
        });
    }

    /// It is that of a worker of whom this was known in an earlier run.
    pub(crate) fn recall(&self, seen: WorkerSeen) {
        // What it has found since the start is added whenever it is shown.
        self.with(|reading| {
            if let Some(norm) = seen.norm_hs {
                reading.norm = Norm::known(norm);
            }
            reading.seen = Some(seen);
        });
    }

    /// Whether its worker ever had a good share, as far as is known.
    pub(crate) fn has_worked(&self) -> bool {
        let totals = self.book.totals();
        let before =
            |reading: &mut BookReading| reading.seen.is_some_and(|seen| seen.best_share > 0.0);
        totals.best > 0.0 || totals.credited > 0.0 || self.with(before)
    }

    /// What is known of its worker; nothing before a rig of it was seen.
    #[must_use]
    pub fn seen(&self) -> Option<WorkerSeen> {
        let found = self.book.totals().blocks;
        let seen = self.with(|reading| reading.seen)?;
        Some(WorkerSeen { blocks: seen.blocks + found, ..seen })
    }

    fn with<T>(&self, what: impl FnOnce(&mut BookReading) -> T) -> T {
        what(&mut self.reading.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MeteredBook {
    fn default() -> Self {
        Self::new(now())
    }
}

impl BookReading {
    /// The rates of each window.
    #[must_use]
    pub fn rates(&self) -> [WindowRates; WINDOWS.len()] {
        self.meter.rates()
    }

    /// The rate by which somebody is judged: that of the last hour, of shares that passed the checks.
    #[must_use]
    pub fn present(&self) -> Measured {
        let [_, _, hour, _] = self.meter.rates();
        hour.accepted
    }

    /// When a share last ended.
    #[must_use]
    pub const fn last_share(&self) -> Option<Instant> {
        self.meter.last_share()
    }

    /// What is usual.
    #[must_use]
    pub const fn norm(&self) -> Norm {
        self.norm
    }
}

/// The books of one share.
#[derive(Debug, Clone)]
pub struct ShareBooks {
    /// The route's.
    pub route: Arc<MeteredBook>,
    /// That of the pool whose job it is.
    pub pool: Arc<MeteredBook>,
    /// The worker's.
    pub worker: Arc<MeteredBook>,
    /// The rig's.
    pub rig: Arc<MeteredBook>,
}

impl ShareBooks {
    /// A share is on its way to the pool.
    pub fn forwarded(&self, hash: Option<PowHash>) {
        for book in [&self.pool, &self.worker, &self.rig] {
            book.book.sent();
        }
        let found = hash.map(|hash| hash.as_target().hashes_lossy());
        for book in self.all() {
            book.forwarded();
            match found {
                Some(hashes) => book.found(hashes),
                None => book.unchecked(),
            }
        }
    }

    /// It has its verdict.
    pub fn resolved(&self, verdict: Verdict, hashes: f64, credit: f64) {
        self.all().iter().for_each(|book| book.resolved(verdict, hashes, credit));
    }

    /// It was a block, and the pool took it.
    pub fn block(&self) {
        self.all().iter().for_each(|book| book.block());
    }

    /// Its rig has left before it had its verdict.
    pub fn undeliverable(&self) {
        self.all().iter().for_each(|book| book.undeliverable());
    }

    fn all(&self) -> [&Book; 4] {
        [&self.route, &self.pool, &self.worker, &self.rig].map(|book| &book.book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_and_rates_of_a_worker_take_less_than_a_kibibyte() {
        assert!(size_of::<MeteredBook>() < 1024, "{}", size_of::<MeteredBook>());
    }

    #[test]
    fn what_was_known_of_a_worker_goes_on() {
        let book = MeteredBook::default();
        assert_eq!(book.seen(), None);
        let before = WorkerSeen {
            first_seen: 1_700_000_000,
            last_seen: 1_700_000_100,
            last_share: Some(1_700_000_090),
            best_share: 1e15,
            blocks: 2,
            norm_hs: Some(5e12),
        };
        book.recall(before);
        assert_eq!(book.seen(), Some(before));
        book.book().found(3e15);
        book.book().block();
        book.book().ended(Verdict::AcceptedByPool, 1e12);
        book.look(true, Duration::from_secs(5), now());
        book.is_seen();
        let seen = book.seen().unwrap();
        assert_eq!((seen.first_seen, seen.best_share, seen.blocks), (1_700_000_000, 3e15, 3));
        assert!(seen.last_seen > before.last_seen && seen.last_share == Some(seen.last_seen));
        assert!(seen.norm_hs.is_some());
    }
}
