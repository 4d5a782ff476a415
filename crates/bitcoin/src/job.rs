//! Jobs, whatever wire they came by.

use std::hash::{DefaultHasher, Hash, Hasher};

use arrayvec::ArrayString;
use orepass_stratum::dialect::{Work, WorkKey};
use orepass_stratum::error::ParseError;
use orepass_stratum::target::Target;

use crate::coinbase::{Coinbase, TransactionError};
use crate::merkle;
use crate::sha256d::Midstate;
use crate::share::Share;
use crate::terms::CoinbaseRoom;

/// The longest job id of a pool, in bytes.
pub const MAX_JOB_ID: usize = 64;

/// A pool's name for a job: an opaque string, given back as it came.
pub type PoolJobId = ArrayString<MAX_JOB_ID>;

/// The size of a block's header in bytes.
pub const HEADER_SIZE: usize = 80;

/// A pool's job: the coinbase around the extranonce, the branches above it, and the rest of the header.
///
/// What of the coinbase stands before the extranonce is hashed once, as far as it fills blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    parts: JobParts,
    /// How many zeros the pool gets behind each extranonce2.
    padding: usize,
    begun: Midstate,
    coinbase: Option<Result<Coinbase, TransactionError>>,
}

/// What a [`Job`] is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobParts {
    /// The pool's name for it.
    pub id: PoolJobId,
    /// The hash of the block that it builds on, in the header's order.
    pub prev_block: [u8; 32],
    /// The coinbase before the extranonce.
    pub coinbase1: Box<[u8]>,
    /// The coinbase after the extranonce.
    pub coinbase2: Box<[u8]>,
    /// The siblings of the coinbase's txid on the way up to the merkle root, in the order of hashing.
    pub branches: Box<[[u8; 32]]>,
    /// The block's version, of which miners may roll some bits.
    pub version: u32,
    /// The block target's compact form.
    pub bits: u32,
    /// Unix seconds.
    pub time: u32,
    /// The pool takes no more shares of earlier jobs.
    pub clean: bool,
}

impl Job {
    /// A job of these parts, for coinbases that have this room for the extranonce. Where it is not
    /// known the coinbase cannot be decoded; shares can be checked all the same.
    ///
    /// Of an extranonce2 that is longer than [rigs can use](crate::terms::MAX_USED) the rest is zeros,
    /// and counts as the beginning of what follows: its parts have it in front of `coinbase2`.
    ///
    /// # Errors
    /// When no target has these bits.
    pub fn new(mut parts: JobParts, room: Option<CoinbaseRoom>) -> Result<Self, ParseError> {
        let wrong =
            || ParseError::field("nbits", "a compact target", &format!("\"{:08x}\"", parts.bits));
        Target::from_compact(parts.bits).ok_or_else(wrong)?;
        let coinbase = room.map(|room| {
            let extranonce =
                vec![0; room.extranonce1.saturating_add(room.extranonce2).min(MAX_GAP)];
            Coinbase::parse(&[&parts.coinbase1[..], &extranonce, &parts.coinbase2].concat())
        });
        let padding = room.map_or(0, CoinbaseRoom::padding).min(MAX_GAP);
        if padding > 0 {
            parts.coinbase2 = [&vec![0; padding][..], &parts.coinbase2].concat().into();
        }
        Ok(Self { padding, begun: Midstate::of(&parts.coinbase1), coinbase, parts })
    }

    /// What it is made of.
    #[must_use]
    pub const fn parts(&self) -> &JobParts {
        &self.parts
    }

    /// How many zeros the pool gets behind each extranonce2, in bytes.
    #[must_use]
    pub const fn padding(&self) -> usize {
        self.padding
    }

    /// Whom its block would pay; `None` where the room for the extranonce is not known.
    #[must_use]
    pub fn coinbase(&self) -> Option<Result<&Coinbase, &TransactionError>> {
        self.coinbase.as_ref().map(Result::as_ref)
    }

    /// The target that a share's hash must meet to be a block.
    #[must_use]
    pub fn block_target(&self) -> Option<Target> {
        Target::from_compact(self.parts.bits)
    }

    /// The header with this extranonce, version, time and nonce.
    #[must_use]
    pub fn header(
        &self,
        extranonce1: &[u8],
        extranonce2: &[u8],
        rolled: &RolledFields,
    ) -> [u8; HEADER_SIZE] {
        let JobParts { prev_block, coinbase2, branches, bits, .. } = &self.parts;
        let RolledFields { version, time, nonce } = rolled;
        let txid = self.begun.sha256d(&[extranonce1, extranonce2, coinbase2]);
        let root = merkle::root_from_branches(&txid, branches);
        let mut header = [0; HEADER_SIZE];
        header[..4].copy_from_slice(&version.to_le_bytes());
        header[4..36].copy_from_slice(prev_block);
        header[36..68].copy_from_slice(&root);
        header[68..72].copy_from_slice(&time.to_le_bytes());
        header[72..76].copy_from_slice(&bits.to_le_bytes());
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        header
    }
}

/// More room for the extranonce than this, in bytes, no coinbase has: its script is 100 bytes at most.
const MAX_GAP: usize = 100;

/// What miners vary of a header beside its merkle root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RolledFields {
    /// The whole version.
    pub version: u32,
    /// Unix seconds.
    pub time: u32,
    /// What is counted.
    pub nonce: u32,
}

impl Work<Share> for Job {
    fn id(&self) -> &str {
        &self.parts.id
    }

    /// Neither of the id nor of the time, which miners may set.
    fn key(&self) -> WorkKey {
        let JobParts { prev_block, coinbase1, coinbase2, branches, version, bits, .. } =
            &self.parts;
        WorkKey::of((prev_block, coinbase1, coinbase2, branches, version, bits))
    }

    fn parent(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        self.parts.prev_block.hash(&mut hasher);
        Some(hasher.finish())
    }

    fn time(&self) -> Option<u64> {
        Some(self.parts.time.into())
    }

    /// It builds on another block, or the pool says so.
    fn supersedes(&self, old: &Self) -> bool {
        self.parts.clean || self.parts.prev_block != old.parts.prev_block
    }

    /// A later notify of the same work has a later time, and pools refuse times before it.
    fn serves(&self, share: &Share) -> bool {
        share.time >= self.parts.time
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn remark(&self) -> Option<String> {
        let error = self.coinbase.as_ref()?.as_ref().err()?;
        Some(format!(
            "their coinbase cannot be decoded, so nobody sees whom they pay ({error}); shares of them are \
             checked and forwarded all the same"
        ))
    }
}
