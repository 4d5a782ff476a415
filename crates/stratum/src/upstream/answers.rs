//! What the pool's answers mean, and what it means that there is none.

use super::link::LinkPhase;
use super::out::UpstreamTimer;
use super::requests::{Open, Request, ShareTerms};
use super::{
    AUTHORIZE_WITHIN, DownReason, JOB_WITHIN, LoginCall, MAX_UNANSWERED, Notice, SUBSCRIBE_WITHIN,
    Upstream, UpstreamConfig, UpstreamEvent,
};
use crate::channel::{Account, ShareOutcome};
use crate::dialect::{Dialect, PoolAnswer, PoolCall, PoolQuestion, Refusal};
use crate::error::{Reject, RejectCode};
use crate::habits::{Answer, Habit, Probe};
use crate::rpc::{Message, PoolError};
use crate::secret::masked;
use crate::target::PowHash;
use crate::time::Instant;
use crate::verdict::Verdict;

/// What the pool's answer to a share came to.
struct Answered {
    outcome: ShareOutcome,
    /// Whether it tells anything about the pool's health.
    weighs: bool,
    /// The connection is of no use any more.
    down: Option<DownReason>,
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Takes in an answer; `line` is the whole of it.
    pub(super) fn handle_answer(
        &mut self,
        message: &Message<'_>,
        line: &[u8],
        now: Instant,
    ) -> Result<(), DownReason> {
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        let Some(id) = message.own_id() else { return Ok(()) };
        let reply = message.reply(line);
        let Some(open) = connection.requests.take(id, &mut self.out) else {
            if connection.late_authorize.take_if(|late| *late == id).is_some() {
                let answer = connection.hear(PoolQuestion::Login, &reply, &self.setup);
                return self.authorize_answered(answer, now);
            }
            if connection.requests.was_expired(id) {
                self.out.event(UpstreamEvent::LateVerdict);
            }
            return Ok(());
        };
        match open.request {
            Request::Configure => {
                connection.hear(PoolQuestion::Configure, &reply, &self.setup);
                return Ok(());
            }
            Request::Subscribe => {
                let question = PoolQuestion::Subscribe { former: self.footing.session() };
                let answer = connection.hear(question, &reply, &self.setup);
                return self.subscribe_answered(answer, now);
            }
            Request::Authorize => {
                let answer = connection.hear(PoolQuestion::Login, &reply, &self.setup);
                return self.authorize_answered(answer, now);
            }
            Request::Question(job) => {
                match connection.hear(PoolQuestion::Job(&job), &reply, &self.setup) {
                    // Rigs may wait for the same.
                    PoolAnswer::Yes => self.out.event(UpstreamEvent::View),
                    PoolAnswer::Unusable(error) => self.out.notice(Notice::UnusableAnswer(error)),
                    PoolAnswer::Subscribed { .. } | PoolAnswer::No(..) | PoolAnswer::Nothing => {}
                }
                return Ok(());
            }
            Request::Probe => {
                connection.silence.answered();
                return Ok(());
            }
            Request::Name(account) => {
                connection.pacer.answered(id, None);
                let outcome = connection.hear(PoolQuestion::Name, &reply, &self.setup).verdict();
                let outcome = outcome.map_err(|(_, error)| error);
                connection.names.name_answered(id, &account, outcome, &self.setup, &mut self.out);
            }
            Request::Account => {
                connection.pacer.answered(id, None);
                let outcome = connection.hear(PoolQuestion::Name, &reply, &self.setup).verdict();
                let outcome = outcome.map_err(|(_, error)| error);
                connection.names.account_answered(id, outcome, &self.setup, &mut self.out)?;
            }
            Request::Share(ticket, terms) => {
                connection.unanswered = 0;
                let after = Some(now.saturating_duration_since(open.sent));
                connection.pacer.answered(id, after);
                let answer = connection.hear(PoolQuestion::Share, &reply, &self.setup);
                let verdict = answer.verdict();
                if let Err((refusal, error)) = &verdict {
                    self.show_evidence(id, &terms, *refusal, error);
                }
                let Answered { outcome, weighs, down } =
                    self.share_answered(verdict, terms, open.sent, now);
                self.out.event(UpstreamEvent::Verdict { ticket, outcome, after, weighs });
                down.map_or(Ok(()), Err)?;
            }
        }
        self.write_submissions(now);
        Ok(())
    }

    /// Gives up the requests that have had their time.
    pub(super) fn expire_requests(&mut self, now: Instant) -> Result<(), DownReason> {
        let mut reason = None;
        while let Some(connection) = self.link.connection_mut()
            && let Some(open) = connection.requests.take_overdue(&mut self.out, now)
        {
            reason = self.expire(open, now).err().or(reason);
        }
        reason.map_or(Ok(()), Err)
    }

    fn expire(&mut self, open: Open<D, T>, now: Instant) -> Result<(), DownReason> {
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        match open.request {
            Request::Subscribe => {
                Err(DownReason::LoginTimeout(LoginCall::Subscribe, SUBSCRIBE_WITHIN))
            }
            // Some servers never answer it, and take shares all the same.
            Request::Authorize if self.jobs.has_told() => {
                connection.late_authorize = Some(open.id);
                self.out.notice(Notice::AuthorizeUnanswered);
                self.go_live(now)
            }
            Request::Authorize => {
                Err(DownReason::LoginTimeout(LoginCall::Authorize, AUTHORIZE_WITHIN))
            }
            Request::Configure | Request::Question(_) => Ok(()),
            Request::Account => {
                connection.pacer.answered(open.id, None);
                Ok(())
            }
            Request::Probe => connection.silence.unanswered(open.sent, now).map_or(Ok(()), Err),
            Request::Name(account) => {
                connection.pacer.answered(open.id, None);
                let learnt = connection.names.name_unanswered(&account);
                self.learn(learnt, "it never answers a worker's name");
                Ok(())
            }
            Request::Share(ticket, terms) => {
                connection.requests.remember_expired(open.id);
                connection.pacer.answered(open.id, None);
                let asked = terms.probe.is_some();
                // Some servers have no answer to a share that they know already.
                connection.unanswered += u32::from(!terms.is_again && !asked);
                let too_many = connection.unanswered >= MAX_UNANSWERED;
                self.out.verdict(ticket, Reject::unanswered(), !asked);
                if let Some((probe, _)) = terms.probe {
                    let why = "it never answers a share that would show it";
                    self.learn(probe.undecided(), why);
                }
                if too_many { Err(DownReason::Unanswered) } else { Ok(()) }
            }
        }
    }

    fn subscribe_answered(&mut self, answer: PoolAnswer, now: Instant) -> Result<(), DownReason> {
        let (given, resumed) = match answer {
            PoolAnswer::Subscribed { given, resumed } => (given, resumed),
            PoolAnswer::Unusable(error) => return Err(DownReason::SubscribeUnusable(error)),
            answer => {
                let error =
                    answer.verdict().err().map_or_else(PoolError::unexplained, |(_, error)| error);
                return Err(DownReason::SubscribeRefused(error));
            }
        };
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        let is_given = given.is_some() || connection.next_extranonce.is_some();
        match given {
            Some(given) => {
                // What came before the answer is older than it.
                connection.next_extranonce = None;
                let resumed = resumed && self.footing.is_former(&given);
                self.settle(given, now)?;
                self.jobs.resume(resumed);
            }
            None => self.take_first_ground(now)?,
        }
        self.link.subscribed();
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        let id = connection.requests.push(Request::Authorize, &mut self.out, now);
        let UpstreamConfig { user, password, .. } = &self.setup.config;
        let dialect = &self.setup.dialect;
        let call = PoolCall::Authorize { id, user, password };
        self.out.write(|out| dialect.tell_pool(call, out));
        if let Some(difficulty) = self.setup.config.start_difficulty {
            // A courtesy: whatever the answer is, nothing waits for it.
            let id = connection.requests.skip_id();
            let call = PoolCall::Suggest { id, difficulty };
            self.out.write(|out| dialect.tell_pool(call, out));
        }
        if is_given { self.grounded(now) } else { Ok(()) }
    }

    fn authorize_answered(&mut self, answer: PoolAnswer, now: Instant) -> Result<(), DownReason> {
        let Err((_, error)) = answer.verdict() else { return self.go_live(now) };
        let user = &self.setup.config.user;
        let mut reason = error.to_string();
        let hint = self.setup.dialect.rules().unexplained_refusal;
        if let Some(hint) = hint.filter(|_| error.is_unexplained()) {
            reason = format!("{reason}; {hint}");
        }
        Err(DownReason::AuthorizeRefused { user: user.clone(), reason })
    }

    /// The pool has authorized us; it takes shares as soon as it has given an extranonce.
    pub(super) fn go_live(&mut self, now: Instant) -> Result<(), DownReason> {
        let LinkPhase::Authorizing(connection) = &mut self.link else { return Ok(()) };
        connection.is_authorized = true;
        if !connection.is_grounded {
            self.out.timers.set(UpstreamTimer::Job, Some(now + JOB_WITHIN));
            return Ok(());
        }
        self.footing.go_live()?;
        self.link.go_live();
        let waits = !self.jobs.has_told();
        self.out.timers.set(UpstreamTimer::Job, waits.then(|| now + JOB_WITHIN));
        self.look_at_flow(now);
        self.out.notice(Notice::Live);
        self.out.event(UpstreamEvent::View);
        Ok(())
    }

    /// Tells what a share was made from that the pool has refused, unless that was to be expected.
    #[cold]
    fn show_evidence(
        &mut self,
        id: u64,
        terms: &ShareTerms<D>,
        refusal: Refusal,
        error: &PoolError,
    ) {
        let is_expected = terms.probe.is_some() || terms.misses_announced || terms.is_again;
        let (Some(connection), Some(ground), false) =
            (self.link.connection_mut(), self.footing.ground(), is_expected)
        else {
            return;
        };
        let ground = (self.footing.generation(), &ground.split.extranonce1);
        let kept = terms.kept.as_deref();
        let found = connection.recent.refused(id, kept, refusal, ground, &self.setup);
        if let Some((worker, evidence)) = found {
            let reason = words(error, terms.account.as_deref());
            self.out.event(UpstreamEvent::Evidence { worker, reason, evidence });
        }
    }

    /// What the pool's answer to a share means for it, and for what is known of the pool.
    fn share_answered(
        &mut self,
        verdict: Result<(), (Refusal, PoolError)>,
        terms: ShareTerms<D>,
        sent: Instant,
        now: Instant,
    ) -> Answered {
        let Err((refusal, error)) = verdict else { return self.share_taken(terms) };
        if terms.is_again && refusal == Refusal::Duplicate {
            self.out.event(UpstreamEvent::ResentDuplicate);
            return self.share_taken(terms);
        }
        self.share_refused(refusal, &error, terms, sent, now)
    }

    fn share_taken(&mut self, terms: ShareTerms<D>) -> Answered {
        self.footing.accepted();
        if let Some(connection) = self.link.connection_mut() {
            connection.brake.accepted(terms.forgone);
        }
        if let Some((probe, _)) = terms.probe {
            self.learn(probe.taken(), "it took a share that shows it");
        }
        Answered { outcome: ShareOutcome::accepted(), weighs: true, down: None }
    }

    fn share_refused(
        &mut self,
        refusal: Refusal,
        error: &PoolError,
        terms: ShareTerms<D>,
        sent: Instant,
        now: Instant,
    ) -> Answered {
        let ShareTerms { account, probe, misses_announced, work, is_block, .. } = terms;
        let verdict =
            if refusal == Refusal::Stale { Verdict::Stale } else { Verdict::RejectedByPool };
        let reason = words(error, account.as_deref());
        if let Some((probe, hash)) = probe {
            // One that asks about the split is not what its rig was told to send.
            let odd = probe.habit() == Habit::Split && refusal == Refusal::Form;
            let verdict = if odd { Verdict::Invalid } else { verdict };
            self.probe_refused(probe, hash, refusal, &reason);
            let outcome = refused(refusal, reason, verdict, false);
            return Answered { outcome, weighs: false, down: None };
        }
        let mut down = None;
        let mut weighs = work.weighs(verdict, sent, self.footing.generation(), &self.jobs);
        match refusal {
            Refusal::Duplicate | Refusal::LowDifficulty if is_block => weighs = false,
            Refusal::Form => match self.fall_back(error, now) {
                Ok(fell_back) => weighs &= !fell_back,
                Err(reason) => (weighs, down) = (false, Some(reason)),
            },
            Refusal::LowDifficulty if misses_announced => {
                let learnt = self.setup.habits.learn(Habit::DifficultyFrom, Answer::Other);
                self.learn(learnt, &reason);
                weighs = false;
            }
            Refusal::Unauthorized => {
                if let Some(connection) = self.link.connection_mut() {
                    let (account, setup) = (account.as_deref(), &self.setup);
                    let names = &mut connection.names;
                    weighs &=
                        !names.share_unauthorized(account, &reason, setup, &mut self.out, now);
                }
            }
            _ => {}
        }
        Answered { outcome: refused(refusal, reason, verdict, weighs), weighs, down }
    }

    /// What the refusal of a share shows by which the pool was asked something.
    fn probe_refused(
        &mut self,
        probe: Probe,
        hash: Option<PowHash>,
        refusal: Refusal,
        reason: &str,
    ) {
        let wanted = self.jobs.announced().perhaps(self.setup.known());
        let missed =
            hash.is_some_and(|hash| !self.setup.dialect.rules().good.meets(&hash, &wanted));
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

/// What the pool says about a share, without the password of whose account it is. Ours goes out of all
/// words; this one is only told with some.
fn words(error: &PoolError, account: Option<&Account>) -> String {
    let words = format!("pool: {error}");
    let own = account.and_then(|account| account.password.as_ref());
    own.and_then(|own| masked(&words, own.reveal())).unwrap_or(words)
}

/// What a refusal makes of a share. One that met what its rig was told, and that the pool finds too
/// easy for a reason that is not against the pool, is good work, if not for the pool.
fn refused(refusal: Refusal, reason: String, verdict: Verdict, weighs: bool) -> ShareOutcome {
    let code = match refusal {
        Refusal::LowDifficulty if !weighs => return ShareOutcome::below_pool_target(reason),
        Refusal::LowDifficulty => RejectCode::LowDifficulty,
        Refusal::Stale => RejectCode::JobNotFound,
        Refusal::Duplicate => RejectCode::Duplicate,
        Refusal::Unauthorized => RejectCode::Unauthorized,
        Refusal::Form | Refusal::Other => RejectCode::Other,
    };
    Reject::new(code, reason, verdict).into()
}
