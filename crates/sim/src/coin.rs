//! What a coin must say to be simulated: the pool's half and the rig's half.
//!
//! Both halves are pure: no socket, no clock, no state but their options and the job itself.

use std::fmt::Debug;
use std::time::Duration;

use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{Difficulty, PowHash, Target};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::rig::Rubbish;

/// What the simulated pool must know of a coin.
pub trait PoolCoin: Debug + Send + Sync + 'static {
    /// Makes a job. Two jobs of different serials must be different work.
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob>;

    /// The share target of a difficulty.
    fn target(&self, difficulty: Difficulty) -> Target;

    /// Whether a hash is good enough for a target.
    fn meets(&self, hash: &PowHash, target: &Target) -> bool {
        hash.at_or_below(target)
    }

    /// The result of `mining.subscribe`, as JSON text.
    fn subscribe_result(&self, extranonce1: &Extranonce) -> String;

    /// The size that goes with `mining.set_extranonce`.
    fn extranonce2_size(&self, extranonce1: &Extranonce) -> usize;

    /// Parameters of a notify that no miner can use, as JSON text.
    fn unusable_notify(&self) -> String;

    /// The code and the text of a refusal.
    fn error(&self, reason: Reason) -> (i64, &'static str) {
        reason.common()
    }

    /// The third element of an error array, as JSON text; `None` for arrays of two.
    fn error_data(&self) -> Option<&'static str>;
}

/// A job as the pool keeps it: with everything needed to judge a share.
pub trait PoolJob: Debug + Send + Sync {
    /// The id that it is told under.
    fn id(&self) -> &str;

    /// The parameters of its notify, as JSON text.
    fn notify_params(&self, target: &Target) -> String;

    /// The answer to `mining.get_transactions`, as JSON text; `None` where the coin has no such
    /// method.
    fn transactions(&self) -> Option<String>;

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
}

/// A share whose form is right.
#[derive(Debug, Clone)]
pub struct CheckedShare {
    /// Equal for two shares of a job exactly when they are the same work.
    pub key: Box<[u8]>,
    /// What is compared with the share target.
    pub hash: PowHash,
    /// The hash of the block that this share is, where it is one.
    pub block: Option<[u8; 32]>,
}

/// Why a pool refuses a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The parameters are not those of a submit.
    InvalidParams,
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
    pub fn common(self) -> (i64, &'static str) {
        match self {
            Self::InvalidParams => (0, "invalid params"),
            Self::NotSubscribed => (25, "not subscribed"),
            Self::Unauthorized => (24, "unauthorized user"),
            Self::UnknownJob | Self::Stale => (21, "job not found"),
            Self::TimeTooOld => (20, "time too old"),
            Self::TimeTooNew => (20, "time too new"),
            Self::Duplicate => (22, "duplicate"),
            Self::HighHash => (23, "high-hash"),
            Self::Refused => (20, "share refused"),
            Self::Full => (20, "too many shares"),
        }
    }
}

/// What a simulated rig must know of a coin.
pub trait RigCoin: Debug + Send + Sync + 'static {
    /// The parameters of `mining.subscribe`, as JSON text.
    fn subscribe_params(&self, agent: &str) -> String;

    /// Reads the result of `mining.subscribe`.
    ///
    /// # Errors
    /// When it has not the coin's form.
    fn parse_subscribed(&self, result: &RawValue) -> Result<Allotment, RigError>;

    /// Reads a notify.
    ///
    /// # Errors
    /// When it is none that this rig can mine.
    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError>;

    /// The target of an announced difficulty.
    fn target(&self, difficulty: Difficulty) -> Target;
}

/// A job as a rig reads it off the wire.
pub trait RigJob: Debug + Send {
    /// Its id.
    fn id(&self) -> &str;

    /// Equal for two jobs that are the same work, whatever their ids.
    fn fingerprint(&self) -> u64;

    /// The target, where the coin's notify carries it.
    fn target(&self) -> Option<Target> {
        None
    }

    /// Whether the rig must ask `mining.get_transactions` before it can hash.
    fn wants_transactions(&self) -> bool {
        false
    }

    /// Takes the answer to `mining.get_transactions`.
    ///
    /// # Errors
    /// When it is not a list of transaction ids.
    fn learn_transactions(&mut self, _answer: &RawValue) -> Result<(), RigError> {
        Ok(())
    }

    /// Starts to search this job from the beginning of the rig's space.
    ///
    /// # Errors
    /// When the extranonce leaves no space that this rig can search.
    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError>;
}

/// A search for shares of one job.
pub trait Search: Debug + Send {
    /// Tries at most `budget` nonces and stops at the first that meets the target.
    fn step(&mut self, budget: u32, target: &Target) -> Step;

    /// Makes something that a pool must refuse out of a good share; `None` where this coin or
    /// this search has nothing of the kind to offer.
    fn spoil(&self, share: &Solution, how: Rubbish) -> Option<Solution>;
}

/// What a [`Search::step`] came to.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// How many nonces were tried.
    pub tried: u32,
    /// The share that was found.
    pub found: Option<Solution>,
    /// The whole space has been searched.
    pub exhausted: bool,
}

/// The fields of a submit that follow the worker and the job id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// In the order of the wire; each is sent as a JSON string.
    pub fields: Vec<String>,
}

/// The extranonce that a rig was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allotment {
    /// The part that tells it from others.
    pub extranonce1: Extranonce,
    /// The announced size of extranonce2, where the coin announces one.
    pub size: Option<usize>,
}

/// Why a rig can do nothing with what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RigError {
    /// A field of a message is missing or has the wrong form.
    #[error("{field} is not what it must be: {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// What stands there, shortened.
        found: String,
    },
    /// The extranonce has no room for the rig's counter.
    #[error(
        "extranonce1 of {extranonce1} bytes leaves no room for an extranonce2 of {extranonce2}"
    )]
    NoRoom {
        /// Bytes of extranonce1.
        extranonce1: usize,
        /// Bytes of extranonce2.
        extranonce2: usize,
    },
}

impl RigError {
    /// A field with the wrong content.
    pub(crate) fn field(field: &'static str, found: &(impl ToString + ?Sized)) -> Self {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(80) {
            found.truncate(cut);
        }
        Self::Field { field, found }
    }
}
