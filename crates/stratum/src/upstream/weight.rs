//! Which verdicts say something about the pool.

use std::time::Duration;

use super::jobs::Jobs;
use crate::dialect::Dialect;
use crate::job::{Generation, JobFrames, Serial};
use crate::time::Instant;
use crate::verdict::Verdict;

/// A share that is written so soon after its work was told may be stale through no fault of the
/// pool's: where blocks come every few seconds, most stale verdicts are for such shares.
const SETTLED: Duration = Duration::from_secs(2);

/// The work that a share is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForWork(Generation, Serial);

impl ForWork {
    pub(super) fn of<D: Dialect>(frames: &JobFrames<D>) -> Self {
        Self(frames.generation, frames.serial)
    }

    /// Whether the pool's refusal of a share for it that was written at `sent` counts against the
    /// pool, whose present generation this is.
    pub(super) fn weighs<D: Dialect>(
        self,
        verdict: Verdict,
        sent: Instant,
        present: Generation,
        jobs: &Jobs<D>,
    ) -> bool {
        // Where its extranonce has been replaced, perhaps since the pool refused the way it was
        // split, it tells nothing.
        let Self(generation, _) = self;
        generation == present && (verdict != Verdict::Stale || self.is_settled(sent, jobs))
    }

    /// Whether it is still the newest, and had been so for a while at `sent`.
    fn is_settled<D: Dialect>(self, sent: Instant, jobs: &Jobs<D>) -> bool {
        jobs.latest_of(self.0).is_some_and(|newest| {
            Self::of(&newest) == self && sent.saturating_duration_since(newest.arrived) >= SETTLED
        })
    }
}
