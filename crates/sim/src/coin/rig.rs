//! The rig's half.

use std::fmt::Debug;
use std::task::{Context, Poll};
use std::time::Duration;

use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc;
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::rig::Rubbish;

/// What a simulated rig must know of a coin.
pub trait RigCoin: Debug + Send + Sync + 'static {
    /// How the firmware treats what it is told.
    fn habits(&self) -> FirmwareHabits {
        FirmwareHabits::default()
    }

    /// The parameters of `mining.configure`, as JSON text, where the firmware begins its login with one.
    fn configure_params(&self) -> Option<String> {
        None
    }

    /// Reads what the pool grants, in the coin's own form: the result of `mining.configure`, or the
    /// parameters of a call that only the coin knows. `None` where that is no grant.
    ///
    /// # Errors
    /// When it is one that cannot be read.
    fn parse_grant(&self, _method: &str, _said: &RawValue) -> Result<Option<String>, RigError> {
        Ok(None)
    }

    /// The parameters of `mining.subscribe`, as JSON text. `address` is `host:port` of the pool
    /// where it is known, else empty.
    fn subscribe_params(&self, agent: &str, address: &str) -> String;

    /// Reads the result of `mining.subscribe`; `None` where the extranonce is still to come, by a
    /// `mining.set_extranonce`.
    ///
    /// # Errors
    /// When it has not the coin's form.
    fn parse_subscribed(&self, result: &RawValue) -> Result<Option<Allotment>, RigError>;

    /// Reads a notify.
    ///
    /// # Errors
    /// When it is none that this rig can mine.
    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError>;

    /// Reads a `mining.set_difficulty`; `None` for one that this rig reads and does not care for.
    ///
    /// # Errors
    /// When it is no difficulty.
    fn parse_difficulty(&self, params: &RawValue) -> Result<Option<Difficulty>, RigError> {
        let read = rpc::array::<1>(params)
            .and_then(|(elements, _)| rpc::number(elements.first()?))
            .and_then(Difficulty::new);
        read.map(Some).ok_or_else(|| RigError::field("difficulty", params))
    }

    /// Reads a `mining.set_target`; `None` for one that this rig reads and does not care for.
    ///
    /// # Errors
    /// When it is no target.
    fn parse_target(&self, params: &RawValue) -> Result<Option<Target>, RigError> {
        let read = rpc::array::<1>(params)
            .and_then(|(elements, _)| rpc::string(elements.first()?))
            .and_then(|text| Target::from_hex(&text).ok());
        read.map(Some).ok_or_else(|| RigError::field("target", params))
    }

    /// The target of an announced difficulty.
    fn target(&self, difficulty: Difficulty) -> Target;
}

/// How a firmware treats what it is told. The default is a patient one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirmwareHabits {
    /// Whether it ignores every line that does not begin with `{` and end with `}`, to the byte.
    pub strict_lines: bool,
    /// Whether it drops its connection over a call that it cannot read.
    pub drops_over_nonsense: bool,
    /// Whether it ignores jobs that are not clean.
    pub ignores_soft_jobs: bool,
    /// Whether it ignores a job under the id of the job before, also across connections.
    pub ignores_repeated_id: bool,
    /// Whether a refused authorize ends it for good.
    pub ends_when_refused: bool,
    /// Whether it goes where `client.reconnect` points, instead of where it came from.
    pub follows_reconnect: bool,
    /// Whether it mines as soon as it is authorized, whatever comes of
    /// `mining.extranonce.subscribe`.
    pub mines_once_authorized: bool,
    /// How long it may finish what it has begun when a new job comes.
    pub lingers: Duration,
}

/// A job as a rig reads it off the wire.
pub trait RigJob: Debug + Send {
    /// Its id.
    fn id(&self) -> &str;

    /// Equal for two jobs that are the same work, whatever their ids.
    fn fingerprint(&self) -> u64;

    /// Whether the rig must drop what it does for this job; `true` where the notify cannot say so.
    fn is_clean(&self) -> bool {
        true
    }

    /// The target, where the rig takes it from the notify.
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
///
/// A search whose proofs take long works in the background: [`poll_ready`](Self::poll_ready)
/// begins it, and [`step`](Self::step) hands out what it finds.
pub trait Search: Debug + Send {
    /// Ready when [`step`](Self::step) has something to do.
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Tries at most `budget` nonces and stops at the first that meets the target.
    fn step(&mut self, budget: u32, target: &Target) -> SearchStep;

    /// Whether something is under way in the background, or found and not handed out.
    fn is_busy(&self) -> bool {
        false
    }

    /// Begins nothing new; what is under way may still come to something.
    fn wind_down(&mut self) {}

    /// Gives up what is under way, so that it costs nothing. It is begun again when polled.
    fn pause(&mut self) {}

    /// Makes something that a pool must refuse out of a good share; `None` where this coin or
    /// this search has nothing of the kind to offer.
    fn spoil(&self, share: &Solution, how: Rubbish) -> Option<Solution>;
}

/// What a [`Search::step`] came to.
#[derive(Debug, Clone, Default)]
pub struct SearchStep {
    /// How many hashes were tried.
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

/// The extranonce that a rig was given, and what it was granted beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allotment {
    /// The part that tells it from others.
    pub extranonce1: Extranonce,
    /// The announced size of extranonce2, where the coin announces one.
    pub size: Option<usize>,
    /// The last [grant](RigCoin::parse_grant), whenever it came.
    pub granted: Option<String>,
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
    /// A field with the wrong content, which is shortened.
    #[must_use]
    pub fn field(field: &'static str, found: &(impl ToString + ?Sized)) -> Self {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(80) {
            found.truncate(cut);
        }
        Self::Field { field, found }
    }
}
