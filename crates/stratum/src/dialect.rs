//! What a coin's stratum variant must say.

mod pools;
mod rules;
mod split;
mod types;
mod work;

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::value::RawValue;

use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::firmware::{Firmware, Hello};
use crate::habits::Habits;
use crate::job::JobId;
use crate::rpc::{self, Id, Params, RpcCall, RpcReply};
use crate::target::{Scale, Target};

pub use pools::{CourtesyReply, PoolAnswer, PoolCall, PoolEvent, PoolQuestion};
pub use rules::{CleanJobs, Comparison, ExtranonceTime, OpenJobs, Pace, Rules, Telling};
pub use split::{NoRoom, Split, Splits};
pub use types::{
    Announced, Checked, Diagnosis, Price, Refusal, ShareTarget, SubmitHead, SubscribeVerdict,
    Subscribed, Wanted,
};
pub use work::{Fingerprint, Fingerprinted, Work, WorkKey};

/// A coin's variant of stratum, as pure functions: bytes or values in, bytes or values out. No
/// socket, no clock, no state; an implementor holds nothing but its options.
///
/// The first half of the methods is what the proxy says and hears as a pool (towards rigs), the
/// second what it says and hears as a miner (towards the pool), with the proof of work between.
/// Provided methods are the form that most coins share.
pub trait Dialect: Send + Sync + Sized + 'static {
    /// The key in a config file and the label in metrics.
    const NAME: &'static str;
    /// The third element of an error array, as JSON text.
    const ERROR_DATA: &'static str = "null";
    /// A method by which rigs ask about a job they were told; its first parameter is the job id.
    const JOB_QUERY: Option<&'static str> = None;
    /// Calls by which some firmware gives itself away before it subscribes; at most eight. They are
    /// answered as unknown ones are.
    const LOGIN_CALLS: &'static [&'static str] = &[];

    /// A pool's job, parsed.
    type Job: Work<Self::Share>;
    /// A decoded submit: owned, of fixed size; moving it does not allocate.
    type Share: Fingerprinted;
    /// What a pool grants a connection (a version mask); `()` where nothing. A job is told with those
    /// that stood when it came.
    type Terms: Clone + Default + PartialEq + fmt::Debug + Send + Sync + 'static;
    /// Working memory of [`check`](Self::check). Whoever drives sessions keeps one for many of them.
    type Scratch: Default + Send;

    /// What of it are plain numbers and words, by its options.
    fn rules(&self) -> Rules;

    // --- towards rigs ---

    /// The answer to a rig's subscribe. `session` is a fresh id in hex.
    fn put_subscribed(
        &self,
        id: &Id,
        session: &str,
        extranonce1: &Extranonce,
        extranonce2_size: usize,
        out: &mut BytesMut,
    );

    /// Why a rig's subscribe must be refused, or what should be logged about it. `params` are the
    /// subscribe's own.
    fn judge_subscribe(&self, _params: Option<&RawValue>) -> SubscribeVerdict {
        SubscribeVerdict::Serve
    }

    /// What is known of firmware by the way in which it logs in.
    fn known_firmware(&self, _hello: &Hello<'_>) -> Firmware {
        Firmware::default()
    }

    /// Tells a rig its target; it applies from the next job on.
    fn put_target(&self, job: &Self::Job, target: &Target, out: &mut BytesMut);

    /// Tells a rig a job. `target` is the rig's own; dialects without a target in the notify
    /// ignore it.
    fn put_job(&self, id: JobId, job: &Self::Job, target: &Target, clean: bool, out: &mut BytesMut);

    /// Tells a rig a new extranonce1, which applies from the next job on.
    fn put_set_extranonce(
        &self,
        extranonce1: &Extranonce,
        extranonce2_size: usize,
        out: &mut BytesMut,
    ) {
        rpc::put_notification(
            out,
            "mining.set_extranonce",
            format_args!("[\"{extranonce1}\",{extranonce2_size}]"),
        );
    }

    /// Answers [`JOB_QUERY`](Self::JOB_QUERY) about a job; `false` when it is not known (the rig
    /// then gets an error).
    fn put_job_answer(&self, _id: &Id, _job: &Self::Job, _out: &mut BytesMut) -> bool {
        false
    }

    /// The worker and the job of a submit: enough to find the job that the rest is read by.
    ///
    /// # Errors
    /// A [`Reject`] that names what is missing or of the wrong type.
    fn submit_head<'a>(&self, params: &Params<'a>) -> Result<SubmitHead<'a>, Reject>;

    /// Reads a whole submit.
    ///
    /// # Errors
    /// A [`Reject`] that names the offending field and value; an extranonce2 that is not
    /// `extranonce2_size` bytes long is [`Reject::wrong_size`].
    fn parse_share(
        &self,
        job: &Self::Job,
        extranonce2_size: usize,
        params: &Params<'_>,
    ) -> Result<Self::Share, Reject>;

    // --- the work ---

    /// The scale on which rigs are told the difficulties of a job.
    fn scale(&self, job: &Self::Job) -> Scale;

    /// The targets of a job, by what the pool announced on this connection and what is `known` of its
    /// habits.
    fn price(&self, job: &Self::Job, announced: &Announced, known: Habits) -> Price;

    /// The ways to divide what the pool gave: how many bytes tell rigs apart, and how many are left to
    /// each rig.
    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits;

    // --- proof of work ---

    /// Checks a share, cheap things first: form, time window (from the job's time to the job's
    /// time + `job_age` + 7,000 s), then its hash against `easiest`, and only then proofs that
    /// cost more. `extranonce1` is the rig's own: the pool's and the prefix.
    ///
    /// # Errors
    /// A [`Reject`] with the reason; a hash that misses `easiest` is a
    /// [`LowDifficulty`](crate::verdict::Verdict::LowDifficulty).
    fn check(
        &self,
        job: &Self::Job,
        extranonce1: &Extranonce,
        share: &Self::Share,
        easiest: &Target,
        job_age: Duration,
        scratch: &mut Self::Scratch,
    ) -> Result<Checked, Reject>;

    /// What a submit that cannot be read says about its rig: an extranonce2 of a length of its
    /// own, or the form of another coin.
    fn diagnose_form(
        &self,
        _job: &Self::Job,
        _extranonce2_size: usize,
        _params: &Params<'_>,
    ) -> Option<Diagnosis> {
        None
    }

    /// Why a share that failed its check may have failed.
    fn diagnose(
        &self,
        _job: &Self::Job,
        _extranonce1: &Extranonce,
        _pool_extranonce1: usize,
        _share: &Self::Share,
        _target: &Target,
    ) -> Option<Diagnosis> {
        None
    }

    // --- towards the pool ---

    /// What a call of the pool means. What it grants with it goes into the connection's `terms`.
    fn hear_pool(&self, call: RpcCall<'_>, terms: &mut Self::Terms) -> PoolEvent<Self::Job>;

    /// What an answer of the pool means, which is read by what it answers.
    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Self::Job>,
        answer: &RpcReply<'_>,
        terms: &mut Self::Terms,
    ) -> PoolAnswer;

    /// Says something to the pool, or nothing where the dialect has no words for it.
    fn tell_pool(&self, call: PoolCall<'_, Self::Job, Self::Share>, out: &mut BytesMut);
}
