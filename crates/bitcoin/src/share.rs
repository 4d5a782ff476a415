//! Shares, and judging what they claim.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use orepass_stratum::dialect::{Fingerprint, Fingerprinted};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{PowHash, Target};
pub use orepass_stratum::verdict::Judged;

use crate::job::{HEADER_SIZE, Job, RolledFields};
use crate::sha256d::sha256d;

/// How far a share's time may run ahead of the job's, beyond the job's age. A block may be 7,200 s ahead
/// of the network's time, and pools allow 7,000 s; miners roll it by seconds.
pub const MAX_TIME_AHEAD: Duration = Duration::from_secs(7_000);

/// What a miner found, decoded. Of fixed size; nothing in it is on the heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The rig's own part of the extranonce.
    pub extranonce2: Extranonce,
    /// Unix seconds.
    pub time: u32,
    /// What it counted.
    pub nonce: u32,
    /// The whole version that it hashed.
    pub version: u32,
    /// The bits of it that the pool lets its miners roll, which it takes from the submit.
    pub mask: u32,
}

impl Share {
    /// What of the header it varies.
    #[must_use]
    pub const fn rolled(&self) -> RolledFields {
        RolledFields { version: self.version, time: self.time, nonce: self.nonce }
    }
}

impl Fingerprinted for Share {
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        (self.extranonce2.as_bytes(), self.rolled()).hash(&mut hasher);
        Fingerprint { share: hasher.finish(), nonce: None }
    }
}

/// Computes a share's hash and compares it: it must be at or below `target`. `extranonce1` is the one that
/// the miner was told; the share's time is not looked at, see [`check_time`].
#[must_use]
pub fn judge(job: &Job, extranonce1: &Extranonce, share: &Share, target: &Target) -> Judged {
    let hash = hash(job, extranonce1.as_bytes(), share);
    let meets_target = hash.at_or_below(target);
    let block = job.block_target().map(|target| hash.at_or_below(&target));
    Judged { hash, meets_target, block }
}

/// The hash that a share claims is low.
#[must_use]
pub fn hash(job: &Job, extranonce1: &[u8], share: &Share) -> PowHash {
    of_header(&header(job, extranonce1, share))
}

/// The header that a share's hash is made of.
#[must_use]
pub fn header(job: &Job, extranonce1: &[u8], share: &Share) -> [u8; HEADER_SIZE] {
    job.header(extranonce1, share.extranonce2.as_bytes(), &share.rolled())
}

/// The hash of a header, as a number.
#[must_use]
pub fn of_header(header: &[u8; HEADER_SIZE]) -> PowHash {
    let mut hash = sha256d(header);
    // The first byte is the least significant one.
    hash.reverse();
    PowHash::from_be_bytes(hash)
}

/// Whether a share's time is one that the pool takes for a job that is so old.
///
/// # Errors
/// A [`Reject`] with the times.
pub fn check_time(job: &Job, share: &Share, job_age: Duration) -> Result<(), Reject> {
    let (time, first) = (u64::from(share.time), u64::from(job.parts().time));
    let last = first.saturating_add(job_age.saturating_add(MAX_TIME_AHEAD).as_secs());
    if time < first {
        return Err(Reject::invalid(format!("ntime {time} lies before the job's {first}")));
    }
    if time > last {
        return Err(Reject::invalid(format!(
            "ntime {time} lies too far ahead: {last} is the latest"
        )));
    }
    Ok(())
}
