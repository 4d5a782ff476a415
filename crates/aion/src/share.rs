//! Submits: reading them, and judging what they claim.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use orepass_equihash::Scratch;
use orepass_stratum::dialect::{Fingerprint, Fingerprinted, SubmitHead};
use orepass_stratum::error::{Reject, shown};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Hex, Params, Quoted};
use orepass_stratum::target::{PowHash, Target};
pub use orepass_stratum::verdict::Judged;
use serde_json::value::RawValue;

use crate::field::{Field, decode};
use crate::job::Job;
use crate::pow;

/// The bytes of a nonce: extranonce1 and extranonce2 together.
pub const NONCE_SIZE: usize = 32;
/// The bytes of a solution, 1408: 512 indices of 22 bits.
pub const SOLUTION_SIZE: usize = pow::EQUIHASH.params().solution_len();
/// What most miners and servers put before a solution: its length as a compact size, in hex. It
/// is not hashed.
pub const SOLUTION_PREFIX: &str = "fd8005";

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
    /// Reads the parameters of a `mining.submit`: `[worker, job id, ntime, extranonce2,
    /// solution]`. The first two are read by [`submit_head`].
    ///
    /// The time has 16 hex digits, most significant first; but since nobody looks at it, any value
    /// is let pass. The solution has 2816, or 2822 of which the first six are
    /// [`SOLUTION_PREFIX`]. Hex may be in either case.
    ///
    /// ```
    /// use orepass_aion::share::Share;
    /// use orepass_stratum::rpc::Params;
    /// use serde_json::value::RawValue;
    ///
    /// let solution = "00".repeat(1408);
    /// let params = format!(r#"["w","1","000000006b00b3a4","0100000000000000","{solution}"]"#);
    /// let params = RawValue::from_string(params)?;
    /// let share = Share::parse(8, &Params::read(&params)?)?;
    /// assert_eq!((share.time, share.extranonce2.as_bytes()[0]), (0x6b00_b3a4, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Reject`] of code 20 that names the field and its value; an extranonce2 that is not
    /// `extranonce2_size` bytes long is [`Reject::wrong_size`].
    pub fn parse(extranonce2_size: usize, params: &Params<'_>) -> Result<Self, Reject> {
        let &[_, _, time, extranonce2, solution] = params.elements() else {
            return Err(arity(params.count()));
        };
        Ok(Self {
            time: read_time(time),
            extranonce2: read_extranonce2(extranonce2, extranonce2_size)?,
            solution: read_solution(solution)?,
        })
    }

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
        let solution = format_args!("{}…", Hex(&self.solution[..SHOWN]));
        f.debug_struct("Share")
            .field("extranonce2", &self.extranonce2)
            .field("time", &self.time)
            .field("solution", &solution)
            .finish()
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

/// Displays as the parameters of a `mining.submit` to the pool; extranonce2 is `prefix` and then
/// the share's own. Servers of the node's own family take the solution only `with_prefix`.
pub fn submit<'a>(
    worker: &'a str,
    job: &'a Job,
    prefix: &'a [u8],
    share: &'a Share,
    with_prefix: bool,
) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        let Share { extranonce2, time, solution } = share;
        write!(f, "[{},{}", Quoted(worker), Quoted(&job.id))?;
        write!(f, ",\"{time:016x}\",\"{}{extranonce2}\"", Hex(prefix))?;
        let compact_size = if with_prefix { SOLUTION_PREFIX } else { "" };
        write!(f, ",\"{compact_size}{}\"]", Hex(solution))
    })
}

fn arity(found: usize) -> Reject {
    Reject::invalid(format!(
        "mining.submit has {found} parameters, expected worker, job id, ntime, extranonce2, \
         solution"
    ))
}

/// A text is hex, a bare number is decimal; zero is what nobody can read.
fn read_time(value: &RawValue) -> u64 {
    let hex = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
    };
    match rpc::string(value) {
        Some(text) => hex(text.strip_prefix("0x").unwrap_or(&text)),
        None => rpc::whole(value),
    }
    .unwrap_or_default()
}

fn read_extranonce2(value: &RawValue, told: usize) -> Result<Extranonce, Reject> {
    let field = Field::new("extranonce2", value);
    let text = field.text()?;
    if text.len() % 2 != 0 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(field.wrong("an even number of hex digits").into());
    }
    let size = text.len() / 2;
    if size != told {
        return Err(Reject::wrong_size(size, told, &text));
    }
    text.parse().map_err(|_| field.wrong("no longer than the nonce's 32 bytes").into())
}

fn read_solution(value: &RawValue) -> Result<[u8; SOLUTION_SIZE], Reject> {
    const BARE: usize = 2 * SOLUTION_SIZE;
    let field = Field::new("solution", value);
    let text = field.text()?;
    let digits = match text.len().checked_sub(BARE).and_then(|at| text.split_at_checked(at)) {
        Some(("", digits)) => digits,
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case(SOLUTION_PREFIX) => digits,
        _ => {
            return Err(Reject::invalid(format!(
                "solution is {} digits (\"{}\"), expected {BARE}, or {} that begin with \
                 {SOLUTION_PREFIX}",
                text.len(),
                shown(&text),
                BARE + SOLUTION_PREFIX.len()
            )));
        }
    };
    let mut solution = [0; SOLUTION_SIZE];
    decode(digits, &mut solution).ok_or_else(|| field.wrong("hex digits"))?;
    Ok(solution)
}
