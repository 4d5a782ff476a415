//! What a rig can do, by the work that it has proven.

use std::time::Duration;

use orepass_stratum::time::Instant;

/// The age at which work counts 1/e of what new work does.
const FADES_IN: Duration = Duration::from_secs(1200);
/// No rate is told before so much time has been seen.
const MEASURED_AFTER: Duration = Duration::from_secs(60);
/// A rig that has proven nothing for so long is taken to have stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Meter {
    /// All its proven work, in hashes, when it was last read, and when that was.
    total: f64,
    read_at: Instant,
    /// Faded work, and the faded time in which it was done.
    work: f64,
    seconds: f64,
    rate: Option<f64>,
}

impl Meter {
    /// Nothing has been proven yet; the rate is what the rig is known to have done before.
    pub(super) const fn new(rate: Option<f64>, now: Instant) -> Self {
        Self { total: 0.0, read_at: now, work: 0.0, seconds: 0.0, rate }
    }

    /// Hashes per second, once they are known.
    pub(super) const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Takes the total to now; gives the work since the last time, in hashes.
    pub(super) fn read(&mut self, total: f64, now: Instant) -> f64 {
        let work = (total - self.total).max(0.0);
        let passed = now.saturating_duration_since(self.read_at);
        self.total = self.total.max(total);
        self.read_at = now;
        if work <= 0.0 && passed >= STOPPED_AFTER {
            // If it goes on, the time of its silence tells nothing of what it can do.
            (self.work, self.seconds, self.rate) = (0.0, 0.0, Some(0.0));
            return 0.0;
        }
        let seconds = passed.as_secs_f64();
        let keep = (-seconds / FADES_IN.as_secs_f64()).exp();
        self.work = self.work * keep + work;
        self.seconds = self.seconds * keep + seconds;
        if self.work > 0.0 && self.seconds >= MEASURED_AFTER.as_secs_f64() {
            self.rate = Some(self.work / self.seconds);
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    #[test]
    fn a_rate_is_told_after_a_minute_and_follows_the_rig() {
        let mut now = start();
        let mut meter = Meter::new(None, now);
        now += Duration::from_secs(59);
        assert_eq!(meter.read(590.0, now), 590.0);
        assert_eq!(meter.rate(), None);
        now += Duration::from_secs(2);
        assert_eq!(meter.read(610.0, now), 20.0);
        assert!((meter.rate().unwrap() - 10.0).abs() < 0.1);
        let mut total = 610.0;
        for _ in 0..10 {
            now += Duration::from_secs(600);
            total += 12_000.0;
            meter.read(total, now);
        }
        assert!((meter.rate().unwrap() - 20.0).abs() < 0.1, "{:?}", meter.rate());
    }

    #[test]
    fn a_rig_that_stops_counts_as_nothing_at_once_and_is_back_as_soon() {
        let mut now = start();
        let mut meter = Meter::new(Some(7.0), now);
        now += Duration::from_secs(60);
        meter.read(0.0, now);
        assert_eq!(meter.rate(), Some(7.0), "a minute is no silence");
        now += STOPPED_AFTER;
        assert_eq!(meter.read(0.0, now), 0.0);
        assert_eq!(meter.rate(), Some(0.0));
        now += Duration::from_secs(600);
        meter.read(3000.0, now);
        assert_eq!(meter.rate(), Some(5.0));
    }
}
