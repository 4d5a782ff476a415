//! Jobs.

use arrayvec::ArrayString;
use orepass_stratum::dialect::{Work, WorkKey};

use crate::pow::Header;
use crate::share::Share;

/// The longest job id of a pool, in bytes.
pub const MAX_JOB_ID: usize = 64;
/// The only version of a header that ZIP 301 knows.
pub const VERSION: u32 = 4;

/// A pool's name for a job: an opaque string, given back as it came.
pub type PoolJobId = ArrayString<MAX_JOB_ID>;

/// A pool's job: a header of [`VERSION`] without its nonce. Hashes are in the header's byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The pool's name for it.
    pub id: PoolJobId,
    /// The block that it builds on.
    pub prev_hash: [u8; 32],
    /// Of its transactions.
    pub merkle_root: [u8; 32],
    /// The field that was reserved once and commits to the chain's state since Sapling.
    pub reserved: [u8; 32],
    /// The earliest time that its shares may have, in Unix seconds.
    pub time: u32,
    /// The network's target in compact form.
    pub bits: u32,
    /// The pool's flag that a block has arrived. Nothing rests on it: pools of the NOMP family set it
    /// with every job and take shares of those before, and which block it is stands in `prev_hash`.
    pub clean: bool,
}

impl Job {
    /// The header of a share with this time, in Unix seconds, and this nonce.
    #[must_use]
    pub fn header(&self, time: u32, nonce: &[u8; 32]) -> Header {
        let [version, time, bits] = [VERSION, time, self.bits].map(u32::to_le_bytes);
        let fields: [&[u8]; 7] =
            [&version, &self.prev_hash, &self.merkle_root, &self.reserved, &time, &bits, nonce];
        let (mut header, mut at) = ([0; size_of::<Header>()], 0);
        for field in fields {
            header[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        header
    }
}

impl Work<Share> for Job {
    fn id(&self) -> &str {
        &self.id
    }

    /// Neither of the id nor of the time, which miners may set.
    fn key(&self) -> WorkKey {
        WorkKey::of((self.prev_hash, self.merkle_root, self.reserved, self.bits))
    }

    fn parent(&self) -> Option<u64> {
        // The least significant bytes: those that no work has made zeros.
        self.prev_hash.first_chunk().map(|low| u64::from_le_bytes(*low))
    }

    fn time(&self) -> Option<u64> {
        Some(self.time.into())
    }

    fn supersedes(&self, old: &Self) -> bool {
        self.prev_hash != old.prev_hash
    }

    /// A later notify of the same work has a later time, and servers refuse times before it.
    fn serves(&self, share: &Share) -> bool {
        share.time >= self.time
    }

    fn is_complete(&self) -> bool {
        true
    }
}
