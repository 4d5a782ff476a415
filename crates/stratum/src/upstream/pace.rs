//! The queue of shares to be written, and the window that some pools need.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::requests::{Request, Terms, put_authorize, slot_after};
use super::resubmit::Attempt;
use super::weight::ForWork;
use super::{Phase, Upstream, UpstreamEvent};
use crate::channel::Submission;
use crate::dialect::{Dialect, Pace};
use crate::error::Reject;
use crate::transmit::Transmit;
use crate::verdict::Verdict;

/// The most shares that wait to be written; one more is refused as overflow.
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
    pub(super) fn new(pace: Option<Pace>) -> Self {
        Self {
            pace,
            queue: VecDeque::new(),
            window: VecDeque::new(),
            rtt: None,
            line: BytesMut::new(),
        }
    }

    /// Queues a share; gives the ticket back when the queue is full.
    pub(super) fn enqueue(&mut self, submission: Submission<D>, ticket: T) -> Result<(), T> {
        if self.queue.len() >= MAX_QUEUED {
            return Err(ticket);
        }
        self.queue.push_back(Queued { submission, ticket, attempt: Attempt::First });
        Ok(())
    }

    /// Queues a share that a connection was lost with; it had its place already.
    pub(super) fn requeue(&mut self, queued: Queued<D, T>) {
        self.queue.push_back(queued);
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether one more share may be written now, if its line is short enough.
    fn has_slot(&self) -> bool {
        self.pace.is_none_or(|pace| {
            let shares = self.window.iter().filter(|slot| slot.is_share).count();
            shares < pace.submits.max(1)
        })
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
        while self.pacer.has_slot() && self.requests.has_room() {
            let Some(queued) = self.pacer.queue.pop_front() else { return };
            let job = match self.still_worth(&queued.submission, now) {
                Ok(job) => job,
                Err(reject) => {
                    let (ticket, verdict) = (queued.ticket, Err(reject));
                    let event =
                        UpstreamEvent::Verdict { ticket, verdict, after: None, weighs: false };
                    self.events.push_back(event);
                    continue;
                }
            };
            let Submission { frames, prefix, share, .. } = &queued.submission;
            let account = queued.submission.account.as_ref();
            let named = account.filter(|account| self.names.is_authorized(&account.name));
            let user = named.map_or(&*self.config.user, |account| &*account.name);
            let id = self.requests.next_id();
            let line = &mut self.pacer.line;
            line.clear();
            frames.dialect.put_submit(id, user, &job, prefix, share, line);
            if !self.pacer.fits() {
                self.pacer.queue.push_front(queued);
                return;
            }
            self.transmit.write(|out| out.extend_from_slice(&self.pacer.line));
            let forgone = self.brake.forgone(queued.submission.hashes);
            let terms = Terms { account: named.cloned(), forgone, work: ForWork::of(frames) };
            let Queued { submission, ticket, attempt } = queued;
            self.requests.push(Request::Share(ticket, terms), now);
            if attempt == Attempt::Again {
                self.events.push_back(UpstreamEvent::Resent);
            }
            let account = submission.account.clone();
            self.resubmit.wrote(id, submission, attempt);
            self.pacer.wrote(id, true, now);
            if let Some(account) = account {
                self.introduce(account, now);
            }
        }
    }

    /// The pool's job under which a share is worth submitting.
    fn still_worth(&self, submission: &Submission<D>, now: Instant) -> Result<Arc<D::Job>, Reject> {
        let frames = &submission.frames;
        let former = frames.generation <= self.former && frames.generation != self.generation;
        if self.phase != Phase::Live || former {
            return Err(Reject::lost());
        }
        let replaced = || Reject::stale(format!("job {} has been replaced", frames.id));
        if !self.jobs.is_open(frames, now) {
            return Err(replaced());
        }
        let wanted = frames.pool_target.harder(self.jobs.pool_target());
        if submission.hash.is_some_and(|hash| !frames.dialect.meets(&hash, &wanted)) {
            // Its target was the rig's own, so it is good work, but not for the pool any more.
            let mut reject = Reject::low_difficulty("the pool's target became harder");
            reject.verdict = Verdict::BelowPoolTarget;
            return Err(reject);
        }
        self.jobs.serving(frames, &submission.share).cloned().ok_or_else(replaced)
    }
}
