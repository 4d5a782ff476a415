//! How much work there was lately: claimed, accepted here, credited by the pool, and where the rest
//! went; over the operator's four windows.
//!
//! The averages decay, as those of cgminer and ckpool do: what happened one window ago counts for a
//! third of what happens now. So a worker needs the same few bytes for a day as for a minute, all kinds of
//! work are weighed alike and add up, and the first share is not waited for until a window has passed: the
//! time since the first look counts in its place.

use std::time::Duration;

use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

use super::Totals;

/// The windows: a minute, ten minutes, an hour, a day.
pub const WINDOWS: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
    Duration::from_secs(86_400),
];

const KINDS: usize = Verdict::ALL.len();

/// Looks at a [`Book`](super::Book) now and then, and knows how fast it fills. It is to be looked at
/// every few seconds, all windows being longer than that.
#[derive(Debug, Clone)]
pub struct RateMeter {
    since: Instant,
    at: Instant,
    before: Counted,
    windows: [WorkWindow; WINDOWS.len()],
    minute: Minute,
    last_share: Option<Instant>,
}

/// What had been counted at the last look.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// The lower halves: between two looks there are fewer.
    counts: [u32; KINDS],
    work: [f64; KINDS],
    credited: f64,
}

/// Sums that decay, in hashes.
#[derive(Debug, Clone, Copy, Default)]
struct WorkWindow {
    work: [f32; KINDS],
    credited: f32,
    /// The squares of each share's work, of those that passed the checks here and of those that were
    /// credited: the variance of a sum of shares that come at random.
    accepted_squares: f64,
    credited_squares: f64,
}

/// What happened since it was last [taken](RateMeter::take_minute).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Minute {
    /// How many shares ended, in the order of [`Verdict::ALL`].
    pub counts: [u32; KINDS],
    /// Their work in hashes, in the same order.
    pub work: [f32; KINDS],
    /// What pools credited, in hashes.
    pub credited: f32,
}

impl Minute {
    /// Whether nothing did.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The rates of one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowRates {
    /// How long it is.
    pub window: Duration,
    /// The work of all shares that were sent, at the targets that rigs were told.
    pub claimed: f64,
    /// That of the shares that passed the checks here, whatever a pool then did with them.
    pub accepted: Measured,
    /// The work that pools credited, at their own targets.
    pub credited: Measured,
    /// The work of each kind of share, in the order of [`Verdict::ALL`].
    pub kinds: [f64; KINDS],
}

/// A rate that is known by shares, which come at random.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// In hashes per second.
    pub per_second: f64,
    /// The standard error of it, in hashes per second.
    pub error: f64,
}

impl RateMeter {
    /// Begins with what a book has at this moment.
    #[must_use]
    pub fn new(totals: &Totals, now: Instant) -> Self {
        Self {
            since: now,
            at: now,
            before: Counted::of(totals),
            windows: Default::default(),
            minute: Minute::default(),
            last_share: None,
        }
    }

    /// Looks at the book; gives how much work passed the checks since the last look, in hashes.
    pub fn look(&mut self, totals: &Totals, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        for (window, length) in self.windows.iter_mut().zip(WINDOWS) {
            window.decay((-elapsed / length.as_secs_f64()).exp());
        }
        self.at = self.at.max(now);
        let counted = Counted::of(totals);
        if counted.counts == self.before.counts {
            return 0.0;
        }
        self.last_share = Some(now);
        let (mut accepted, mut squares) = (0.0, 0.0);
        for (at, verdict) in Verdict::ALL.into_iter().enumerate() {
            let shares = counted.counts[at].wrapping_sub(self.before.counts[at]);
            if shares == 0 {
                continue;
            }
            let work = (counted.work[at] - self.before.work[at]).max(0.0);
            self.minute.counts[at] = self.minute.counts[at].saturating_add(shares);
            self.minute.work[at] += work as f32;
            if verdict.passed_checks() {
                accepted += work;
                // A worker's shares of a few seconds are all worth about the same.
                squares += work * work / f64::from(shares);
            }
            self.windows.iter_mut().for_each(|window| window.work[at] += work as f32);
        }
        let credited = (counted.credited - self.before.credited).max(0.0);
        let taken = counted.count_since(&self.before, Verdict::AcceptedByPool);
        self.minute.credited += credited as f32;
        for window in &mut self.windows {
            window.credited += credited as f32;
            window.accepted_squares += squares;
            window.credited_squares += credited * credited / f64::from(taken.max(1));
        }
        self.before = counted;
        accepted
    }

    /// The rates of each of [`WINDOWS`], as of the last look. Before a window has passed once, the time
    /// since the first look counts in its place.
    #[must_use]
    pub fn rates(&self) -> [WindowRates; WINDOWS.len()] {
        let age = self.at.saturating_duration_since(self.since).as_secs_f64();
        std::array::from_fn(|at| {
            let (window, length) = (&self.windows[at], WINDOWS[at].as_secs_f64());
            // How much of a window's weight has passed.
            let seconds = (length * -(-age / length).exp_m1()).max(1.0);
            let kinds = window.work.map(|work| f64::from(work) / seconds);
            let accepted = Verdict::ALL.into_iter().zip(kinds);
            let accepted = accepted.filter(|(verdict, _)| verdict.passed_checks());
            let measured =
                |per_second, squares: f64| Measured { per_second, error: squares.sqrt() / seconds };
            WindowRates {
                window: WINDOWS[at],
                claimed: kinds.iter().sum(),
                accepted: measured(accepted.map(|(_, work)| work).sum(), window.accepted_squares),
                credited: measured(f64::from(window.credited) / seconds, window.credited_squares),
                kinds,
            }
        })
    }

    /// When a share last ended, as far as looks can tell.
    #[must_use]
    pub const fn last_share(&self) -> Option<Instant> {
        self.last_share
    }

    /// What happened since this was last asked.
    pub fn take_minute(&mut self) -> Minute {
        std::mem::take(&mut self.minute)
    }
}

impl Counted {
    fn of(totals: &Totals) -> Self {
        Self {
            counts: Verdict::ALL.map(|verdict| totals.count(verdict) as u32),
            work: Verdict::ALL.map(|verdict| totals.work(verdict)),
            credited: totals.credited,
        }
    }

    fn count_since(&self, before: &Self, verdict: Verdict) -> u32 {
        self.counts[verdict as usize].wrapping_sub(before.counts[verdict as usize])
    }
}

impl WorkWindow {
    fn decay(&mut self, factor: f64) {
        self.work.iter_mut().for_each(|work| *work *= factor as f32);
        self.credited *= factor as f32;
        self.accepted_squares *= factor * factor;
        self.credited_squares *= factor * factor;
    }
}

#[cfg(test)]
mod tests {
    use orepass_stratum::testing::start;

    use super::*;
    use crate::stats::Book;

    const LOOK: Duration = Duration::from_secs(5);

    #[test]
    fn a_constant_rate_shows_in_every_window_from_the_first_minute_on() {
        let (book, mut now) = (Book::default(), start());
        let mut meter = RateMeter::new(&book.totals(), now);
        for look in 1..=2 * 86_400 / 5 {
            now += LOOK;
            book.ended(Verdict::AcceptedByPool, 10.0);
            meter.look(&book.totals(), now);
            if look > 12 {
                for rates in meter.rates() {
                    assert!((rates.accepted.per_second / 2.0 - 1.0).abs() < 0.1, "{rates:?}");
                }
            }
        }
        now += Duration::from_secs(1200);
        meter.look(&book.totals(), now);
        let [minute, ten, hour, day] = meter.rates().map(|rates| rates.accepted.per_second);
        assert!(minute < 1e-6 && (0.2..0.4).contains(&ten), "{minute} {ten}");
        assert!((1.3..1.5).contains(&hour) && day > 1.9, "{hour} {day}");
    }

    #[test]
    fn all_that_was_claimed_is_accepted_or_has_its_kind_and_credit_goes_by_the_pools_target() {
        let (book, mut now) = (Book::default(), start());
        let mut meter = RateMeter::new(&book.totals(), now);
        for verdict in Verdict::ALL {
            book.ended(verdict, 100.0);
        }
        book.forwarded();
        book.resolved(Verdict::AcceptedByPool, 100.0, 700.0);
        now += LOOK;
        let accepted = meter.look(&book.totals(), now);
        assert_eq!((accepted, meter.last_share()), (600.0, Some(now)));
        for rates in meter.rates() {
            let sum: f64 = rates.kinds.iter().sum();
            assert!((rates.claimed - sum).abs() < 1e-9);
            assert!((rates.accepted.per_second / rates.claimed - 6.0 / 14.0).abs() < 1e-6);
            assert!((rates.credited.per_second / rates.claimed - 7.0 / 14.0).abs() < 1e-6);
        }
        let minute = meter.take_minute();
        assert_eq!((minute.counts.iter().sum::<u32>(), minute.credited), (14, 700.0));
        assert!(meter.take_minute().is_empty());
    }

    #[test]
    fn the_error_is_as_large_as_the_rate_really_scatters() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut sum, mut squares, mut said) = (0.0, 0.0, 0.0);
        const RUNS: usize = 400;
        for _ in 0..RUNS {
            let (book, mut now) = (Book::default(), start());
            let mut meter = RateMeter::new(&book.totals(), now);
            for _ in 0..600 / 5 {
                now += LOOK;
                // A share a minute on average.
                if random.f64() < 1.0 / 12.0 {
                    book.ended(Verdict::AcceptedByPool, 60.0);
                }
                meter.look(&book.totals(), now);
            }
            let accepted = meter.rates()[1].accepted;
            sum += accepted.per_second;
            squares += accepted.per_second * accepted.per_second;
            said += accepted.error;
        }
        let runs = RUNS as f64;
        let (mean, said) = (sum / runs, said / runs);
        let scatter = (squares / runs - mean * mean).sqrt();
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
        assert!((said / scatter - 1.0).abs() < 0.2, "said {said}, is {scatter}");
    }

    #[test]
    fn a_book_and_its_rates_take_less_than_a_kibibyte() {
        assert!(
            size_of::<Book>() + size_of::<RateMeter>() + size_of::<super::super::Norm>() < 1024
        );
    }
}
