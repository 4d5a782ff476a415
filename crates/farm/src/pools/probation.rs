//! A time that grows with each relapse.

use std::time::Duration;

use orepass_stratum::time::Instant;

/// A relapse within this time of being trusted again counts as one.
const RELAPSE_WITHIN: Duration = Duration::from_secs(3600);
/// What the time grows to at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// A time that doubles with each relapse, and is the first one again after an hour without.
#[derive(Debug)]
pub(super) struct Probation {
    first: Duration,
    time: Duration,
    trusted: Option<Instant>,
}

impl Probation {
    pub(super) const fn new(first: Duration) -> Self {
        Self { first, time: first, trusted: None }
    }

    /// It is another time at first. One that has grown stays as it is.
    pub(super) fn set_first(&mut self, first: Duration) {
        if self.time == self.first {
            self.time = first;
        }
        self.first = first;
    }

    pub(super) const fn time(&self) -> Duration {
        self.time
    }

    /// It is trusted again from now on.
    pub(super) const fn trust(&mut self, now: Instant) {
        self.trusted = Some(now);
    }

    /// It has failed. Of no effect where it was not trusted since the last time.
    pub(super) fn fail(&mut self, now: Instant) {
        let Some(trusted) = self.trusted.take() else { return };
        let relapse = now.saturating_duration_since(trusted) < RELAPSE_WITHIN;
        self.time = if relapse { (self.time * 2).min(LONGEST.max(self.first)) } else { self.first };
    }
}
