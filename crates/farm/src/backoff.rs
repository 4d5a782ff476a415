//! When a pool connection that has ended is made anew.

use std::time::Duration;

use orepass_stratum::time::Instant;

use arrayvec::ArrayVec;

/// The wait after a connection that served.
const AT_ONCE: Duration = Duration::from_millis(50);
/// So many times within [`EACH`] it is that short.
const MAX_AT_ONCE: usize = 5;
const EACH: Duration = Duration::from_secs(60);
/// The first wait otherwise.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait before jitter.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait while no pool serves at all.
const URGENT: Duration = Duration::from_secs(5);
/// A sibling that serves again is followed within this time.
const FOLLOW_WITHIN: Duration = Duration::from_millis(250);
/// The first and the longest wait after the account was refused: pools ban who does not stop.
const REFUSED: Duration = Duration::from_secs(30);
const LONGEST_REFUSED: Duration = Duration::from_secs(300);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It served well: for a while, or it took many shares.
    Served,
    /// It took a few shares. Some pools close after each, and none wants to be called that often.
    Brief,
    /// It could not be made, or was cut off right after its login.
    Failed,
    /// The pool refused the account, or gave it no room.
    Refused,
}

/// The wait for the next attempt of one connection.
///
/// Waits double from half a second to half a minute, each spread by jitter so that a farm's
/// connections do not come back in step. A connection that served is tried again almost at once:
/// whether its pool is gone should be known soon. Jitter is a random number from 0 to 1.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    next_refused: Duration,
    /// When a connection that served was tried again at once, the oldest first.
    at_once: ArrayVec<Instant, MAX_AT_ONCE>,
    due: Option<Instant>,
    /// The pool asked for no attempt before.
    earliest: Option<Instant>,
    refused: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            next: FIRST,
            next_refused: REFUSED,
            at_once: ArrayVec::new(),
            due: None,
            earliest: None,
            refused: false,
        }
    }
}

impl Backoff {
    /// The connection has ended; gives when it is to be made anew. `urgent` is whether no pool
    /// serves at all.
    pub fn ended(&mut self, how: Ended, urgent: bool, now: Instant, jitter: f64) -> Instant {
        let jitter = jitter.clamp(0.0, 1.0);
        self.refused = how == Ended::Refused;
        self.earliest = None;
        let wait = match how {
            Ended::Refused => {
                let wait = self.next_refused;
                self.next_refused = (wait * 2).min(LONGEST_REFUSED);
                wait.mul_f64(1.0 + jitter / 2.0).min(LONGEST_REFUSED)
            }
            Ended::Served | Ended::Brief if self.may_be_at_once(now) => {
                self.begin_anew();
                self.at_once.push(now);
                AT_ONCE.mul_f64(0.5 + jitter)
            }
            Ended::Served => {
                self.begin_anew();
                self.double().mul_f64(0.5 + jitter)
            }
            Ended::Brief | Ended::Failed => self.double().mul_f64(0.5 + jitter),
        };
        self.due = Some(now + wait);
        if urgent {
            self.urge(now, jitter);
        }
        self.due.unwrap_or(now)
    }

    /// The pool asks for no attempt before this; gives when it is to be made now.
    pub fn not_before(&mut self, at: Instant) -> Instant {
        self.earliest = Some(at);
        let due = self.due.map_or(at, |due| due.max(at));
        self.due = Some(due);
        due
    }

    /// The attempt is being made.
    pub const fn begun(&mut self) {
        self.due = None;
    }

    /// Another connection to the pool serves again, so this one is tried at once.
    pub fn follow(&mut self, now: Instant, jitter: f64) {
        self.at_latest(now + FOLLOW_WITHIN.mul_f64(jitter.clamp(0.0, 1.0)));
    }

    /// No pool serves any more, so this one is tried soon, unless it refused the account.
    pub fn urge(&mut self, now: Instant, jitter: f64) {
        if !self.refused {
            self.at_latest(now + URGENT.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0));
        }
    }

    /// When the connection is to be made anew; none while it is being made, or there.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What went wrong before the connection that served is forgotten.
    const fn begin_anew(&mut self) {
        self.next = FIRST;
        self.next_refused = REFUSED;
    }

    /// The next wait, before jitter; the one after it is twice as long.
    fn double(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }

    fn at_latest(&mut self, at: Instant) {
        let at = self.earliest.map_or(at, |earliest| at.max(earliest));
        self.due = self.due.map(|due| due.min(at));
    }

    fn may_be_at_once(&mut self, now: Instant) -> bool {
        self.at_once.retain(|at| now.saturating_duration_since(*at) < EACH);
        !self.at_once.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    /// The next waits after these ends, with middling jitter, one right after the other.
    fn waits(backoff: &mut Backoff, ends: &[Ended], urgent: bool) -> Vec<u128> {
        let mut now = start();
        let wait = |how: &Ended| {
            let due = backoff.ended(*how, urgent, now, 0.5);
            let wait = due - now;
            now = due;
            wait.as_millis()
        };
        ends.iter().map(wait).collect()
    }

    #[test]
    fn waits_double_to_a_limit_and_start_again_after_a_connection_that_served() {
        let mut backoff = Backoff::default();
        let failed = waits(&mut backoff, &[Ended::Failed; 8], false);
        assert_eq!(failed, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        let served = waits(&mut backoff, &[Ended::Served, Ended::Failed, Ended::Failed], false);
        assert_eq!(served, [50, 500, 1000]);
        let now = start();
        let wait = |jitter| Backoff::default().ended(Ended::Failed, false, now, jitter) - now;
        assert_eq!(wait(0.0), Duration::from_millis(250));
        assert_eq!(wait(1.0), Duration::from_millis(750));
    }

    #[test]
    fn a_pool_that_closes_after_each_share_is_not_called_without_end() {
        let mut backoff = Backoff::default();
        let now = start();
        let (mut at, mut attempts) = (now, 0);
        while at < now + EACH {
            at = backoff.ended(Ended::Brief, false, at, 0.5);
            attempts += 1;
        }
        assert_eq!(attempts, 5 + 7);
        assert_eq!(waits(&mut backoff, &[Ended::Brief], false), [30_000]);
        let later = at + EACH;
        let due = backoff.ended(Ended::Brief, false, later, 0.5);
        assert_eq!(due, later + AT_ONCE, "that was long ago");
    }

    #[test]
    fn a_connection_that_served_well_is_never_waited_for_long() {
        let served = waits(&mut Backoff::default(), &[Ended::Served; 9], false);
        assert_eq!(served, [50, 50, 50, 50, 50, 500, 500, 500, 500]);
    }

    #[test]
    fn a_refused_account_is_left_alone_for_half_a_minute_at_least_and_for_longer_each_time() {
        let mut backoff = Backoff::default();
        let refused = waits(&mut backoff, &[Ended::Refused; 6], true);
        assert_eq!(refused, [37_500, 75_000, 150_000, 300_000, 300_000, 300_000]);
        let now = start();
        assert_eq!(
            Backoff::default().ended(Ended::Refused, true, now, 0.0),
            now + REFUSED,
            "also while no pool serves"
        );
        assert_eq!(waits(&mut backoff, &[Ended::Served, Ended::Refused], true), [50, 37_500]);
    }

    #[test]
    fn while_no_pool_serves_no_wait_is_long_also_one_that_had_begun() {
        let mut backoff = Backoff::default();
        let waited = waits(&mut backoff, &[Ended::Failed; 9], true);
        assert!(waited.iter().all(|wait| *wait <= 5000), "{waited:?}");
        let now = start();
        let due = backoff.ended(Ended::Failed, false, now, 1.0);
        assert_eq!(due, now + LONGEST.mul_f64(1.5));
        backoff.urge(now, 1.0);
        assert_eq!(backoff.due(), Some(now + URGENT));
        backoff.urge(now + URGENT / 2, 1.0);
        assert_eq!(backoff.due(), Some(now + URGENT), "it is never put off");
    }

    #[test]
    fn a_sibling_that_serves_again_is_followed_at_once() {
        let mut backoff = Backoff::default();
        let now = start();
        for how in [Ended::Failed, Ended::Refused] {
            backoff.ended(how, false, now, 0.5);
            backoff.follow(now, 1.0);
            assert_eq!(backoff.due(), Some(now + FOLLOW_WITHIN));
        }
        backoff.begun();
        backoff.follow(now, 0.0);
        assert_eq!(backoff.due(), None, "it is being made");
    }
}
