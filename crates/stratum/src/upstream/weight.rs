//! Which verdicts say something about the pool.

use std::time::{Duration, Instant};

use super::Upstream;
use crate::dialect::Dialect;
use crate::job::{Generation, JobFrames, Serial};
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
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Whether the pool's refusal of a share that was written at `sent` counts against the pool.
    pub(super) fn weighs(&self, verdict: Verdict, work: ForWork, sent: Instant) -> bool {
        // Where its extranonce has been replaced, perhaps since the pool refused the way it was
        // split, it tells nothing.
        let ForWork(generation, _) = work;
        generation == self.generation && (verdict != Verdict::Stale || self.is_settled(work, sent))
    }

    /// Whether a work is still the newest, and had been so for a while at `sent`.
    fn is_settled(&self, work: ForWork, sent: Instant) -> bool {
        self.jobs.latest_of(self.generation).is_some_and(|newest| {
            ForWork::of(&newest) == work
                && sent.saturating_duration_since(newest.arrived) >= SETTLED
        })
    }
}
