//! Hashing no faster than told.

use std::time::{Duration, Instant};

/// How many hashes are computed at most before others get their turn.
const MAX_BATCH: u32 = 64;
/// How many batches a slow rig spreads a second's hashes over.
const BATCHES: f64 = 20.0;
/// How much a rig that was held up may catch up on.
const MAX_LAG: Duration = Duration::from_millis(200);

/// Spreads hashes over time.
#[derive(Debug)]
pub(super) struct HashPace {
    hashrate: f64,
    next: Option<Instant>,
}

impl HashPace {
    pub(super) const fn new(hashrate: f64) -> Self {
        Self { hashrate, next: None }
    }

    /// How many hashes to compute in one go.
    pub(super) fn batch(&self) -> u32 {
        // Saturates, also for an infinite rate.
        ((self.hashrate / BATCHES) as u32).clamp(1, MAX_BATCH)
    }

    /// When the next batch is due; `None` for at once.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Notes that so many hashes were computed.
    pub(super) fn spent(&mut self, hashes: u32, now: Instant) {
        let seconds = f64::from(hashes) / self.hashrate.max(f64::MIN_POSITIVE);
        // A rate near zero gives a wait that no `Duration` holds; a day is as good as never.
        let day = Duration::from_secs(86_400);
        let wait = Duration::try_from_secs_f64(seconds).map_or(day, |wait| wait.min(day));
        let next = self.next.unwrap_or(now);
        self.next = Some(next.max(now.checked_sub(MAX_LAG).unwrap_or(now)) + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept() {
        for hashrate in [3.0, 100.0, 5_000.0] {
            let mut pace = HashPace::new(hashrate);
            let begin = tokio::time::Instant::now().into_std();
            let (mut now, mut hashes) = (begin, 0.0);
            while now - begin < Duration::from_secs(20) {
                hashes += f64::from(pace.batch());
                pace.spent(pace.batch(), now);
                now = now.max(pace.due().unwrap());
            }
            let rate = hashes / (now - begin).as_secs_f64();
            assert!((rate / hashrate - 1.0).abs() < 0.05, "{rate} instead of {hashrate}");
        }
    }
}
