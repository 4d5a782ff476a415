//! What the pool's answers mean, and what it means that there is none.

use std::time::Instant;

use super::{Request, Terms, put_authorize, without_password};
use crate::channel::ShareOutcome;
use crate::dialect::{Dialect, Refusal};
use crate::error::{Reject, RejectCode};
use crate::grounds::Claim;
use crate::habits::{Answer, Habit, Probe};
use crate::rpc::{Message, PoolError};
use crate::target::PowHash;
use crate::upstream::{
    AUTHORIZE_WITHIN, DownReason, MAX_UNANSWERED, Notice, SUBSCRIBE_WITHIN, Upstream,
    UpstreamConfig, UpstreamEvent,
};
use crate::verdict::Verdict;

impl<D: Dialect, T> Upstream<D, T> {
    /// Takes in an answer; `line` is the whole of it.
    pub(in crate::upstream) fn handle_answer(
        &mut self,
        message: &Message<'_>,
        line: &[u8],
        now: Instant,
    ) {
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

    pub(in crate::upstream) fn expire_requests(&mut self, now: Instant) {
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
