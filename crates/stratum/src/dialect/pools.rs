//! What a pool is told, and what it is heard to say.

use std::fmt::Debug;
use std::time::Duration;

use super::{Diagnosis, Refusal, ShareTarget, Subscribed};
use crate::error::{ParseError, Reject};
use crate::extranonce::Extranonce;
use crate::rpc::{Id, PoolError};
use crate::target::{Difficulty, Target};

/// What a pool grants a connection; `R` is what a rig has negotiated.
pub trait GrantedTerms<R>: Clone + Default + PartialEq + Debug + Send + Sync + 'static {
    /// What a rig asked for and is not granted, where its owner should know; said as the rig is told
    /// the first job under these terms.
    fn misses(&self, rig: &R) -> Option<Diagnosis>;

    /// The bits of the version that a rig may roll, or without one those that the pool lets its miners roll;
    /// none where versions do not roll.
    fn version_mask(&self, rig: Option<&R>) -> Option<u32>;
}

/// Nothing is granted, and nothing is missed.
impl<R> GrantedTerms<R> for () {
    fn misses(&self, _: &R) -> Option<Diagnosis> {
        None
    }

    fn version_mask(&self, _: Option<&R>) -> Option<u32> {
        None
    }
}

/// What a pool is told. What a dialect has no words for it does not write, and nothing waits for it.
#[derive(Debug)]
pub enum PoolCall<'a, J, S> {
    /// What is wished for before the subscribe (a version mask).
    Configure {
        /// Of the request.
        id: u64,
    },
    /// An extranonce is wanted.
    Subscribe {
        /// Of the request.
        id: u64,
        /// How we call ourselves.
        agent: &'a str,
        /// The session to be resumed.
        former: Option<&'a str>,
        /// The pool's own host and port, where they are known.
        server: Option<(&'a str, u16)>,
    },
    /// Who works.
    Authorize {
        /// Of the request.
        id: u64,
        /// The account, or a worker's name.
        user: &'a str,
        /// Its password.
        password: &'a str,
    },
    /// A wish for a difficulty, on the pool's own scale. Pools that do not know the call may answer as
    /// they like.
    Suggest {
        /// Of the request.
        id: u64,
        /// Which one.
        difficulty: Difficulty,
    },
    /// A question about a job, where there is one to be asked.
    Ask {
        /// Of the request.
        id: u64,
        /// The job, which learns the answer.
        job: &'a J,
    },
    /// Something harmless that every server answers, be it with an error: only that there is an answer
    /// counts.
    Probe {
        /// Of the request.
        id: u64,
    },
    /// A share.
    Submit {
        /// Of the request.
        id: u64,
        /// Under whose name.
        worker: &'a str,
        /// The job, as the pool told it.
        job: &'a J,
        /// The extranonce2 upstream is this and then the rig's.
        prefix: &'a [u8],
        /// What the rig found.
        share: &'a S,
    },
    /// The answer to a call of the pool's.
    Reply {
        /// The pool's id.
        id: &'a Id,
        /// What it is told.
        reply: CourtesyReply<'a>,
    },
}

/// What a pool is told that has asked something.
#[derive(Debug)]
pub enum CourtesyReply<'a> {
    /// We are there.
    Pong,
    /// This is our name.
    Version(&'a str),
    /// There is no such call.
    Unknown(&'a Reject),
}

/// What a call of the pool's means. That it is a job, say, is known also where the job makes no sense.
#[derive(Debug)]
pub enum PoolEvent<J> {
    /// A job.
    Job(Result<J, ParseError>),
    /// The shares' target as a difficulty: a number, or a target with some servers.
    Difficulty(ShareTarget),
    /// The shares' target itself.
    Target(Target),
    /// Another extranonce, with the next job.
    Extranonce {
        /// The new extranonce1.
        extranonce1: Extranonce,
        /// The new announced size, where one is given.
        size: Option<usize>,
    },
    /// It is not to be worked for: the operator forbids what it does, as these words say. The
    /// connection is given up.
    Barred(String),
    /// The pool sends us away.
    Reconnect {
        /// Where to; the same host when absent.
        host: Option<String>,
        /// Where to; the same port when absent.
        port: Option<u16>,
        /// How long to wait before; 10 minutes at most.
        wait: Duration,
    },
    /// A text for the operator, shortened.
    Message(String),
    /// It wants to know whether we are there.
    Ping,
    /// It wants to know who we are.
    WantsVersion,
    /// What it grants has been noted in the connection's terms.
    Noted,
    /// It means something that cannot be read.
    Unusable(ParseError),
    /// Some other call.
    Unknown,
}

/// What a pool answers.
#[derive(Debug)]
pub enum PoolQuestion<'a, J> {
    /// [`PoolCall::Configure`].
    Configure,
    /// [`PoolCall::Subscribe`], with the session that was to be resumed.
    Subscribe {
        /// Its id.
        former: Option<&'a str>,
    },
    /// [`PoolCall::Authorize`] of the account, as a connection begins.
    Login,
    /// The same of a worker's name, or of the account once more.
    Name,
    /// [`PoolCall::Ask`] about this job.
    Job(&'a J),
    /// [`PoolCall::Probe`].
    Probe,
    /// [`PoolCall::Submit`].
    Share,
}

impl<J> Clone for PoolQuestion<'_, J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for PoolQuestion<'_, J> {}

/// What an answer means.
#[derive(Debug)]
pub enum PoolAnswer {
    /// Here is an extranonce.
    Subscribed {
        /// What the pool gives; none where that comes by a call of its own.
        given: Option<Subscribed>,
        /// It has resumed the session that it was asked for, so that it still knows the jobs and shares
        /// of the lost connection. It only counts where the pool gave the same id and the same
        /// extranonce1 again. That alone proves nothing where servers count their sessions, since a
        /// server that restarts counts from the start.
        resumed: bool,
    },
    /// Granted, taken, or learnt.
    Yes,
    /// Refused: how that is meant, and in which words.
    No(Refusal, PoolError),
    /// It says nothing of interest.
    Nothing,
    /// It means something that cannot be read.
    Unusable(ParseError),
}

impl PoolAnswer {
    /// Whether it is a yes to something that is granted or refused.
    ///
    /// # Errors
    /// The refusal. An answer that cannot be one stands for a refusal without a reason.
    pub(crate) fn verdict(self) -> Result<(), (Refusal, PoolError)> {
        match self {
            Self::Yes => Ok(()),
            Self::No(refusal, error) => Err((refusal, error)),
            Self::Subscribed { .. } | Self::Nothing | Self::Unusable(_) => {
                Err((Refusal::Other, PoolError::unexplained()))
            }
        }
    }
}
