//! What rigs have for a channel's pool: the one bounded queue before a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::Reject;

use super::mailbox::{Mailbox, ROOM};
use super::ticket::Ticket;
use crate::bell::{Bell, Calls};

/// The channel's task is called since shares wait…
pub(crate) const SHARES: Calls = Calls::of_kind(0);
/// …another connection to the pool has failed: the pool is to be asked whether it lives…
pub(crate) const DOUBT: Calls = Calls::of_kind(1);
/// …or one that many rigs share was given this one's extranonce1, and is to have it.
pub(crate) const GIVE_WAY: Calls = Calls::of_kind(2);

/// How long a share waits for room before its rig is told that there is none.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many blocks may wait beside the shares for which there is room.
const MAX_BLOCKS: usize = 16;

/// The shares that wait to be taken by a channel's task, in order of arrival, blocks first.
///
/// There are as many as the connection has room for, and one more of each rig, which is not read
/// until that is taken: a burst costs waiting, and no share.
pub(crate) struct Window<D: Dialect> {
    /// Calls the channel's task.
    pub(crate) bell: Bell,
    shares: Mutex<Shares<D>>,
}

struct Shares<D: Dialect> {
    waiting: VecDeque<Parcel<D>>,
    /// How many the connection had room for when its task last looked.
    room: usize,
    /// Nobody takes them any more.
    closed: bool,
}

/// A share on its way into the channel.
pub(crate) struct Parcel<D: Dialect> {
    pub(crate) submission: Submission<D>,
    pub(crate) ticket: Ticket,
    since: Instant,
    _cork: Option<Cork>,
}

/// A rig is not read as long as this is there.
struct Cork(Arc<Mailbox>);

impl Drop for Cork {
    fn drop(&mut self) {
        self.0.bell.ring(ROOM);
    }
}

impl<D: Dialect> Window<D> {
    /// Takes a share of a rig; `false` when the rig is to be read again only after it is called
    /// with [`ROOM`].
    pub(crate) fn put(
        &self,
        submission: Submission<D>,
        ticket: Ticket,
        rig: &Arc<Mailbox>,
        now: Instant,
    ) -> bool {
        let mut shares = self.shares();
        if shares.closed {
            drop(shares);
            // Its ticket resolves it as lost.
            return true;
        }
        let is_block = submission.is_block;
        let room = shares.room + if is_block { MAX_BLOCKS } else { 0 };
        let fits = shares.waiting.len() < room;
        let cork = (!fits).then(|| Cork(Arc::clone(rig)));
        let parcel = Parcel { submission, ticket, since: now, _cork: cork };
        let first = shares.waiting.is_empty();
        if is_block {
            shares.waiting.push_front(parcel);
        } else {
            shares.waiting.push_back(parcel);
        }
        drop(shares);
        if first {
            self.bell.ring(SHARES);
        }
        fits
    }

    /// The next share, if `takes` says that there is room for it, or for a block.
    pub(crate) fn take(&self, takes: impl Fn(bool) -> bool) -> Option<Parcel<D>> {
        let mut shares = self.shares();
        let is_block = shares.waiting.front()?.submission.is_block;
        takes(is_block).then(|| shares.waiting.pop_front()).flatten()
    }

    /// How many shares the connection has room for, now that it has taken what it could.
    pub(crate) fn set_room(&self, room: usize) {
        self.shares().room = room;
    }

    /// When the share that has waited for longest is given up.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.shares().waiting.iter().map(|parcel| parcel.since).min().map(|since| since + PATIENCE)
    }

    /// Gives up shares that have waited for too long.
    pub(crate) fn handle_timeout(&self, now: Instant) {
        let is_over = |parcel: &Parcel<D>| parcel.since + PATIENCE <= now;
        loop {
            let mut shares = self.shares();
            let Some(at) = shares.waiting.iter().position(is_over) else { return };
            let parcel = shares.waiting.remove(at);
            drop(shares);
            if let Some(Parcel { ticket, .. }) = parcel {
                ticket.resolve(Reject::saturated().into());
            }
        }
    }

    /// No connection is there to take them: what waits is lost.
    pub(crate) fn lose(&self) {
        // Dropped without the lock, since that rings for rigs.
        let lost = std::mem::take(&mut self.shares().waiting);
        drop(lost);
    }

    /// Nobody will take anything any more.
    pub(crate) fn close(&self) {
        self.shares().closed = true;
        self.lose();
    }

    fn shares(&self) -> MutexGuard<'_, Shares<D>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dialect> Default for Window<D> {
    fn default() -> Self {
        let shares = Shares { waiting: VecDeque::new(), room: 0, closed: false };
        Self { bell: Bell::default(), shares: Mutex::new(shares) }
    }
}
