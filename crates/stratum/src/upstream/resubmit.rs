//! Shares that a connection was lost with, and are sent once more on the next.
//!
//! Whether the pool had read them is not known, so where it had, it takes the second for a
//! duplicate. Only where the operator asks for it.

use std::collections::VecDeque;
use std::time::Instant;

use super::pace::{MAX_QUEUED, Queued};
use super::requests::MAX_REQUESTS;
use super::{Upstream, VERDICT_WITHIN};
use crate::channel::Submission;
use crate::dialect::Dialect;
use crate::error::Reject;

/// The most shares that are held; there are no more on a connection.
const MAX_HELD: usize = MAX_REQUESTS + MAX_QUEUED;

/// What a share has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Nothing.
    First,
    /// A connection was lost before it was written.
    Delayed,
    /// It was written to a connection that was lost.
    Again,
}

pub(super) struct Resubmit<D: Dialect, T> {
    enabled: bool,
    /// Shares without an answer by the ids of their requests, which grow. Empty where nothing is
    /// sent again.
    written: VecDeque<Written<D>>,
    /// Shares of a lost connection, the oldest first.
    held: VecDeque<Held<D, T>>,
}

struct Written<D: Dialect> {
    id: u64,
    /// What is sent once more; nothing where it has had its chance.
    submission: Option<Submission<D>>,
    again: bool,
}

struct Held<D: Dialect, T> {
    queued: Queued<D, T>,
    until: Instant,
}

impl<D: Dialect, T> Resubmit<D, T> {
    pub(super) const fn new(enabled: bool) -> Self {
        Self { enabled, written: VecDeque::new(), held: VecDeque::new() }
    }

    /// A share was written under this id; none where it was a question.
    pub(super) fn wrote(&mut self, id: u64, submission: Option<Submission<D>>, attempt: Attempt) {
        if self.enabled {
            let submission = submission.filter(|_| attempt == Attempt::First);
            let again = attempt == Attempt::Again;
            self.written.push_back(Written { id, submission, again });
        }
    }

    /// The share of this id is done with; whether it had been written to a former connection.
    pub(super) fn done(&mut self, id: u64) -> bool {
        self.take(id).is_some_and(|written| written.again)
    }

    fn take(&mut self, id: u64) -> Option<Written<D>> {
        let at = self.written.iter().position(|written| written.id == id)?;
        self.written.remove(at)
    }

    /// The connection was lost with a share that had been written. Gives the ticket back when it
    /// is not sent again.
    pub(super) fn hold_written(&mut self, id: u64, ticket: T, now: Instant) -> Option<T> {
        let Some(submission) = self.take(id).and_then(|written| written.submission) else {
            return Some(ticket);
        };
        self.hold(Queued { submission, ticket, attempt: Attempt::Again }, now)
    }

    /// The connection was lost with a share that was still to be written; as
    /// [`hold_written`](Self::hold_written).
    pub(super) fn hold_queued(&mut self, queued: Queued<D, T>, now: Instant) -> Option<T> {
        if !self.enabled || queued.attempt != Attempt::First {
            return Some(queued.ticket);
        }
        self.hold(Queued { attempt: Attempt::Delayed, ..queued }, now)
    }

    fn hold(&mut self, queued: Queued<D, T>, now: Instant) -> Option<T> {
        if self.held.len() >= MAX_HELD {
            return Some(queued.ticket);
        }
        self.held.push_back(Held { queued, until: now + VERDICT_WITHIN });
        None
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// When the oldest share has been held for long enough.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        self.held.front().map(|held| held.until)
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Decides about the shares that are held, as soon as that can be: when the pool takes shares
    /// and has told a work, or resumed the session, each is sent if its job is open and lost if
    /// not.
    pub(super) fn resubmit(&mut self, now: Instant) {
        if self.resubmit.held.is_empty() {
            return;
        }
        let decided = self.is_live() && self.jobs.has_told();
        for _ in 0..self.resubmit.held() {
            let Some(held) = self.resubmit.held.pop_front() else { break };
            let Submission { frames, share, .. } = &held.queued.submission;
            let lost = frames.generation != self.generation || held.until <= now;
            let open = || self.jobs.is_open(frames, now) && self.jobs.serves(frames, share);
            if lost || decided && !open() {
                self.give_verdict(held.queued.ticket, Reject::lost(), true);
            } else if decided {
                self.pacer.requeue(held.queued);
            } else {
                self.resubmit.held.push_back(held);
            }
        }
        if decided {
            self.write_submissions(now);
        }
    }
}
