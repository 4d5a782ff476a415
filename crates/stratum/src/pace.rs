//! Requests that bring nothing, by their rate: a rig that sends them too fast is read more slowly, and
//! let go where it does not slow down.

use std::time::Duration;

use crate::bucket::Bucket;
use crate::time::Instant;

/// How long a rig may send faster than it is read.
pub const PRESSED_FOR: Duration = Duration::from_secs(30);
/// A login has a few calls at once: what comes at once may be so many seconds' worth.
const BURST_SECONDS: u32 = 2;

/// A rig's requests.
#[derive(Debug)]
pub struct RequestPace {
    bucket: Bucket,
    /// Since when there were more than could be borne.
    pressed_since: Option<Instant>,
    reads_at: Option<Instant>,
}

impl RequestPace {
    /// Without any yet.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { bucket: Bucket::new(now), pressed_since: None, reads_at: None }
    }

    /// A request came that was no good share; `true` when the session should be over.
    pub fn request(&mut self, per_second: u32, now: Instant) -> bool {
        if self.bucket.is_even(now) {
            self.pressed_since = None;
        }
        let burst = per_second.saturating_mul(BURST_SECONDS);
        let wait = self.bucket.take(per_second, burst, now);
        if wait.is_zero() {
            self.reads_at = None;
            return false;
        }
        self.reads_at = Some(now + wait);
        let since = *self.pressed_since.get_or_insert(now);
        now.saturating_duration_since(since) >= PRESSED_FOR
    }

    /// Before when nothing more is to be read from the rig.
    #[must_use]
    pub const fn reads_at(&self) -> Option<Instant> {
        self.reads_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    #[test]
    fn a_rig_that_never_slows_down_is_read_at_the_rate_and_then_let_go() {
        let now = start();
        let (mut pace, mut at, mut read) = (RequestPace::new(now), now, 0);
        while !pace.request(10, at) {
            read += 1;
            at = pace.reads_at().map_or(at, |reads| reads.max(at));
        }
        let took = at - now;
        assert!(took >= PRESSED_FOR && took <= PRESSED_FOR + Duration::from_secs(1), "{took:?}");
        assert!((300..=340).contains(&read), "{read} at 10 a second, and a burst");
    }

    #[test]
    fn bursts_with_rests_between_them_are_borne_for_ever() {
        let (mut pace, mut now) = (RequestPace::new(start()), start());
        for _ in 0..100 {
            (0..100).for_each(|_| assert!(!pace.request(10, now)));
            assert!(pace.reads_at().is_some());
            now += Duration::from_secs(11);
        }
    }

    #[test]
    fn within_the_rate_nothing_waits() {
        let (mut pace, mut now) = (RequestPace::new(start()), start());
        for _ in 0..10_000 {
            assert!(!pace.request(10, now));
            assert_eq!(pace.reads_at(), None);
            now += Duration::from_millis(100);
        }
    }
}
