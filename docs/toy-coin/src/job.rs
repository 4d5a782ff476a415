//! What a job is, and a share of it: plain types and functions, which know no stratum.

use std::hash::{DefaultHasher, Hash, Hasher};

use orepass_stratum::dialect::{Fingerprint, Fingerprinted, Work, WorkKey};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{PowHash, Scale, Target};

/// The bits of the version that miners may ever roll.
pub const ROLLABLE: u32 = 0x1fff_e000;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The pool's name for it.
    pub id: String,
    /// What the block builds on.
    pub parent: u64,
    /// What the block contains.
    pub root: u64,
    /// The block's version, of which miners may roll some bits.
    pub version: u32,
    /// What makes a share a block.
    pub block: Target,
}

/// A share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The rig's own part of the extranonce.
    pub extranonce2: Extranonce,
    /// What it counted.
    pub nonce: u32,
    /// The version that it hashed.
    pub version: u32,
    /// The bits of it that the pool lets its miners roll.
    pub mask: u32,
}

impl Job {
    /// The hash of a share, which is a toy and proves nothing. The extranonce is the whole of it, in
    /// whatever parts.
    #[must_use]
    pub fn hash(&self, version: u32, extranonce: [&[u8]; 2], nonce: u32) -> PowHash {
        let mut hash = [0; 32];
        for (place, part) in hash.chunks_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (place, self.parent, self.root, version, nonce).hash(&mut hasher);
            extranonce.iter().copied().flatten().for_each(|byte| byte.hash(&mut hasher));
            part.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        PowHash::from_be_bytes(hash)
    }
}

/// Difficulty d is the target 2²⁵⁶ / d.
#[must_use]
pub fn scale() -> Scale {
    Scale::from_power_of_two(256)
}

impl Work<Share> for Job {
    fn id(&self) -> &str {
        &self.id
    }

    fn key(&self) -> WorkKey {
        WorkKey::of((self.parent, self.root, self.version))
    }

    fn parent(&self) -> Option<u64> {
        Some(self.parent)
    }

    fn time(&self) -> Option<u64> {
        None
    }

    fn supersedes(&self, old: &Self) -> bool {
        self.parent != old.parent
    }

    fn serves(&self, _: &Share) -> bool {
        true
    }

    fn is_complete(&self) -> bool {
        true
    }
}

impl Fingerprinted for Share {
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        (self.extranonce2.as_bytes(), self.nonce, self.version).hash(&mut hasher);
        Fingerprint { share: hasher.finish(), nonce: None }
    }
}
