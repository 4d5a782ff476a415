//! The queue of shares to be written, and the window that some pools need.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;

use super::held_shares::Attempt;
use super::out::{UpstreamOut, UpstreamTimer};
use super::requests::{Request, Requests};
use crate::channel::Submission;
use crate::dialect::{Dialect, Pace, PoolCall};
use crate::time::Instant;

/// The most shares that wait to be written; one more is refused as overflow. The last place is a
/// block's.
pub(super) const MAX_QUEUED: usize = 256;

pub(super) struct Pacer<D: Dialect, T> {
    pace: Option<Pace>,
    queue: VecDeque<Queued<D, T>>,
    /// Written and unanswered lines that fill the window: at most `pace.submits` shares, and
    /// authorizes of workers as far as the bytes allow.
    window: VecDeque<Slot>,
    rtt: Option<Duration>,
    /// Where a line is made, to know its length before it is written. Its memory is used again.
    line: BytesMut,
}

pub(super) struct Queued<D: Dialect, T> {
    pub(super) submission: Submission<D>,
    pub(super) ticket: T,
    pub(super) attempt: Attempt,
}

struct Slot {
    id: u64,
    bytes: usize,
    is_share: bool,
    frees_at: Instant,
}

impl<D: Dialect, T> Pacer<D, T> {
    /// A connection begins, to a pool that usually takes so long to answer.
    pub(super) fn new(pace: Option<Pace>, rtt: Option<Duration>) -> Self {
        let (queue, window) = (VecDeque::new(), VecDeque::new());
        Self { pace, queue, window, rtt, line: BytesMut::new() }
    }

    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Whether one more share finds a place in the queue.
    pub(super) fn has_room(&self, is_block: bool) -> bool {
        self.queue.len() + usize::from(!is_block) < MAX_QUEUED
    }

    /// Queues a share, a block before all others; gives the ticket back when the queue is full.
    pub(super) fn enqueue(&mut self, submission: Submission<D>, ticket: T) -> Result<(), T> {
        let is_block = submission.is_block;
        if !self.has_room(is_block) {
            return Err(ticket);
        }
        let queued = Queued { submission, ticket, attempt: Attempt::First };
        if is_block {
            self.queue.push_front(queued);
        } else {
            self.queue.push_back(queued);
        }
        Ok(())
    }

    /// How many more shares may wait to be written.
    pub(super) fn room(&self) -> usize {
        MAX_QUEUED.saturating_sub(self.queue.len() + 1)
    }

    /// Queues a share that a connection was lost with; it had its place already.
    pub(super) fn requeue(&mut self, queued: Queued<D, T>) {
        self.queue.push_back(queued);
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes out the share that is to be written next.
    pub(super) fn take_next(&mut self) -> Option<Queued<D, T>> {
        self.queue.pop_front()
    }

    /// Gives it back.
    pub(super) fn put_back(&mut self, queued: Queued<D, T>) {
        self.queue.push_front(queued);
    }

    /// The shares that were not written.
    pub(super) fn into_queued(self) -> impl Iterator<Item = Queued<D, T>> {
        self.queue.into_iter()
    }

    /// Whether one more share may be written now, if its line is short enough. The last slot of
    /// several is a block's.
    pub(super) fn has_slot(&self, is_block: bool) -> bool {
        self.pace.is_none_or(|pace| {
            let shares = self.window.iter().filter(|slot| slot.is_share).count();
            shares + usize::from(!is_block && pace.submits > 1) < pace.submits.max(1)
        })
    }

    /// Whether the share that is written next is a block; none where there is no share.
    pub(super) fn next_is_block(&self) -> Option<bool> {
        self.queue.front().map(|queued| queued.submission.is_block)
    }

    /// Makes a line and writes it if it fits; one alone always does.
    pub(super) fn write(
        &mut self,
        id: u64,
        is_share: bool,
        put: impl FnOnce(&mut BytesMut),
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> bool {
        self.line.clear();
        put(&mut self.line);
        let bytes = self.line.len();
        let written: usize = self.window.iter().map(|slot| slot.bytes).sum();
        let fits = self.pace.is_none_or(|pace| written == 0 || written + bytes <= pace.bytes);
        if fits {
            out.write(|out| out.extend_from_slice(&self.line));
            if self.pace.is_some() {
                let frees_at = now + slot_after(self.rtt);
                self.window.push_back(Slot { id, bytes, is_share, frees_at });
            }
        }
        fits
    }

    /// Authorizes a worker or the account, if the window has room for it; gives the request's id.
    pub(super) fn authorize(
        &mut self,
        (user, password): (&str, &str),
        request: Request<D, T>,
        dialect: &D,
        requests: &mut Requests<D, T>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> Option<u64> {
        let id = requests.next_id();
        let call = PoolCall::Authorize { id, user, password };
        let put = |line: &mut BytesMut| dialect.tell_pool(call, line);
        if !self.write(id, false, put, out, now) {
            return None;
        }
        Some(requests.push(request, out, now))
    }

    /// A line has its answer (after so long) or will never have one.
    pub(super) fn answered(&mut self, id: u64, after: Option<Duration>) {
        if let Some(after) = after {
            self.rtt = Some(self.rtt.map_or(after, |rtt| (rtt * 7 + after) / 8));
        }
        self.window.retain(|slot| slot.id != id);
    }

    /// Frees the slots of lines that the pool must have read by now; not while some of them are
    /// `unwritten`, since they would then reach the pool all at once.
    pub(super) fn expire(&mut self, unwritten: bool, now: Instant) {
        if unwritten {
            let later = now + slot_after(self.rtt);
            let due = self.window.iter_mut().filter(|slot| slot.frees_at <= now);
            due.for_each(|slot| slot.frees_at = later);
        } else {
            self.window.retain(|slot| slot.frees_at > now);
        }
    }

    /// What is waited for has changed: a slot frees without an answer too.
    pub(super) fn await_slot(&self, out: &mut UpstreamOut<T>) {
        let frees_at = self.window.iter().map(|slot| slot.frees_at).min();
        out.timers.set(UpstreamTimer::Slot, frees_at.filter(|_| !self.queue.is_empty()));
    }
}

/// How long the pool took at most for its last shares; the pace's slots free by it.
fn slot_after(rtt: Option<Duration>) -> Duration {
    const LEAST: Duration = Duration::from_secs(1);
    rtt.map_or(LEAST, |rtt| (rtt * 2).max(LEAST))
}
