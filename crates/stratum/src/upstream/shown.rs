//! What a session shows its driver.

use std::borrow::Cow;

use super::Upstream;
use super::link::{LinkPhase, Reached};
use super::pace::MAX_QUEUED;
use super::requests::MAX_REQUESTS;
use crate::dialect::{Dialect, Subscribed};
use crate::secret::masked;

impl<D: Dialect, T> Upstream<D, T> {
    /// Whether the pool takes shares.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.link.is_live()
    }

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

    /// A line of the pool as it may be shown: without our own secrets. All that comes by
    /// [`poll_event`](Self::poll_event) is without them.
    #[must_use]
    pub fn without_secrets<'a>(&self, line: &'a [u8]) -> Cow<'a, str> {
        let line = String::from_utf8_lossy(line);
        masked(&line, &self.setup.config.password).map_or(line, Cow::Owned)
    }

    pub(super) fn reached(&self) -> Reached {
        match &self.link {
            LinkPhase::Offline(past) => past.reached,
            LinkPhase::Live(_) if self.jobs.has_told() => Reached::Work,
            LinkPhase::Live(_) => Reached::Login,
            LinkPhase::Subscribing(_) | LinkPhase::Authorizing(_) => Reached::Nothing,
        }
    }

    /// Whether [`handle_submission`](Self::handle_submission) would take one more share now. Shares
    /// wait in one window: 256 in the queue, and behind it as many as have no answer, up to 1,024;
    /// its last place is a block's.
    #[must_use]
    pub fn has_room(&self, is_block: bool) -> bool {
        self.link.connection().is_none_or(|there| there.pacer.has_room(is_block))
    }

    /// How many more shares would be taken now: those that may wait to be written, and where the
    /// pool sets no pace, those that may wait for its verdict.
    #[must_use]
    pub fn room(&self) -> usize {
        let (to_write, to_wait) =
            self.link.connection().map_or((MAX_QUEUED - 1, MAX_REQUESTS - 1), |there| {
                (there.pacer.room(), there.requests.room())
            });
        to_write + if self.setup.dialect.rules().pace.is_some() { 0 } else { to_wait }
    }

    /// How many shares are written, queued or held and have no verdict yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let connection = self.link.connection();
        let there = connection.map_or(0, |there| there.requests.shares() + there.pacer.queued());
        there + self.held.len()
    }

    /// What the pool gave at its last subscribe.
    #[must_use]
    pub const fn subscribed(&self) -> Option<&Subscribed> {
        self.footing.subscribed()
    }
}
