//! Submits: `[worker, job id, time, extranonce2, solution]`, from rigs and to the pool.

use std::fmt;

use orepass_stratum::error::{Reject, shown};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::field::{Field, decode};
use orepass_stratum::rpc::{self, Hex, Params, Quoted};
use serde_json::value::RawValue;

use crate::job::Job;
use crate::share::{SOLUTION_SIZE, Share};

/// What most miners and servers put before a solution: its length as a compact size, in hex. It
/// is not hashed.
pub const SOLUTION_PREFIX: &str = "fd8005";

impl Share {
    /// Reads the parameters of a `mining.submit`: `[worker, job id, ntime, extranonce2,
    /// solution]`. The first two are not looked at.
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

pub(crate) fn arity(found: usize) -> Reject {
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
    let text = field.extranonce2(told)?;
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
