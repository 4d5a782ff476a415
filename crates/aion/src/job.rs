//! Jobs.

use arrayvec::ArrayString;
use orepass_stratum::dialect::{Work, WorkKey};
use orepass_stratum::target::Target;

use crate::share::Share;

/// The longest job id of a pool, in bytes.
pub const MAX_JOB_ID: usize = 64;

/// A pool's name for a job: an opaque string, given back as it came.
pub type PoolJobId = ArrayString<MAX_JOB_ID>;

/// A pool's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The pool's name for it.
    pub id: PoolJobId,
    /// The pool's flag: shares of former jobs are worth nothing any more.
    pub clean: bool,
    /// The network's target with every known server: a share below it is a block. Whether it is
    /// the shares' target too depends on what else the pool announces. All zeros, which a server
    /// sends where its difficulty 1 overflows, is read as the easiest target.
    pub target: Target,
    /// BLAKE2b-256 of the block's header without nonce and solution, in the order in which it is
    /// hashed. The block's time is in it, so nothing but the nonce can vary.
    pub header_hash: [u8; 32],
}

impl Work<Share> for Job {
    fn id(&self) -> &str {
        &self.id
    }

    /// Neither of the id nor of the target.
    fn key(&self) -> WorkKey {
        WorkKey::of(self.header_hash)
    }

    fn parent(&self) -> Option<u64> {
        None
    }

    fn time(&self) -> Option<u64> {
        None
    }

    /// A notify does not say which block it builds on; the flag is all there is.
    fn supersedes(&self, _old: &Self) -> bool {
        self.clean
    }

    fn serves(&self, _share: &Share) -> bool {
        true
    }

    fn is_complete(&self) -> bool {
        true
    }
}
