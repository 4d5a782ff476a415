//! What a rig sends: lines, and the shares in them.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{CloseReason, Reply};
use orepass_stratum::error::Reject;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;
use tracing::trace;

use super::ServedRig;
use crate::clock::now;
use crate::route::ticket::{Ticket, Worth};

/// The time of one share in so many is measured.
const MEASURE_ONE_IN: u64 = 16;

impl<D: Dialect> ServedRig<D> {
    /// Reads and takes lines as far as that may be now; tells whether any came.
    pub(super) fn read(&mut self, context: &mut Context<'_>) -> Result<bool, CloseReason> {
        let mut any = !self.lines.is_empty() && self.may_take() && self.take_lines();
        while !self.stopping && self.may_take() {
            let Some(wire) = &mut self.wire else { return Err(CloseReason::Gone) };
            match self.lines.poll_read(wire, context) {
                Poll::Pending => break,
                Poll::Ready(Ok(bytes @ 1..)) => {
                    self.route.traffic.rigs.add_read(bytes);
                    any |= self.take_lines();
                }
                // It says no more, and may listen still.
                Poll::Ready(Ok(0)) => self.session.handle_close(CloseReason::Gone),
                Poll::Ready(Err(_)) => return Err(CloseReason::Gone),
            }
        }
        Ok(any)
    }

    /// Whether anything more that the rig sends is taken: not while a share of it waits for room or it
    /// does not read itself; slowly where it sends nothing but rubbish.
    pub(super) fn may_take(&mut self) -> bool {
        !self.corked
            && !self.session.is_closed()
            && self.session.has_room()
            && !self.is_full()
            && self.session.reads_at().is_none_or(|at| at <= now())
    }

    /// Whether the rig has too much to read before it is read again.
    pub(super) fn is_full(&mut self) -> bool {
        self.session.transmit().remaining() >= self.session.config().limits.unwritten_bytes
    }

    /// Takes the lines that have come, as far as that may be now.
    fn take_lines(&mut self) -> bool {
        let (at, mut any) = (now(), false);
        let mut scratch = self.route.take_scratch();
        while self.may_take() {
            let Some(line) = self.lines.next() else { break };
            let is_first = !std::mem::replace(&mut any, true);
            match line {
                Ok(line) => {
                    // Not the line itself: an authorize has the rig's password in it.
                    trace!(bytes = line.len(), "a line from the rig");
                    if let Some(share) = self.session.handle_line(line, at, &mut scratch) {
                        if is_first && share.number % MEASURE_ONE_IN == 0 {
                            self.route.times.check.add(now().saturating_duration_since(at));
                        }
                        self.forward(share, at);
                    }
                }
                Err(error) => self.session.handle_line_error(error),
            }
        }
        self.route.return_scratch(scratch);
        self.lines.put_away();
        any
    }

    /// Hands a share to the channel. Where that has no room, the rig waits with it.
    fn forward(&mut self, mut submission: Submission<D>, at: Instant) {
        let answered = self.session.config().reply == Reply::Local;
        let mailbox = (!answered).then(|| Arc::clone(&self.mailbox));
        // Where nobody checks it and no verdict comes back, nothing better will be known.
        if submission.hash.is_some() || answered {
            self.has_proven();
        }
        // To the pool that told the job, and to no other.
        let generation = submission.frames.generation;
        let present = self.place.as_ref().map(|place| (place.generation, place.channel()));
        let former = self.former.iter().flat_map(|former| former.iter());
        let former = former.map(|(generation, channel)| (*generation, channel));
        let issuer = present.into_iter().chain(former).find(|(of, _)| *of == generation);
        // One that it left so long ago took its jobs with it.
        let Some(channel) = issuer.map(|(_, channel)| Arc::clone(channel)) else {
            let (verdict, hashes) = (Verdict::LostOnFailover, submission.hashes);
            self.book_end(verdict, hashes, Some(&submission.worker));
            if !answered {
                self.session.handle_verdict(submission.number, &Err(Reject::lost()), at);
            }
            return;
        };
        let books = self.books_of(&submission.worker, &channel);
        books.forwarded(submission.hash);
        let Submission { number, hashes, credit, .. } = submission;
        let (worth, rig) = (Worth { number, hashes, credit }, Arc::clone(self.entry.rig()));
        let ticket = Ticket::new(worth, books, rig, mailbox, self.route.open_share());
        let ticket = match submission.hash.filter(|_| submission.is_block) {
            Some(hash) => ticket.of_block(self.log.candidate(submission.frames.id, hash)),
            None => ticket,
        };
        let ticket = match self.told(&submission.worker, &channel, submission.is_block) {
            Some(share) => ticket.told(share),
            None => ticket,
        };
        let pool = (channel.pool, &channel.to.account);
        submission.account =
            self.accounts.of(&submission.worker, pool, &self.session, &mut self.log);
        let is_block = submission.is_block;
        self.corked = !channel.window.put((submission, ticket), is_block, &self.mailbox, at);
    }
}
