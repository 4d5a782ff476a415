//! Jobs of both generations, whatever wire they came by.

pub(crate) mod deployed;
mod seed;

use std::hash::{DefaultHasher, Hash, Hasher};

use arrayvec::ArrayString;
use orepass_stratum::dialect::{Work, WorkKey};
use orepass_stratum::error::ParseError;
use orepass_stratum::target::Target;

pub use self::deployed::{DeployedJob, DeployedParts};
pub use self::seed::{MAX_TRANSACTIONS, SeedJob, SeedParts, Uncheckable, WrongTransactions};
use crate::share::Share;

/// The longest job id of a pool, in bytes.
pub const MAX_JOB_ID: usize = 64;

/// A pool's name for a job: an opaque string, given back as it came.
pub type PoolJobId = ArrayString<MAX_JOB_ID>;

/// A pool's job.
#[derive(Debug, Clone)]
pub enum Job {
    /// What every pool on mainnet sends. The extranonce is in the header.
    Deployed(DeployedJob),
    /// What servers sent before mainnet. The extranonce is in the coinbase
    /// transaction's witness.
    Seed(SeedJob),
}

impl Job {
    /// The hash of the block that it builds on.
    #[must_use]
    pub const fn prev_block(&self) -> &[u8; 32] {
        match self {
            Self::Deployed(job) => &job.parts().prev_block,
            Self::Seed(job) => &job.parts().prev_block,
        }
    }

    /// The earliest time that its shares may have, in Unix seconds.
    #[must_use]
    pub const fn time(&self) -> u64 {
        match self {
            Self::Deployed(job) => job.parts().time,
            Self::Seed(job) => job.parts().time,
        }
    }

    /// The block target in compact form.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        match self {
            Self::Deployed(job) => job.parts().bits,
            Self::Seed(job) => job.parts().bits,
        }
    }

    /// Whether its shares can be checked: always those of deployed jobs.
    ///
    /// # Errors
    /// Why not.
    pub fn checkable(&self) -> Result<(), Uncheckable> {
        match self {
            Self::Deployed(_) => Ok(()),
            Self::Seed(job) => job.checkable(),
        }
    }

    /// Whether the pool told the hash of a mask.
    #[must_use]
    pub const fn tells_mask(&self) -> bool {
        matches!(self, Self::Deployed(job) if job.parts().mask_hash.is_some())
    }

    /// The target that a share's hash must meet to be a block, where that can be told from the
    /// share's hash: not under a mask that only the pool knows.
    #[must_use]
    pub fn block_target(&self) -> Option<Target> {
        match self {
            Self::Deployed(job) if !job.mask_is_zero() => None,
            Self::Deployed(_) | Self::Seed(_) => Target::from_compact(self.bits()),
        }
    }
}

impl Work<Share> for Job {
    fn id(&self) -> &str {
        match self {
            Self::Deployed(job) => &job.parts().id,
            Self::Seed(job) => &job.parts().id,
        }
    }

    /// Neither of the id nor of the time, which miners may set.
    fn key(&self) -> WorkKey {
        match self {
            Self::Deployed(job) => job.work_key(),
            Self::Seed(job) => job.work_key(),
        }
    }

    fn parent(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        self.prev_block().hash(&mut hasher);
        Some(hasher.finish())
    }

    fn time(&self) -> Option<u64> {
        Some(self.time())
    }

    /// It builds on another block, or the pool says so.
    fn supersedes(&self, old: &Self) -> bool {
        let clean = matches!(self, Self::Seed(job) if job.parts().clean);
        clean || self.prev_block() != old.prev_block()
    }

    /// A later notify of the same work has a later time, and servers refuse times before it.
    fn serves(&self, share: &Share) -> bool {
        u64::from(share.time) >= self.time()
    }

    fn is_complete(&self) -> bool {
        self.checkable().is_ok()
    }
}

impl From<DeployedJob> for Job {
    fn from(job: DeployedJob) -> Self {
        Self::Deployed(job)
    }
}

impl From<SeedJob> for Job {
    fn from(job: SeedJob) -> Self {
        Self::Seed(job)
    }
}

/// A block target's compact form that no target has would make every comparison meaningless.
fn check_bits(bits: u32) -> Result<(), ParseError> {
    let wrong = || ParseError::field("bits", "a compact target", &format!("\"{bits:08x}\""));
    Target::from_compact(bits).map(|_| ()).ok_or_else(wrong)
}
