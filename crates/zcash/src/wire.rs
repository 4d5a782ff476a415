//! How a pool says a job and a rig a share, and back: JSON, as ZIP 301 has it.

use std::fmt;

use orepass_stratum::dialect::Subscribed;
use orepass_stratum::error::{ParseError, Reject, shown};
use orepass_stratum::field::{Field, decode};
use orepass_stratum::rpc::{self, Hex, Params, Quoted};
use orepass_stratum::sv1;
use serde_json::value::RawValue;

use crate::job::{Job, PoolJobId, VERSION};
use crate::pow::{SOLUTION_PREFIX, SOLUTION_SIZE};
use crate::share::{NONCE_SIZE, Share};

/// The longest session id that is kept, in bytes.
const MAX_SESSION: usize = 64;

impl Job {
    /// Reads the parameters of a `mining.notify`: `[job id, version, previous block, Merkle root,
    /// reserved, time, bits, clean]`, all but the last hex as in a header, so numbers have their least
    /// significant byte first. What comes behind them, which some servers send for other Equihashes,
    /// is not looked at. Of another version than 4 the layout is not known: ZIP 301 wants such a job
    /// ignored.
    ///
    /// # Errors
    /// A [`ParseError`] that names the number of parameters, or the field and its value.
    pub fn parse(params: &RawValue) -> Result<Self, ParseError> {
        const EXPECTED: &str = "8: job id, version, previous block, merkle root, reserved, time, \
                                bits, clean";
        let (fields, count) = rpc::array::<8>(params)
            .ok_or_else(|| ParseError::field("params", "an array", params.get()))?;
        let &[id, version, prev_hash, merkle_root, reserved, time, bits, clean] = &fields[..]
        else {
            return Err(ParseError::arity("mining.notify", EXPECTED, count));
        };
        let (id, version) = (Field::new("job id", id), Field::new("version", version));
        if number(version)? != VERSION {
            return Err(version.wrong("04000000").into());
        }
        Ok(Self {
            id: PoolJobId::from(&id.text()?).map_err(|_| id.wrong("a string of up to 64 bytes"))?,
            prev_hash: Field::new("previous block", prev_hash).hash()?,
            merkle_root: Field::new("merkle root", merkle_root).hash()?,
            reserved: Field::new("reserved", reserved).hash()?,
            time: number(Field::new("time", time))?,
            bits: number(Field::new("bits", bits))?,
            clean: Field::new("clean", clean).boolean()?,
        })
    }

    /// Displays as the parameters of a `mining.notify` of this work.
    pub fn notify(&self, id: impl fmt::Display, clean: bool) -> impl fmt::Display {
        let [version, time, bits] = [VERSION, self.time, self.bits].map(u32::swap_bytes);
        let [prev, root, reserved] =
            [&self.prev_hash, &self.merkle_root, &self.reserved].map(|hash| Hex(hash));
        fmt::from_fn(move |f| {
            write!(f, "[\"{id}\",\"{version:08x}\",\"{prev}\",\"{root}\",\"{reserved}\"")?;
            write!(f, ",\"{time:08x}\",\"{bits:08x}\",{clean}]")
        })
    }
}

impl Share {
    /// Reads the parameters of a `mining.submit`: `[worker, job id, time, extranonce2, solution]`. The
    /// first two are not looked at; the solution must have its compact size `fd4005` in front.
    ///
    /// # Errors
    /// A [`Reject`] of code 20 that names the field and its value; an extranonce2 that is not
    /// `extranonce2_size` bytes long is [`Reject::wrong_size`].
    pub fn parse(extranonce2_size: usize, params: &Params<'_>) -> Result<Self, Reject> {
        let &[_, _, time, extranonce2, solution] = params.elements() else {
            return Err(arity(params.count()));
        };
        let extranonce2 = Field::new("extranonce2", extranonce2);
        let own = extranonce2.extranonce2(extranonce2_size)?;
        Ok(Self {
            extranonce2: own.parse().map_err(|_| extranonce2.wrong("up to 32 bytes"))?,
            time: number(Field::new("time", time))?,
            solution: read_solution(Field::new("solution", solution))?,
        })
    }
}

/// Displays as the parameters of a `mining.submit` to the pool; extranonce2 is `prefix` and then the
/// share's own.
pub fn submit<'a>(
    worker: &'a str,
    job: &'a Job,
    prefix: &'a [u8],
    share: &'a Share,
) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        let (time, own) = (share.time.swap_bytes(), &share.extranonce2);
        let [prefix, size, solution] = [prefix, &SOLUTION_PREFIX, &share.solution].map(Hex);
        write!(f, "[{},{},\"{time:08x}\"", Quoted(worker), Quoted(&job.id))?;
        write!(f, ",\"{prefix}{own}\",\"{size}{solution}\"]")
    })
}

/// Reads the result of a `mining.subscribe`: `[session, extranonce1]`. The session is null where the
/// server resumes none.
///
/// # Errors
/// A [`ParseError`] that names the field and its value; also where extranonce1 leaves nothing of the
/// nonce.
pub fn subscribed(result: &RawValue) -> Result<Subscribed, ParseError> {
    let wrong = || ParseError::field("subscribe result", "[session, extranonce1]", result.get());
    let (fields, _) = rpc::array::<2>(result).ok_or_else(wrong)?;
    let &[session, extranonce1] = &fields[..] else { return Err(wrong()) };
    let session = rpc::string(session).filter(|id| id.len() <= MAX_SESSION).map(Into::into);
    let extranonce1 = sv1::extranonce1(extranonce1, NONCE_SIZE - 1)?;
    Ok(Subscribed { extranonce1, announced_size: None, session })
}

pub(crate) fn arity(found: usize) -> Reject {
    Reject::invalid(format!(
        "mining.submit has {found} parameters, expected worker, job id, time, extranonce2, solution"
    ))
}

/// Four bytes of hex, the least significant first.
fn number<'a>(field: Field<'a>) -> Result<u32, orepass_stratum::field::Wrong<'a>> {
    field.bytes("8 hex digits").map(u32::from_le_bytes)
}

fn read_solution(field: Field<'_>) -> Result<[u8; SOLUTION_SIZE], Reject> {
    const DIGITS: usize = 2 * (SOLUTION_PREFIX.len() + SOLUTION_SIZE);
    let (text, size) = (field.text()?, const_hex::const_encode::<3, false>(&SOLUTION_PREFIX));
    let (start, digits) = text.split_at_checked(2 * SOLUTION_PREFIX.len()).unwrap_or_default();
    if text.len() != DIGITS || !start.eq_ignore_ascii_case(size.as_str()) {
        return Err(Reject::invalid(format!(
            "solution is {} digits (\"{}\"), expected {DIGITS} that begin with {}",
            text.len(),
            shown(&text),
            size.as_str()
        )));
    }
    let mut solution = [0; SOLUTION_SIZE];
    decode(digits, &mut solution).ok_or_else(|| field.wrong("hex digits"))?;
    Ok(solution)
}
