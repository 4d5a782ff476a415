//! Shares, and judging what they claim.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use orepass_equihash::Scratch;
use orepass_stratum::dialect::{Fingerprint, Fingerprinted};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::Target;
pub use orepass_stratum::verdict::Judged;

use crate::job::Job;
use crate::pow::{self, Header, SOLUTION_SIZE};

/// The bytes of a nonce: extranonce1 and extranonce2 together.
pub const NONCE_SIZE: usize = 32;
/// How far a share's time may run ahead of the job's, beyond the job's age. Servers let it be 7,200 s
/// ahead of their clock; the rest is for the way there.
pub const MAX_TIME_AHEAD: Duration = Duration::from_secs(7_000);

/// What a miner found, decoded. Of fixed size; nothing in it is on the heap.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    /// The miner's part of the nonce, in hashing order.
    pub extranonce2: Extranonce,
    /// Unix seconds.
    pub time: u32,
    /// The minimal encoding, without its compact size.
    pub solution: [u8; SOLUTION_SIZE],
}

impl Share {
    /// The 32 bytes that are hashed: extranonce1, then extranonce2, nothing swapped.
    ///
    /// # Errors
    /// A [`Reject`] with the lengths when the two are not 32 bytes together.
    pub fn nonce(&self, extranonce1: &Extranonce) -> Result<[u8; NONCE_SIZE], Reject> {
        let nonce = extranonce1.join(self.extranonce2.as_bytes()).ok();
        nonce.and_then(|nonce| nonce.as_bytes().try_into().ok()).ok_or_else(|| {
            let (one, two) = (extranonce1.len(), self.extranonce2.len());
            Reject::invalid(format!(
                "extranonce1 of {one} and extranonce2 of {two} bytes do not fill the nonce's \
                 {NONCE_SIZE}"
            ))
        })
    }

    /// The header that it claims to solve.
    ///
    /// # Errors
    /// As of [`nonce`](Self::nonce).
    pub fn header(&self, job: &Job, extranonce1: &Extranonce) -> Result<Header, Reject> {
        Ok(job.header(self.time, &self.nonce(extranonce1)?))
    }
}

impl Fingerprinted for Share {
    /// A nonce has two solutions on average, and each is a proof of its own.
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        (self.extranonce2.as_bytes(), self.time, self.solution).hash(&mut hasher);
        Fingerprint { share: hasher.finish(), nonce: None }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let solution = const_hex::encode(&self.solution[..8]);
        write!(f, "Share({}, {:08x}, {solution}…)", self.extranonce2, self.time)
    }
}

/// Whether a share's time is one that servers take: not before the job's, and not more than the
/// job's age and [`MAX_TIME_AHEAD`] after it. No clock is asked, since a host's may be wrong while
/// its jobs are right.
///
/// # Errors
/// A [`Reject`] of code 20 with both times, in Unix seconds.
pub fn check_time(job: &Job, share: &Share, job_age: Duration) -> Result<(), Reject> {
    let (time, earliest) = (u64::from(share.time), u64::from(job.time));
    let latest = earliest.saturating_add(job_age.saturating_add(MAX_TIME_AHEAD).as_secs());
    let (word, bound) = match time {
        _ if time < earliest => ("old: the job's", earliest),
        _ if time > latest => ("new: the latest for this job", latest),
        _ => return Ok(()),
    };
    Err(Reject::invalid(format!("time too {word} is {bound}, the share's is {time}")))
}

/// Computes a share's hash and compares it: it must be at or below `target`, and the solution must be
/// one. `extranonce1` is the one that the miner was told; the time is not looked at, see
/// [`check_time`].
///
/// The hash is looked at first, since it costs less than the solution; where it misses the target, the
/// solution is not looked at, and whether the share is a block is told only where it is none.
///
/// # Errors
/// A [`Reject`] of code 20 when the solution breaks a rule, naming it, or when the nonce is not 32
/// bytes long.
pub fn judge(
    job: &Job,
    extranonce1: &Extranonce,
    share: &Share,
    target: &Target,
    scratch: &mut Scratch,
) -> Result<Judged, Reject> {
    let header = share.header(job, extranonce1)?;
    let hash = pow::share_hash(&header, &share.solution);
    let meets_target = hash.at_or_below(target);
    let is_block = Target::from_compact(job.bits).is_some_and(|bits| hash.at_or_below(&bits));
    if !meets_target {
        return Ok(Judged { hash, meets_target, block: (!is_block).then_some(false) });
    }
    pow::EQUIHASH
        .verify(&header, &[], &share.solution, scratch)
        .map_err(|error| Reject::invalid(format!("invalid solution: {error}")))?;
    Ok(Judged { hash, meets_target, block: Some(is_block) })
}
