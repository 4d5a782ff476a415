//! What the pool owes us answers to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::out::{UpstreamOut, UpstreamTimer};
use super::silence::PROBE_WITHIN;
use super::weight::ForWork;
use super::{AUTHORIZE_WITHIN, LoginCall, SUBSCRIBE_WITHIN, VERDICT_WITHIN};
use crate::channel::{Account, Submission};
use crate::dialect::Dialect;
use crate::habits::Probe;
use crate::spare::give_back_queue;
use crate::target::PowHash;
use crate::time::Instant;

/// The most requests without an answer; shares past it wait in the queue. The last place is a
/// block's.
pub(super) const MAX_REQUESTS: usize = 1024;
/// How many given-up shares are remembered, to recognise their late answers.
const MAX_EXPIRED: usize = 64;

pub(super) enum Request<D: Dialect, T> {
    Configure,
    Subscribe,
    Authorize,
    Question(Arc<D::Job>),
    /// Whether the pool still lives.
    Probe,
    /// The authorize of a worker beside the route's own user.
    Name(Arc<Account>),
    /// The authorize of the route's own user, once more.
    Account,
    Share(T, ShareTerms<D>),
}

/// How a share was written.
pub(super) struct ShareTerms<D: Dialect> {
    /// Under whose name; the route's own user when absent.
    pub(super) account: Option<Arc<Account>>,
    /// What the pool will not credit of it, in hashes.
    pub(super) forgone: f64,
    /// What the pool is asked by it, and its hash where one was checked.
    pub(super) probe: Option<(Probe, Option<PowHash>)>,
    /// It misses a target that the pool has announced, and that is not in force yet.
    pub(super) misses_announced: bool,
    /// What it is for.
    pub(super) work: ForWork,
    /// It is sent as a block, whatever it is worth as a share.
    pub(super) is_block: bool,
    /// It had been written to a connection that was lost.
    pub(super) is_again: bool,
    /// What is sent again where this connection is lost too.
    pub(super) kept: Option<Box<Submission<D>>>,
}

/// Requests by id. Ids grow by one, and answers come mostly in order, so a queue serves. Deadlines
/// grow too among the requests that have the same time, of which there are two kinds.
pub(super) struct Requests<D: Dialect, T> {
    open: VecDeque<Open<D, T>>,
    next_id: u64,
    shares: usize,
    /// Those that have less time than a share. Mostly none, so they are not worth a queue.
    hurried: usize,
    expired: VecDeque<u64>,
}

pub(super) struct Open<D: Dialect, T> {
    pub(super) id: u64,
    pub(super) sent: Instant,
    pub(super) request: Request<D, T>,
}

impl<D: Dialect, T> Requests<D, T> {
    /// A connection begins; `last_id` is that of the last request on the one before.
    pub(super) const fn after(last_id: u64) -> Self {
        Self {
            open: VecDeque::new(),
            next_id: last_id + 1,
            shares: 0,
            hurried: 0,
            expired: VecDeque::new(),
        }
    }

    /// The id of the request that is pushed next.
    pub(super) const fn next_id(&self) -> u64 {
        self.next_id
    }

    pub(super) const fn last_id(&self) -> u64 {
        self.next_id - 1
    }

    /// An id for a request whose answer is of no interest.
    pub(super) const fn skip_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Notes a request and gives its id.
    pub(super) fn push(
        &mut self,
        request: Request<D, T>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.shares += usize::from(matches!(request, Request::Share(..)));
        let open = Open { id, sent: now, request };
        self.hurried += usize::from(open.is_hurried());
        self.open.push_back(open);
        self.await_answer(out);
        id
    }

    /// Takes out a request that has its answer.
    pub(super) fn take(&mut self, id: u64, out: &mut UpstreamOut<T>) -> Option<Open<D, T>> {
        let at = self.open.iter().position(|open| open.id == id)?;
        let open = self.open.remove(at)?;
        give_back_queue(&mut self.open);
        self.shares -= usize::from(matches!(open.request, Request::Share(..)));
        self.hurried -= usize::from(open.is_hurried());
        self.await_answer(out);
        Some(open)
    }

    /// Takes out a request that has had its time.
    pub(super) fn take_overdue(
        &mut self,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> Option<Open<D, T>> {
        let id = self.most_urgent().filter(|open| open.deadline() <= now)?.id;
        self.take(id, out)
    }

    pub(super) const fn shares(&self) -> usize {
        self.shares
    }

    /// The first call of the login without an answer.
    pub(super) fn open_login(&self) -> Option<LoginCall> {
        self.open.iter().find_map(|open| match open.request {
            Request::Configure => Some(LoginCall::Configure),
            Request::Subscribe => Some(LoginCall::Subscribe),
            Request::Authorize => Some(LoginCall::Authorize),
            _ => None,
        })
    }

    pub(super) fn has_room(&self, is_block: bool) -> bool {
        self.open.len() + usize::from(!is_block) < MAX_REQUESTS
    }

    /// How many more shares may wait for their verdicts.
    pub(super) fn room(&self) -> usize {
        MAX_REQUESTS.saturating_sub(self.open.len() + 1)
    }

    /// The shares without an answer: what came with each, and how it was written.
    pub(super) fn into_shares(self) -> impl Iterator<Item = (T, ShareTerms<D>)> {
        self.open.into_iter().filter_map(|open| match open.request {
            Request::Share(ticket, terms) => Some((ticket, terms)),
            _ => None,
        })
    }

    fn await_answer(&self, out: &mut UpstreamOut<T>) {
        out.timers.set(UpstreamTimer::Answer, self.most_urgent().map(Open::deadline));
    }

    /// The request with the earliest deadline: the oldest of either kind.
    fn most_urgent(&self) -> Option<&Open<D, T>> {
        let oldest = self.open.front();
        if self.hurried == 0 {
            return oldest;
        }
        // There are few of them, and they differ in their times.
        let hurried = self.open.iter().filter(|open| open.is_hurried());
        hurried.chain(oldest).min_by_key(|open| open.deadline())
    }

    /// Given up; its answer may come yet.
    pub(super) fn remember_expired(&mut self, id: u64) {
        if self.expired.len() >= MAX_EXPIRED {
            self.expired.pop_front();
        }
        self.expired.push_back(id);
    }

    pub(super) fn was_expired(&mut self, id: u64) -> bool {
        let at = self.expired.iter().position(|&expired| expired == id);
        at.and_then(|at| self.expired.remove(at)).is_some()
    }
}

impl<D: Dialect, T> Open<D, T> {
    fn deadline(&self) -> Instant {
        self.sent + self.time()
    }

    const fn time(&self) -> Duration {
        match self.request {
            Request::Subscribe => SUBSCRIBE_WITHIN,
            Request::Authorize => AUTHORIZE_WITHIN,
            Request::Probe => PROBE_WITHIN,
            Request::Configure
            | Request::Question(_)
            | Request::Name(_)
            | Request::Account
            | Request::Share(..) => VERDICT_WITHIN,
        }
    }

    fn is_hurried(&self) -> bool {
        self.time() < VERDICT_WITHIN
    }
}
