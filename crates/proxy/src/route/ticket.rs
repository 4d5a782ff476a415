//! The promise that a forwarded share gets its verdict.

use std::sync::Arc;

use orepass_farm::stats::Book;
use orepass_stratum::channel::ShareOutcome;
use orepass_stratum::error::Reject;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::mailbox::{Mail, Mailbox};
use crate::rig::log::Candidate;
use crate::rig::roster::OnlineRig;

/// Who is to hear of a share's verdict, and where it is booked.
///
/// A ticket is resolved exactly once: by [`resolve`](Self::resolve), or, wherever it is dropped
/// (a queue that goes with its channel, a panic), as lost. The verdict is booked first and
/// delivered then, if the rig still lives.
#[derive(Debug)]
pub struct Ticket {
    /// `None` once resolved.
    pending: Option<Unresolved>,
}

#[derive(Debug)]
struct Unresolved {
    number: u64,
    hashes: f64,
    /// The books of the route and of the worker.
    books: [Arc<Book>; 2],
    /// Whose work it is.
    rig: Arc<OnlineRig>,
    /// Where the rig waits for the verdict; nowhere when it has been answered already.
    mailbox: Option<Arc<Mailbox>>,
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
        rig: Arc<OnlineRig>,
        mailbox: Option<Arc<Mailbox>>,
        open: TaskTrackerToken,
    ) -> Self {
        let candidate = None;
        let pending = Unresolved { number, hashes, books, rig, mailbox, candidate, _open: open };
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
    pub fn resolve(mut self, outcome: ShareOutcome) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: ShareOutcome) {
        let Some(pending) = self.pending.take() else { return };
        let Unresolved { number, hashes, books, rig, mailbox, candidate, _open } = pending;
        if let Some(candidate) = candidate {
            candidate.judged(&outcome);
        }
        let ShareOutcome { booked, told: verdict, .. } = outcome;
        for book in &books {
            book.ended(booked, hashes);
        }
        if booked.proves_work() {
            rig.work.add(hashes);
        }
        if let Some(mailbox) = mailbox
            && !mailbox.post(Mail { number, verdict })
        {
            for book in &books {
                book.undeliverable();
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Reject::lost().into());
    }
}

#[cfg(test)]
mod tests {
    use orepass_stratum::verdict::Verdict;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::rig::roster::Roster;

    fn rig() -> Arc<OnlineRig> {
        let entry = Arc::new(Roster::default()).enter("10.0.0.1:5".parse().unwrap());
        Arc::clone(entry.rig())
    }

    fn ticket(rig: &Arc<OnlineRig>) -> (Ticket, [Arc<Book>; 2], Arc<Mailbox>) {
        let books = [Arc::new(Book::default()), Arc::new(Book::default())];
        let mailbox = Arc::new(Mailbox::default());
        let open = TaskTracker::new().token();
        let rig = Arc::clone(rig);
        (Ticket::new(7, 2.0, books.clone(), rig, Some(Arc::clone(&mailbox)), open), books, mailbox)
    }

    #[test]
    fn a_dropped_ticket_is_a_lost_share() {
        let rig = rig();
        let (ticket, books, mail) = ticket(&rig);
        drop(ticket);
        assert_eq!(mail.take().unwrap().verdict, Err(Reject::lost()));
        for book in books {
            assert_eq!(book.totals().count(Verdict::LostOnFailover), 1);
        }
        assert_eq!(rig.work.get(), 0.0);
    }

    #[test]
    fn a_resolved_ticket_is_booked_once_even_if_the_rig_has_left() {
        let rig = rig();
        let (ticket, books, mail) = ticket(&rig);
        mail.close();
        ticket.resolve(ShareOutcome::accepted());
        for book in books {
            let totals = book.totals();
            assert_eq!((totals.ended(), totals.undeliverable), (1, 1));
            assert_eq!(totals.count(Verdict::AcceptedByPool), 1);
        }
        assert_eq!(rig.work.get(), 2.0);
    }
}
