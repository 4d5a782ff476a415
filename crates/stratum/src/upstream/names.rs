//! Workers under names of their own on the one connection.
//!
//! Servers differ in what a refused name does. Some keep a list of the names that a connection
//! authorized; others have one flag for the whole connection, so that a refused name takes the right
//! to submit away from everybody, until some name is accepted again. So at a pool of which nobody
//! knows whether it takes names, the first one goes out with no share in flight, and shares wait for
//! its answer. A pool that refuses a name is asked about no other one, and the account authorizes
//! again before the next share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::requests::{Request, without_password};
use super::{DownReason, Notice, Upstream};
use crate::channel::Account;
use crate::dialect::Dialect;
use crate::habits::{Answer, Habit, Probe};
use crate::rpc::PoolError;
use crate::secret::Secret;

/// The most names that are asked for on one connection.
pub const MAX_NAMES: usize = 1000;
/// The most names that are asked for within a second.
pub const MAX_NAMES_PER_SECOND: usize = 5;
/// How long shares wait for the answer to an authorize.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long the first name is not tried again where shares were never all answered.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// An account that was refused a share without any other name about is authorized again no more
/// often than this.
const AGAIN_EVERY: Duration = Duration::from_secs(60);

/// The most names that are remembered since a connection was lost while they were asked about…
const MAX_SUSPECTS: usize = 32;
/// …and how often that may be.
const LOST_WITH: u8 = 3;

/// What the pool thinks of each name that it was asked about on this connection.
#[derive(Default)]
pub(super) struct Names {
    standings: HashMap<Box<str>, Standing>,
    /// When the last names were asked for, the oldest first.
    recent: ArrayVec<Instant, MAX_NAMES_PER_SECOND>,
    gate: Gate,
    /// What the first name is to show.
    probe: Option<Probe>,
    /// No other name is asked for on this connection, since one was never answered.
    mute: bool,
    /// Before when the first name is not tried again.
    rests_until: Option<Instant>,
    /// When the account was last authorized again.
    again: Option<Instant>,
    /// Names with which connections were lost, and how many.
    suspects: ArrayVec<(Box<str>, u8), MAX_SUSPECTS>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Asked,
    Authorized,
    /// It was refused, or not answered in time.
    Shelved,
}

/// What shares wait for.
#[derive(Default)]
enum Gate {
    #[default]
    Open,
    /// The first name, which goes out when no share is in flight.
    First { account: Arc<Account>, until: Instant },
    /// The account, which is to authorize again.
    Account,
    /// The answer to an authorize.
    Answer { id: u64, until: Instant },
}

/// Under whose name a share goes out.
pub(super) enum Name<'a> {
    /// The route's own user.
    Own,
    /// Its worker's.
    Worker(&'a Arc<Account>),
    /// That is to be found out first.
    Waits,
}

impl Names {
    /// The connection is lost; another one knows no names. Gives what the pool was being asked.
    pub(super) fn lose(&mut self) -> Option<Probe> {
        let former = std::mem::take(self);
        self.suspects = former.suspects;
        self.rests_until = former.rests_until;
        for (name, standing) in former.standings {
            if standing != Standing::Asked {
                self.suspects.retain(|(suspect, _)| *suspect != name);
            } else if let Some((_, times)) = self.suspects.iter_mut().find(|(s, _)| *s == name) {
                *times = times.saturating_add(1);
            } else {
                // Past the cap the next name has its three times later.
                let _ = self.suspects.try_push((name, 1));
            }
        }
        former.probe.filter(|_| matches!(former.gate, Gate::Answer { .. }))
    }

    /// When shares stop waiting.
    pub(super) const fn gives_up_at(&self) -> Option<Instant> {
        match &self.gate {
            Gate::First { until, .. } | Gate::Answer { until, .. } => Some(*until),
            Gate::Open | Gate::Account => None,
        }
    }

    /// Whether the pool may be asked about a name now.
    fn may_ask(&self, name: &str, now: Instant) -> bool {
        const SECOND: Duration = Duration::from_secs(1);
        let rested = |oldest: &Instant| now.saturating_duration_since(*oldest) >= SECOND;
        let lost_with =
            |(suspect, times): &(Box<str>, u8)| **suspect == *name && *times >= LOST_WITH;
        !self.mute
            && !self.suspects.iter().any(lost_with)
            && !self.standings.contains_key(name)
            && self.standings.len() < MAX_NAMES
            && (!self.recent.is_full() || self.recent.first().is_some_and(rested))
    }

    fn asked(&mut self, name: &str, now: Instant) {
        if self.recent.is_full() {
            self.recent.remove(0);
        }
        self.recent.push(now);
        self.standings.insert(name.into(), Standing::Asked);
    }

    fn set(&mut self, name: &str, standing: Standing) {
        if let Some(known) = self.standings.get_mut(name) {
            *known = standing;
        }
    }

    /// Whether the first name is still to be asked about.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.gate, Gate::First { .. })
    }

    /// An authorize has its answer.
    fn answered(&mut self, answered: u64) {
        if matches!(self.gate, Gate::Answer { id, .. } if id == answered) {
            self.gate = Gate::Open;
        }
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Lets shares pass, or brings on what they wait for. A block does not wait for a name that has
    /// not been asked about yet.
    pub(super) fn passes_gate(&mut self, is_block: bool, now: Instant) -> bool {
        match &self.names.gate {
            Gate::Open => true,
            Gate::First { until, .. } if *until <= now => {
                self.names.gate = Gate::Open;
                self.names.probe = None;
                self.names.rests_until = Some(now + TRIED_AGAIN_AFTER);
                true
            }
            Gate::First { .. } if is_block => true,
            Gate::First { account, .. } => {
                let account = Arc::clone(account);
                if self.requests.shares() == 0
                    && let Some(id) = self.ask_about_name(&account, now)
                {
                    self.names.gate = Gate::Answer { id, until: now + ANSWER_WITHIN };
                }
                false
            }
            Gate::Account => {
                let id = self.requests.next_id();
                let (user, password) = (&*self.config.user, &*self.config.password);
                if self.pacer.write_authorize(id, user, password, &mut self.transmit, now) {
                    self.requests.push(Request::Account, now);
                    self.names.gate = Gate::Answer { id, until: now + ANSWER_WITHIN };
                }
                false
            }
            Gate::Answer { until, .. } => {
                let over = *until <= now;
                if over {
                    self.names.gate = Gate::Open;
                }
                over
            }
        }
    }

    /// Under whose name a worker's share goes out now.
    pub(super) fn name_for<'a>(
        &mut self,
        account: Option<&'a Arc<Account>>,
        now: Instant,
    ) -> Name<'a> {
        let Some(account) = account.filter(|account| *account.name != *self.config.user) else {
            return Name::Own;
        };
        match self.habits.known().get(Habit::Names) {
            Some(Answer::Other) => Name::Own,
            Some(Answer::Usual) => match self.names.standings.get(&*account.name) {
                Some(Standing::Authorized) => Name::Worker(account),
                _ => Name::Own,
            },
            None if self.names.may_ask(&account.name, now)
                && self.names.rests_until.is_none_or(|until| until <= now) =>
            {
                // Another connection may be asking already.
                let Some(probe) = self.habits.ask(Habit::Names, Answer::Usual) else {
                    return Name::Own;
                };
                self.names.probe = Some(probe);
                let (account, until) = (Arc::clone(account), now + ANSWER_WITHIN);
                self.names.gate = Gate::First { account, until };
                Name::Waits
            }
            None => Name::Own,
        }
    }

    /// Asks a pool that takes names about that of a worker whose share has just been written, unless
    /// it was asked before or the limits forbid it; the worker's next share may do so then.
    pub(super) fn introduce(&mut self, account: &Arc<Account>, now: Instant) {
        let takes_names = self.habits.known().get(Habit::Names) == Some(Answer::Usual);
        if takes_names && *account.name != *self.config.user {
            self.ask_about_name(account, now);
        }
    }

    fn ask_about_name(&mut self, account: &Arc<Account>, now: Instant) -> Option<u64> {
        let Account { name, password } = &**account;
        if !self.names.may_ask(name, now) || !self.requests.has_room(false) {
            return None;
        }
        let password = password.as_ref().map_or(&*self.config.password, Secret::reveal);
        let id = self.requests.next_id();
        if !self.pacer.write_authorize(id, name, password, &mut self.transmit, now) {
            return None;
        }
        self.names.asked(name, now);
        Some(self.requests.push(Request::Name(Arc::clone(account)), now))
    }

    /// The pool has answered the authorize of a worker.
    pub(super) fn name_answered(
        &mut self,
        id: u64,
        account: &Account,
        outcome: Result<(), PoolError>,
    ) {
        self.names.answered(id);
        match outcome {
            Ok(()) => {
                self.names.set(&account.name, Standing::Authorized);
                if let Some(learnt) = self.names.probe.take().and_then(Probe::taken) {
                    self.notice(Notice::Learnt { learnt, why: "it took a worker's name".into() });
                }
            }
            Err(error) => self.name_refused(account, &error.to_string()),
        }
    }

    /// The pool has left the authorize of a worker without an answer.
    pub(super) fn name_unanswered(&mut self, account: &Account) {
        self.names.set(&account.name, Standing::Shelved);
        self.names.mute = true;
        let learnt = self.names.probe.take().and_then(Probe::undecided);
        self.learn(learnt, "it never answers a worker's name");
    }

    /// The account was authorized again, or not.
    pub(super) fn account_answered(
        &mut self,
        id: u64,
        outcome: Result<(), PoolError>,
        now: Instant,
    ) {
        self.names.answered(id);
        if let Err(error) = outcome {
            let reason = without_password(error.to_string(), &self.config.password);
            let user = self.config.user.clone();
            self.down(DownReason::AuthorizeRefused { user, reason }, now);
        }
    }

    /// A share was refused since whoever sent it is not authorized. `true` when that shows what the
    /// pool thinks of names, so that nobody is to blame.
    pub(super) fn share_unauthorized(
        &mut self,
        account: Option<&Account>,
        reason: &str,
        now: Instant,
    ) -> bool {
        if matches!(self.names.gate, Gate::Account | Gate::Answer { .. }) {
            return true;
        }
        if let Some(account) = account {
            self.name_refused(account, reason);
            return true;
        }
        let named = !self.names.standings.is_empty();
        let learnt = named.then(|| self.habits.learn(Habit::Names, Answer::Other)).flatten();
        if let Some(learnt) = learnt {
            let why = without_password(reason.to_owned(), &self.config.password);
            self.notice(Notice::Learnt { learnt, why });
            self.authorize_again();
        } else if self.names.again.is_none_or(|at| now >= at + AGAIN_EVERY) {
            self.names.again = Some(now);
            self.authorize_again();
        }
        learnt.is_some()
    }

    /// The pool does not take a name, and perhaps has taken the right to submit away from everybody.
    fn name_refused(&mut self, account: &Account, reason: &str) {
        self.names.set(&account.name, Standing::Shelved);
        let mut why = without_password(reason.to_owned(), &self.config.password);
        if let Some(own) = &account.password {
            why = without_password(why, own.reveal());
        }
        let learnt = match self.names.probe.take() {
            Some(probe) => probe.refused(),
            None => self.habits.learn(Habit::Names, Answer::Other),
        };
        if let Some(learnt) = learnt {
            self.notice(Notice::Learnt { learnt, why });
        }
        self.authorize_again();
    }

    /// The account authorizes again before the next share, unless it is doing so.
    pub(super) fn authorize_again(&mut self) {
        if self.habits.known().get(Habit::Names) == Some(Answer::Other) {
            self.names.standings.clear();
        }
        if self.is_live() {
            self.names.gate = Gate::Account;
        }
    }

    /// Another connection to the pool has learnt that it takes no names.
    pub(super) fn follow_names(&mut self) {
        let none = self.habits.known().get(Habit::Names) == Some(Answer::Other);
        if none && !self.names.standings.is_empty() {
            self.authorize_again();
        }
    }
}
