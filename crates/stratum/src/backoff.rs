//! Waiting times between attempts to reach a pool.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait before jitter.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from half a second to half a minute, each wait spread by jitter so that a farm's
/// connections do not come back in step.
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
        self.next = (self.next * 2).min(LONGEST);
        wait.mul_f64(0.5 + jitter.clamp(0.0, 1.0))
    }

    /// Starts again at the shortest wait, after a connection that served.
    pub fn reset(&mut self) {
        *self = Self::default();
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
        backoff.reset();
        assert_eq!(backoff.next_wait(0.0), Duration::from_millis(250));
        assert_eq!(backoff.next_wait(1.0), Duration::from_millis(1500));
    }
}
