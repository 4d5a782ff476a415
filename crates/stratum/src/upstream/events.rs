//! What a session with a pool tells its driver.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::brake::BrakeEnd;
use super::silence::PROBE_WITHIN;
use super::{BAD_LINES, JOB_WITHIN, MAX_UNANSWERED, OVERLONG_PARDON, VERDICT_WITHIN};
use crate::channel::ShareOutcome;
use crate::dialect::{NoRoom, Split};
use crate::error::{Fault, ParseError};
use crate::evidence::ShareEvidence;
use crate::grounds::Clash;
use crate::habits::Learnt;
use crate::rpc::PoolError;
use crate::target::Target;

/// What happened in a session with a pool.
#[derive(Debug)]
pub enum UpstreamEvent<T> {
    /// [`Upstream::view`](super::Upstream::view) has changed.
    View,
    /// A share has its verdict.
    Verdict {
        /// What came with the share.
        ticket: T,
        /// Credited, or why not.
        outcome: ShareOutcome,
        /// How long the pool took; none where it did not decide.
        after: Option<Duration>,
        /// Whether it counts for or against the pool: not where the share was never sent to it, nor
        /// where it was refused for what the pool could not help.
        weighs: bool,
    },
    /// What a share was made from that the pool has refused; its verdict follows.
    Evidence {
        /// Whose share it was.
        worker: Arc<str>,
        /// In the pool's words.
        reason: String,
        /// The share.
        evidence: Box<ShareEvidence>,
    },
    /// The pool answered a share that had been given up.
    LateVerdict,
    /// A share was written once more, since the connection that it was written to before was lost.
    Resent,
    /// The pool had such a share already: it counts as accepted, as its verdict says.
    ResentDuplicate,
    /// The pool wants us elsewhere.
    Reconnect {
        /// Where to; the same host when absent.
        host: Option<String>,
        /// Where to; the same port when absent.
        port: Option<u16>,
        /// How long to wait before; 10 minutes at most.
        wait: Duration,
    },
    /// The connection is of no use and must be closed. The session counts it as lost already:
    /// the verdicts of all shares that waited follow, and nothing more is read or written.
    Down(DownReason),
    /// Something to log.
    Notice(Notice),
}

/// What an operator may want to know about a pool.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The extranonce space is new.
    Ground {
        /// Its division.
        split: Arc<Split>,
        /// How many rigs fit.
        capacity: u64,
    },
    /// The pool authorized us: shares can flow.
    Live,
    /// The pool has told jobs and not answered the authorize: it is taken at its jobs.
    AuthorizeUnanswered,
    /// Something was found out about the pool's habits.
    Learnt {
        /// What.
        learnt: Learnt,
        /// By what.
        why: String,
    },
    /// A call could not be used and was skipped.
    Unusable {
        /// The method.
        method: String,
        /// What is wrong with it.
        error: ParseError,
    },
    /// The answer to a question could not be used.
    UnusableAnswer(ParseError),
    /// A line made no sense; its start.
    BadLine(String),
    /// A line was longer than the cap and was skipped.
    Overlong {
        /// The cap in bytes.
        cap: usize,
    },
    /// The share target changed.
    Target(Target),
    /// The pool has something to say.
    Message(String),
    /// There is something to say of its jobs.
    Job(String),
    /// More shares a second come than the pool should get: rigs must meet this target at least.
    /// Said again when it is made harder.
    BrakeOn {
        /// How many come at present.
        shares_per_second: f64,
        /// How many may.
        limit: u32,
        /// The target.
        floor: Target,
    },
    /// Rigs need meet no more than the pool's own target.
    BrakeOff {
        /// How much of what rigs proved with shares that the pool took it did not credit.
        forgone_hashes: f64,
        /// For how long.
        held: Duration,
        /// Why it is over.
        why: BrakeEnd,
    },
}

/// What a pool is asked at the begin of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginCall {
    /// For extensions.
    Configure,
    /// For an extranonce.
    Subscribe,
    /// To let the account in.
    Authorize,
}

impl fmt::Display for LoginCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "the configure",
            Self::Subscribe => "the subscribe",
            Self::Authorize => "the authorize",
        })
    }
}

/// Why a connection to a pool is given up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DownReason {
    /// No answer to the subscribe or the authorize.
    #[error("the pool did not answer {0} within {1:?}")]
    LoginTimeout(LoginCall, Duration),
    /// The subscribe was refused.
    #[error("the pool refused the subscribe: {0}")]
    SubscribeRefused(PoolError),
    /// The subscribe's answer could not be read.
    #[error("the pool's answer to the subscribe makes no sense: {0}")]
    SubscribeUnusable(ParseError),
    /// The account or password was refused.
    #[error("the pool refused user {user:?}: {reason}; check `user` and `password`")]
    AuthorizeRefused {
        /// The account.
        user: String,
        /// What the pool said.
        reason: String,
    },
    /// The extranonce cannot be divided as configured.
    #[error("{0}")]
    NoRoom(NoRoom),
    /// The pool gave an extranonce1 that another connection to it has, or its rigs.
    #[error("{0}")]
    SameExtranonce(Clash),
    /// Too many lines without sense.
    #[error("{} lines from the pool made no sense", BAD_LINES.limit)]
    BadLines,
    /// Two overlong lines within a minute.
    #[error("two lines from the pool within {OVERLONG_PARDON:?} were longer than {cap} bytes")]
    Overlong {
        /// The cap in bytes.
        cap: usize,
    },
    /// The pool has let us in and given no extranonce.
    #[error("the pool gave no extranonce within {JOB_WITHIN:?} of the login")]
    NoExtranonce,
    /// The pool tells no job that can be mined.
    #[error("{}", no_job(unusable.as_ref(), dialect))]
    NoJob {
        /// What was wrong with its last job; none where none came.
        unusable: Option<ParseError>,
        /// The name of the dialect that the pool was taken to speak.
        dialect: &'static str,
    },
    /// The operator forbids what the pool does.
    #[error("the pool is not served: {0}")]
    Barred(String),
    /// Shares stay without an answer.
    #[error("{MAX_UNANSWERED} shares in a row got no answer within {VERDICT_WITHIN:?}")]
    Unanswered,
    /// Nothing comes from the pool, not even when it is asked.
    #[error(
        "the pool said nothing for {silent:?}, and did not answer a question within {PROBE_WITHIN:?}"
    )]
    Silent {
        /// How long, in whole seconds.
        silent: Duration,
    },
}

impl DownReason {
    /// Who has to act on it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::AuthorizeRefused { .. }
            | Self::NoRoom(_)
            | Self::Barred(_)
            | Self::NoJob { unusable: Some(_), .. } => Fault::Operator,
            _ => Fault::Pool,
        }
    }
}

fn no_job(unusable: Option<&ParseError>, dialect: &str) -> String {
    unusable.map_or_else(
        || format!("the pool told no job within {JOB_WITHIN:?}"),
        |error| {
            format!(
                "the pool told no job that can be mined within {JOB_WITHIN:?}: {error}; is this a \
                 pool of {dialect}?"
            )
        },
    )
}
