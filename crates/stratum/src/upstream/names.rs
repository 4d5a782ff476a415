//! Workers under names of their own on the one connection.
//!
//! Servers differ in what a refused name does. Some keep a list of the names that a connection
//! authorized; others have one flag for the whole connection, so that a refused name takes the right
//! to submit away from everybody, until some name is accepted again. So at a pool of which nobody
//! knows whether it takes names, the first one goes out with no share in flight, and shares wait for
//! its answer. A pool that refuses a name is asked about no other one, and the account authorizes
//! again before the next share.

mod suspects;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::DownReason;
use super::out::{UpstreamOut, UpstreamTimer};
use super::pace::Pacer;
use super::requests::{Request, Requests};
use super::setup::Setup;
use crate::channel::Account;
use crate::dialect::Dialect;
use crate::habits::{Answer, Habit, Learnt, Probe};
use crate::rpc::PoolError;
use crate::secret::{Secret, masked};
use crate::time::Instant;

pub(super) use suspects::Suspects;

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

/// What the pool thinks of each name that it was asked about on this connection.
pub(super) struct Names {
    standings: HashMap<Box<str>, NameStanding>,
    /// When the last names were asked for, the oldest first.
    recent: ArrayVec<Instant, MAX_NAMES_PER_SECOND>,
    gate: NameGate,
    /// What the first name is to show.
    probe: Option<Probe>,
    /// No other name is asked for on this connection, since one was never answered.
    mute: bool,
    /// When the account was last authorized again.
    again: Option<Instant>,
    suspects: Suspects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameStanding {
    Asked,
    Authorized,
    /// It was refused, or not answered in time.
    Shelved,
}

/// What shares wait for.
#[derive(Default)]
enum NameGate {
    #[default]
    Open,
    /// The first name, which goes out when no share is in flight.
    First(Arc<Account>),
    /// The account, which is to authorize again.
    Account,
    /// The answer to the authorize of this id.
    Answer(u64),
}

/// Under whose name a share goes out.
pub(super) enum SentAs<'a> {
    /// The route's own user.
    Own,
    /// Its worker's.
    Worker(&'a Arc<Account>),
    /// That is to be found out first.
    Waits,
}

impl Names {
    /// A connection begins: it knows no names.
    pub(super) fn new(suspects: Suspects) -> Self {
        Self {
            standings: HashMap::new(),
            recent: ArrayVec::new(),
            gate: NameGate::Open,
            probe: None,
            mute: false,
            again: None,
            suspects,
        }
    }

    /// The connection is lost. Gives the suspects, and what the pool was being asked.
    pub(super) fn lose(self) -> (Suspects, Option<Probe>) {
        let Self { mut suspects, standings, gate, probe, .. } = self;
        for (name, standing) in standings {
            suspects.lost_with(name, standing == NameStanding::Asked);
        }
        (suspects, probe.filter(|_| matches!(gate, NameGate::Answer(_))))
    }

    /// Whether the pool may be asked about a name now.
    fn may_ask(&self, name: &str, now: Instant) -> bool {
        const SECOND: Duration = Duration::from_secs(1);
        let rested = |oldest: &Instant| now.saturating_duration_since(*oldest) >= SECOND;
        !self.mute
            && !self.suspects.has(name)
            && !self.standings.contains_key(name)
            && self.standings.len() < MAX_NAMES
            && (!self.recent.is_full() || self.recent.first().is_some_and(rested))
    }

    fn asked(&mut self, name: &str, now: Instant) {
        if self.recent.is_full() {
            self.recent.remove(0);
        }
        self.recent.push(now);
        self.standings.insert(name.into(), NameStanding::Asked);
    }

    fn set(&mut self, name: &str, standing: NameStanding) {
        if let Some(known) = self.standings.get_mut(name) {
            *known = standing;
        }
    }

    /// What shares wait for, and until when.
    fn set_gate<T>(&mut self, gate: NameGate, until: Option<Instant>, out: &mut UpstreamOut<T>) {
        self.gate = gate;
        out.timers.set(UpstreamTimer::Gate, until);
    }

    /// Whether the first name is still to be asked about.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self.gate, NameGate::First(_))
    }

    /// Lets shares pass, or brings on what they wait for. A block does not wait for a name that has
    /// not been asked about yet.
    pub(super) fn let_pass<D: Dialect, T>(
        &mut self,
        is_block: bool,
        setup: &Setup<D>,
        requests: &mut Requests<D, T>,
        pacer: &mut Pacer<D, T>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> bool {
        let is_over = out.timers.is_due(UpstreamTimer::Gate, now);
        let asked = match &self.gate {
            NameGate::Open => return true,
            NameGate::First(_) if is_over => {
                self.probe = None;
                self.suspects.rest(now + TRIED_AGAIN_AFTER);
                self.set_gate(NameGate::Open, None, out);
                return true;
            }
            NameGate::First(_) if is_block => return true,
            NameGate::First(_) if requests.shares() > 0 => None,
            NameGate::First(account) => {
                let account = Arc::clone(account);
                self.ask_about(&account, setup, requests, pacer, out, now)
            }
            NameGate::Account => {
                let account = (&*setup.config.user, &*setup.config.password);
                pacer.authorize(account, Request::Account, &setup.dialect, requests, out, now)
            }
            NameGate::Answer(_) => {
                if is_over {
                    self.set_gate(NameGate::Open, None, out);
                }
                return is_over;
            }
        };
        if let Some(id) = asked {
            self.set_gate(NameGate::Answer(id), Some(now + ANSWER_WITHIN), out);
        }
        false
    }

    /// Under whose name a worker's share goes out now.
    pub(super) fn name_for<'a, D: Dialect, T>(
        &mut self,
        account: Option<&'a Arc<Account>>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> SentAs<'a> {
        let Some(account) = account.filter(|account| *account.name != *setup.config.user) else {
            return SentAs::Own;
        };
        match setup.known().get(Habit::Names) {
            Some(Answer::Other) => SentAs::Own,
            Some(Answer::Usual) => match self.standings.get(&*account.name) {
                Some(NameStanding::Authorized) => SentAs::Worker(account),
                _ => SentAs::Own,
            },
            None if self.may_ask(&account.name, now) && !self.suspects.rests(now) => {
                // Another connection may be asking already.
                let Some(probe) = setup.habits.ask(Habit::Names, Answer::Usual) else {
                    return SentAs::Own;
                };
                self.probe = Some(probe);
                self.set_gate(NameGate::First(Arc::clone(account)), Some(now + ANSWER_WITHIN), out);
                SentAs::Waits
            }
            None => SentAs::Own,
        }
    }

    /// Asks a pool that takes names about that of a worker whose share has just been written, unless
    /// it was asked before or the limits forbid it; the worker's next share may do so then.
    pub(super) fn introduce<D: Dialect, T>(
        &mut self,
        account: &Arc<Account>,
        setup: &Setup<D>,
        requests: &mut Requests<D, T>,
        pacer: &mut Pacer<D, T>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        let takes_names = setup.known().get(Habit::Names) == Some(Answer::Usual);
        if takes_names && *account.name != *setup.config.user {
            self.ask_about(account, setup, requests, pacer, out, now);
        }
    }

    fn ask_about<D: Dialect, T>(
        &mut self,
        account: &Arc<Account>,
        setup: &Setup<D>,
        requests: &mut Requests<D, T>,
        pacer: &mut Pacer<D, T>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> Option<u64> {
        let Account { name, password } = &**account;
        if !self.may_ask(name, now) || !requests.has_room(false) {
            return None;
        }
        let password = password.as_ref().map_or(&*setup.config.password, Secret::reveal);
        let request = Request::Name(Arc::clone(account));
        let id = pacer.authorize((name, password), request, &setup.dialect, requests, out, now)?;
        self.asked(name, now);
        Some(id)
    }

    /// An authorize has its answer.
    fn answered<T>(&mut self, answered: u64, out: &mut UpstreamOut<T>) {
        if matches!(self.gate, NameGate::Answer(id) if id == answered) {
            self.set_gate(NameGate::Open, None, out);
        }
    }

    /// The pool has answered the authorize of a worker.
    pub(super) fn name_answered<D: Dialect, T>(
        &mut self,
        id: u64,
        account: &Account,
        outcome: Result<(), PoolError>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
    ) {
        self.answered(id, out);
        match outcome {
            Ok(()) => {
                self.set(&account.name, NameStanding::Authorized);
                out.learnt(self.probe.take().and_then(Probe::taken), "it took a worker's name");
            }
            Err(error) => self.refused(account, &error.to_string(), setup, out),
        }
    }

    /// The pool has left the authorize of a worker without an answer; what that shows.
    pub(super) fn name_unanswered(&mut self, account: &Account) -> Option<Learnt> {
        self.set(&account.name, NameStanding::Shelved);
        self.mute = true;
        self.probe.take().and_then(Probe::undecided)
    }

    /// The account was authorized again, or not.
    pub(super) fn account_answered<D: Dialect, T>(
        &mut self,
        id: u64,
        outcome: Result<(), PoolError>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
    ) -> Result<(), DownReason> {
        self.answered(id, out);
        outcome.map_err(|error| {
            let (user, reason) = (setup.config.user.clone(), error.to_string());
            DownReason::AuthorizeRefused { user, reason }
        })
    }

    /// A share was refused since whoever sent it is not authorized. `true` when that shows what the
    /// pool thinks of names, so that nobody is to blame.
    pub(super) fn share_unauthorized<D: Dialect, T>(
        &mut self,
        account: Option<&Account>,
        reason: &str,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> bool {
        if matches!(self.gate, NameGate::Account | NameGate::Answer(_)) {
            return true;
        }
        if let Some(account) = account {
            self.refused(account, reason, setup, out);
            return true;
        }
        let named = !self.standings.is_empty();
        let learnt = named.then(|| setup.habits.learn(Habit::Names, Answer::Other)).flatten();
        if learnt.is_some() {
            out.learnt(learnt, reason);
            self.authorize_again(setup, out);
        } else if self.again.is_none_or(|at| now >= at + AGAIN_EVERY) {
            self.again = Some(now);
            self.authorize_again(setup, out);
        }
        learnt.is_some()
    }

    /// The pool does not take a name, and perhaps has taken the right to submit away from everybody.
    fn refused<D: Dialect, T>(
        &mut self,
        account: &Account,
        reason: &str,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
    ) {
        self.set(&account.name, NameStanding::Shelved);
        let own = account.password.as_ref().and_then(|own| masked(reason, own.reveal()));
        let why = own.unwrap_or_else(|| reason.to_owned());
        let learnt = match self.probe.take() {
            Some(probe) => probe.refused(),
            None => setup.habits.learn(Habit::Names, Answer::Other),
        };
        out.learnt(learnt, why);
        self.authorize_again(setup, out);
    }

    /// The account authorizes again before the next share, unless it is doing so.
    fn authorize_again<D: Dialect, T>(&mut self, setup: &Setup<D>, out: &mut UpstreamOut<T>) {
        if setup.known().get(Habit::Names) == Some(Answer::Other) {
            self.standings.clear();
        }
        self.set_gate(NameGate::Account, None, out);
    }

    /// Another connection to the pool has perhaps learnt that it takes no names.
    pub(super) fn follow<D: Dialect, T>(&mut self, setup: &Setup<D>, out: &mut UpstreamOut<T>) {
        let none = setup.known().get(Habit::Names) == Some(Answer::Other);
        if none && !self.standings.is_empty() {
            self.authorize_again(setup, out);
        }
    }
}
