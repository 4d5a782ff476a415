//! The jobs of mainnet.

use orepass_stratum::dialect::WorkKey;
use orepass_stratum::error::ParseError;

use super::{PoolJobId, check_bits};
use crate::header::{Header, extra_nonce};
use crate::pow;

/// A job whose extranonce is a header field: everything else of the header is given, and miners
/// have no coinbase and no tree to deal with.
///
/// ```
/// use orepass_hstratum::job::{DeployedJob, DeployedParts, PoolJobId};
///
/// let parts = DeployedParts {
///     id: PoolJobId::from("7")?,
///     prev_block: [1; 32],
///     merkle_root: [2; 32],
///     witness_root: [3; 32],
///     tree_root: [4; 32],
///     reserved_root: [0; 32],
///     version: 0,
///     bits: 0x1a06_e782,
///     time: 0x5e49_aa25,
///     mask_hash: None,
/// };
/// let job = DeployedJob::new(parts)?;
/// assert!(job.mask_is_zero());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedJob {
    parts: DeployedParts,
    /// Of `parts.prev_block`.
    zero_mask_hash: [u8; 32],
}

/// What a [`DeployedJob`] is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DeployedParts {
    pub id: PoolJobId,
    pub prev_block: [u8; 32],
    pub merkle_root: [u8; 32],
    pub witness_root: [u8; 32],
    pub tree_root: [u8; 32],
    pub reserved_root: [u8; 32],
    pub version: u32,
    /// The block target's compact form.
    pub bits: u32,
    /// Unix seconds.
    pub time: u64,
    /// The hash of the mask as the pool sent it, which rigs are told too; absent for a mask of
    /// zeros.
    pub mask_hash: Option<[u8; 32]>,
}

impl DeployedJob {
    /// A job of these parts.
    ///
    /// # Errors
    /// When no target has these bits.
    pub fn new(parts: DeployedParts) -> Result<Self, ParseError> {
        check_bits(parts.bits)?;
        Ok(Self { zero_mask_hash: pow::mask_hash(&parts.prev_block, &[0; 32]), parts })
    }

    /// The same work under another id.
    #[must_use]
    pub const fn with_id(mut self, id: PoolJobId) -> Self {
        self.parts.id = id;
        self
    }

    /// The same work from another time on, in Unix seconds.
    #[must_use]
    pub const fn with_time(mut self, time: u64) -> Self {
        self.parts.time = time;
        self
    }

    /// What it is made of.
    #[must_use]
    pub const fn parts(&self) -> &DeployedParts {
        &self.parts
    }

    /// What it is made of, to make another one of it.
    #[must_use]
    pub const fn into_parts(self) -> DeployedParts {
        self.parts
    }

    /// The hash of the mask that shares are under; without one the pool means a mask of zeros.
    #[must_use]
    pub const fn mask_hash(&self) -> &[u8; 32] {
        match &self.parts.mask_hash {
            Some(sent) => sent,
            None => &self.zero_mask_hash,
        }
    }

    /// Whether the mask is known to be zero, so that a share's hash is the block's.
    #[must_use]
    pub fn mask_is_zero(&self) -> bool {
        *self.mask_hash() == self.zero_mask_hash
    }

    /// The header with this extranonce, time and nonce, its mask left at zero; `None` when the
    /// extranonce is longer than 24 bytes.
    #[must_use]
    pub fn header(
        &self,
        extranonce1: &[u8],
        extranonce2: &[u8],
        time: u64,
        nonce: u32,
    ) -> Option<Header> {
        let parts = &self.parts;
        Some(Header {
            nonce,
            time,
            prev_block: parts.prev_block,
            tree_root: parts.tree_root,
            extra_nonce: extra_nonce(extranonce1, extranonce2)?,
            reserved_root: parts.reserved_root,
            witness_root: parts.witness_root,
            merkle_root: parts.merkle_root,
            version: parts.version,
            bits: parts.bits,
            mask: [0; 32],
        })
    }

    pub(super) fn work_key(&self) -> WorkKey {
        let parts = &self.parts;
        WorkKey::of((
            [parts.prev_block, parts.merkle_root, parts.witness_root, parts.tree_root],
            [parts.reserved_root, *self.mask_hash()],
            [parts.version, parts.bits],
        ))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn parts(prev_block: u8) -> DeployedParts {
        DeployedParts {
            id: PoolJobId::from("7").unwrap(),
            prev_block: [prev_block; 32],
            merkle_root: [2; 32],
            witness_root: [3; 32],
            tree_root: [4; 32],
            reserved_root: [5; 32],
            version: 6,
            bits: 0x1a06_e782,
            time: 0x5e49_aa25,
            mask_hash: None,
        }
    }

    #[test]
    fn a_job_of_other_parts_has_another_mask_hash() {
        let job = DeployedJob::new(parts(1)).unwrap();
        let other = DeployedJob::new(DeployedParts { prev_block: [9; 32], ..job.parts().clone() });
        let other = other.unwrap();
        assert_eq!(*other.mask_hash(), pow::mask_hash(&[9; 32], &[0; 32]));
        assert!(other.mask_is_zero());
        // The mask that the former block had is none of zeros for this one.
        let stale = DeployedParts { mask_hash: Some(*job.mask_hash()), ..other.into_parts() };
        assert!(!DeployedJob::new(stale).unwrap().mask_is_zero());
    }

    #[test]
    fn neither_id_nor_time_make_other_work() {
        for mask_hash in [None, Some([7; 32])] {
            let job = DeployedJob::new(DeployedParts { mask_hash, ..parts(1) }).unwrap();
            let later = job.clone().with_time(0x5e49_aa26).with_id(PoolJobId::from("8").unwrap());
            assert_eq!(later.work_key(), job.work_key());
            assert_eq!((later.parts().time, &*later.parts().id), (0x5e49_aa26, "8"));
        }
    }

    #[test]
    fn bits_that_are_no_target_make_no_job() {
        let error = DeployedJob::new(DeployedParts { bits: 0x1d80_ffff, ..parts(1) }).unwrap_err();
        assert_eq!(error.to_string(), "bits is \"1d80ffff\", expected a compact target");
    }
}
