//! `orepass verify`: judges logged shares, so that an operator can see why a pool refused them.
//!
//! A JSON object per line in, or a log with such lines as `share.evidence`, and one per line out. The judge is the dialect's own check, the same
//! that a live session runs.

mod lines;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, HeardSubmit, PoolAnswer, PoolEvent, PoolQuestion, RigCall,
    Work,
};
use orepass_stratum::error::{Reject, WrongSize, shown};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::rpc::{RpcCall, RpcReply};
use orepass_stratum::sv1;
use orepass_stratum::target::{PowHash, Target};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use self::lines::{MAX_LINE, read_line, share_in};
use super::Outcome;
use crate::config::OptionTable;
use crate::registry::{Configured, FromConfig, Registry, configured};

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
    /// It has no line.
    #[error(
        "there is no share to judge: the input has none; give one JSON object on each line, or a log with \
         share.evidence in it"
    )]
    Empty,
    /// Nobody takes the answers.
    #[error("cannot write the answers: {0}")]
    Write(io::Error),
}

fn judge_lines(
    mut input: impl BufRead,
    mut out: impl Write,
    registry: &Registry,
) -> Result<Outcome, VerifyError> {
    let mut outcome = None;
    let mut line = Vec::new();
    for number in 1_u64.. {
        let Some(whole) = read_line(&mut input, &mut line).map_err(VerifyError::Read)? else {
            break;
        };
        let share = share_in(&line);
        let answer = match share {
            None => continue,
            Some(share) if whole => judge_line(&share, registry),
            Some(_) => {
                VerifyAnswer::unreadable(format!("the line is longer than {MAX_LINE} bytes"))
            }
        };
        if !answer.ok {
            outcome = Some(Outcome::Failure);
        }
        outcome.get_or_insert(Outcome::Success);
        serde_json::to_writer(&mut out, &Numbered { line: number, answer: &answer })
            .map_err(|error| VerifyError::Write(error.into()))?;
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(VerifyError::Write)?;
    }
    outcome.ok_or(VerifyError::Empty)
}

fn judge_line(line: &[u8], registry: &Registry) -> VerifyAnswer {
    let request: VerifyRequest<'_> = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return VerifyAnswer::unreadable(format!("not a share to verify: {error}")),
    };
    match registry.get(&request.dialect) {
        Ok(entry) => (entry.verify)(&request),
        Err(unknown) => VerifyAnswer::unreadable(unknown.to_string()),
    }
}

/// A share with all that it was made from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest<'a> {
    #[serde(borrow)]
    pub(crate) dialect: Cow<'a, str>,
    /// The dialect's options, those of a route and those of a pool alike.
    #[serde(default, skip_serializing_if = "OptionTable::is_empty")]
    pub(crate) options: OptionTable,
    /// The parameters of the pool's `mining.notify`.
    #[serde(borrow)]
    pub(crate) notify: &'a RawValue,
    /// As the rig was told it, in hex.
    #[serde(borrow)]
    pub(crate) extranonce1: Cow<'a, str>,
    /// As the rig was told it; the length that the rig sent, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extranonce2_size: Option<usize>,
    /// The parameters of the rig's `mining.submit`.
    #[serde(borrow)]
    pub(crate) submit: &'a RawValue,
    /// How the submit names the job, where that is not the notify's id.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) submit_job: Option<Cow<'a, str>>,
    /// What the pool set, on its own scale: the parameter of a `mining.set_difficulty`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) difficulty: Option<&'a RawValue>,
    /// The target itself instead of a difficulty: the parameter of a `mining.set_target`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<&'a RawValue>,
    /// What the hash should meet, in 64 hex digits, whatever the pool has set.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) share_target: Option<Cow<'a, str>>,
    /// The bits of the version that the miner may roll, in 8 hex digits; those of the options, when absent.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) version_mask: Option<Cow<'a, str>>,
    /// The ids of the job's transactions, for jobs that do not bring what is needed of them.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) transactions: Option<&'a RawValue>,
}

/// The judgement on a share.
#[derive(Debug, Default, Serialize)]
pub struct VerifyAnswer {
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
    answer: &'a VerifyAnswer,
}

impl VerifyAnswer {
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
pub fn judge<D: FromConfig>(request: &VerifyRequest<'_>) -> VerifyAnswer {
    try_judge::<D>(request).unwrap_or_else(|reject| VerifyAnswer::refused(&reject))
}

fn try_judge<D: FromConfig>(request: &VerifyRequest<'_>) -> Result<VerifyAnswer, Reject> {
    let (pool, route) = request.options.clone().partition(D::POOL_OPTIONS);
    let Configured { dialect, .. } =
        configured::<D>(&route, &pool).map_err(|error| in_field("options", error))?;
    let job = job(&dialect, request)?;
    let extranonce1: Extranonce =
        request.extranonce1.parse().map_err(|error| in_field("extranonce1", error))?;
    let announced = announced(&dialect, request)?;
    let known = dialect.rules().habits.or(Habits::USUAL);
    let price = dialect.price(&job, &announced, known);
    let target = match &request.share_target {
        None => price.wanted.surely(known),
        Some(target) => {
            Target::from_hex(target).map_err(|error| in_field("share_target", error))?
        }
    };
    let (terms, rig) = negotiated(&dialect, request)?;
    let told = BasisOf::<D> {
        job: &job,
        terms: &terms,
        rig: &rig,
        extranonce1: &extranonce1,
        pool_extranonce1: extranonce1.len(),
        extranonce2: request.extranonce2_size.unwrap_or_default(),
    };
    let share = share(&dialect, &told, request)?;
    let uncheckable = || Reject::invalid(dialect.uncheckable(&job));
    if !job.is_complete() {
        return Err(uncheckable());
    }

    let mut scratch = D::Scratch::default();
    // An age of zero makes the strictest window: from the job's time to what pools allow a rig
    // to run ahead.
    let checked = dialect.check(&told, &share, &Target::MAX, Duration::ZERO, &mut scratch)?;
    let Checked::Proven(hash) = checked else {
        return Err(uncheckable());
    };
    let meets = |target: Target| dialect.rules().good.meets(&hash, &target);
    let meets_target = meets(target);
    let proof = Proof {
        hash: hash.to_string(),
        difficulty: dialect.scale(&job).difficulty_lossy(hash.as_target()).get(),
        meets_target,
        block: price.block.map(meets),
        header: D::header(&job, &extranonce1, &share).map(const_hex::encode),
    };
    let answer = match meets_target {
        true => VerifyAnswer { ok: true, ..VerifyAnswer::default() },
        false => VerifyAnswer::refused(&missed(&hash, &target)),
    };
    Ok(VerifyAnswer { proof: Some(proof), ..answer })
}

fn job<D: FromConfig>(dialect: &D, request: &VerifyRequest<'_>) -> Result<D::Job, Reject> {
    let PoolEvent::Job(job) = hear(dialect, sv1::NOTIFY, request.notify) else {
        return Err(Reject::invalid("notify: not a job"));
    };
    let job = job.map_err(|error| in_field("notify", error))?;
    if let Some(transactions) = request.transactions {
        let answer = RpcReply { result: Some(transactions), error: None, line: &[] };
        let learnt =
            dialect.hear_answer(PoolQuestion::Job(&job), &answer, &mut D::Terms::default());
        if let PoolAnswer::Unusable(error) = learnt {
            return Err(in_field("transactions", error));
        }
    }
    Ok(job)
}

fn hear<D: FromConfig>(dialect: &D, method: &str, params: &RawValue) -> PoolEvent<D::Job> {
    dialect.hear_pool(RpcCall { method, params: Some(params) }, &mut D::Terms::default())
}

/// What the pool had set, read as a live session reads it.
fn announced<D: FromConfig>(dialect: &D, request: &VerifyRequest<'_>) -> Result<Announced, Reject> {
    let set = |method, value: &RawValue| {
        let unreadable = |error: String| Reject::invalid(error);
        let params = RawValue::from_string(format!("[{value}]"));
        let params = params.map_err(|error| unreadable(error.to_string()))?;
        match hear(dialect, method, &params) {
            PoolEvent::Unusable(error) => Err(unreadable(error.to_string())),
            event => Ok(event),
        }
    };
    let event = match (request.target, request.difficulty) {
        (Some(_), Some(_)) => {
            return Err(Reject::invalid("give the difficulty or the target, not both"));
        }
        (Some(target), None) => set(sv1::SET_TARGET, target)?,
        (None, Some(difficulty)) => set(sv1::SET_DIFFICULTY, difficulty)?,
        (None, None) => return Ok(Announced::default()),
    };
    match event {
        PoolEvent::Target(target) => Ok(Announced { target: Some(target), difficulty: None }),
        PoolEvent::Difficulty(set) => Ok(Announced { target: None, difficulty: Some(set) }),
        _ => Err(Reject::invalid("pools of this dialect do not set that")),
    }
}

fn negotiated<D: FromConfig>(
    dialect: &D,
    request: &VerifyRequest<'_>,
) -> Result<(D::Terms, D::Rig), Reject> {
    let mask = match request.version_mask.as_deref() {
        None => None,
        Some(text) => {
            let bytes = const_hex::decode_to_array(text).map_err(|_| {
                let found = shown(text);
                in_field("version_mask", format_args!("expected 8 hex digits, found \"{found}\""))
            })?;
            Some(u32::from_be_bytes(bytes))
        }
    };
    let rolls_none = || in_field("version_mask", "versions of this dialect do not roll");
    dialect.negotiated(mask).ok_or_else(rolls_none)
}

fn share<D: FromConfig>(
    dialect: &D,
    told: &BasisOf<'_, D>,
    request: &VerifyRequest<'_>,
) -> Result<D::Share, Reject> {
    let call = RpcCall { method: sv1::SUBMIT, params: Some(request.submit) };
    let RigCall::Submit(submit) = dialect.hear_rig(call, &mut D::Rig::default()) else {
        return Err(Reject::invalid("rigs of this dialect submit by another call"));
    };
    let HeardSubmit { job, fields, .. } = submit?;
    if job.text != request.submit_job.as_deref().unwrap_or_else(|| told.job.id()) {
        return Err(Reject::unknown_job(&job.text));
    }
    dialect.read_share(told, &fields).or_else(|reject| match reject.wrong_size {
        // The dialect says which length it has found.
        Some(WrongSize { found, .. }) if request.extranonce2_size.is_none() => {
            dialect.read_share(&Basis { extranonce2: found, ..*told }, &fields)
        }
        _ => Err(reject),
    })
}

fn in_field(field: &str, error: impl std::fmt::Display) -> Reject {
    Reject::invalid(format!("{field}: {error}"))
}

fn missed(hash: &PowHash, target: &Target) -> Reject {
    Reject::low_difficulty(format!("the hash {hash} misses the target {target}"))
}
