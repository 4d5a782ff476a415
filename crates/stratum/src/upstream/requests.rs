//! What the pool owes us answers to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::silence::PROBE_WITHIN;
use super::weight::ForWork;
use super::{
    AUTHORIZE_WITHIN, DownReason, MAX_UNANSWERED, Notice, SUBSCRIBE_WITHIN, Upstream,
    UpstreamConfig, UpstreamEvent, VERDICT_WITHIN,
};
use crate::channel::{Account, ShareOutcome};
use crate::dialect::{Dialect, Refusal};
use crate::error::{Reject, RejectCode};
use crate::grounds::Claim;
use crate::habits::{Answer, Habit, Probe};
use crate::rpc::{self, Message, PoolError, Quoted};
use crate::target::PowHash;
use crate::verdict::Verdict;

/// The most requests without an answer; shares past it wait in the queue. The last place is a
/// block's.
pub(super) const MAX_REQUESTS: usize = 1024;
/// How many given-up shares are remembered, to recognise their late answers.
const MAX_EXPIRED: usize = 64;

pub(super) enum Request<D: Dialect, T> {
    Subscribe,
    Authorize,
    Question(Arc<D::Job>),
    /// Whether the pool still lives.
    Probe,
    /// The authorize of a worker beside the route's own user.
    Name(Arc<Account>),
    /// The authorize of the route's own user, once more.
    Account,
    Share(T, Terms),
}

/// How a share was written.
pub(super) struct Terms {
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

struct Open<D: Dialect, T> {
    id: u64,
    sent: Instant,
    request: Request<D, T>,
}

impl<D: Dialect, T> Requests<D, T> {
    pub(super) const fn new() -> Self {
        Self { open: VecDeque::new(), next_id: 1, shares: 0, hurried: 0, expired: VecDeque::new() }
    }

    /// The id of the request that is pushed next. Ids go on from one connection to the next, so
    /// that no answer is taken for that to another connection's request.
    pub(super) const fn next_id(&self) -> u64 {
        self.next_id
    }

    /// An id for a request whose answer is of no interest.
    pub(super) const fn skip_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Notes a request and gives its id.
    pub(super) fn push(&mut self, request: Request<D, T>, now: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.shares += usize::from(matches!(request, Request::Share(..)));
        let open = Open { id, sent: now, request };
        self.hurried += usize::from(open.is_hurried());
        self.open.push_back(open);
        id
    }

    /// Takes back a request that was not written after all.
    pub(super) fn withdraw(&mut self, id: u64) {
        self.take(id);
    }

    pub(super) const fn shares(&self) -> usize {
        self.shares
    }

    pub(super) fn has_room(&self, is_block: bool) -> bool {
        self.open.len() + usize::from(!is_block) < MAX_REQUESTS
    }

    /// Forgets all requests and gives back the ids of the shares among them and what came with
    /// them.
    pub(super) fn drain_shares(
        &mut self,
    ) -> impl Iterator<Item = (u64, T, Option<Probe>)> + use<'_, D, T> {
        self.shares = 0;
        self.hurried = 0;
        self.expired.clear();
        self.open.drain(..).filter_map(|open| match open.request {
            Request::Share(ticket, terms) => {
                Some((open.id, ticket, terms.probe.map(|(probe, _)| probe)))
            }
            _ => None,
        })
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.most_urgent().map(Open::deadline)
    }

    fn take(&mut self, id: u64) -> Option<Open<D, T>> {
        let at = self.open.iter().position(|open| open.id == id)?;
        let open = self.open.remove(at)?;
        self.shares -= usize::from(matches!(open.request, Request::Share(..)));
        self.hurried -= usize::from(open.is_hurried());
        Some(open)
    }

    fn take_overdue(&mut self, now: Instant) -> Option<Open<D, T>> {
        let id = self.most_urgent().filter(|open| open.deadline() <= now)?.id;
        self.take(id)
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

    fn remember_expired(&mut self, id: u64) {
        if self.expired.len() >= MAX_EXPIRED {
            self.expired.pop_front();
        }
        self.expired.push_back(id);
    }

    fn was_expired(&mut self, id: u64) -> bool {
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
            Request::Question(_) | Request::Name(_) | Request::Account | Request::Share(..) => {
                VERDICT_WITHIN
            }
        }
    }

    fn is_hurried(&self) -> bool {
        self.time() < VERDICT_WITHIN
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Takes in an answer; `line` is the whole of it.
    pub(super) fn handle_answer(&mut self, message: &Message<'_>, line: &[u8], now: Instant) {
        let Some(id) = message.own_id() else { return };
        let outcome = message.outcome(line);
        let Some(open) = self.requests.take(id) else {
            let connection = self.link.connection_mut();
            if connection
                .is_some_and(|there| there.late_authorize.take_if(|late| *late == id).is_some())
            {
                return self.authorize_answered(message, outcome, now);
            }
            if self.requests.was_expired(id) {
                self.events.push_back(UpstreamEvent::LateVerdict);
            }
            return;
        };
        match open.request {
            Request::Subscribe => self.subscribe_answered(message, now),
            Request::Authorize => self.authorize_answered(message, outcome, now),
            Request::Question(job) => {
                let Some(answer) = message.result else { return };
                match self.dialect.learn(&job, answer) {
                    // Rigs may wait for the same.
                    Ok(()) => self.events.push_back(UpstreamEvent::View),
                    Err(error) => self.notice(Notice::UnusableAnswer(error)),
                }
            }
            Request::Probe => self.silence.answered(),
            Request::Name(account) => {
                self.pacer.answered(id, None);
                self.name_answered(id, &account, outcome);
                self.write_submissions(now);
            }
            Request::Account => {
                self.pacer.answered(id, None);
                self.account_answered(id, outcome, now);
                self.write_submissions(now);
            }
            Request::Share(ticket, terms) => {
                let again = self.resubmit.done(id);
                let outcome = match outcome {
                    Err(error) if again && self.is_duplicate(&error) => {
                        self.events.push_back(UpstreamEvent::ResentDuplicate);
                        Ok(())
                    }
                    outcome => outcome,
                };
                if let Some(connection) = self.link.connection_mut() {
                    connection.unanswered = 0;
                }
                let after = Some(now.saturating_duration_since(open.sent));
                self.pacer.answered(id, after);
                let (outcome, weighs) = self.judged(outcome, terms, open.sent, now);
                self.events.push_back(UpstreamEvent::Verdict { ticket, outcome, after, weighs });
                self.write_submissions(now);
            }
        }
    }

    pub(super) fn expire_requests(&mut self, now: Instant) {
        let mut reason = None;
        while let Some(open) = self.requests.take_overdue(now) {
            match open.request {
                Request::Subscribe => {
                    reason = Some(DownReason::LoginTimeout("the subscribe", SUBSCRIBE_WITHIN));
                }
                // Some servers never answer it, and take shares all the same.
                Request::Authorize if self.jobs.has_told() => {
                    if let Some(connection) = self.link.connection_mut() {
                        connection.late_authorize = Some(open.id);
                    }
                    self.notice(Notice::AuthorizeUnanswered);
                    self.go_live(now);
                }
                Request::Authorize => {
                    reason = Some(DownReason::LoginTimeout("the authorize", AUTHORIZE_WITHIN));
                }
                Request::Question(_) => {}
                Request::Account => self.pacer.answered(open.id, None),
                Request::Probe => reason = self.probe_expired(open.sent, now).or(reason),
                Request::Name(account) => {
                    self.pacer.answered(open.id, None);
                    self.name_unanswered(&account);
                }
                Request::Share(ticket, terms) => {
                    self.requests.remember_expired(open.id);
                    self.pacer.answered(open.id, None);
                    let asked = terms.probe.is_some();
                    self.give_verdict(ticket, Reject::unanswered(), !asked);
                    if let Some((probe, _)) = terms.probe {
                        self.learn(
                            probe.undecided(),
                            "it never answers a share that would show it",
                        );
                    }
                    // Some servers have no answer to a share that they know already.
                    let again = self.resubmit.done(open.id);
                    let Some(connection) = self.link.connection_mut() else { continue };
                    connection.unanswered += u32::from(!again && !asked);
                    if connection.unanswered >= MAX_UNANSWERED {
                        reason = Some(DownReason::Unanswered);
                    }
                }
            }
        }
        if let Some(reason) = reason {
            self.down(reason, now);
        }
    }

    fn subscribe_answered(&mut self, message: &Message<'_>, now: Instant) {
        let given = match (message.result, message.error.and_then(PoolError::parse)) {
            (_, Some(error)) => return self.down(DownReason::SubscribeRefused(error), now),
            (None, None) => {
                let nothing = PoolError { code: None, message: "no result".into() };
                return self.down(DownReason::SubscribeRefused(nothing), now);
            }
            (Some(result), None) => self.dialect.parse_subscribed(result),
        };
        let given = match given {
            Ok(given) => given,
            Err(error) => return self.down(DownReason::SubscribeUnusable(error), now),
        };
        let resumed = self.resumes(&given);
        if !self.settle_on(given, now) {
            return;
        }
        self.jobs.resume(resumed);
        let early = self.link.subscribed();
        let id = self.requests.push(Request::Authorize, now);
        let UpstreamConfig { user, password, .. } = &self.config;
        self.transmit.write(|out| put_authorize(id, user, password, out));
        if let Some(difficulty) = self.config.start_difficulty {
            // A courtesy: whatever the answer is, nothing waits for it.
            let id = self.requests.skip_id();
            self.transmit.write(|out| self.dialect.put_suggest_difficulty(id, difficulty, out));
        }
        if let Some(job) = early {
            self.take_job(job, now);
        }
    }

    fn authorize_answered(
        &mut self,
        message: &Message<'_>,
        outcome: Result<(), PoolError>,
        now: Instant,
    ) {
        // An answer that says nothing at all is taken for a welcome: shares will show.
        let says_nothing = message.result.is_none() && message.error.is_none();
        match outcome {
            Err(error) if !says_nothing => {
                let mut reason = without_password(error.to_string(), &self.config.password);
                if let Some(hint) = D::UNEXPLAINED_REFUSAL.filter(|_| error.is_unexplained()) {
                    reason = format!("{reason}; {hint}");
                }
                let user = self.config.user.clone();
                self.down(DownReason::AuthorizeRefused { user, reason }, now);
            }
            _ => self.go_live(now),
        }
    }

    fn go_live(&mut self, now: Instant) {
        if self.is_live() {
            return;
        }
        // Another connection that was given the same may have come first.
        if let Some(Err(clash)) = self.claim.as_ref().map(Claim::go_live) {
            return self.down(DownReason::SameExtranonce(clash), now);
        }
        self.link.authorized(now);
        self.notice(Notice::Live);
        self.events.push_back(UpstreamEvent::View);
    }

    fn is_duplicate(&self, error: &PoolError) -> bool {
        self.dialect.classify_refusal(error) == Refusal::Duplicate
    }

    /// What the pool's answer to a share means for it, and for what is known of the pool; and whether
    /// it tells anything about the pool's health.
    fn judged(
        &mut self,
        outcome: Result<(), PoolError>,
        terms: Terms,
        sent: Instant,
        now: Instant,
    ) -> (ShareOutcome, bool) {
        let Terms { account, forgone, probe, misses_announced, work, is_block } = terms;
        let Err(error) = outcome else {
            self.accepted += 1;
            self.brake.accepted(forgone);
            if let Some((probe, _)) = probe {
                self.learn(probe.taken(), "it took a share that shows it");
            }
            return (ShareOutcome::accepted(), true);
        };
        let refusal = self.dialect.classify_refusal(&error);
        let (code, verdict) = match refusal {
            Refusal::Stale => (RejectCode::JobNotFound, Verdict::Stale),
            Refusal::Duplicate => (RejectCode::Duplicate, Verdict::RejectedByPool),
            Refusal::LowDifficulty => (RejectCode::LowDifficulty, Verdict::RejectedByPool),
            Refusal::Unauthorized => (RejectCode::Unauthorized, Verdict::RejectedByPool),
            Refusal::Form | Refusal::Other => (RejectCode::Other, Verdict::RejectedByPool),
        };
        let reason = format!("pool: {error}");
        let mut weighs = self.weighs(verdict, work, sent);
        if let Some((probe, hash)) = probe {
            // One that asks about the split is not what its rig was told to send.
            let odd = probe.habit() == Habit::Split && refusal == Refusal::Form;
            let verdict = if odd { Verdict::Invalid } else { verdict };
            self.probe_refused(probe, hash, refusal, &reason);
            return (refused(refusal, code, reason, verdict, false), false);
        }
        match refusal {
            Refusal::Duplicate | Refusal::LowDifficulty if is_block => weighs = false,
            Refusal::Form => weighs &= !self.fall_back(&error, now),
            Refusal::LowDifficulty if misses_announced => {
                let learnt = self.habits.learn(Habit::DifficultyFrom, Answer::Other);
                self.learn(learnt, &reason);
                weighs = false;
            }
            Refusal::Unauthorized => {
                weighs &= !self.share_unauthorized(account.as_deref(), &reason, now);
            }
            _ => {}
        }
        (refused(refusal, code, reason, verdict, weighs), weighs)
    }

    /// What the refusal of a share shows by which the pool was asked something.
    fn probe_refused(
        &mut self,
        probe: Probe,
        hash: Option<PowHash>,
        refusal: Refusal,
        reason: &str,
    ) {
        let known = self.habits.known();
        let wanted = self.jobs.announced().perhaps(known);
        let missed = hash.is_some_and(|hash| !self.dialect.meets(&hash, &wanted));
        let learnt = match (refusal, probe.habit()) {
            // It missed what was announced meanwhile, its job is over, or its worker is nobody there.
            (Refusal::LowDifficulty, _) if missed => None,
            (Refusal::Stale | Refusal::Unauthorized, _) => None,
            (Refusal::LowDifficulty, _) | (Refusal::Form, Habit::Split) => probe.refused(),
            _ => probe.undecided(),
        };
        self.learn(learnt, reason);
    }
}

/// What a refusal makes of a share. One that met what its rig was told, and that the pool finds too
/// easy for a reason that is not against the pool, is good work, if not for the pool.
fn refused(
    refusal: Refusal,
    code: RejectCode,
    reason: String,
    verdict: Verdict,
    weighs: bool,
) -> ShareOutcome {
    if refusal == Refusal::LowDifficulty && !weighs {
        ShareOutcome::below_pool_target(reason)
    } else {
        Reject::new(code, reason, verdict).into()
    }
}

/// The login of a worker, the same on all pools.
pub(super) fn put_authorize(id: u64, user: &str, password: &str, out: &mut BytesMut) {
    let (user, password) = (Quoted(user), Quoted(password));
    rpc::put_request(out, id, "mining.authorize", format_args!("[{user},{password}]"));
}

/// Some pools quote what they refuse. Passwords too short to be secret (`x`) stay, since they
/// would be found in any text.
pub(super) fn without_password(reason: String, password: &str) -> String {
    const SECRET: usize = 4;
    if password.len() < SECRET { reason } else { reason.replace(password, "***") }
}

/// How long the pool took at most for its last shares; the pace's slots free by it.
pub(super) fn slot_after(rtt: Option<Duration>) -> Duration {
    const LEAST: Duration = Duration::from_secs(1);
    rtt.map_or(LEAST, |rtt| (rtt * 2).max(LEAST))
}
