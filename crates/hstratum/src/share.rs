//! Submits: reading them, and judging what they claim.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use orepass_stratum::dialect::{Fingerprint, Fingerprinted, SubmitHead, Work};
use orepass_stratum::error::Reject;
use orepass_stratum::rpc::{self, Hex, Params};
use orepass_stratum::target::{PowHash, Target};
pub use orepass_stratum::verdict::Judged;
use serde_json::value::RawValue;

use crate::coinbase::Coinbase;
use crate::field::{Field, decode};
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
        let extranonce2_size = extranonce2.len() as u8;
        Some(Self { extranonce2: padded, extranonce2_size, time, nonce, mask: None })
    }

    /// Reads the parameters of a `mining.submit` for a job: `[worker, job id, extranonce2, time,
    /// nonce]`. Some firmware sends a mask as the sixth. The first two are read by
    /// [`submit_head`].
    ///
    /// Hex may be in either case. The time may lack leading zeros, or have up to 16 digits with
    /// them, as jobs' times may. The nonce of a deployed job may have 16 digits of which the first
    /// 8 are zeros, as some firmware writes it. A sixth parameter is no reason to refuse a share,
    /// whatever it is.
    ///
    /// ```
    /// # use orepass_hstratum::{job::Job, share::Share};
    /// # use orepass_stratum::rpc::Params;
    /// # use serde_json::value::RawValue;
    /// # let root = "00".repeat(32);
    /// # let notify = format!(
    /// #     r#"["7","{root}","{root}","{root}","{root}","{root}","00000000","1a06e782","5e49aa25"]"#
    /// # );
    /// # let job = Job::parse(&RawValue::from_string(notify)?)?;
    /// let params = r#"["worker","7","aa923a8b","5e49aa25","73a37ddb"]"#;
    /// let params = RawValue::from_string(params.into())?;
    /// let share = Share::parse(&job, 4, &Params::read(&params)?)?;
    /// assert_eq!(share.extranonce2(), [0xaa, 0x92, 0x3a, 0x8b]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Reject`] of code 20 that names the field and its value; an extranonce2 that is not
    /// `extranonce2_size` bytes long is [`Reject::wrong_size`].
    pub fn parse(job: &Job, extranonce2_size: usize, params: &Params<'_>) -> Result<Self, Reject> {
        let count = params.count();
        let &[_, _, extranonce2, time, nonce, ref mask @ ..] = params.elements() else {
            return Err(arity(count));
        };
        let nonce = Field::new("nonce", nonce);
        if count > MAX_FIELDS {
            return Err(arity(count));
        }
        let mask = match (job, mask) {
            (Job::Deployed(_), [mask]) => Field::new("mask", mask).hash().ok(),
            _ => None,
        };
        let nonce = match job {
            Job::Deployed(_) => Nonce::Deployed(deployed_nonce(nonce)?),
            Job::Seed(_) => Nonce::Seed(nonce.hash()?),
        };
        let (padded, size) = read_extranonce2(extranonce2, extranonce2_size)?;
        let time = Field::new("ntime", time).time()?;
        Ok(Self { extranonce2: padded, extranonce2_size: size, time, nonce, mask })
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

/// Reads the worker and the job id of a `mining.submit`.
///
/// # Errors
/// A [`Reject`] that names what is missing or of the wrong type.
pub fn submit_head<'a>(params: &Params<'a>) -> Result<SubmitHead<'a>, Reject> {
    let &[worker, job, ..] = params.elements() else {
        return Err(arity(params.count()));
    };
    Ok(SubmitHead {
        worker: Field::new("worker", worker).text()?,
        job: Field::new("job id", job).text()?,
    })
}

/// Computes a share's hash and compares it: it must be at or below `target`. `extranonce1` is the
/// one that the miner was told; the share's time is not looked at, see [`check_time`]. Under a
/// mask that only the pool knows it cannot be told whether the share is a block.
///
/// ```
/// # use orepass_hstratum::{job::Job, share::{self, Nonce, Share}};
/// # use orepass_stratum::target::Target;
/// # use serde_json::value::RawValue;
/// # let root = "00".repeat(32);
/// # let notify = format!(
/// #     r#"["7","{root}","{root}","{root}","{root}","{root}","00000000","1a06e782","5e49aa25"]"#
/// # );
/// # let job = Job::parse(&RawValue::from_string(notify)?)?;
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

/// The parameters of a submit, the sixth of them ignored by servers.
const MAX_FIELDS: usize = 6;

fn arity(found: usize) -> Reject {
    Reject::invalid(format!(
        "mining.submit has {found} parameters, expected worker, job id, extranonce2, ntime, nonce"
    ))
}

fn deployed_nonce(field: Field<'_>) -> Result<u32, Reject> {
    let expected = "8 hex digits, or 16 that begin with 8 zeros";
    let text = field.text()?;
    let digits = match text.split_at_checked(8) {
        Some((digits, "")) => digits,
        Some(("00000000", digits)) => digits,
        _ => return Err(field.wrong(expected).into()),
    };
    let mut bytes = [0; 4];
    decode(digits, &mut bytes).ok_or_else(|| field.wrong(expected))?;
    Ok(u32::from_be_bytes(bytes))
}

fn read_extranonce2(value: &RawValue, told: usize) -> Result<([u8; EXTRA_NONCE_SIZE], u8), Reject> {
    let field = Field::new("extranonce2", value);
    let text = field.text()?;
    if text.len() % 2 != 0 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(field.wrong("an even number of hex digits").into());
    }
    let size = text.len() / 2;
    if size != told {
        return Err(Reject::wrong_size(size, told, &text));
    }
    let mut bytes = [0; EXTRA_NONCE_SIZE];
    let own = bytes.get_mut(..size).and_then(|own| decode(&text, own));
    own.ok_or_else(|| field.wrong("no longer than the header's 24 bytes"))?;
    Ok((bytes, size as u8))
}

/// Displays as the parameters of a `mining.submit` to the pool; extranonce2 is `prefix` and then
/// the share's own. The nonce has its plain form, and the mask is there when the miner sent it.
///
/// ```
/// # use orepass_hstratum::{job::Job, share::{self, Nonce, Share}};
/// fn line(job: &Job) -> Option<String> {
///     let found = Share::new(&[0, 0, 0, 1], 0x5e49_aa25, Nonce::Deployed(7))?;
///     let params = share::submit("account.rig", job, &[], &found);
///     Some(format!(r#"{{"id":4,"method":"mining.submit","params":{params}}}"#))
/// }
/// ```
pub fn submit<'a>(
    worker: &'a str,
    job: &'a Job,
    prefix: &'a [u8],
    share: &'a Share,
) -> impl std::fmt::Display + 'a {
    std::fmt::from_fn(move |f| {
        write!(f, "[{},{}", rpc::Quoted(worker), rpc::Quoted(job.id()))?;
        write!(f, ",\"{}{}\"", Hex(prefix), Hex(share.extranonce2()))?;
        write!(f, ",\"{:08x}\"", share.time)?;
        match &share.nonce {
            Nonce::Deployed(nonce) => write!(f, ",\"{nonce:08x}\"")?,
            Nonce::Seed(nonce) => write!(f, ",\"{}\"", Hex(nonce))?,
        }
        if let Some(mask) = &share.mask {
            write!(f, ",\"{}\"", Hex(mask))?;
        }
        f.write_str("]")
    })
}
