//! Calls of a dialect outside a session, for a rig that has negotiated nothing.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::value::RawValue;

use crate::dialect::{
    BasisOf, Checked, Diagnosis, Dialect, FailedShare, HeardSubmit, NotifyForm, PoolAnswer,
    PoolCall, PoolEvent, PoolQuestion, Refusal, RigCall, Subscribed,
};
use crate::error::{ParseError, Reject};
use crate::extranonce::Extranonce;
use crate::rpc::{RpcCall, RpcReply};
use crate::sv1;
use crate::target::Target;

/// What a rig was told that has negotiated nothing.
#[derive(Debug)]
pub struct PlainRig<D: Dialect> {
    terms: D::Terms,
    rig: D::Rig,
}

impl<D: Dialect> PlainRig<D> {
    /// Without terms.
    #[must_use]
    pub fn new() -> Self {
        Self { terms: D::Terms::default(), rig: D::Rig::default() }
    }

    /// A job that it was told under an extranonce1, all of it the pool's, with so many bytes of
    /// extranonce2 left to it.
    pub fn told<'a>(
        &'a self,
        job: &'a D::Job,
        extranonce1: &'a Extranonce,
        extranonce2: usize,
    ) -> BasisOf<'a, D> {
        let (terms, rig, pool_extranonce1) = (&self.terms, &self.rig, extranonce1.len());
        BasisOf::<D> { job, terms, rig, extranonce1, pool_extranonce1, extranonce2 }
    }
}

impl<D: Dialect> Default for PlainRig<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the parameters of a submit for a job, with an extranonce2 of `size` bytes.
///
/// # Errors
/// As of [`Dialect::read_share`], or what the dialect refuses before it knows the job.
pub fn read_share<D: Dialect>(
    dialect: &D,
    job: &D::Job,
    size: usize,
    params: &RawValue,
) -> Result<D::Share, Reject> {
    let HeardSubmit { fields, .. } = heard_submit(dialect, params)?;
    dialect.read_share(&PlainRig::<D>::new().told(job, &Extranonce::default(), size), &fields)
}

/// Reads the worker and the job of a submit.
///
/// # Errors
/// As the dialect says.
///
/// # Panics
/// When the dialect does not take it for one.
pub fn heard_submit<'a, D: Dialect>(
    dialect: &D,
    params: &'a RawValue,
) -> Result<HeardSubmit<'a>, Reject> {
    let call = RpcCall { method: sv1::SUBMIT, params: Some(params) };
    match dialect.hear_rig(call, &mut D::Rig::default()) {
        RigCall::Submit(submit) => submit,
        other => panic!("a submit was heard as {other:?}"),
    }
}

/// Checks a share that was found under an extranonce1.
///
/// # Errors
/// As of [`Dialect::check`].
pub fn check<D: Dialect>(
    dialect: &D,
    job: &D::Job,
    extranonce1: &Extranonce,
    share: &D::Share,
    easiest: &Target,
    job_age: Duration,
    scratch: &mut D::Scratch,
) -> Result<Checked, Reject> {
    let rig = PlainRig::<D>::new();
    dialect.check(&rig.told(job, extranonce1, 0), share, easiest, job_age, scratch)
}

/// Why a share fails that was found under an extranonce1 of which the first so many bytes are the
/// pool's.
pub fn diagnose<D: Dialect>(
    dialect: &D,
    job: &D::Job,
    extranonce1: &Extranonce,
    pool_extranonce1: usize,
    share: &D::Share,
    target: &Target,
) -> Option<Diagnosis> {
    let rig = PlainRig::<D>::new();
    let told = BasisOf::<D> { pool_extranonce1, ..rig.told(job, extranonce1, 0) };
    dialect.why(&told, FailedShare::Share { share, target })
}

/// The form of a notify for a rig that has negotiated nothing.
#[must_use]
pub const fn form(clean: bool) -> NotifyForm {
    NotifyForm { clean, flavour: 0 }
}

/// What a dialect takes a call of a pool for.
///
/// # Errors
/// What is wrong with it.
pub fn hear<D: Dialect>(
    dialect: &D,
    method: &str,
    params: &RawValue,
) -> Result<PoolEvent<D::Job>, ParseError> {
    let call = RpcCall { method, params: Some(params) };
    match dialect.hear_pool(call, &mut D::Terms::default()) {
        PoolEvent::Job(Err(error)) | PoolEvent::Unusable(error) => Err(error),
        event => Ok(event),
    }
}

/// What a dialect takes a result for that answers a question.
#[must_use]
pub fn answer<D: Dialect>(
    dialect: &D,
    to: PoolQuestion<'_, D::Job>,
    result: &RawValue,
) -> PoolAnswer {
    let reply = RpcReply { result: Some(result), error: None, line: result.get().as_bytes() };
    dialect.hear_answer(to, &reply, &mut D::Terms::default())
}

/// What a pool gives with this result of a subscribe.
///
/// # Errors
/// What is wrong with it.
///
/// # Panics
/// Where the dialect takes it for no answer to a subscribe, or for one that gives nothing yet.
pub fn given<D: Dialect>(dialect: &D, result: &RawValue) -> Result<Subscribed, ParseError> {
    match answer(dialect, PoolQuestion::Subscribe { former: None }, result) {
        PoolAnswer::Subscribed { given: Some(given), .. } => Ok(given),
        PoolAnswer::Unusable(error) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// Takes what a pool answers about a job.
///
/// # Errors
/// What is wrong with it.
///
/// # Panics
/// Where the dialect asks nothing.
pub fn learn<D: Dialect>(dialect: &D, job: &D::Job, result: &RawValue) -> Result<(), ParseError> {
    match answer(dialect, PoolQuestion::Job(job), result) {
        PoolAnswer::Yes | PoolAnswer::Nothing => Ok(()),
        PoolAnswer::Unusable(error) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// How a dialect takes an error that a pool answers a share with.
///
/// # Panics
/// Where the dialect takes it for none.
#[must_use]
pub fn refusal<D: Dialect>(dialect: &D, error: &RawValue) -> Refusal {
    let reply = RpcReply { result: None, error: Some(error), line: b"{}" };
    match dialect.hear_answer(PoolQuestion::Share, &reply, &mut D::Terms::default()) {
        PoolAnswer::No(refusal, _) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Whether the pool must be asked about a job, and what it is asked.
pub fn ask<D: Dialect>(dialect: &D, id: u64, job: &D::Job, out: &mut BytesMut) -> bool {
    let before = out.len();
    dialect.tell_pool(PoolCall::Ask { id, job }, out);
    out.len() > before
}
