//! Where the rigs are.

use std::time::Duration;

use super::interface::Gate;
use orepass_stratum::time::Instant;

/// How long pools have at the start to be there: the better ones before a lesser one is used, and
/// all of them before it is said that none serves.
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// Where the rigs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Nowhere yet.
    Starting {
        /// How long pools are waited for.
        until: Instant,
    },
    /// At the pools of one rank.
    Mining {
        rank: usize,
        /// Some of them at a better one.
        trial: Option<Trial>,
    },
    /// Nowhere: no pool serves.
    Outage {
        since: Instant,
        /// They have been let go.
        closed: bool,
    },
}

/// Some rigs are at a better rank, to see how that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) rank: usize,
    pub(super) until: Instant,
}

impl Course {
    pub(super) fn starting(now: Instant) -> Self {
        Self::Starting { until: now + FIRST_WAIT }
    }

    pub(super) const fn rank(&self) -> Option<usize> {
        match self {
            Self::Mining { rank, .. } => Some(*rank),
            _ => None,
        }
    }

    pub(super) const fn trial(&self) -> Option<Trial> {
        match self {
            Self::Mining { trial, .. } => *trial,
            _ => None,
        }
    }

    pub(super) const fn gate(&self) -> Gate {
        match self {
            Self::Mining { .. } => Gate::Open,
            Self::Starting { .. } | Self::Outage { closed: false, .. } => Gate::Hold,
            Self::Outage { closed: true, .. } => Gate::Closed,
        }
    }

    /// When the next step is due, where rigs are held for so long without a pool.
    pub(super) fn poll_timeout(&self, hold_for: Option<Duration>) -> Option<Instant> {
        match *self {
            Self::Starting { until } => Some(until),
            Self::Mining { trial, .. } => Some(trial?.until),
            Self::Outage { since, closed: false } => Some(since + hold_for?),
            Self::Outage { closed: true, .. } => None,
        }
    }
}
