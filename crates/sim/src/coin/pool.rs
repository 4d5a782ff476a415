//! The pool's half.

use std::fmt::{Debug, Display};
use std::time::Duration;

use bytes::BytesMut;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Id, Quoted};
use orepass_stratum::target::{Difficulty, PowHash, Target};
use serde_json::value::RawValue;

/// What the simulated pool must know of a coin. Provided methods do as the hstratum family does.
pub trait PoolCoin: Debug + Send + Sync + 'static {
    /// Makes a job. Two jobs of different serials must be different work.
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob>;

    /// The share target of a difficulty.
    fn target(&self, difficulty: Difficulty) -> Target;

    /// Whether a hash is good enough for a target.
    fn meets(&self, hash: &PowHash, target: &Target) -> bool {
        hash.at_or_below(target)
    }

    /// How such a server treats its connections.
    fn manners(&self) -> Manners {
        Manners::default()
    }

    /// Why a `mining.subscribe` with so many parameters is refused; `None` where it is not.
    fn refuse_subscribe(&self, _params: usize) -> Option<Reason> {
        None
    }

    /// The result of `mining.configure`, as JSON text; `None` where there is no such method.
    fn configure(&self, _params: &[&RawValue]) -> Option<String> {
        None
    }

    /// The result of `mining.subscribe`, as JSON text. Where the extranonce [comes after the
    /// authorize](Manners::extranonce_after_authorize), it may leave it out.
    fn subscribe_result(&self, extranonce1: &Extranonce) -> String;

    /// The parameters of `mining.set_extranonce`, as JSON text.
    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String;

    /// Parameters of a notify that no miner can use, as JSON text.
    fn unusable_notify(&self) -> String;

    /// Announces the share target, as far as that is this server's way in this place.
    fn put_terms(&self, terms: &TargetTerms, out: &mut BytesMut) {
        if terms.place == AnnouncementPlace::BeforeNotify && terms.changed {
            self.put_call("mining.set_difficulty", &format_args!("[{}]", terms.difficulty), out);
        }
    }

    /// Writes a call that wants no answer.
    fn put_call(&self, method: &str, params: &dyn Display, out: &mut BytesMut) {
        rpc::put_notification(out, method, params);
    }

    /// Writes a good answer.
    fn put_result(&self, id: &Id, result: &dyn Display, out: &mut BytesMut) {
        rpc::put_result(out, id, result);
    }

    /// The code and the text of a refusal.
    fn error(&self, reason: Reason) -> (i64, &'static str) {
        reason.common()
    }

    /// Writes a refusal.
    fn put_error(&self, id: &Id, reason: Reason, out: &mut BytesMut) {
        let (code, text) = self.error(reason);
        let error = format_args!("[{code},{},false]", Quoted(text));
        rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
    }

    /// Answers a call of a method that the server does not know.
    fn put_unknown(&self, id: &Id, _method: &str, out: &mut BytesMut) {
        rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":true}}\n"));
    }
}

/// How a server treats its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// The longest line that it reads, in bytes; whoever sends a longer one is thrown out.
    pub max_line: usize,
    /// How many bytes it reads at a time.
    pub read: usize,
    /// How many bytes may wait to be cut into lines, whole lines included, right after a read;
    /// whoever sends more at a time is thrown out. No limit where it is `None`.
    pub flood: Option<usize>,
    /// Whether a submit must name a worker that authorized on the connection. Otherwise any name
    /// will do as soon as somebody authorized.
    pub checks_workers: bool,
    /// Whether it answers `mining.get_transactions`.
    pub tells_transactions: bool,
    /// Whether it tells the extranonce by `mining.set_extranonce`, once the connection has subscribed
    /// and authorized.
    pub extranonce_after_authorize: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            max_line: 100_000,
            read: 8 * 1024,
            flood: None,
            checks_workers: true,
            tells_transactions: true,
            extranonce_after_authorize: false,
        }
    }
}

/// The share target that a job comes with.
#[derive(Debug, Clone, Copy)]
pub struct TargetTerms {
    /// As a difficulty on the coin's scale.
    pub difficulty: Difficulty,
    /// As a target.
    pub target: Target,
    /// Whether it differs from what this connection was told last.
    pub changed: bool,
    /// Whether the job is the connection's first.
    pub first: bool,
    /// What is being written.
    pub place: AnnouncementPlace,
}

/// Where an announcement would stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncementPlace {
    /// Before the notify.
    BeforeNotify,
    /// After the notify.
    AfterNotify,
}

/// A job as the pool keeps it: with everything needed to judge a share.
pub trait PoolJob: Debug + Send + Sync {
    /// The id that it is told under.
    fn id(&self) -> &str;

    /// The parameters of its notify, as JSON text. `first` says that the connection has no job
    /// yet.
    fn notify_params(&self, target: &Target, first: bool) -> String;

    /// The answer to `mining.get_transactions`, as JSON text; `None` where the coin has no such
    /// method.
    fn transactions(&self) -> Option<String> {
        None
    }

    /// Reads a submit's parameters, builds what was hashed and hashes it.
    ///
    /// # Errors
    /// The [`Reason`] why it cannot be a share of this job, whatever its hash.
    fn check(
        &self,
        extranonce1: &Extranonce,
        params: &[&RawValue],
        job_age: Duration,
    ) -> Result<CheckedShare, Reason>;
}

/// What the pool asks a coin to make a job of.
#[derive(Debug, Clone, Copy)]
pub struct JobOrder {
    /// Counts jobs from 0.
    pub serial: u64,
    /// Unix seconds.
    pub time: u64,
    /// The previous block's hash.
    pub tip: [u8; 32],
    /// Whether the job is the first of its block.
    pub new_block: bool,
}

/// A share whose form is right.
#[derive(Debug, Clone)]
pub struct CheckedShare {
    /// Equal for two shares of a job exactly when they are the same work.
    pub key: Box<[u8]>,
    /// What the server itself tells shares apart by, where that is not the key.
    pub claim: Option<ShareIdentity>,
    /// What is compared with the share target.
    pub hash: PowHash,
    /// The hash of the block that this share is, where it is one.
    pub block: Option<[u8; 32]>,
}

/// What only one share of a job may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShareIdentity {
    /// The server's own key.
    pub key: Box<[u8]>,
    /// Whether each connection has keys of its own.
    pub per_connection: bool,
}

/// Why a pool refuses a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The parameters are not those of a submit.
    InvalidParams,
    /// A parameter has the wrong form, in the server's own words.
    Form(&'static str),
    /// Nothing was subscribed on this connection.
    NotSubscribed,
    /// The worker did not authorize on this connection.
    Unauthorized,
    /// No such job was ever made.
    UnknownJob,
    /// The job has been replaced.
    Stale,
    /// The time lies before the job's.
    TimeTooOld,
    /// The time lies too far ahead.
    TimeTooNew,
    /// The same work was handed in before, on any connection.
    Duplicate,
    /// Other work was handed in before that this server takes for the same.
    SecondSolution,
    /// The proof is none.
    InvalidSolution,
    /// The hash misses the target.
    HighHash,
    /// The pool has been told to refuse everything.
    Refused,
    /// The job has as many shares as the pool keeps.
    Full,
}

impl Reason {
    /// The code and text that the hstratum family uses.
    #[must_use]
    pub const fn common(self) -> (i64, &'static str) {
        match self {
            Self::InvalidParams => (0, "invalid params"),
            Self::Form(text) => (20, text),
            Self::NotSubscribed => (25, "not subscribed"),
            Self::Unauthorized => (24, "unauthorized user"),
            Self::UnknownJob | Self::Stale => (21, "job not found"),
            Self::TimeTooOld => (20, "time too old"),
            Self::TimeTooNew => (20, "time too new"),
            Self::Duplicate | Self::SecondSolution => (22, "duplicate"),
            Self::InvalidSolution => (20, "invalid solution"),
            Self::HighHash => (23, "high-hash"),
            Self::Refused => (20, "share refused"),
            Self::Full => (20, "too many shares"),
        }
    }
}
