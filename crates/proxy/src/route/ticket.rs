//! The promise that a forwarded share gets its verdict.

use std::sync::Arc;

use orepass_farm::stats::Book;
use orepass_stratum::downstream::MAX_IN_FLIGHT;
use orepass_stratum::error::Reject;
use orepass_stratum::verdict::Verdict;
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::rig::log::Candidate;
use crate::rig::roster::Rig;

/// A verdict on its way to the session whose share it judges.
#[derive(Debug)]
pub struct Mail {
    /// The session's own count of its shares.
    pub number: u64,
    /// Credited, or why not.
    pub verdict: Result<(), Reject>,
}

/// A session's queue of verdicts. It holds as many as the session may have shares in flight, so
/// that posting never waits and never fails while the session lives.
#[must_use]
pub fn mailbox() -> (mpsc::Sender<Mail>, mpsc::Receiver<Mail>) {
    mpsc::channel(MAX_IN_FLIGHT)
}

/// Who is to hear of a share's verdict, and where it is booked.
///
/// A ticket is resolved exactly once: by [`resolve`](Self::resolve), or, wherever it is dropped
/// (a queue that goes with its channel, a panic), as lost. The verdict is booked first and
/// delivered then, if the rig still lives.
#[derive(Debug)]
pub struct Ticket {
    /// `None` once resolved.
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    number: u64,
    hashes: f64,
    /// The books of the route and of the worker.
    books: [Arc<Book>; 2],
    /// Whose work it is.
    rig: Arc<Rig>,
    /// Where the rig waits for the verdict; nowhere when it has been answered already.
    mailbox: Option<mpsc::Sender<Mail>>,
    /// It is a block, if the pool takes it.
    candidate: Option<Box<Candidate>>,
    /// Counts among the shares that have no verdict yet.
    _open: TaskTrackerToken,
}

impl Ticket {
    /// A ticket for a share that stands for so many hashes. `open` is dropped when it has its
    /// verdict.
    #[must_use]
    pub const fn new(
        number: u64,
        hashes: f64,
        books: [Arc<Book>; 2],
        rig: Arc<Rig>,
        mailbox: Option<mpsc::Sender<Mail>>,
        open: TaskTrackerToken,
    ) -> Self {
        let candidate = None;
        let pending = Pending { number, hashes, books, rig, mailbox, candidate, _open: open };
        Self { pending: Some(pending) }
    }

    /// The share is a block by its hash.
    pub(crate) fn of_block(mut self, candidate: Candidate) -> Self {
        if let Some(pending) = &mut self.pending {
            pending.candidate = Some(Box::new(candidate));
        }
        self
    }

    /// The share has its verdict.
    pub fn resolve(mut self, verdict: Result<(), Reject>) {
        self.settle(verdict);
    }

    fn settle(&mut self, verdict: Result<(), Reject>) {
        let Some(pending) = self.pending.take() else { return };
        let Pending { number, hashes, books, rig, mailbox, candidate, _open } = pending;
        if let Some(candidate) = candidate {
            candidate.judged(&verdict);
        }
        let kind =
            verdict.as_ref().map_or_else(|reject| reject.verdict, |()| Verdict::AcceptedByPool);
        for book in &books {
            book.ended(kind, hashes);
        }
        if kind.proves_work() {
            rig.work.add(hashes);
        }
        // Good work that is below the pool's target by now is still good work.
        let verdict = if kind == Verdict::BelowPoolTarget { Ok(()) } else { verdict };
        if let Some(mailbox) = mailbox
            && mailbox.try_send(Mail { number, verdict }).is_err()
        {
            for book in &books {
                book.undeliverable();
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Err(Reject::lost()));
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::rig::roster::Roster;

    fn rig() -> Arc<Rig> {
        let entry = Arc::new(Roster::default()).enter("10.0.0.1:5".parse().unwrap());
        Arc::clone(entry.rig())
    }

    fn ticket(rig: &Arc<Rig>) -> (Ticket, [Arc<Book>; 2], mpsc::Receiver<Mail>) {
        let books = [Arc::new(Book::default()), Arc::new(Book::default())];
        let (sender, receiver) = mailbox();
        let open = TaskTracker::new().token();
        let rig = Arc::clone(rig);
        (Ticket::new(7, 2.0, books.clone(), rig, Some(sender), open), books, receiver)
    }

    #[test]
    fn a_dropped_ticket_is_a_lost_share() {
        let rig = rig();
        let (ticket, books, mut mail) = ticket(&rig);
        drop(ticket);
        assert_eq!(mail.try_recv().unwrap().verdict, Err(Reject::lost()));
        for book in books {
            assert_eq!(book.totals().count(Verdict::LostOnFailover), 1);
        }
        assert_eq!(rig.work.get(), 0.0);
    }

    #[test]
    fn a_resolved_ticket_is_booked_once_even_if_the_rig_has_left() {
        let rig = rig();
        let (ticket, books, mail) = ticket(&rig);
        drop(mail);
        ticket.resolve(Ok(()));
        for book in books {
            let totals = book.totals();
            assert_eq!((totals.ended(), totals.undeliverable), (1, 1));
            assert_eq!(totals.count(Verdict::AcceptedByPool), 1);
        }
        assert_eq!(rig.work.get(), 2.0);
    }
}
