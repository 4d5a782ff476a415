//! Where a share is booked: with its route, its pool, its worker and its rig.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orepass_farm::stats::{Book, Measured, Meter, Minute, Norm, Totals, WINDOWS, WindowRates};
use orepass_stratum::target::PowHash;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

/// A book, how fast it fills, and how fast it usually does.
///
/// Whoever has a share books it and waits for nobody; the rest is worked out by one who looks at all
/// books every [few seconds](crate::watch).
#[derive(Debug)]
pub struct MeteredBook {
    book: Book,
    reading: Mutex<Reading>,
}

/// What the last looks at a book have shown.
#[derive(Debug, Clone)]
pub struct Reading {
    meter: Meter,
    norm: Norm,
}

impl MeteredBook {
    /// An empty book.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let meter = Meter::new(&Totals::default(), now);
        let reading = Mutex::new(Reading { meter, norm: Norm::default() });
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
    pub fn reading(&self) -> Reading {
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
                let [_, _, hour, _] = reading.meter.rates();
                reading.norm.learn(since, work, hour.accepted);
            }
        });
    }

    /// What has happened since this was last asked.
    pub(crate) fn take_minute(&self) -> Minute {
        self.with(|reading| reading.meter.take_minute())
    }

    /// Its norm is known from earlier, in hashes per second.
    pub(crate) fn know_norm(&self, per_second: f64) {
        self.with(|reading| reading.norm = Norm::known(per_second));
    }

    fn with<T>(&self, what: impl FnOnce(&mut Reading) -> T) -> T {
        what(&mut self.reading.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MeteredBook {
    fn default() -> Self {
        Self::new(crate::clock::now())
    }
}

impl Reading {
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
