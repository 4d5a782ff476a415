//! What the choice of pools is told, and what it says.

use std::time::Duration;

use orepass_stratum::time::Instant;

pub use super::tally::Evidence;

/// A pool's slot in its route: the places of the first config's list, and one more for each pool
/// that is added later. A slot is never used again, and never another pool's.
pub type PoolIndex = usize;

/// A pool that the route is to have no more. It stays of use for a while after that, as long as there
/// is nothing in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// The pool that comes in its place; any that serves, where there is none.
    pub successor: Option<PoolIndex>,
}

/// One of the route's connections to pools, whatever has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link {
    /// The pool that it leads to.
    pub pool: PoolIndex,
    /// Its number, different for each of the route.
    pub number: u64,
    /// It serves one rig alone, which may be the reason for what happens on it.
    pub dedicated: bool,
}

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
    /// It refuses the account, or gives it no room.
    Account,
    /// It tells no job that can be mined.
    Jobs,
    /// Its connections are lost all the time, or most of the last shares were lost with them.
    Losses,
    /// It refused most of the last shares.
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
            Self::Account => "account",
            Self::Jobs => "jobs",
            Self::Losses => "losses",
            Self::Rejects => "rejects",
            Self::Lag => "lag",
        }
    }

    /// Whether the pool is left alone for a while, however well its connections are.
    pub(super) const fn benches(self) -> bool {
        matches!(self, Self::Losses | Self::Rejects | Self::Lag)
    }
}

/// Whether a pool is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolHealth {
    /// Nothing is known of it yet, or it is not needed.
    Unknown,
    /// It serves, since then.
    Serves(Instant),
    /// It served until then, and has no connection, which may come back at once.
    Lost(Instant),
    /// Of no use until it serves.
    Down(Cause),
    /// It may be connected, but is not trusted until then.
    Benched(Instant, Cause),
    /// The route does not have it any more, for ever.
    Retired,
}

/// What the choice of pools has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolsEvent {
    /// A pool is of no use any more.
    Down {
        /// That pool.
        pool: PoolIndex,
        /// Why.
        cause: Cause,
        /// What became of its last shares.
        evidence: Evidence,
    },
    /// A pool serves.
    Up(PoolIndex),
    /// A pool would be down, and is kept for want of a better one, or since the cause is not it.
    /// Said once in five minutes.
    Kept {
        /// That pool.
        pool: PoolIndex,
        /// What speaks against it.
        cause: Cause,
        /// What became of its last shares.
        evidence: Evidence,
    },
    /// A pool refuses shares as the one did that rigs have left for that, so the cause is probably
    /// ours: they go back, and refusals move no rigs for half an hour.
    Alike {
        /// The pool that refuses them too.
        pool: PoolIndex,
        /// The one that they go back to.
        first: PoolIndex,
        /// What became of the last shares at the second one.
        evidence: Evidence,
    },
    /// Rigs are to move to another rank, from `from` if they had one. A rank that no pool's standing
    /// has is that of pools which are to leave, in whose place none comes.
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
    /// A pool that was to leave has left: it takes part in nothing any more.
    Left(PoolIndex),
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
