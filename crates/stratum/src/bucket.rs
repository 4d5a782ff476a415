//! A rate with a burst: what comes within it passes at once, what comes faster has to wait.

use std::time::Duration;

use crate::time::Instant;

/// How far somebody is ahead of a rate.
///
/// ```
/// use std::time::Duration;
/// use orepass_stratum::bucket::Bucket;
/// # let now = orepass_stratum::time::Instant::after_origin(Duration::ZERO);
/// let mut bucket = Bucket::new(now);
/// let waits: Vec<_> = (0..4).map(|_| bucket.take(10, 2, now).as_millis()).collect();
/// assert_eq!(waits, [0, 0, 100, 200]);
/// assert!(bucket.take(10, 2, now + Duration::from_secs(1)).is_zero());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// How long what was taken takes at the rate, as far as that has not passed.
    ahead: Duration,
    at: Instant,
}

impl Bucket {
    /// Nothing was taken yet.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { ahead: Duration::ZERO, at: now }
    }

    /// Takes one. So many a second are the rate, and so many more may come at once; gives how long it
    /// has to wait for its turn, behind all that were taken before it.
    pub fn take(&mut self, per_second: u32, burst: u32, now: Instant) -> Duration {
        let each = Duration::from_secs(1) / per_second.max(1);
        self.ahead = self.ahead(now) + each;
        self.at = self.at.max(now);
        self.ahead.saturating_sub(each * burst.max(1))
    }

    /// Whether all that was taken has had its time.
    #[must_use]
    pub fn is_even(&self, now: Instant) -> bool {
        self.ahead(now).is_zero()
    }

    fn ahead(&self, now: Instant) -> Duration {
        self.ahead.saturating_sub(now.saturating_duration_since(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    #[test]
    fn a_burst_passes_and_the_rate_holds_from_then_on() {
        let now = start();
        let mut bucket = Bucket::new(now);
        let mut at = now;
        for _ in 0..1000 {
            at += bucket.take(100, 50, at);
        }
        let took = at - now;
        assert_eq!(took, Duration::from_millis(9_500), "950 past the burst at 100 a second");
        assert!(!bucket.is_even(at));
        assert!(bucket.is_even(at + Duration::from_millis(500)));
    }

    #[test]
    fn time_that_goes_back_gives_nothing_away() {
        let now = start() + Duration::from_secs(10);
        let mut bucket = Bucket::new(now);
        assert!(bucket.take(1, 1, now).is_zero());
        assert_eq!(bucket.take(1, 1, now - Duration::from_secs(5)).as_secs(), 1);
    }
}
