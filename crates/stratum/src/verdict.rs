//! What became of a share.

use std::fmt;

use crate::target::PowHash;

/// A share measured against a target: what every coin's `share::judge` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Its hash.
    pub hash: PowHash,
    /// Whether the hash is good enough, and all else that makes a share good is there. Where the
    /// hash is not, proofs that cost more have not been looked at.
    pub meets_target: bool,
    /// Whether it is a block; `None` where that cannot be told.
    pub block: Option<bool>,
}

/// Every share ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// The pool credited it.
    AcceptedByPool,
    /// It met the rig's target but not the pool's: it measures the rig, and is not forwarded.
    BelowPoolTarget,
    /// The pool refused it.
    RejectedByPool,
    /// Its job had been replaced.
    Stale,
    /// The rig sent it before.
    Duplicate,
    /// A further solution of a nonce of which the pool counts only one.
    SecondSolution,
    /// Its hash misses the target that the rig was told.
    LowDifficulty,
    /// Malformed, impossible or with a bad proof.
    Invalid,
    /// Its worker did not authorize on this connection.
    Unauthorized,
    /// Held back unchecked, since its rig sends too much rubbish.
    Quarantined,
    /// A queue was full.
    Overflow,
    /// The pool never answered it.
    Unanswered,
    /// The pool's connection was lost with it.
    LostOnFailover,
}

impl Verdict {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 13] = [
        Self::AcceptedByPool,
        Self::BelowPoolTarget,
        Self::RejectedByPool,
        Self::Stale,
        Self::Duplicate,
        Self::SecondSolution,
        Self::LowDifficulty,
        Self::Invalid,
        Self::Unauthorized,
        Self::Quarantined,
        Self::Overflow,
        Self::Unanswered,
        Self::LostOnFailover,
    ];

    /// The name in logs, metrics and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcceptedByPool => "accepted_by_pool",
            Self::BelowPoolTarget => "below_pool_target",
            Self::RejectedByPool => "rejected_by_pool",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::SecondSolution => "second_solution",
            Self::LowDifficulty => "low_difficulty",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Quarantined => "quarantined",
            Self::Overflow => "overflow",
            Self::Unanswered => "unanswered",
            Self::LostOnFailover => "lost_on_failover",
        }
    }

    /// Whether the share proves work that the rig was asked for.
    #[must_use]
    pub const fn proves_work(self) -> bool {
        matches!(
            self,
            Self::AcceptedByPool | Self::BelowPoolTarget | Self::SecondSolution | Self::Quarantined
        )
    }

    /// Whether the share passed all checks here, so that whatever became of it then was the pool's, or
    /// that of the way to it.
    #[must_use]
    pub const fn passed_checks(self) -> bool {
        matches!(
            self,
            Self::AcceptedByPool
                | Self::BelowPoolTarget
                | Self::RejectedByPool
                | Self::Unanswered
                | Self::LostOnFailover
        )
    }

    /// Whether the share's work is credited: as it is, or by the better ones among its like.
    #[must_use]
    pub const fn earns(self) -> bool {
        matches!(self, Self::AcceptedByPool | Self::BelowPoolTarget)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_follow_the_list() {
        for (index, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, index, "{verdict}");
        }
    }
}
