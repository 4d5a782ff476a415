//! Counters by verdict, and rates over the operator's four windows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

/// What became of shares: a count and the work (in hashes) per verdict, and attributes that are no
/// verdicts of their own. Shared by all that book on it.
#[derive(Debug, Default)]
pub struct Book {
    counts: [AtomicU64; Verdict::ALL.len()],
    work: [WorkSum; Verdict::ALL.len()],
    sent: AtomicU64,
    unchecked: AtomicU64,
    late_verdicts: AtomicU64,
    resent: AtomicU64,
    resent_duplicates: AtomicU64,
    undeliverable: AtomicU64,
}

impl Book {
    /// A share came from a rig.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A share ended so; `hashes` is the work that it stands for.
    pub fn ended(&self, verdict: Verdict, hashes: f64) {
        self.counts[verdict as usize].fetch_add(1, Ordering::Relaxed);
        self.work[verdict as usize].add(hashes);
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
            counts: std::array::from_fn(|at| load(&self.counts[at])),
            work: std::array::from_fn(|at| self.work[at].get()),
            unchecked: load(&self.unchecked),
            late_verdicts: load(&self.late_verdicts),
            resent: load(&self.resent),
            resent_duplicates: load(&self.resent_duplicates),
            undeliverable: load(&self.undeliverable),
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
    counts: [u64; Verdict::ALL.len()],
    work: [f64; Verdict::ALL.len()],
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

    /// What was added since the same book had the figures `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let added = |now: u64, before: u64| now.saturating_sub(before);
        Self {
            sent: added(self.sent, before.sent),
            counts: std::array::from_fn(|at| added(self.counts[at], before.counts[at])),
            work: std::array::from_fn(|at| (self.work[at] - before.work[at]).max(0.0)),
            unchecked: added(self.unchecked, before.unchecked),
            late_verdicts: added(self.late_verdicts, before.late_verdicts),
            resent: added(self.resent, before.resent),
            resent_duplicates: added(self.resent_duplicates, before.resent_duplicates),
            undeliverable: added(self.undeliverable, before.undeliverable),
        }
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
}

/// How many parts each window is kept in.
const PARTS: usize = 30;

/// The windows of [`Rates`]: a minute, ten minutes, an hour, a day.
pub const WINDOWS: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
    Duration::from_secs(86_400),
];

/// Sums over the last minute, ten minutes, hour and day, as rates per second.
#[derive(Debug, Clone)]
pub struct Rates {
    start: Instant,
    windows: [RateWindow; WINDOWS.len()],
}

#[derive(Debug, Clone, Copy)]
struct RateWindow {
    parts: [f64; PARTS],
    /// The number, counted from the start, of the part that is being filled.
    present: u64,
}

impl Rates {
    /// All zero.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            start: now,
            windows: [RateWindow { parts: [0.0; PARTS], present: 0 }; WINDOWS.len()],
        }
    }

    /// Adds an amount.
    pub fn add(&mut self, amount: f64, now: Instant) {
        self.advance(now);
        for window in &mut self.windows {
            window.parts[(window.present % PARTS as u64) as usize] += amount;
        }
    }

    /// The amount per second in each of [`WINDOWS`]. Before a window has passed once, the time
    /// since the start counts in its place.
    pub fn per_second(&mut self, now: Instant) -> [f64; WINDOWS.len()] {
        self.advance(now);
        let age = now.saturating_duration_since(self.start).as_secs_f64();
        std::array::from_fn(|at| {
            let part = part_length(at).as_secs_f64();
            // The oldest part has just been emptied for the present one, which is part full.
            let covered = part * (PARTS - 1) as f64 + age % part;
            self.windows[at].parts.iter().sum::<f64>() / covered.min(age).max(1.0)
        })
    }

    fn advance(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.start);
        for (at, window) in self.windows.iter_mut().enumerate() {
            let present = (age.as_nanos() / part_length(at).as_nanos()) as u64;
            let passed = present.saturating_sub(window.present).min(PARTS as u64);
            for step in 0..passed {
                window.parts[((present - step) % PARTS as u64) as usize] = 0.0;
            }
            window.present = window.present.max(present);
        }
    }
}

fn part_length(window: usize) -> Duration {
    WINDOWS[window] / PARTS as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    #[test]
    fn the_book_adds_up() {
        let book = Book::default();
        for verdict in Verdict::ALL {
            book.sent();
            book.ended(verdict, 2.0);
        }
        let totals = book.totals();
        assert_eq!((totals.sent, totals.ended()), (13, 13));
        assert_eq!(totals.count(Verdict::Stale), 1);
        assert!((totals.proven_work() - 8.0).abs() < 1e-9);
        book.ended(Verdict::Stale, 3.0);
        let added = book.totals().since(&totals);
        assert_eq!((added.sent, added.ended(), added.count(Verdict::Stale)), (0, 1, 1));
        assert!((added.work(Verdict::Stale) - 3.0).abs() < 1e-9);
        assert_eq!(totals.since(&totals), Totals::default());
    }

    #[test]
    fn a_constant_rate_shows_in_every_window() {
        let mut now = start();
        let mut rates = Rates::new(now);
        for _ in 0..2 * 86_400 / 5 {
            now += Duration::from_secs(5);
            rates.add(10.0, now);
        }
        for rate in rates.per_second(now) {
            assert!((rate - 2.0).abs() < 0.2, "{rate}");
        }
        let later = now + Duration::from_secs(1200);
        let [minute, ten, hour, day] = rates.per_second(later);
        assert_eq!((minute, ten), (0.0, 0.0));
        assert!(hour > 1.0 && hour < 1.6 && day > 1.9, "{hour} {day}");
    }
}
