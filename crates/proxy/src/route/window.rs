//! What rigs have for a channel's pool: the one bounded queue before a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::mailbox::{Mailbox, ROOM};
use crate::bell::{Bell, Calls};
use orepass_stratum::time::Instant;

/// The channel's task is called since shares wait…
pub(crate) const SHARES: Calls = Calls::of_kind(0);
/// …another connection to the pool has failed: the pool is to be asked whether it lives…
pub(crate) const DOUBT: Calls = Calls::of_kind(1);
/// …one that many rigs share was given this one's extranonce1, and is to have it…
pub(crate) const GIVE_WAY: Calls = Calls::of_kind(2);
/// …one to the same pool has come to serve…
pub(crate) const NEWS: Calls = Calls::of_kind(3);
/// …or no pool serves at all any more.
pub(crate) const URGENT: Calls = Calls::of_kind(4);

/// How long a share waits for room before its rig is told that there is none.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many blocks may wait beside the shares for which there is room.
const MAX_BLOCKS: usize = 16;

/// The shares that wait to be taken by a channel's task, in order of arrival, blocks first.
///
/// There are as many as the connection has room for, and one more of each rig, which is not read
/// until that is taken: a burst costs waiting, and no share.
pub(crate) struct ShareWindow<T> {
    /// Calls the channel's task.
    pub(crate) bell: Bell,
    shares: Mutex<Shares<T>>,
}

struct Shares<T> {
    waiting: VecDeque<Parcel<T>>,
    /// How many the connection had room for when its task last looked.
    room: usize,
    /// Nobody takes them any more.
    closed: bool,
}

struct Parcel<T> {
    share: T,
    is_block: bool,
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

impl<T> ShareWindow<T> {
    /// Takes a share of a rig; `false` when the rig is to be read again only after it is called
    /// with [`ROOM`]. Where nobody will take it any more it is dropped.
    pub(crate) fn put(&self, share: T, is_block: bool, rig: &Arc<Mailbox>, now: Instant) -> bool {
        let mut shares = self.shares();
        if shares.closed {
            // Its ticket books when it is dropped: not under the lock.
            drop(shares);
            drop(share);
            return true;
        }
        let room = shares.room + if is_block { MAX_BLOCKS } else { 0 };
        let fits = shares.waiting.len() < room;
        let cork = (!fits).then(|| Cork(Arc::clone(rig)));
        let parcel = Parcel { share, is_block, since: now, _cork: cork };
        // For others that wait the task knows that there is no room; a place may be kept for a block.
        let calls = shares.waiting.is_empty() || is_block;
        if is_block {
            shares.waiting.push_front(parcel);
        } else {
            shares.waiting.push_back(parcel);
        }
        drop(shares);
        if calls {
            self.bell.ring(SHARES);
        }
        fits
    }

    /// The next share, if `takes` says that there is room for it, or for a block.
    pub(crate) fn take(&self, takes: impl Fn(bool) -> bool) -> Option<T> {
        let parcel = {
            let mut shares = self.shares();
            let is_block = shares.waiting.front()?.is_block;
            takes(is_block).then(|| shares.waiting.pop_front()).flatten()
        };
        parcel.map(|parcel| parcel.share)
    }

    /// How many shares the connection has room for, now that it has taken what it could.
    pub(crate) fn set_room(&self, room: usize) {
        self.shares().room = room;
    }

    /// When the share that has waited for longest is to be given up.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.shares().waiting.iter().map(|parcel| parcel.since).min().map(|since| since + PATIENCE)
    }

    /// A share that has waited for too long.
    pub(crate) fn take_overdue(&self, now: Instant) -> Option<T> {
        let parcel = {
            let waiting = &mut self.shares().waiting;
            let overdue = waiting.iter().position(|parcel| parcel.since + PATIENCE <= now)?;
            waiting.remove(overdue)
        };
        parcel.map(|parcel| parcel.share)
    }

    /// No connection is there to take them: what waits is dropped.
    pub(crate) fn lose(&self) {
        // Not under the lock, since it rings for rigs.
        let lost = std::mem::take(&mut self.shares().waiting);
        drop(lost);
    }

    /// Nobody will take anything any more.
    pub(crate) fn close(&self) {
        self.shares().closed = true;
        self.lose();
    }

    fn shares(&self) -> MutexGuard<'_, Shares<T>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for ShareWindow<T> {
    fn default() -> Self {
        let shares = Shares { waiting: VecDeque::new(), room: 0, closed: false };
        Self { bell: Bell::default(), shares: Mutex::new(shares) }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::clock::now;

    /// A window with room for two shares, and a rig.
    fn window() -> (ShareWindow<u32>, Arc<Mailbox>) {
        let window = ShareWindow::default();
        window.set_room(2);
        (window, Arc::default())
    }

    fn is_called(window: &ShareWindow<u32>) -> bool {
        window.bell.answer(Waker::noop()).has(SHARES)
    }

    fn has_room(rig: &Mailbox) -> bool {
        rig.bell.answer(Waker::noop()).has(ROOM)
    }

    #[test]
    fn a_rig_past_the_room_waits_with_its_share_and_goes_on_when_that_is_taken() {
        let ((window, rig), at) = (window(), now());
        let late = Arc::default();
        assert!(window.put(1, false, &rig, at) && window.put(2, false, &rig, at));
        assert!(is_called(&window), "once for all that wait");
        assert!(!window.put(3, false, &late, at));
        assert!(!is_called(&window) && !has_room(&late));
        assert_eq!(window.take(|_| false), None);
        assert_eq!([window.take(|_| true), window.take(|_| true)], [Some(1), Some(2)]);
        assert!(!has_room(&late));
        assert_eq!(window.take(|_| true), Some(3), "in order of arrival");
        assert!(has_room(&late) && !has_room(&rig));
    }

    #[test]
    fn a_block_goes_before_all_and_calls_for_the_place_that_is_kept_for_it() {
        let ((window, rig), at) = (window(), now());
        for share in [1, 2, 3] {
            window.put(share, false, &rig, at);
        }
        assert!(is_called(&window));
        assert!(window.put(4, true, &rig, at), "its rig is read on");
        assert!(is_called(&window));
        assert_eq!(window.take(|is_block| is_block), Some(4));
        assert_eq!(window.take(|is_block| is_block), None);
    }

    #[test]
    fn what_waits_for_five_seconds_is_given_up_and_what_nobody_takes_is_dropped() {
        let ((window, rig), at) = (window(), now());
        window.set_room(0);
        window.put(1, false, &rig, at);
        let late = Arc::default();
        window.put(2, false, &late, at + Duration::from_secs(1));
        let due = window.poll_timeout().unwrap();
        assert_eq!(due, at + PATIENCE);
        assert_eq!(window.take_overdue(due - Duration::from_millis(1)), None);
        assert_eq!([window.take_overdue(due), window.take_overdue(due)], [Some(1), None]);
        assert!(has_room(&rig) && !has_room(&late));
        window.close();
        assert!(has_room(&late), "it does not wait for ever");
        assert!(window.put(3, false, &late, at), "nor for what has ended");
        assert_eq!(window.take(|_| true), None);
    }
}
