//! What a coin's stratum variant must say.

mod diagnosis;
mod pools;
mod rigs;
mod rules;
mod split;
mod types;
mod work;

use std::time::Duration;

use bytes::BytesMut;

use crate::error::Reject;
use crate::habits::Habits;
use crate::job::JobId;
use crate::rpc::{Params, RpcCall, RpcReply};
use crate::target::{Scale, Target};

pub use diagnosis::{Diagnosis, Symptom};
pub use pools::{CourtesyReply, GrantedTerms, PoolAnswer, PoolCall, PoolEvent, PoolQuestion};
pub use rigs::{
    Basis, BasisOf, FailedShare, HeardSubmit, JobName, NotifyForm, RigCall, RigNeeds, RigSay,
    RigSpace, SubscribeVerdict,
};
pub use rules::{CleanJobs, Comparison, ExtranonceTime, OpenJobs, Pace, Rules, Telling};
pub use split::{NoRoom, Split, Splits};
pub use types::{Announced, Checked, Price, Refusal, ShareTarget, Subscribed, Wanted};
pub use work::{Fingerprint, Fingerprinted, Work, WorkKey};

/// A coin's variant of stratum, as pure functions: bytes or values in, bytes or values out. No
/// socket, no clock, no state; an implementor holds nothing but its options.
///
/// What is meant is the core's, what is written the dialect's: it turns bytes into meanings and
/// back, and owns the arithmetic. What it does not have it does not write, and what is not written
/// is not waited for. There are no provided methods; what dialects with JSON lines share is in
/// [`sv1`](crate::sv1), to be called with what is not a dialect's own.
pub trait Dialect: Send + Sync + Sized + 'static {
    /// The key in a config file and the label in metrics.
    const NAME: &'static str;

    /// A pool's job, parsed.
    type Job: Work<Self::Share>;
    /// A decoded submit: owned, of fixed size; moving it does not allocate.
    type Share: Fingerprinted;
    /// What a pool grants a connection (a version mask); `()` where nothing. A job is told with those
    /// that stood when it came.
    type Terms: GrantedTerms<Self::Rig>;
    /// What one rig has negotiated and shown of itself; `()` where nothing.
    type Rig: RigNeeds;
    /// Working memory of [`check`](Self::check). Whoever drives sessions keeps one for many of them.
    type Scratch: Default + Send;

    /// What of it are plain numbers and words, by its options.
    fn rules(&self) -> Rules;

    // --- towards rigs ---

    /// Reads a call from a rig, and notes in `rig` what it shows or wishes for.
    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut Self::Rig) -> RigCall<'a>;

    /// Tells a rig something. What the dialect does not have it does not write.
    fn tell_rig(
        &self,
        say: RigSay<'_, Self::Job, Self::Terms>,
        rig: &Self::Rig,
        out: &mut BytesMut,
    );

    /// Tells rigs a job: the one line that they share, rendered once for each target, where
    /// [the notify has it](Rules::target_in_notify), and form.
    fn notify(
        &self,
        id: JobId,
        job: &Self::Job,
        target: &Target,
        form: NotifyForm,
        out: &mut BytesMut,
    );

    /// Reads a whole submit.
    ///
    /// # Errors
    /// A [`Reject`] that names the offending field and value; an extranonce2 that is not
    /// `told.extranonce2` bytes long is [`Reject::wrong_size`].
    fn read_share(
        &self,
        told: &BasisOf<'_, Self>,
        fields: &Params<'_>,
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
    /// cost more.
    ///
    /// # Errors
    /// A [`Reject`] with the reason; a hash that misses `easiest` is a
    /// [`LowDifficulty`](crate::verdict::Verdict::LowDifficulty).
    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Self::Share,
        easiest: &Target,
        job_age: Duration,
        scratch: &mut Self::Scratch,
    ) -> Result<Checked, Reject>;

    /// What a rig may have done to send a share that is refused for its form or its proof.
    fn why(
        &self,
        told: &BasisOf<'_, Self>,
        failed: FailedShare<'_, Self::Share>,
    ) -> Option<Diagnosis>;

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
