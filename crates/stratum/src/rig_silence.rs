//! Rigs that fall silent: an easier difficulty is offered once, then they are closed.

use std::time::Duration;

use crate::time::Instant;

/// The least time without a share after which a rig counts as silent.
pub const SILENT_AFTER: Duration = Duration::from_secs(300);
/// So many times the interval that is expected between its shares, if that is more.
const INTERVALS: f64 = 10.0;
/// A new interval is one part in so many of the average, once there are as many.
const ENOUGH: u32 = 10;
/// With fewer intervals nobody knows how often a rig without a difficulty of its own should send.
const LEAST_INTERVALS: u32 = 5;

/// Watches how long a rig has sent nothing, while there is something to mine.
#[derive(Debug, Default)]
pub struct RigSilence {
    /// The time between shares that the rig's present target aims at, in seconds.
    wanted: Option<f64>,
    /// The average time between its shares so far, in seconds.
    usual: f64,
    /// How many times it is the average of; counted up to [`ENOUGH`].
    intervals: u32,
    last_share: Option<Instant>,
    /// Since when it could have sent a share.
    since: Option<Instant>,
    /// When it was told an easier difficulty for its silence.
    offered: bool,
}

impl RigSilence {
    /// The rig sent a share, good or bad: it lives.
    pub fn share(&mut self, now: Instant) {
        if let Some(before) = self.last_share.replace(now) {
            let interval = now.saturating_duration_since(before).as_secs_f64();
            self.intervals = (self.intervals + 1).min(ENOUGH);
            self.usual += (interval - self.usual) / f64::from(self.intervals);
        }
        self.since = Some(now);
        self.offered = false;
    }

    /// The rig was told a work whose target aims at a share every `wanted` seconds, or at no
    /// certain rate; `easier` when the target is easier than that of the work before.
    pub fn told(&mut self, wanted: Option<f64>, easier: bool, now: Instant) {
        self.wanted = wanted;
        let since = *self.since.get_or_insert(now);
        let silent =
            self.limit().is_some_and(|limit| now.saturating_duration_since(since) >= limit);
        if silent && easier && !self.offered {
            self.offered = true;
            self.since = Some(now);
        }
    }

    /// There is nothing to mine, through no fault of the rig's: its time starts again with the
    /// next work.
    pub const fn excused(&mut self) {
        self.since = None;
        self.offered = false;
    }

    /// Whether it was told an easier difficulty for its silence.
    #[must_use]
    pub const fn was_offered(&self) -> bool {
        self.offered
    }

    /// When the rig has been silent, had its offer, and been silent again, if nothing happens before.
    /// Where no easier difficulty can be offered, twice the time has to pass.
    #[must_use]
    pub fn over_at(&self) -> Option<Instant> {
        let (since, limit) = (self.since?, self.limit()?);
        Some(since + if self.offered { limit } else { limit * 2 })
    }

    /// How long the rig may be silent; none while nothing tells how often it should send.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        let expected = match self.wanted {
            Some(wanted) => wanted.max(self.usual),
            None => Some(self.usual).filter(|_| self.intervals >= LEAST_INTERVALS)?,
        };
        let expected = Duration::try_from_secs_f64(expected * INTERVALS).ok()?;
        Some(expected.max(SILENT_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    const LIMIT: Duration = SILENT_AFTER;
    const SIX: Option<f64> = Some(6.0);

    #[test]
    fn a_silent_rig_is_offered_an_easier_difficulty_once() {
        let now = start();
        let mut quiet = RigSilence::default();
        quiet.told(SIX, false, now);
        quiet.told(SIX, true, now + LIMIT / 2);
        assert_eq!(quiet.over_at(), Some(now + LIMIT * 2), "it is not silent yet");
        let offer = now + LIMIT + Duration::from_secs(20);
        quiet.told(SIX, true, offer);
        assert_eq!(quiet.over_at(), Some(offer + LIMIT));
        quiet.told(SIX, true, offer + LIMIT - Duration::from_secs(1));
        assert!(quiet.over_at() <= Some(offer + LIMIT), "one offer");
        quiet.share(offer + LIMIT);
        assert!(quiet.over_at() > Some(offer + LIMIT * 2));
    }

    #[test]
    fn ten_times_the_usual_interval_is_borne() {
        let mut now = start();
        let mut quiet = RigSilence::default();
        quiet.told(None, false, now);
        assert_eq!(quiet.limit(), None, "nobody knows how often it should find a share");
        for _ in 0..=LEAST_INTERVALS {
            quiet.share(now);
            now += Duration::from_secs(120);
        }
        assert_eq!(quiet.limit(), Some(Duration::from_secs(1200)));
        let mut fast = RigSilence::default();
        fast.told(SIX, false, now);
        assert_eq!(fast.limit(), Some(LIMIT));
    }

    #[test]
    fn without_work_nobody_is_silent() {
        let now = start();
        let mut quiet = RigSilence::default();
        quiet.told(SIX, false, now);
        quiet.excused();
        assert_eq!(quiet.over_at(), None);
        quiet.told(SIX, false, now + LIMIT * 9);
        assert_eq!(quiet.over_at(), Some(now + LIMIT * 11));
    }
}
