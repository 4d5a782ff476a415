//! Shares, and judging what they claim.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use orepass_equihash::Scratch;
use orepass_stratum::dialect::{Fingerprint, Fingerprinted};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{PowHash, Target};
pub use orepass_stratum::verdict::Judged;

use crate::job::Job;
use crate::pow;

/// The bytes of a nonce: extranonce1 and extranonce2 together.
pub const NONCE_SIZE: usize = 32;
/// The bytes of a solution, 1408: 512 indices of 22 bits.
pub const SOLUTION_SIZE: usize = pow::EQUIHASH.params().solution_len();

/// What a miner found, decoded. Of fixed size; nothing in it is on the heap.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    /// The miner's part of the nonce, in hashing order.
    pub extranonce2: Extranonce,
    /// Unix seconds; 0 where the miner sent nothing that says them. No server looks at it and
    /// nothing hashes it.
    pub time: u64,
    /// The minimal encoding, without its compact size.
    pub solution: [u8; SOLUTION_SIZE],
}

impl Share {
    /// The 32 bytes that are hashed: extranonce1, then extranonce2, nothing swapped.
    ///
    /// # Errors
    /// A [`Reject`] with the lengths when the two are not 32 bytes together.
    pub fn nonce(&self, extranonce1: &[u8]) -> Result<[u8; NONCE_SIZE], Reject> {
        let own = self.extranonce2.as_bytes();
        let mut nonce = [0; NONCE_SIZE];
        match nonce.split_at_mut_checked(extranonce1.len()) {
            Some((head, tail)) if tail.len() == own.len() => {
                head.copy_from_slice(extranonce1);
                tail.copy_from_slice(own);
                Ok(nonce)
            }
            _ => Err(Reject::invalid(format!(
                "extranonce1 of {} and extranonce2 of {} bytes do not fill the nonce's \
                 {NONCE_SIZE}",
                extranonce1.len(),
                own.len()
            ))),
        }
    }
}

impl Fingerprinted for Share {
    /// A nonce has two solutions on average; each is a proof of its own, but servers tell shares
    /// apart by their nonces.
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.extranonce2.as_bytes().hash(&mut hasher);
        let nonce = hasher.finish();
        hasher.write(&self.solution);
        Fingerprint { share: hasher.finish(), nonce: Some(nonce) }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let solution = format_args!("{}…", const_hex::encode(&self.solution[..SHOWN]));
        f.debug_struct("Share")
            .field("extranonce2", &self.extranonce2)
            .field("time", &self.time)
            .field("solution", &solution)
            .finish()
    }
}

/// Computes a share's hash and compares it: it must be strictly below `target`, and the solution
/// must be one. `extranonce1` is the one that the miner was told.
///
/// The hash is looked at first, since it costs a small part of what the solution costs; where it
/// misses the target, the solution is not looked at, and whether the share is a block is told only
/// where it is none. A block is a hash below the job's target, which is the network's with every
/// known server.
///
/// ```
/// use orepass_aion::{job::Job, share::{self, Judged, Share}};
/// use orepass_equihash::Scratch;
/// use orepass_stratum::error::Reject;
///
/// fn judge(job: &Job, share: &Share, scratch: &mut Scratch) -> Result<Judged, Reject> {
///     share::judge(job, &[0x40, 0, 0, 1], share, &job.target, scratch)
/// }
/// ```
///
/// # Errors
/// A [`Reject`] of code 20 when the solution breaks a rule, naming it, or when the nonce is not 32
/// bytes long.
pub fn judge(
    job: &Job,
    extranonce1: &[u8],
    share: &Share,
    target: &Target,
    scratch: &mut Scratch,
) -> Result<Judged, Reject> {
    let nonce = share.nonce(extranonce1)?;
    let hash = pow::share_hash(&job.header_hash, &nonce, &share.solution);
    let (meets_target, below_jobs) = (hash.below(target), hash.below(&job.target));
    if !meets_target {
        let block = if below_jobs { None } else { Some(false) };
        return Ok(Judged { hash, meets_target, block });
    }
    pow::EQUIHASH
        .verify(&job.header_hash, &nonce, &share.solution, scratch)
        .map_err(|error| Reject::invalid(format!("invalid solution: {error}")))?;
    Ok(Judged { hash, meets_target, block: Some(below_jobs) })
}

/// The header hash and the nonce, 64 bytes: what the solution solves, and what is hashed before it.
/// `None` when the nonce is not 32 bytes long.
#[must_use]
pub fn header(job: &Job, extranonce1: &[u8], share: &Share) -> Option<Vec<u8>> {
    let nonce = share.nonce(extranonce1).ok()?;
    Some([job.header_hash, nonce].concat())
}

/// The hash that is compared with targets. It says nothing about whether the solution is one.
///
/// # Errors
/// A [`Reject`] when the nonce is not 32 bytes long.
pub fn hash(job: &Job, extranonce1: &[u8], share: &Share) -> Result<PowHash, Reject> {
    let nonce = share.nonce(extranonce1)?;
    Ok(pow::share_hash(&job.header_hash, &nonce, &share.solution))
}
