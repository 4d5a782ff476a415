//! Shares that a connection was lost with, and are sent once more on the next.
//!
//! Whether the pool had read them is not known, so where it had, it takes the second for a
//! duplicate. Only where the operator asks for it.

use std::collections::VecDeque;

use super::jobs::Jobs;
use super::out::{UpstreamOut, UpstreamTimer};
use super::pace::{MAX_QUEUED, Pacer, Queued};
use super::requests::MAX_REQUESTS;
use super::{UpstreamConfig, VERDICT_WITHIN};
use crate::channel::Submission;
use crate::dialect::Dialect;
use crate::error::Reject;
use crate::job::Generation;
use crate::time::Instant;

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

/// Shares of a lost connection, the oldest first.
pub(super) struct HeldShares<D: Dialect, T>(VecDeque<HeldShare<D, T>>);

struct HeldShare<D: Dialect, T> {
    queued: Queued<D, T>,
    until: Instant,
}

impl<D: Dialect, T> HeldShares<D, T> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// The connection was lost with a share that had been written, and with what was kept of it.
    /// Gives the ticket back when it is not sent again.
    pub(super) fn hold_written(
        &mut self,
        ticket: T,
        kept: Option<Box<Submission<D>>>,
        now: Instant,
    ) -> Option<T> {
        let Some(submission) = kept else { return Some(ticket) };
        self.hold(Queued { submission: *submission, ticket, attempt: Attempt::Again }, now)
    }

    /// The connection was lost with a share that was still to be written; as
    /// [`hold_written`](Self::hold_written).
    pub(super) fn hold_queued(
        &mut self,
        queued: Queued<D, T>,
        config: &UpstreamConfig,
        now: Instant,
    ) -> Option<T> {
        if !config.resubmit || queued.attempt != Attempt::First {
            return Some(queued.ticket);
        }
        self.hold(Queued { attempt: Attempt::Delayed, ..queued }, now)
    }

    fn hold(&mut self, queued: Queued<D, T>, now: Instant) -> Option<T> {
        if self.0.len() >= MAX_HELD {
            return Some(queued.ticket);
        }
        self.0.push_back(HeldShare { queued, until: now + VERDICT_WITHIN });
        None
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Decides about the shares that are held, as soon as that can be: when the pool takes shares
    /// (by this pacer) and has told a work, or resumed the session, each is sent if its job is open
    /// and lost if not. `true` when some are to be sent.
    pub(super) fn decide(
        &mut self,
        live: Option<&mut Pacer<D, T>>,
        jobs: &Jobs<D>,
        present: Generation,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> bool {
        let mut pacer = live.filter(|_| jobs.has_told());
        let mut resent = false;
        for _ in 0..self.0.len() {
            let Some(held) = self.0.pop_front() else { break };
            let Submission { frames, share, .. } = &held.queued.submission;
            let lost = frames.generation != present || held.until <= now;
            let open = || jobs.is_open(frames, now) && jobs.serves(frames, share);
            match &mut pacer {
                _ if lost => out.verdict(held.queued.ticket, Reject::lost(), true),
                Some(pacer) if open() => {
                    pacer.requeue(held.queued);
                    resent = true;
                }
                Some(_) => out.verdict(held.queued.ticket, Reject::lost(), true),
                None => self.0.push_back(held),
            }
        }
        out.timers.set(UpstreamTimer::Held, self.0.front().map(|held| held.until));
        resent
    }
}
