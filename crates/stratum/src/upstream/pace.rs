//! The queue of shares to be written, and the window that some pools need.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::link::Link;
use super::names::Name;
use super::requests::{Request, Terms, put_authorize, slot_after};
use super::resubmit::Attempt;
use super::weight::ForWork;
use super::{Upstream, UpstreamEvent};
use crate::channel::{ShareOutcome, Submission};
use crate::dialect::{Dialect, Pace, Wanted};
use crate::error::Reject;
use crate::habits::Habits;
use crate::target::Target;
use crate::transmit::Transmit;

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

/// What became of a share that was to be written.
enum Written<D: Dialect, T> {
    /// It was, or has its verdict.
    Done,
    /// It waits for a name.
    Waits(Queued<D, T>),
    /// It waits for the window's bytes.
    TooLong(Queued<D, T>),
}

impl<D: Dialect, T> Pacer<D, T> {
    pub(super) fn new(pace: Option<Pace>) -> Self {
        Self {
            pace,
            queue: VecDeque::new(),
            window: VecDeque::new(),
            rtt: None,
            line: BytesMut::new(),
        }
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

    /// Whether the pool sets a pace.
    pub(super) const fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// Queues a share that a connection was lost with; it had its place already.
    pub(super) fn requeue(&mut self, queued: Queued<D, T>) {
        self.queue.push_back(queued);
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether one more share may be written now, if its line is short enough. The last slot of
    /// several is a block's.
    fn has_slot(&self, is_block: bool) -> bool {
        self.pace.is_none_or(|pace| {
            let shares = self.window.iter().filter(|slot| slot.is_share).count();
            shares + usize::from(!is_block && pace.submits > 1) < pace.submits.max(1)
        })
    }

    /// Whether the share that is written next is a block; none where there is no share.
    fn next_is_block(&self) -> Option<bool> {
        self.queue.front().map(|queued| queued.submission.is_block)
    }

    /// Whether the line that was made may be written now. One alone always may.
    fn fits(&self) -> bool {
        let Some(pace) = self.pace else { return true };
        let bytes: usize = self.window.iter().map(|slot| slot.bytes).sum();
        self.window.is_empty() || bytes + self.line.len() <= pace.bytes
    }

    /// The line that was made has been written.
    fn wrote(&mut self, id: u64, is_share: bool, now: Instant) {
        if self.pace.is_some() {
            let frees_at = now + slot_after(self.rtt);
            self.window.push_back(Slot { id, bytes: self.line.len(), is_share, frees_at });
        }
    }

    /// Writes the authorize of a worker if the window has room for it.
    pub(super) fn write_authorize(
        &mut self,
        id: u64,
        name: &str,
        password: &str,
        transmit: &mut Transmit,
        now: Instant,
    ) -> bool {
        self.line.clear();
        put_authorize(id, name, password, &mut self.line);
        let fits = self.fits();
        if fits {
            transmit.write(|out| out.extend_from_slice(&self.line));
            self.wrote(id, false, now);
        }
        fits
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
    fn expire(&mut self, unwritten: bool, now: Instant) {
        if unwritten {
            let later = now + slot_after(self.rtt);
            let due = self.window.iter_mut().filter(|slot| slot.frees_at <= now);
            due.for_each(|slot| slot.frees_at = later);
        } else {
            self.window.retain(|slot| slot.frees_at > now);
        }
    }

    /// When a slot frees without an answer, if that is waited for.
    pub(super) fn next_slot(&self) -> Option<Instant> {
        if self.queue.is_empty() {
            return None;
        }
        self.window.iter().map(|slot| slot.frees_at).min()
    }

    /// Empties the queue and the window.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Queued<D, T>> + use<'_, D, T> {
        self.window.clear();
        self.queue.drain(..)
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Writes queued shares as far as the window allows. Each is looked at again: while it waited,
    /// its job may have been replaced or the pool's target may have become harder.
    pub(super) fn write_submissions(&mut self, now: Instant) {
        self.pacer.expire(!self.transmit.is_empty(), now);
        loop {
            let next = self.pacer.next_is_block();
            let is_block = next.unwrap_or(false);
            let passes = self.passes_gate(is_block, now);
            if next.is_none() || !passes || !self.may_write(is_block) {
                return;
            }
            let Some(queued) = self.pacer.queue.pop_front() else { return };
            match self.write_submission(queued, now) {
                Written::Done => {}
                // Another turn brings on what it waits for.
                Written::Waits(queued) => self.pacer.queue.push_front(queued),
                Written::TooLong(queued) => return self.pacer.queue.push_front(queued),
            }
        }
    }

    fn may_write(&self, is_block: bool) -> bool {
        self.pacer.has_slot(is_block) && self.requests.has_room(is_block)
    }

    /// Writes a share, or decides that it is worth nothing any more.
    fn write_submission(&mut self, queued: Queued<D, T>, now: Instant) -> Written<D, T> {
        let job = match self.still_worth(&queued.submission, now) {
            Ok(job) => job,
            Err(outcome) => {
                self.give_verdict(queued.ticket, outcome, false);
                return Written::Done;
            }
        };
        let Submission { frames, prefix, share, account, hash, .. } = &queued.submission;
        let name = if queued.submission.is_block && self.names.is_asking() {
            Name::Own
        } else {
            self.name_for(account.as_ref(), now)
        };
        let named = match name {
            Name::Own => None,
            Name::Worker(account) => Some(Arc::clone(account)),
            Name::Waits => return Written::Waits(queued),
        };
        let user = named.as_ref().map_or(&*self.config.user, |account| &*account.name);
        let id = self.requests.next_id();
        let line = &mut self.pacer.line;
        line.clear();
        frames.dialect.put_submit(id, user, &job, prefix, share, line);
        if !self.pacer.fits() {
            return Written::TooLong(queued);
        }
        self.transmit.write(|out| out.extend_from_slice(&self.pacer.line));
        let known = self.habits.known();
        let (in_force, announced) = (self.jobs.in_force(), self.jobs.announced());
        let misses = |hash| !frames.dialect.meets(hash, &announced.surely(known));
        let misses_announced = in_force != announced && hash.as_ref().is_some_and(misses);
        let forgone = self.brake.forgone(queued.submission.hashes);
        let work = ForWork::of(frames);
        let Queued { mut submission, ticket, attempt } = queued;
        let probe = submission.probe.take().map(|probe| (probe, submission.hash));
        let (asks, is_block) = (probe.is_some(), submission.is_block);
        let terms = Terms { account: named, forgone, probe, misses_announced, work, is_block };
        self.requests.push(Request::Share(ticket, terms), now);
        if attempt == Attempt::Again {
            self.events.push_back(UpstreamEvent::Resent);
        }
        let account = submission.account.clone();
        self.resubmit.wrote(id, (!asks).then_some(submission), attempt);
        self.pacer.wrote(id, true, now);
        if let Some(account) = account {
            self.introduce(&account, now);
        }
        Written::Done
    }

    /// The pool's job under which a share is worth submitting. A block is, as long as the pool knows
    /// its work on this connection.
    fn still_worth(
        &self,
        submission: &Submission<D>,
        now: Instant,
    ) -> Result<Arc<D::Job>, ShareOutcome> {
        let Submission { frames, share, .. } = submission;
        let Link::Live(connection) = &self.link else { return Err(Reject::lost().into()) };
        let generation = frames.generation;
        if generation <= connection.former && generation != self.generation {
            return Err(Reject::lost().into());
        }
        let replaced = || Reject::stale(format!("job {} has been replaced", frames.id)).into();
        if submission.is_block {
            return self.jobs.perhaps_serving(frames, share).cloned().ok_or_else(replaced);
        }
        if !self.jobs.is_open(frames, now) {
            return Err(replaced());
        }
        let known = self.habits.known();
        let wanted = |target: fn(&Wanted, Habits) -> Target| {
            target(&frames.wanted, known).harder(target(&self.jobs.in_force(), known))
        };
        let wanted = match submission.probe {
            // A refusal shows something only where nothing else explains it.
            Some(_) => wanted(Wanted::perhaps).harder(self.jobs.announced().perhaps(known)),
            None => wanted(Wanted::surely),
        };
        if submission.hash.is_some_and(|hash| !frames.dialect.meets(&hash, &wanted)) {
            return Err(ShareOutcome::below_pool_target("the pool's target became harder"));
        }
        self.jobs.serving(frames, share).cloned().ok_or_else(replaced)
    }
}
