//! Calls of a dialect outside a session, for a rig that has negotiated nothing.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::dialect::{
    BasisOf, Checked, Diagnosis, Dialect, FailedShare, HeardSubmit, NotifyForm, RigCall,
};
use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::rpc::RpcCall;
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
