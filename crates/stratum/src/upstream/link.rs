//! The connection to the pool, and what lives as long as it does.

use std::time::Instant;

use super::{BAD_LINES, OVERLONG_PARDON};
use crate::dialect::Announced;
use crate::error::ParseError;
use crate::extranonce::Extranonce;
use crate::job::Generation;
use crate::strikes::Strikes;

/// Whether there is a connection, and how far its login has come. What belongs to a connection is in
/// here, so that the next one starts with nothing of it.
pub(super) enum Link<J> {
    /// There is none; how far the last one came.
    Offline(Reached),
    /// The subscribe has no answer. The newest notify that came before it is of a generation that is
    /// not known yet.
    Subscribing(Connection, Option<J>),
    /// The authorize has none.
    Authorizing(Connection),
    /// The pool takes shares.
    Live(Connection),
}

/// A connection to the pool.
pub(super) struct Connection {
    /// The generation that the former connection ended with.
    pub(super) former: Generation,
    /// What the pool announced about share targets.
    pub(super) announced: Announced,
    /// The pool's `mining.set_extranonce`, which applies with its next job.
    pub(super) next_extranonce: Option<(Extranonce, Option<usize>)>,
    /// The ground is to be divided anew with the next work that the pool has not told before.
    pub(super) divides_anew: bool,
    /// The authorize whose answer has not come in time, and was gone without.
    pub(super) late_authorize: Option<u64>,
    /// Since when the pool has owed us a job; whether it has told one is for the jobs to say.
    pub(super) owes_job_since: Option<Instant>,
    /// What was wrong with its last job, or else with the first other call that made no sense.
    pub(super) unusable: Option<ParseError>,
    /// Shares in a row without an answer.
    pub(super) unanswered: u32,
    pub(super) bad_lines: Strikes,
    overlong: Option<Instant>,
}

/// How far a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Reached {
    #[default]
    Nothing,
    Login,
    Work,
}

impl<J> Link<J> {
    /// A connection begins.
    pub(super) fn begin(former: Generation) -> Self {
        let connection = Connection {
            former,
            announced: Announced::default(),
            next_extranonce: None,
            divides_anew: false,
            late_authorize: None,
            owes_job_since: None,
            unusable: None,
            unanswered: 0,
            bad_lines: Strikes::new(&BAD_LINES),
            overlong: None,
        };
        Self::Subscribing(connection, None)
    }

    pub(super) const fn is_online(&self) -> bool {
        !matches!(self, Self::Offline(_))
    }

    pub(super) const fn is_subscribing(&self) -> bool {
        matches!(self, Self::Subscribing(..))
    }

    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    pub(super) const fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Offline(_) => None,
            Self::Subscribing(connection, _)
            | Self::Authorizing(connection)
            | Self::Live(connection) => Some(connection),
        }
    }

    pub(super) const fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Offline(_) => None,
            Self::Subscribing(connection, _)
            | Self::Authorizing(connection)
            | Self::Live(connection) => Some(connection),
        }
    }

    /// The subscribe has its answer; gives the notify that came before it.
    pub(super) fn subscribed(&mut self) -> Option<J> {
        match std::mem::replace(self, Self::Offline(Reached::Nothing)) {
            Self::Subscribing(mut connection, early) => {
                // What came before the answer is older than it.
                connection.next_extranonce = None;
                *self = Self::Authorizing(connection);
                early
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// The pool has authorized us, and owes us a job from now on.
    pub(super) fn authorized(&mut self, now: Instant) {
        *self = match std::mem::replace(self, Self::Offline(Reached::Nothing)) {
            Self::Authorizing(mut connection) => {
                connection.owes_job_since = Some(now);
                Self::Live(connection)
            }
            other => other,
        };
    }
}

impl Connection {
    /// A line was too long; `true` when one was so not long ago.
    pub(super) fn overlong(&mut self, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < OVERLONG_PARDON;
        self.overlong.replace(now).is_some_and(recent)
    }
}
