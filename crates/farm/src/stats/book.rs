//! Counts and work by verdict.

use std::sync::atomic::{AtomicU64, Ordering};

use orepass_stratum::verdict::Verdict;

/// What became of shares: a count and the work (in hashes) per verdict, and attributes that are no
/// verdicts of their own. Shared by all that book on it; nobody waits for it.
#[derive(Debug, Default)]
pub struct Book {
    counts: [AtomicU64; Verdict::ALL.len()],
    work: [WorkSum; Verdict::ALL.len()],
    credited: WorkSum,
    sent: AtomicU64,
    in_flight: AtomicU64,
    unchecked: AtomicU64,
    late_verdicts: AtomicU64,
    resent: AtomicU64,
    resent_duplicates: AtomicU64,
    undeliverable: AtomicU64,
    blocks: AtomicU64,
    /// The bits of an `f64` that is not negative, which have its order.
    best: AtomicU64,
}

impl Book {
    /// A share came from a rig.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A share ended so; `hashes` is the work that its rig was asked for by it.
    pub fn ended(&self, verdict: Verdict, hashes: f64) {
        self.counts[verdict as usize].fetch_add(1, Ordering::Relaxed);
        self.work[verdict as usize].add(hashes);
    }

    /// A share is on its way to a pool.
    pub fn forwarded(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A share that was on its way ended so; `credit` is the work that the pool asks for by it.
    pub fn resolved(&self, verdict: Verdict, hashes: f64, credit: f64) {
        self.ended(verdict, hashes);
        if verdict == Verdict::AcceptedByPool {
            self.credited.add(credit);
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A share's hash stands for so many hashes, which may be more than it was to stand for.
    pub fn found(&self, hashes: f64) {
        self.best.fetch_max(hashes.max(0.0).to_bits(), Ordering::Relaxed);
    }

    /// A pool took a share that is a block.
    pub fn block(&self) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// A share was forwarded without a full check.
    pub fn unchecked(&self) {
        self.unchecked.fetch_add(1, Ordering::Relaxed);
    }

    /// A pool answered a share after it had been given up.
    pub fn late_verdict(&self) {
        self.late_verdicts.fetch_add(1, Ordering::Relaxed);
    }

    /// A share was sent to its pool once more, after a lost connection.
    pub fn resent(&self) {
        self.resent.fetch_add(1, Ordering::Relaxed);
    }

    /// A pool had a share that was sent once more, so it counts as accepted.
    pub fn resent_duplicate(&self) {
        self.resent_duplicates.fetch_add(1, Ordering::Relaxed);
    }

    /// A verdict came when its rig had left.
    pub fn undeliverable(&self) {
        self.undeliverable.fetch_add(1, Ordering::Relaxed);
    }

    /// The figures at this moment.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            sent: load(&self.sent),
            in_flight: load(&self.in_flight),
            counts: std::array::from_fn(|at| load(&self.counts[at])),
            work: std::array::from_fn(|at| self.work[at].get()),
            credited: self.credited.get(),
            unchecked: load(&self.unchecked),
            late_verdicts: load(&self.late_verdicts),
            resent: load(&self.resent),
            resent_duplicates: load(&self.resent_duplicates),
            undeliverable: load(&self.undeliverable),
            blocks: load(&self.blocks),
            best: f64::from_bits(load(&self.best)),
        }
    }
}

/// A sum of work in hashes, shared by all that add to it.
#[derive(Debug, Default)]
pub struct WorkSum {
    /// The bits of an `f64`.
    bits: AtomicU64,
}

impl WorkSum {
    /// Adds so many hashes.
    pub fn add(&self, hashes: f64) {
        let add = |bits| Some((f64::from_bits(bits) + hashes).to_bits());
        // The closure never declines, so the update never fails.
        let _ = self.bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The hashes so far.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }
}

/// The figures of a [`Book`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Shares that came.
    pub sent: u64,
    /// Shares on their way to a pool or back.
    pub in_flight: u64,
    counts: [u64; Verdict::ALL.len()],
    work: [f64; Verdict::ALL.len()],
    /// What pools have credited, in hashes: for each share that they took, the work that the pool
    /// asked for by it.
    pub credited: f64,
    /// Shares forwarded without a full check.
    pub unchecked: u64,
    /// Answers that came after their share had been given up.
    pub late_verdicts: u64,
    /// Shares sent to their pool once more, after a lost connection.
    pub resent: u64,
    /// Those of them that the pool had already, so that they count as accepted.
    pub resent_duplicates: u64,
    /// Verdicts whose rig had left.
    pub undeliverable: u64,
    /// Blocks that pools took.
    pub blocks: u64,
    /// The best share's hash as work, in hashes; 0 where there was none.
    pub best: f64,
}

impl Totals {
    /// How many shares ended so.
    #[must_use]
    pub const fn count(&self, verdict: Verdict) -> u64 {
        self.counts[verdict as usize]
    }

    /// The work of the shares that ended so, in hashes.
    #[must_use]
    pub const fn work(&self, verdict: Verdict) -> f64 {
        self.work[verdict as usize]
    }

    /// How many shares have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The work of all shares that prove any, in hashes.
    #[must_use]
    pub fn proven_work(&self) -> f64 {
        Verdict::ALL.iter().filter(|v| v.proves_work()).map(|&v| self.work(v)).sum()
    }

    /// How many shares were refused, by the pool or here, or are lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        Verdict::ALL.iter().filter(|v| !v.earns()).map(|&v| self.count(v)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_adds_up() {
        let book = Book::default();
        for verdict in Verdict::ALL {
            book.sent();
            book.ended(verdict, 2.0);
        }
        book.undeliverable();
        let totals = book.totals();
        assert_eq!((totals.sent, totals.ended(), totals.undeliverable), (13, 13, 1));
        assert_eq!(totals.count(Verdict::Stale), 1);
        assert!((totals.proven_work() - 8.0).abs() < 1e-9);
        assert_eq!(totals.lost(), 11);
    }

    #[test]
    fn a_pools_credit_is_what_it_asks_for_by_the_shares_that_it_took() {
        let book = Book::default();
        for verdict in [Verdict::AcceptedByPool, Verdict::Unanswered, Verdict::AcceptedByPool] {
            book.sent();
            book.forwarded();
            assert_eq!(book.totals().in_flight, 1);
            book.resolved(verdict, 16.0, 64.0);
        }
        let totals = book.totals();
        assert_eq!((totals.in_flight, totals.sent, totals.ended()), (0, 3, 3));
        assert_eq!((totals.credited, totals.work(Verdict::AcceptedByPool)), (128.0, 32.0));
    }

    #[test]
    fn the_best_share_stays_the_best() {
        let book = Book::default();
        [3.0, 1e20, 7.0, -1.0].iter().for_each(|&hashes| book.found(hashes));
        assert_eq!(book.totals().best, 1e20);
    }
}
