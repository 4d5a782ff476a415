//! Submits: `[worker, job id, extranonce2, ntime, nonce]`, and where versions roll the bits of the version
//! as a sixth (BIP 310).

use std::fmt;

use orepass_stratum::dialect::BasisOf;
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::{Hex, Params, Quoted};
use serde_json::value::RawValue;

use crate::dialect::Bitcoin;
use crate::job::Job;
use crate::share::Share;
use crate::version::VersionMask;

/// The most parameters of a submit.
const MAX_FIELDS: usize = 6;
/// Of the version's bits.
const BITS: usize = 5;

/// Reads the parameters of a rig's submit for a job. The first two are not looked at.
///
/// Hex may be in either case, and numbers may lack leading zeros. Without a sixth parameter the version is
/// the job's.
///
/// # Errors
/// A [`Reject`] of code 20 that names the field and its value; an extranonce2 that is not
/// `told.extranonce2` bytes long is [`Reject::wrong_size`].
pub fn read(told: &BasisOf<'_, Bitcoin>, fields: &Params<'_>) -> Result<Share, Reject> {
    let &[_, _, extranonce2, time, nonce, ref bits @ ..] = fields.elements() else {
        return Err(arity(fields.count()));
    };
    if fields.count() > MAX_FIELDS {
        return Err(arity(fields.count()));
    }
    let field = Field::new("extranonce2", extranonce2);
    let extranonce2: Extranonce = field
        .extranonce2(told.extranonce2)?
        .parse()
        .map_err(|_| Reject::from(field.wrong("no longer than 32 bytes")))?;
    let time = Field::new("ntime", time).hex_u32()?;
    let nonce = Field::new("nonce", nonce).hex_u32()?;
    let job_version = told.job.parts().version;
    let version = match bits.first() {
        None => job_version,
        Some(bits) => {
            let (bits, mask) = (read_bits(bits)?, told.terms.mask_of(told.rig));
            if mask.excludes(bits) {
                let reason = format!(
                    "version bits {} are outside of the mask {mask} that this rig may roll",
                    VersionMask(bits)
                );
                return Err(Reject::invalid(reason));
            }
            mask.apply(job_version, bits)
        }
    };
    Ok(Share { extranonce2, time, nonce, version, mask: told.terms.mask.0 })
}

/// Whether a submit rolls bits of the version that its rig must leave alone.
#[must_use]
pub fn rolls_too_much(told: &BasisOf<'_, Bitcoin>, fields: &Params<'_>) -> bool {
    let bits = fields.elements().get(BITS).and_then(|bits| read_bits(bits).ok());
    bits.is_some_and(|bits| told.terms.mask_of(told.rig).excludes(bits))
}

/// Displays as the parameters of a `mining.submit` to the pool; extranonce2 is `prefix`, the share's own,
/// and zeros where the pool's is longer. All bits that the pool takes from the submit are said, also those
/// that the rig must leave alone.
pub fn submit(worker: &str, job: &Job, prefix: &[u8], share: &Share) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let Share { extranonce2, time, nonce, version, mask } = share;
        write!(f, "[{},{}", Quoted(worker), job.quoted_id())?;
        write!(f, ",\"{}{extranonce2}", Hex(prefix))?;
        for _ in 0..job.padding() {
            f.write_str("00")?;
        }
        write!(f, "\",\"{time:08x}\",\"{nonce:08x}\"")?;
        if *mask != 0 {
            write!(f, ",\"{:08x}\"", version & mask)?;
        }
        f.write_str("]")
    })
}

pub(crate) fn arity(found: usize) -> Reject {
    Reject::invalid(format!(
        "mining.submit has {found} parameters, expected worker, job id, extranonce2, ntime, nonce and, \
         where versions roll, version bits"
    ))
}

fn read_bits(bits: &RawValue) -> Result<u32, Reject> {
    Ok(Field::new("version bits", bits).hex_u32()?)
}
