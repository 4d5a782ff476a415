//! Which jobs a pool still takes shares for: the one rule, for sessions with rigs and with pools.

use crate::dialect::{Dialect, OpenJobs};
use crate::space::MAX_WORKS;
use crate::time::Instant;

/// The fewest told jobs that a session remembers, however few are open: a late share may be a block.
const MIN_TOLD: usize = 8;

/// A pool's open jobs.
pub(crate) struct JobWindow(OpenJobs);

/// Where a work stands among those of its channel.
pub(crate) struct WorkStanding {
    /// How many newer ones there are.
    pub(crate) newer: u64,
    /// Whether its epoch is the present one.
    pub(crate) is_of_epoch: bool,
    /// When its epoch ended, where that is known.
    pub(crate) ended_at: Option<Instant>,
}

impl JobWindow {
    pub(crate) fn of<D: Dialect>(dialect: &D) -> Self {
        Self(dialect.rules().open)
    }

    /// Whether shares of a work are still taken.
    pub(crate) fn is_open(&self, work: &WorkStanding, now: Instant) -> bool {
        let OpenJobs { count, linger } = self.0;
        work.newer < count.clamp(1, MAX_WORKS) as u64
            && match linger {
                None => work.is_of_epoch,
                Some(limit) => {
                    work.ended_at.is_none_or(|at| now.saturating_duration_since(at) <= limit)
                }
            }
    }

    /// How many jobs are worth remembering that a rig was told.
    pub(crate) fn remembered(&self) -> usize {
        self.0.count.clamp(MIN_TOLD, MAX_WORKS)
    }
}
