//! `orepass verify`: judges logged shares, so that an operator can see why a pool refused them.
//!
//! A JSON object per line in, one per line out. The judge is the dialect's own check, the same
//! that a live session runs.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orepass_stratum::dialect::{Announced, Checked, PoolEvent, ShareTarget};
use orepass_stratum::error::{ParseError, Reject};
use orepass_stratum::extranonce::{Extranonce, MAX_EXTRANONCE};
use orepass_stratum::rpc;
use orepass_stratum::target::{Difficulty, PowHash, Target};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::Outcome;
use crate::config::OptionTable;
use crate::registry::{Configured, FromConfig, Registry, configured};

/// The longest line: a notify with many transaction ids, and the ids again.
const MAX_LINE: usize = 1024 * 1024;

/// Judges every line of a file, or of standard input, and answers on standard output.
///
/// # Errors
/// [`VerifyError`] when it cannot be read or answered.
pub fn verify(file: Option<&Path>, registry: &Registry) -> Result<Outcome, VerifyError> {
    let out = io::stdout().lock();
    match file {
        Some(path) => {
            let file = File::open(path)
                .map_err(|error| VerifyError::Open { path: path.to_owned(), error })?;
            judge_lines(BufReader::new(file), out, registry)
        }
        None => judge_lines(io::stdin().lock(), out, registry),
    }
}

/// Why the shares cannot be judged at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no such file, or it may not be read.
    #[error("cannot open {}: {error}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Reading broke off.
    #[error("cannot read the shares: {0}")]
    Read(io::Error),
    /// Nobody takes the answers.
    #[error("cannot write the answers: {0}")]
    Write(io::Error),
}

fn judge_lines(
    mut input: impl BufRead,
    mut out: impl Write,
    registry: &Registry,
) -> Result<Outcome, VerifyError> {
    let mut outcome = Outcome::Success;
    let mut line = Vec::new();
    for number in 1_u64.. {
        let Some(whole) = read_line(&mut input, &mut line).map_err(VerifyError::Read)? else {
            break;
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match whole {
            true => judge_line(&line, registry),
            false => Answer::unreadable(format!("the line is longer than {MAX_LINE} bytes")),
        };
        if !answer.ok {
            outcome = Outcome::Failure;
        }
        serde_json::to_writer(&mut out, &Numbered { line: number, answer: &answer })
            .map_err(|error| VerifyError::Write(error.into()))?;
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(VerifyError::Write)?;
    }
    Ok(outcome)
}

/// Reads a line without its newline; `false` for one over the cap, whose rest is skipped, and
/// `None` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let read = input.take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() || line.len() <= MAX_LINE {
        return Ok(Some(true));
    }
    input.skip_until(b'\n')?;
    Ok(Some(false))
}

fn judge_line(line: &[u8], registry: &Registry) -> Answer {
    let request: Request<'_> = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return Answer::unreadable(format!("not a share to verify: {error}")),
    };
    match registry.get(&request.dialect) {
        Ok(entry) => (entry.verify)(&request),
        Err(unknown) => Answer::unreadable(unknown.to_string()),
    }
}

/// A share with all that it was made from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request<'a> {
    #[serde(borrow)]
    dialect: Cow<'a, str>,
    /// The dialect's options, those of a route and those of a pool alike.
    #[serde(default)]
    options: OptionTable,
    /// The parameters of the pool's `mining.notify`.
    #[serde(borrow)]
    notify: &'a RawValue,
    /// As the rig was told it, in hex.
    #[serde(borrow)]
    extranonce1: Cow<'a, str>,
    /// As the rig was told it; the length that the rig sent, when absent.
    #[serde(default)]
    extranonce2_size: Option<usize>,
    /// The parameters of the rig's `mining.submit`.
    #[serde(borrow)]
    submit: &'a RawValue,
    /// What the pool set, on its own scale.
    #[serde(default)]
    difficulty: Option<f64>,
    /// The target itself, in hex, instead of a difficulty.
    #[serde(borrow, default)]
    target: Option<Cow<'a, str>>,
    /// The ids of the job's transactions, for jobs that do not bring what is needed of them.
    #[serde(borrow, default)]
    transactions: Option<&'a RawValue>,
}

/// The judgement on a share.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// Whether the pool should have taken it.
    ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The stratum error code of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    /// What was computed, where it came to that.
    #[serde(flatten)]
    proof: Option<Proof>,
}

/// What a share's hash comes to.
#[derive(Debug, Serialize)]
struct Proof {
    hash: String,
    /// On the scale that rigs are told.
    difficulty: f64,
    meets_target: bool,
    /// `null` where that cannot be told.
    block: Option<bool>,
    /// `null` where it cannot be built.
    header: Option<String>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    line: u64,
    #[serde(flatten)]
    answer: &'a Answer,
}

impl Answer {
    /// A line that is no share.
    fn unreadable(reason: impl Into<String>) -> Self {
        Self::refused(&Reject::invalid(reason.into()))
    }

    fn refused(reject: &Reject) -> Self {
        let (reason, code) = (reject.reason.as_ref().to_owned(), reject.code as u8);
        Self { ok: false, reason: Some(reason), code: Some(code), proof: None }
    }
}

/// Judges a share of one dialect.
pub fn judge<D: FromConfig>(request: &Request<'_>) -> Answer {
    try_judge::<D>(request).unwrap_or_else(|reject| Answer::refused(&reject))
}

fn try_judge<D: FromConfig>(request: &Request<'_>) -> Result<Answer, Reject> {
    let (pool, route) = request.options.clone().partition(D::POOL_OPTIONS);
    let Configured { dialect, .. } =
        configured::<D>(&route, &pool).map_err(|error| in_field("options", error))?;
    let job = job(&dialect, request)?;
    let extranonce1: Extranonce =
        request.extranonce1.parse().map_err(|error| in_field("extranonce1", error))?;
    let target = target(&dialect, &job, request)?;
    let share = share(&dialect, &job, request)?;
    if !dialect.checkable(&job) {
        return Err(missing_transactions());
    }

    let mut scratch = D::Scratch::default();
    // An age of zero makes the strictest window: from the job's time to what pools allow a rig
    // to run ahead.
    let checked =
        dialect.check(&job, &extranonce1, &share, &Target::MAX, Duration::ZERO, &mut scratch)?;
    let Checked::Proven(hash) = checked else {
        return Err(missing_transactions());
    };
    let meets_target = dialect.meets(&hash, &target);
    let proof = Proof {
        hash: hash.to_string(),
        difficulty: dialect.rig_difficulty(&job, &hash.as_target()).get(),
        meets_target,
        block: dialect.is_block(&job, &Announced::default(), dialect.habits(), &hash),
        header: dialect.header(&job, &extranonce1, &share).map(const_hex::encode),
    };
    let answer = match meets_target {
        true => Answer { ok: true, ..Answer::default() },
        false => Answer::refused(&missed(&hash, &target)),
    };
    Ok(Answer { proof: Some(proof), ..answer })
}

fn job<D: FromConfig>(dialect: &D, request: &Request<'_>) -> Result<D::Job, Reject> {
    let event = dialect.parse_event("mining.notify", request.notify);
    let PoolEvent::Notify(job) = event.map_err(|error| in_field("notify", error))? else {
        return Err(Reject::invalid("notify: not a job"));
    };
    if let Some(transactions) = request.transactions {
        dialect.learn(&job, transactions).map_err(|error| in_field("transactions", error))?;
    }
    Ok(job)
}

/// The target that the pool had set; difficulty 1 when nothing is said.
fn target<D: FromConfig>(
    dialect: &D,
    job: &D::Job,
    request: &Request<'_>,
) -> Result<Target, Reject> {
    let announced = match (&request.target, request.difficulty) {
        (Some(_), Some(_)) => {
            return Err(Reject::invalid("give the difficulty or the target, not both"));
        }
        (Some(target), None) => {
            let error = || ParseError::field("target", "64 hex digits", target).to_string();
            return Target::from_hex(target).map_err(|_| Reject::invalid(error()));
        }
        (None, Some(difficulty)) => {
            let difficulty = Difficulty::new(difficulty).ok_or_else(|| {
                Reject::invalid(format!("difficulty is {difficulty}, expected more than zero"))
            })?;
            let difficulty = Some(ShareTarget::Difficulty(difficulty));
            Announced { difficulty, ..Announced::default() }
        }
        (None, None) => Announced::default(),
    };
    Ok(dialect.pool_target(job, &announced).surely(dialect.habits()))
}

fn share<D: FromConfig>(
    dialect: &D,
    job: &D::Job,
    request: &Request<'_>,
) -> Result<D::Share, Reject> {
    let head = dialect.submit_head(request.submit)?;
    // Every dialect's notify starts with the job's id.
    let told = rpc::array::<1>(request.notify);
    let told = told.and_then(|(elements, _)| rpc::string(elements.first()?));
    if told.is_some_and(|told| told != head.job) {
        return Err(Reject::unknown_job(&head.job));
    }
    if let Some(size) = request.extranonce2_size {
        return dialect.parse_share(job, size, request.submit);
    }
    let with = |size| dialect.parse_share(job, size, request.submit);
    // Dialects take one length and refuse all others, so at most one of these fits.
    let mut refused = None;
    for size in 0..=MAX_EXTRANONCE {
        match with(size) {
            Ok(share) => return Ok(share),
            // With the right length it is another field that is wrong.
            Err(reject) if !reject.reason.starts_with("extranonce2") => {
                refused.get_or_insert(reject);
            }
            Err(_) => {}
        }
    }
    const USUAL_SIZE: usize = 4;
    refused.map_or_else(|| with(USUAL_SIZE), Err)
}

fn in_field(field: &str, error: impl std::fmt::Display) -> Reject {
    Reject::invalid(format!("{field}: {error}"))
}

fn missing_transactions() -> Reject {
    Reject::invalid(
        "the job's header needs the ids of its transactions: add \"transactions\", the pool's \
         answer to mining.get_transactions",
    )
}

fn missed(hash: &PowHash, target: &Target) -> Reject {
    Reject::low_difficulty(format!("the hash {hash} misses the target {target}"))
}
