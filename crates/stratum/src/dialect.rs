//! What a coin's stratum variant must say.

mod rigs;
mod rules;
mod types;

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::value::RawValue;

use crate::error::{ParseError, Reject};
use crate::extranonce::Extranonce;
use crate::habits::{Answer, Habits};
use crate::job::JobId;
use crate::rpc::{self, Params, PoolError, RpcCall};
use crate::target::{Difficulty, PowHash, Target};

pub use rigs::{
    Basis, BasisOf, FailedShare, HeardSubmit, JobName, NotifyForm, RigCall, RigNeeds, RigSay,
    RigSpace, SubscribeVerdict,
};
pub use rules::{CleanJobs, Comparison, ExtranonceTime, OpenJobs, Pace, Rules, Telling};
pub use types::{
    Announced, Checked, Diagnosis, Fingerprint, NoRoom, PoolEvent, Refusal, ShareTarget, Split,
    Subscribed, Symptom, Wanted, WorkKey,
};

/// A coin's variant of stratum, as pure functions: bytes or values in, bytes or values out. No
/// socket, no clock, no state; an implementor holds nothing but its options.
///
/// The first half of the methods is what the proxy says and hears as a pool (towards rigs), the
/// second what it says and hears as a miner (towards the pool), with the proof of work between.
/// Provided methods are the form that most coins share.
pub trait Dialect: Send + Sync + Sized + 'static {
    /// The key in a config file and the label in metrics.
    const NAME: &'static str;

    /// A pool's job, parsed, immutable (what is learnt late sits in a `OnceLock`).
    type Job: Send + Sync + fmt::Debug + 'static;
    /// A decoded submit: owned, of fixed size; moving it does not allocate.
    type Share: Send + fmt::Debug + 'static;
    /// What a pool grants a channel, such as a mask of version bits; `()` where nothing.
    type Terms: Clone + Default + PartialEq + fmt::Debug + Send + Sync + 'static;
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

    // --- proof of work ---

    /// Whether [`check`](Self::check) can compute hashes for this job already.
    fn checkable(&self, _job: &Self::Job) -> bool {
        true
    }

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

    /// What makes a share the same as another of its job and extranonce1.
    fn fingerprint(&self, share: &Self::Share) -> Fingerprint;

    /// The target that makes a share a block, given what the pool announced on this connection and
    /// what is `known` of its habits; `None` where that cannot be told.
    fn block_target(&self, job: &Self::Job, announced: &Announced, known: Habits)
    -> Option<Target>;

    /// Whether a share of this hash is a block; `None` where that cannot be told.
    fn is_block(
        &self,
        job: &Self::Job,
        announced: &Announced,
        known: Habits,
        hash: &PowHash,
    ) -> Option<bool> {
        self.block_target(job, announced, known)
            .map(|target| self.rules().good.meets(hash, &target))
    }

    /// The header that a share's hash is made of, for tools; `None` where it cannot be built.
    fn header(
        &self,
        job: &Self::Job,
        extranonce1: &Extranonce,
        share: &Self::Share,
    ) -> Option<Vec<u8>>;

    /// The difficulty that a target means on the scale that this route's rigs are told.
    fn rig_difficulty(&self, job: &Self::Job, target: &Target) -> Difficulty;

    /// The target of a difficulty on the scale that this route's rigs are told.
    fn rig_target(&self, job: &Self::Job, difficulty: Difficulty) -> Target;

    /// What a rig may have done to send a share that is refused for its form or its proof.
    fn why(
        &self,
        told: &BasisOf<'_, Self>,
        failed: FailedShare<'_, Self::Share>,
    ) -> Option<Diagnosis>;

    // --- towards the pool ---

    /// Asks the pool for an extranonce; `former` is the session to resume, if any.
    fn put_subscribe(&self, id: u64, agent: &str, former: Option<&str>, out: &mut BytesMut);

    /// Reads the result of [`put_subscribe`](Self::put_subscribe).
    ///
    /// # Errors
    /// A [`ParseError`] naming the field.
    fn parse_subscribed(&self, result: &RawValue) -> Result<Subscribed, ParseError>;

    /// Whether the pool has resumed the session that it was `asked` for, so that it still knows the
    /// jobs and shares of the lost connection. It is only looked at where the pool gave the same
    /// id and the same extranonce1 again. That alone proves nothing where servers count their
    /// sessions, since a server that restarts counts from the start.
    fn resumes(&self, _asked: &str, _given: &Subscribed) -> bool {
        false
    }

    /// Divides what the pool gave: how many bytes tell rigs apart, and how many are left to each
    /// rig. `known` is what the pool has shown of this [habit](crate::habits::Habit::Split).
    ///
    /// # Errors
    /// [`NoRoom`] with the numbers.
    fn split(
        &self,
        given: &Subscribed,
        prefix_bytes: Option<usize>,
        known: Option<Answer>,
    ) -> Result<Split, NoRoom>;

    /// Reads a call from the pool.
    ///
    /// # Errors
    /// A [`ParseError`] naming the field; the line is then skipped.
    fn parse_event(
        &self,
        method: &str,
        params: &RawValue,
    ) -> Result<PoolEvent<Self::Job>, ParseError>;

    /// The pool's id for a job.
    fn job_id<'a>(&self, job: &'a Self::Job) -> &'a str;

    /// What stands for all that is hashed of a job: the same for two jobs exactly when they are the
    /// same to hash, whatever their ids.
    fn work_key(&self, job: &Self::Job) -> WorkKey;

    /// Whether two jobs are the same to hash: a pool that repeats itself.
    fn same_work(&self, one: &Self::Job, other: &Self::Job) -> bool {
        self.work_key(one) == self.work_key(other)
    }

    /// Whether `new` makes shares of `old` worthless: a new epoch.
    fn supersedes(&self, old: &Self::Job, new: &Self::Job) -> bool;

    /// What stands for the block that a job builds on, to see which of several pools is behind;
    /// `None` where jobs do not tell it.
    fn block_key(&self, _job: &Self::Job) -> Option<u64> {
        None
    }

    /// Whether the pool would take this share under this job's id: the job is the
    /// [same work](Self::same_work) as the share's own, told again later.
    fn serves(&self, _job: &Self::Job, _share: &Self::Share) -> bool {
        true
    }

    /// The pool's share target for a job, given what it announced on this connection.
    fn pool_target(&self, job: &Self::Job, announced: &Announced) -> Wanted;

    /// A question that the pool must be asked about a job; `false` when there is none.
    fn put_question(&self, _id: u64, _job: &Self::Job, _out: &mut BytesMut) -> bool {
        false
    }

    /// Reads the answer to [`put_question`](Self::put_question) into the job.
    ///
    /// # Errors
    /// A [`ParseError`] naming the field.
    fn learn(&self, _job: &Self::Job, _answer: &RawValue) -> Result<(), ParseError> {
        Ok(())
    }

    /// Asks the pool for a difficulty, on its own scale. Pools that do not know the call may answer
    /// as they like.
    fn put_suggest_difficulty(&self, id: u64, difficulty: Difficulty, out: &mut BytesMut) {
        rpc::put_request(out, id, "mining.suggest_difficulty", format_args!("[{difficulty}]"));
    }

    /// Submits a share. Its extranonce2 upstream is `prefix` and then the rig's.
    fn put_submit(
        &self,
        id: u64,
        worker: &str,
        job: &Self::Job,
        prefix: &[u8],
        share: &Self::Share,
        out: &mut BytesMut,
    );

    /// Asks a pool that has been silent for long something harmless that every server answers, be
    /// it with an error: only that there is an answer counts.
    fn put_probe(&self, id: u64, out: &mut BytesMut) {
        rpc::put_request(out, id, "mining.extranonce.subscribe", format_args!("[]"));
    }

    /// What a pool means by an error that it answers a submit with.
    fn classify_refusal(&self, error: &PoolError) -> Refusal {
        Refusal::common(error)
    }
}
