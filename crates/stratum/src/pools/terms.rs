//! What the choice of pools is told, and what it says.

use std::time::Duration;

/// A pool's place in the route's list.
pub type PoolIndex = usize;

/// One pool's standing in its route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Smaller is preferred.
    pub rank: usize,
    /// Its part of the work within its rank.
    pub weight: f64,
}

/// The wishes of a route for its pools.
#[derive(Debug, Clone)]
pub struct PoolsConfig {
    /// The pools, in the config's order.
    pub pools: Vec<Standing>,
    /// How long a better pool must have been healthy before rigs go back to it.
    pub healthy_for: Duration,
    /// The part of the work that goes first.
    pub trial_share: f64,
    /// How long they are watched before the rest follows.
    pub trial_for: Duration,
    /// How long rigs are held without any pool; for ever when absent.
    pub hold_for: Option<Duration>,
}

impl PoolsConfig {
    /// Pools in strict order, with the usual times.
    #[must_use]
    pub fn in_order(count: usize) -> Self {
        let standing = |rank| Standing { rank, weight: 1.0 };
        Self {
            pools: (0..count).map(standing).collect(),
            healthy_for: Duration::from_secs(300),
            trial_share: 0.1,
            trial_for: Duration::from_secs(60),
            hold_for: Some(Duration::from_secs(300)),
        }
    }
}

/// Why a pool is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It cannot be reached, or its connection is of no use.
    Connection,
    /// It rejected most of the last shares.
    Rejects,
    /// Another pool has had a newer block for a while.
    Lag,
}

impl Cause {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Rejects => "rejects",
            Self::Lag => "lag",
        }
    }
}

/// What the choice of pools has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolsEvent {
    /// A pool is of no use any more.
    Down(PoolIndex, Cause),
    /// A pool serves.
    Up(PoolIndex),
    /// Rigs are to move to another rank, from `from` if they had one.
    Switched {
        /// The rank that they leave.
        from: Option<usize>,
        /// The rank that they go to.
        to: usize,
    },
    /// A better rank gets the first of the rigs back.
    Trial {
        /// That rank.
        to: usize,
    },
    /// The trial failed; its rigs go back.
    TrialFailed {
        /// The rank that was tried.
        rank: usize,
    },
    /// No pool serves.
    Outage,
    /// The outage has lasted so long that the rigs are let go, and new ones are refused.
    Closing,
}

/// What happens with rigs while no pool serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// A pool serves.
    Open,
    /// None does, and the rigs are held.
    Hold,
    /// None does, and the rigs are let go so that they reach their own backup.
    Closed,
}
