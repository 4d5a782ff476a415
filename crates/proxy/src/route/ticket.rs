//! The promise that a forwarded share gets its verdict.

use std::sync::Arc;

use orepass_stratum::channel::ShareOutcome;
use orepass_stratum::error::Reject;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::mailbox::{Mail, Mailbox};
use crate::books::ShareBooks;
use crate::rig::log::Candidate;
use crate::rig::roster::OnlineRig;
use crate::sinks::PendingShare;

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
    worth: Worth,
    books: ShareBooks,
    /// Whose work it is.
    rig: Arc<OnlineRig>,
    /// Where the rig waits for the verdict; nowhere when it has been answered already.
    mailbox: Option<Arc<Mailbox>>,
    /// It is a block, if the pool takes it.
    candidate: Option<Box<Candidate>>,
    /// A sink wants to know.
    told: Option<Box<PendingShare>>,
    /// Counts among the shares that have no verdict yet.
    _open: TaskTrackerToken,
}

/// What a share is, to those who only count it.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    /// The rig's own count of its shares, by which it knows the verdict.
    pub number: u64,
    /// The work that its rig was asked for by it, in hashes.
    pub hashes: f64,
    /// The work that the pool asks for by it, in hashes.
    pub credit: f64,
}

impl Ticket {
    /// A ticket for a share. `open` is dropped when it has its verdict.
    #[must_use]
    pub const fn new(
        worth: Worth,
        books: ShareBooks,
        rig: Arc<OnlineRig>,
        mailbox: Option<Arc<Mailbox>>,
        open: TaskTrackerToken,
    ) -> Self {
        let pending =
            Unresolved { worth, books, rig, mailbox, candidate: None, told: None, _open: open };
        Self { pending: Some(pending) }
    }

    /// The share is a block by its hash.
    pub(crate) fn of_block(mut self, candidate: Candidate) -> Self {
        if let Some(pending) = &mut self.pending {
            pending.candidate = Some(Box::new(candidate));
        }
        self
    }

    /// The work that its rig was asked for by it, in hashes.
    pub(crate) fn hashes(&self) -> f64 {
        self.pending.as_ref().map_or(0.0, |pending| pending.worth.hashes)
    }

    /// A sink is told how it ends.
    pub(crate) fn told(mut self, share: PendingShare) -> Self {
        if let Some(pending) = &mut self.pending {
            pending.told = Some(Box::new(share));
        }
        self
    }

    /// The share has its verdict.
    pub fn resolve(mut self, outcome: ShareOutcome) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: ShareOutcome) {
        let Some(pending) = self.pending.take() else { return };
        let Unresolved { worth, books, rig, mailbox, candidate, told, _open } = pending;
        let Worth { number, hashes, credit } = worth;
        if let Some(candidate) = candidate {
            candidate.judged(&outcome);
            if outcome.told.is_ok() {
                books.block();
            }
        }
        let ShareOutcome { booked, told: verdict, .. } = outcome;
        books.resolved(booked, hashes, credit);
        if let Some(share) = told {
            share.ended(booked, hashes, credit);
        }
        if booked.proves_work() {
            rig.work.add(hashes);
        }
        if let Some(mailbox) = mailbox
            && !mailbox.post(Mail { number, verdict })
        {
            books.undeliverable();
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
    use orepass_farm::stats::Totals;
    use orepass_stratum::verdict::Verdict;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::books::MeteredBook;
    use crate::rig::roster::Roster;

    fn rig() -> Arc<OnlineRig> {
        let entry = Arc::new(Roster::default()).enter("10.0.0.1:5".parse().unwrap());
        Arc::clone(entry.rig())
    }

    fn ticket(rig: &Arc<OnlineRig>) -> (Ticket, ShareBooks, Arc<Mailbox>) {
        let book = Arc::<MeteredBook>::default;
        let books = ShareBooks { route: book(), pool: book(), worker: book(), rig: book() };
        books.forwarded(None);
        let mailbox = Arc::new(Mailbox::default());
        let open = TaskTracker::new().token();
        let worth = Worth { number: 7, hashes: 2.0, credit: 8.0 };
        let mail = Some(Arc::clone(&mailbox));
        (Ticket::new(worth, books.clone(), Arc::clone(rig), mail, open), books, mailbox)
    }

    fn each(books: &ShareBooks) -> [Totals; 4] {
        let ShareBooks { route, pool, worker, rig } = books;
        [route, pool, worker, rig].map(|book| book.totals())
    }

    #[test]
    fn a_dropped_ticket_is_a_lost_share() {
        let rig = rig();
        let (ticket, books, mail) = ticket(&rig);
        drop(ticket);
        assert_eq!(mail.take().unwrap().verdict, Err(Reject::lost()));
        for totals in each(&books) {
            assert_eq!(totals.count(Verdict::LostOnFailover), 1);
            assert_eq!((totals.in_flight, totals.credited), (0, 0.0));
        }
        assert_eq!(rig.work.get(), 0.0);
    }

    #[test]
    fn a_resolved_ticket_is_booked_once_even_if_the_rig_has_left() {
        let rig = rig();
        let (ticket, books, mail) = ticket(&rig);
        mail.close();
        ticket.resolve(ShareOutcome::accepted());
        for totals in each(&books) {
            assert_eq!((totals.ended(), totals.undeliverable), (1, 1));
            assert_eq!(totals.count(Verdict::AcceptedByPool), 1);
            assert_eq!((totals.in_flight, totals.credited), (0, 8.0));
        }
        assert_eq!(rig.work.get(), 2.0);
    }
}
