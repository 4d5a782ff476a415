//! Submits: `[worker, job id, extranonce2, time, nonce]`, from rigs and to the pool.

use std::fmt;

use orepass_stratum::dialect::Work;
use orepass_stratum::error::Reject;
use orepass_stratum::field::{Field, Wrong, decode};
use orepass_stratum::rpc::{Hex, Params, Quoted};
use serde_json::value::RawValue;

use crate::header::EXTRA_NONCE_SIZE;
use crate::job::Job;
use crate::share::{Nonce, Share};

impl Share {
    /// Reads the parameters of a `mining.submit` for a job: `[worker, job id, extranonce2, time,
    /// nonce]`. Some firmware sends a mask as the sixth. The first two are not
    /// looked at.
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
        let time = read_time(Field::new("ntime", time))?;
        let mut share = Self::of(padded, size, time, nonce);
        share.mask = mask;
        Ok(share)
    }
}

/// The parameters of a submit, the sixth of them ignored by servers.
const MAX_FIELDS: usize = 6;

pub(crate) fn arity(found: usize) -> Reject {
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
    let text = field.extranonce2(told)?;
    let mut bytes = [0; EXTRA_NONCE_SIZE];
    let own = bytes.get_mut(..told).and_then(|own| decode(&text, own));
    own.ok_or_else(|| field.wrong("no longer than the header's 24 bytes"))?;
    Ok((bytes, told as u8))
}

/// Unix seconds in up to 16 hex digits, of which only the last 8 are other than zero before
/// the year 2106.
fn read_time(field: Field<'_>) -> Result<u32, Wrong<'_>> {
    let wrong = || field.wrong("up to 8 hex digits, zeros before them aside");
    let time = field.hex_u64().map_err(|_| wrong())?;
    time.try_into().map_err(|_| wrong())
}

/// Displays as the parameters of a `mining.submit` to the pool; extranonce2 is `prefix` and then
/// the share's own. The nonce has its plain form, and the mask is there when the miner sent it.
///
/// ```
/// # use orepass_hstratum::{job::Job, share::{Nonce, Share}, wire::submit};
/// fn line(job: &Job) -> Option<String> {
///     let found = Share::new(&[0, 0, 0, 1], 0x5e49_aa25, Nonce::Deployed(7))?;
///     let params = submit::submit("account.rig", job, &[], &found);
///     Some(format!(r#"{{"id":4,"method":"mining.submit","params":{params}}}"#))
/// }
/// ```
pub fn submit<'a>(
    worker: &'a str,
    job: &'a Job,
    prefix: &'a [u8],
    share: &'a Share,
) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        write!(f, "[{},{}", Quoted(worker), Quoted(job.id()))?;
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
