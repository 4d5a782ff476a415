//! What rigs say and are told, as meanings: the bytes of it are the dialect's.

use std::borrow::Cow;
use std::fmt::Debug;

use serde_json::value::RawValue;

use super::Dialect;
use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::firmware::Firmware;
use crate::job::JobId;
use crate::rpc::{Id, Params};
use crate::target::{Difficulty, Target};

/// What one rig has negotiated and shown of itself.
pub trait RigNeeds: Clone + Default + PartialEq + Debug + Send + Sync + 'static {
    /// Rigs of one flavour are told a job in one form.
    fn flavour(&self) -> u8;

    /// What its firmware needs, as far as its login tells.
    fn firmware(&self) -> Firmware;
}

/// All rigs are alike.
impl RigNeeds for () {
    fn flavour(&self) -> u8 {
        0
    }

    fn firmware(&self) -> Firmware {
        Firmware::default()
    }
}

/// A call from a rig.
#[derive(Debug)]
pub enum RigCall<'a> {
    /// A share, as far as it can be read without its job. One that cannot counts as a share too.
    Submit(Result<HeardSubmit<'a>, Reject>),
    /// It wishes for extensions, which the dialect has noted in its [`Rig`](Dialect::Rig) by now. What
    /// it asked goes back to the dialect with [`RigSay::Configured`].
    Configure,
    /// It wants an extranonce.
    Subscribe {
        /// The name that its software gives itself.
        agent: Option<Cow<'a, str>>,
        /// What is done with it.
        verdict: SubscribeVerdict,
    },
    /// It says who works.
    Authorize {
        /// The worker's name.
        worker: Option<Cow<'a, str>>,
        /// The worker's password.
        password: Option<Cow<'a, str>>,
    },
    /// It can be told another extranonce.
    WantsExtranonce,
    /// It wishes for a difficulty; `None` where that is no number above 0.
    Suggest(Option<Difficulty>),
    /// It asks about a job that it was told.
    Query {
        /// Which job.
        job: JobName<'a>,
        /// What about it, by the dialect's own number.
        kind: u8,
    },
    /// It wants any answer.
    Ping,
    /// Any other call; it is refused.
    Unknown,
}

/// A submit, of which the rest is read by its job.
#[derive(Debug)]
pub struct HeardSubmit<'a> {
    /// The worker's name.
    pub worker: Cow<'a, str>,
    /// The job.
    pub job: JobName<'a>,
    /// All of it.
    pub fields: Params<'a>,
}

/// A job as a rig names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName<'a> {
    /// Our id, where it is one.
    pub id: Option<JobId>,
    /// As it came, for a refusal.
    pub text: Cow<'a, str>,
}

impl<'a> JobName<'a> {
    /// A job that is named by the [eight digits](JobId) of its id.
    #[must_use]
    pub fn of(text: Cow<'a, str>) -> Self {
        Self { id: JobId::parse(&text), text }
    }
}

/// What is done with a rig's subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeVerdict {
    /// It is served.
    Serve,
    /// It is served, and this is logged.
    ServeAndLog(String),
    /// It is refused with this reason, and the connection is closed.
    Refuse(String),
}

/// What a rig is told, but for its [jobs](Dialect::notify). A dialect writes nothing where it has no
/// words for it.
#[derive(Debug)]
pub enum RigSay<'a, J, T> {
    /// The answer to [`RigCall::Configure`], after which the rig's [`Rig`](Dialect::Rig) is what it may
    /// do.
    Configured {
        /// Of the call.
        id: &'a Id,
        /// The parameters of the call.
        asked: Option<&'a RawValue>,
    },
    /// The answer to a subscribe.
    Subscribed {
        /// Of the call.
        id: &'a Id,
        /// A fresh id in hex.
        session: &'a str,
        /// Its part of the extranonce, for forms that have it inside.
        given: RigSpace<'a>,
    },
    /// The answer to an authorize or a wish that is granted.
    Granted(&'a Id),
    /// The answer to a share that is taken.
    Taken(&'a Id),
    /// The answer to a call that is refused.
    Refused(&'a Id, &'a Reject),
    /// The answer to [`RigCall::Ping`].
    Pong(&'a Id),
    /// The answer to [`RigCall::Query`]. What the job cannot tell yet is not written.
    Answered {
        /// Of the call.
        id: &'a Id,
        /// The job that it asks about.
        job: &'a J,
        /// What about it.
        kind: u8,
    },
    /// Its target, which applies from the next job on.
    Target {
        /// As a number.
        target: &'a Target,
        /// The same on the scale that rigs are told.
        difficulty: Difficulty,
    },
    /// Its part of the extranonce, which applies from the next job on.
    Extranonce(RigSpace<'a>),
    /// What the pool grants, which applies from the next job on.
    Terms(&'a T),
}

impl<J, T> Clone for RigSay<'_, J, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J, T> Copy for RigSay<'_, J, T> {}

/// A rig's part of the extranonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RigSpace<'a> {
    /// Given: the pool's and the prefix.
    pub extranonce1: &'a Extranonce,
    /// The length of what the rig chooses, in bytes.
    pub extranonce2: usize,
}

/// The form in which rigs are told a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifyForm {
    /// Whether they must drop what they do.
    pub clean: bool,
    /// By [`RigNeeds::flavour`].
    pub flavour: u8,
}

/// A job as one rig was told it; [`BasisOf`] is that of a dialect.
#[derive(Debug)]
pub struct Basis<'a, J, T, R> {
    /// The job.
    pub job: &'a J,
    /// What the pool granted with it.
    pub terms: &'a T,
    /// What the rig had negotiated by then.
    pub rig: &'a R,
    /// The rig's own: the pool's and the prefix.
    pub extranonce1: &'a Extranonce,
    /// How many bytes of it are the pool's.
    pub pool_extranonce1: usize,
    /// The length of the extranonce2 that counts, in bytes.
    pub extranonce2: usize,
}

impl<J, T, R> Clone for Basis<'_, J, T, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J, T, R> Copy for Basis<'_, J, T, R> {}

/// A job of a dialect as one rig was told it.
pub type BasisOf<'a, D> =
    Basis<'a, <D as Dialect>::Job, <D as Dialect>::Terms, <D as Dialect>::Rig>;

/// A submit that was refused.
#[derive(Debug)]
pub enum FailedShare<'a, S> {
    /// It cannot be read.
    Form(&'a Params<'a>),
    /// It fails its check.
    Share {
        /// As it was read.
        share: &'a S,
        /// What its hash should have met.
        target: &'a Target,
    },
}
