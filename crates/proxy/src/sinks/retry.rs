//! When a sink that failed is tried again.

use std::time::Duration;

use orepass_stratum::time::Instant;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits that double from a second to a minute as long as a sink fails.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SinkRetry {
    last: Option<Duration>,
}

impl SinkRetry {
    /// It has failed; gives when it is tried again. `jitter` is from 0 to 1, so that those who failed
    /// together do not come back together.
    pub(super) fn failed(&mut self, now: Instant, jitter: f64) -> Instant {
        let wait = self.last.map_or(FIRST, |last| (2 * last).min(LONGEST));
        self.last = Some(wait);
        now + wait.mul_f64(1.0 - 0.25 * jitter)
    }

    /// It has delivered something; tells whether it had failed before.
    pub(super) fn went_well(&mut self) -> bool {
        self.last.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_a_success() {
        let (now, mut retry) = (crate::clock::now(), SinkRetry::default());
        let waits = |retry: &mut SinkRetry| {
            let at = retry.failed(now, 0.0);
            at.saturating_duration_since(now).as_secs()
        };
        let first: Vec<u64> = (0..9).map(|_| waits(&mut retry)).collect();
        assert_eq!(first, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(retry.went_well());
        assert!(!retry.went_well());
        assert_eq!(waits(&mut retry), 1);
        let early = retry.failed(now, 1.0).saturating_duration_since(now);
        assert_eq!(early, Duration::from_millis(1500));
    }
}
