//! Shares, and judging what they claim.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use orepass_stratum::dialect::{Fingerprint, Fingerprinted};
use orepass_stratum::error::Reject;
use orepass_stratum::target::{PowHash, Target};
pub use orepass_stratum::verdict::Judged;

use crate::coinbase::Coinbase;
use crate::header::{EXTRA_NONCE_SIZE, SeedHeader};
use crate::job::Job;
use crate::pow;

/// How far a share's time may run ahead of the job's, beyond the job's age. Servers let it be
/// 7,200 s ahead of their clock; the rest is for the way there.
pub const MAX_TIME_AHEAD: Duration = Duration::from_secs(7_000);

/// What a miner found, decoded. Of fixed size; nothing in it is on the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    extranonce2: [u8; EXTRA_NONCE_SIZE],
    extranonce2_size: u8,
    /// Unix seconds.
    pub time: u32,
    /// Of the job's generation.
    pub nonce: Nonce,
    /// The sixth parameter of a deployed job's submit, which some firmware sends and servers
    /// ignore; kept where it is 64 hex digits.
    pub mask: Option<[u8; 32]>,
}

/// A nonce of either generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nonce {
    /// A number; on the wire 8 hex digits, most significant first.
    Deployed(u32),
    /// 32 bytes in the order in which they are hashed.
    Seed([u8; 32]),
}

impl Share {
    /// A share without a mask; `None` when extranonce2 is longer than 24 bytes.
    #[must_use]
    pub fn new(extranonce2: &[u8], time: u32, nonce: Nonce) -> Option<Self> {
        let mut padded = [0; EXTRA_NONCE_SIZE];
        padded.get_mut(..extranonce2.len())?.copy_from_slice(extranonce2);
        Some(Self::of(padded, extranonce2.len() as u8, time, nonce))
    }

    /// The same of an extranonce2 that is filled up with zeros behind its `size`.
    pub(crate) const fn of(
        extranonce2: [u8; EXTRA_NONCE_SIZE],
        size: u8,
        time: u32,
        nonce: Nonce,
    ) -> Self {
        Self { extranonce2, extranonce2_size: size, time, nonce, mask: None }
    }

    /// The extranonce2 that the miner chose.
    #[must_use]
    pub fn extranonce2(&self) -> &[u8] {
        // The size is never more than the array's.
        self.extranonce2.get(..usize::from(self.extranonce2_size)).unwrap_or_default()
    }
}

impl Fingerprinted for Share {
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        // What is hashed is filled up with zeros, so they make no difference.
        let extranonce2 = self.extranonce2();
        let len = extranonce2.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        (&extranonce2[..len], self.time, self.nonce).hash(&mut hasher);
        Fingerprint { share: hasher.finish(), nonce: None }
    }
}

/// Computes a share's hash and compares it: it must be at or below `target`. `extranonce1` is the
/// one that the miner was told; the share's time is not looked at, see [`check_time`]. Under a
/// mask that only the pool knows it cannot be told whether the share is a block.
///
/// ```
/// # use orepass_hstratum::job::{DeployedJob, DeployedParts, PoolJobId};
/// # use orepass_hstratum::share::{self, Nonce, Share};
/// # use orepass_stratum::target::Target;
/// # let parts = DeployedParts {
/// #     id: PoolJobId::from("7")?,
/// #     prev_block: [0; 32],
/// #     merkle_root: [0; 32],
/// #     witness_root: [0; 32],
/// #     tree_root: [0; 32],
/// #     reserved_root: [0; 32],
/// #     version: 0,
/// #     bits: 0x1a06_e782,
/// #     time: 0x5e49_aa25,
/// #     mask_hash: None,
/// # };
/// # let job = DeployedJob::new(parts)?.into();
/// let found = Share::new(&[0, 0, 0, 1], 0x5e49_aa25, Nonce::Deployed(7)).unwrap();
/// let judged = share::judge(&job, &[2, 0xc0, 0x5b, 0xfd], &found, &Target::MAX)?;
/// assert!(judged.meets_target && judged.block == Some(false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A [`Reject`] when no header can be built: the extranonce does not fit, the nonce is of the
/// other generation, or the job is [`Uncheckable`](crate::job::Uncheckable).
pub fn judge(
    job: &Job,
    extranonce1: &[u8],
    share: &Share,
    target: &Target,
) -> Result<Judged, Reject> {
    let hash = hash(job, extranonce1, share)?;
    let meets_target = hash.at_or_below(target);
    let block = job.block_target().map(|target| hash.at_or_below(&target));
    Ok(Judged { hash, meets_target, block })
}

/// The hash that a share claims is low.
///
/// # Errors
/// As of [`judge`].
pub fn hash(job: &Job, extranonce1: &[u8], share: &Share) -> Result<PowHash, Reject> {
    check_size(job, extranonce1, share)?;
    job.checkable().map_err(|why| Reject::invalid(why.to_string()))?;
    let time = share.time.into();
    let hash = match (job, &share.nonce) {
        (Job::Deployed(job), Nonce::Deployed(nonce)) => job
            .header(extranonce1, share.extranonce2(), time, *nonce)
            .map(|header| pow::share_hash(&header.to_bytes(), job.mask_hash())),
        (Job::Seed(job), Nonce::Seed(nonce)) => job
            .header(extranonce1, share.extranonce2(), time)
            .map(|header| pow::seed_hash(&header.prehead(), nonce)),
        _ => return Err(Reject::invalid("the nonce is of another generation than the job")),
    };
    hash.ok_or_else(|| Reject::invalid("no header can be built"))
}

/// The header that a share's hash is made of: 236 bytes with the mask left at zero, or 240 bytes
/// for a seed-generation job. `None` where it cannot be built.
#[must_use]
pub fn header(job: &Job, extranonce1: &[u8], share: &Share) -> Option<Vec<u8>> {
    let (extranonce2, time) = (share.extranonce2(), share.time.into());
    match (job, &share.nonce) {
        (Job::Deployed(job), Nonce::Deployed(nonce)) => job
            .header(extranonce1, extranonce2, time, *nonce)
            .map(|header| header.to_bytes().to_vec()),
        (Job::Seed(job), Nonce::Seed(nonce)) => job
            .header(extranonce1, extranonce2, time)
            .map(|header: SeedHeader| header.to_bytes(nonce).to_vec()),
        _ => None,
    }
}

/// Whether the extranonce has the length that its place needs.
///
/// # Errors
/// A [`Reject`] with the lengths.
pub fn check_size(job: &Job, extranonce1: &[u8], share: &Share) -> Result<(), Reject> {
    let (one, two) = (extranonce1.len(), share.extranonce2().len());
    match job {
        Job::Deployed(_) if one + two > EXTRA_NONCE_SIZE => Err(Reject::invalid(format!(
            "extranonce1 of {one} and extranonce2 of {two} bytes exceed the header's \
             {EXTRA_NONCE_SIZE}"
        ))),
        Job::Seed(_) if one + two != Coinbase::EXTRANONCE => Err(Reject::invalid(format!(
            "extranonce1 of {one} and extranonce2 of {two} bytes do not fill the coinbase's {}",
            Coinbase::EXTRANONCE
        ))),
        Job::Deployed(_) | Job::Seed(_) => Ok(()),
    }
}

/// Whether a share's time is one that servers take: not before the job's, and not more than the
/// job's age and [`MAX_TIME_AHEAD`] after it. No clock is asked, since a host's may be wrong while
/// its jobs are right.
///
/// # Errors
/// A [`Reject`] of code 20 with the share's time and the bound.
pub fn check_time(job: &Job, share: &Share, job_age: Duration) -> Result<(), Reject> {
    let (time, earliest) = (u64::from(share.time), job.time());
    let latest = earliest.saturating_add(job_age.saturating_add(MAX_TIME_AHEAD).as_secs());
    if time < earliest {
        return Err(Reject::invalid(format!(
            "time too old: ntime is {time:08x}, the job's time is {earliest:08x}"
        )));
    }
    if time > latest {
        return Err(Reject::invalid(format!(
            "time too new: ntime is {time:08x}, the latest for this job is {latest:08x}"
        )));
    }
    Ok(())
}
