//! What a worker's rate usually is, to hold its present one against.

use std::time::Duration;

/// The time over which it is learnt: what is longer ago counts little.
const OVER: Duration = Duration::from_secs(86_400);
/// From so much of it on, it is known.
const KNOWN_AFTER: Duration = Duration::from_secs(3600);
/// Below this part of its norm a worker does badly.
const LOW: f64 = 0.7;
/// How much a time counts in which it does badly: a worker that has lost a board must not
/// become normal within a day, and one that was throttled for good should in a week or two.
const LOW_COUNTS: f64 = 0.1;

/// A usual rate, learnt over a day of the time in which the worker is there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Norm {
    /// In hashes, decaying.
    work: f64,
    /// In seconds, decaying.
    seconds: f32,
}

/// How a worker does, held against its norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgainstNorm {
    /// There is no norm yet, or the present rate is known too badly to tell.
    Unknown,
    /// About as it should.
    Good,
    /// Below 70 % of it, by more than chance.
    Low,
}

impl Norm {
    /// One that is known from earlier, in hashes per second.
    #[must_use]
    pub fn known(per_second: f64) -> Self {
        let seconds = OVER.as_secs_f64();
        Self { work: per_second.max(0.0) * seconds, seconds: seconds as f32 }
    }

    /// The worker was there for so long, and proved so much work, in hashes; `rate` is its present one.
    pub fn learn(&mut self, over: Duration, work: f64, rate: super::Measured) {
        let counts = if self.judge(rate) == AgainstNorm::Low { LOW_COUNTS } else { 1.0 };
        let seconds = over.as_secs_f64() * counts;
        let decay = (-seconds / OVER.as_secs_f64()).exp();
        self.work = self.work * decay + work * counts;
        self.seconds = self.seconds * decay as f32 + seconds as f32;
    }

    /// In hashes per second; none as long as too little is known.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        let seconds = f64::from(self.seconds);
        (seconds >= KNOWN_AFTER.as_secs_f64() && self.work > 0.0).then(|| self.work / seconds)
    }

    /// Holds a present rate against it.
    #[must_use]
    pub fn judge(&self, rate: super::Measured) -> AgainstNorm {
        self.per_second().map_or(AgainstNorm::Unknown, |norm| AgainstNorm::of(rate, norm))
    }
}

impl AgainstNorm {
    /// Holds a rate against a norm, in hashes per second. What is low by less than twice its own
    /// error is not known to be low.
    #[must_use]
    pub fn of(rate: super::Measured, norm: f64) -> Self {
        let low = LOW * norm;
        if rate.per_second + 2.0 * rate.error < low {
            Self::Low
        } else if rate.per_second >= low {
            Self::Good
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Measured;
    use super::*;

    const LOOK: Duration = Duration::from_secs(5);

    fn spend(norm: &mut Norm, hours: u32, per_second: f64) {
        let rate = Measured { per_second, error: per_second / 50.0 };
        for _ in 0..hours * 720 {
            norm.learn(LOOK, per_second * LOOK.as_secs_f64(), rate);
        }
    }

    #[test]
    fn it_is_known_after_an_hour_and_follows_slowly() {
        let mut idle = Norm::default();
        spend(&mut idle, 2, 0.0);
        assert_eq!(idle.per_second(), None, "one of nothing says nothing");
        let mut norm = Norm::default();
        spend(&mut norm, 1, 5e12);
        assert_eq!(norm.per_second(), None);
        spend(&mut norm, 1, 5e12);
        assert!((norm.per_second().unwrap() / 5e12 - 1.0).abs() < 1e-3);
        spend(&mut norm, 72, 6e12);
        assert!(norm.per_second().unwrap() > 5.9e12);
    }

    #[test]
    fn a_rig_that_has_lost_half_of_it_is_low_for_days_and_not_for_ever() {
        let mut norm = Norm::known(10.0);
        spend(&mut norm, 24, 5.0);
        let half = Measured { per_second: 5.0, error: 0.1 };
        assert_eq!(norm.judge(half), AgainstNorm::Low);
        spend(&mut norm, 24 * 13, 5.0);
        assert_eq!(norm.judge(half), AgainstNorm::Good, "{norm:?}");
    }

    #[test]
    fn chance_is_no_fault() {
        let norm = Norm::known(10.0);
        assert_eq!(norm.judge(Measured { per_second: 5.0, error: 2.0 }), AgainstNorm::Unknown);
        assert_eq!(norm.judge(Measured { per_second: 5.0, error: 0.5 }), AgainstNorm::Low);
        assert_eq!(norm.judge(Measured { per_second: 8.0, error: 4.0 }), AgainstNorm::Good);
        assert_eq!(Norm::default().judge(Measured::default()), AgainstNorm::Unknown);
    }
}
