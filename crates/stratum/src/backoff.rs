//! Waiting times between attempts to reach a pool.

use std::time::Duration;

/// The wait before the first attempt after a connection that served.
const AT_ONCE: Duration = Duration::from_millis(50);
/// The wait after that one has failed, or where none has served.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait before jitter.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from half a second to half a minute, each wait spread by jitter so that a farm's
/// connections do not come back in step. A connection that served is tried again almost at once:
/// whether its pool is gone should be known soon.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next wait; `jitter` is a random number from 0 to 1, and gives half to one and a half
    /// times the wait.
    pub fn next_wait(&mut self, jitter: f64) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).clamp(FIRST, LONGEST);
        wait.mul_f64(0.5 + jitter.clamp(0.0, 1.0))
    }

    /// The connection served. Not to be said of one that was cut off right after its login: a pool
    /// that does that to each is not to be bothered without end.
    pub const fn served(&mut self) {
        self.next = AT_ONCE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_limit_and_starts_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.next_wait(0.5).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        backoff.served();
        assert_eq!(backoff.next_wait(0.0), Duration::from_millis(25));
        assert_eq!(backoff.next_wait(0.0), Duration::from_millis(250));
        assert_eq!(backoff.next_wait(1.0), Duration::from_millis(1500));
    }
}
