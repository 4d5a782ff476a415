//! A pool that logs us in and tells no job that can be mined is given up: being connected earns
//! nothing.

use std::time::{Duration, Instant};

use super::link::{Link, Reached};
use super::{DownReason, Upstream};
use crate::dialect::Dialect;
use crate::error::ParseError;

/// How long a pool may take from the login, or from another extranonce, to a job that can be
/// mined. Servers tell one right behind the authorize's answer.
pub const JOB_WITHIN: Duration = Duration::from_secs(30);
/// The call whose error is of most interest: what the pool takes for a job.
const NOTIFY: &str = "mining.notify";

impl<D: Dialect, T> Upstream<D, T> {
    /// Whether the pool serves us on this connection: it has authorized us and told a job that can
    /// be mined, or resumed the session in which it did.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.is_live() && self.jobs.has_told()
    }

    /// Whether the pool has authorized us on the present connection, or on the last one.
    #[must_use]
    pub fn was_live(&self) -> bool {
        self.reached() >= Reached::Login
    }

    /// Whether the pool [serves](Self::serves) us on the present connection, or did so at the end
    /// of the last one.
    #[must_use]
    pub fn was_serving(&self) -> bool {
        self.reached() == Reached::Work
    }

    pub(super) fn reached(&self) -> Reached {
        let present = match (self.is_live(), self.jobs.has_told()) {
            (true, true) => Reached::Work,
            (true, false) => Reached::Login,
            (false, _) => Reached::Nothing,
        };
        match self.link {
            Link::Offline(reached) => reached,
            _ => present,
        }
    }

    /// A call of the pool made no sense.
    pub(super) fn note_unusable(&mut self, method: &str, error: &ParseError) {
        if let Some(connection) = self.link.connection_mut()
            && (method == NOTIFY || connection.unusable.is_none())
        {
            connection.unusable = Some(error.clone());
        }
    }

    /// When the pool is given up if it tells no job.
    pub(super) fn jobless_until(&self) -> Option<Instant> {
        let owing = self.is_live() && !self.jobs.has_told();
        let since = self.link.connection()?.owes_job_since;
        since.filter(|_| owing).map(|since| since + JOB_WITHIN)
    }

    pub(super) fn give_up_jobless(&mut self, now: Instant) {
        if self.jobless_until().is_some_and(|until| until <= now) {
            let unusable = self.link.connection_mut().and_then(|there| there.unusable.take());
            self.down(DownReason::NoJob { unusable, dialect: D::NAME }, now);
        }
    }
}
