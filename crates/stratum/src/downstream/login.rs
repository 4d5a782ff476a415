//! A rig's way in: subscribe, authorize and the calls around them, in any order.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use super::access::without_access;
use super::options::LoginOptions;
use super::out::{DownstreamOut, DownstreamTimer};
use super::{CloseReason, Downstream, DownstreamConfig, Event, MAX_WORKERS, Wait};
use crate::channel::Seat;
use crate::dialect::{Dialect, ExtranonceTime, RigNeeds, RigSay, RigSpace, SubscribeVerdict};
use crate::error::{Reject, RejectCode, shown};
use crate::extranonce::Extranonce;
use crate::ladder::Level;
use crate::rpc::Id;
use crate::secret::Secret;
use crate::target::Difficulty;
use crate::time::Instant;
use crate::vardiff::Vardiff;
use crate::verdict::Verdict;

/// The longest worker name, in bytes.
pub const MAX_WORKER_NAME: usize = 256;
/// The longest password that is kept, in bytes.
const MAX_PASSWORD: usize = 256;
/// As many calls as a login may have with all that rigs ask beside.
const LOGIN_CALLS: u8 = 16;
/// With so many wrong access passwords the session is over.
const MAX_WRONG_ACCESS: u8 = 3;

/// Who the rig is and how far its login has come.
pub(super) struct Login<R> {
    session: Box<str>,
    /// What it has negotiated and shown of itself, as its dialect notes it.
    pub(super) rig: R,
    step: LoginStep,
    pub(super) agent: Option<Arc<str>>,
    /// At most [`MAX_WORKERS`].
    workers: Vec<AuthorizedWorker>,
    /// Whether the driver knows the rig, so that it may be told work.
    pub(super) welcome: bool,
    asks_for_set_extranonce: bool,
    /// Whether its firmware honours `mining.set_extranonce`, where that is known.
    pub(super) honours_set_extranonce: Option<bool>,
    /// Where the difficulty that it started with came from.
    start: Option<StartSource>,
    /// How many calls it has had, as far as that matters.
    calls: u8,
    /// How often it gave a wrong access password.
    wrong_access: u8,
}

/// How far a login has come, and what the rig has not been answered.
enum LoginStep {
    /// It has not subscribed.
    Connected,
    /// Its subscribe waits for a seat; for what, as far as the driver knows.
    Parked { subscribe: Id, waits_for: Wait },
    /// It has an extranonce.
    Subscribed,
}

/// A worker that authorized on this connection.
struct AuthorizedWorker {
    /// What it said, and what its submits name, where that is not its name.
    given: Option<Box<str>>,
    /// Its name: without the suffix that wishes for a difficulty.
    name: Arc<str>,
    password: Option<Secret>,
}

/// Who says with which difficulty a rig starts, the later in this list the weightier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartSource {
    /// The operator, for rigs of its kind.
    Profile,
    /// The rig, by `mining.suggest_difficulty`.
    Suggested,
    /// The difficulty that it had last.
    Remembered,
    /// Whoever set it up, as `+N` behind its worker name.
    Suffix,
    /// Whoever set it up, as `d=N` in its password.
    Password,
}

impl<R: RigNeeds> Login<R> {
    pub(super) fn new(session: String, welcome: bool) -> Self {
        Self {
            session: session.into(),
            rig: R::default(),
            step: LoginStep::Connected,
            agent: None,
            workers: Vec::new(),
            welcome,
            asks_for_set_extranonce: false,
            honours_set_extranonce: None,
            start: None,
            calls: 0,
            wrong_access: 0,
        }
    }

    /// Whether the rig can be told another extranonce: it asked for it, unless more is known.
    pub(super) const fn takes_set_extranonce(&self) -> bool {
        match self.honours_set_extranonce {
            Some(known) => known,
            None => self.asks_for_set_extranonce,
        }
    }

    /// Counts a call; whether there were as many before it as a login may have.
    pub(super) const fn has_called(&mut self) -> bool {
        let before = self.calls;
        self.calls = before.saturating_add(1);
        before >= LOGIN_CALLS
    }

    /// It subscribes for the first time, or while it waits; gives back the subscribe that waited.
    fn park(&mut self, subscribe: Id) -> Option<Id> {
        if let LoginStep::Parked { subscribe: waits, .. } = &mut self.step {
            return Some(std::mem::replace(waits, subscribe));
        }
        self.step = LoginStep::Parked { subscribe, waits_for: Wait::default() };
        None
    }

    /// It is known what a rig waits for.
    pub(super) const fn waits(&mut self, for_what: Wait) {
        if let LoginStep::Parked { waits_for, .. } = &mut self.step {
            *waits_for = for_what;
        }
    }

    /// Takes out the subscribe that waits for a seat.
    pub(super) fn unpark(&mut self) -> Option<Id> {
        if !self.is_parked() {
            return None;
        }
        match std::mem::replace(&mut self.step, LoginStep::Subscribed) {
            LoginStep::Parked { subscribe, .. } => Some(subscribe),
            LoginStep::Connected | LoginStep::Subscribed => None,
        }
    }

    pub(super) const fn is_parked(&self) -> bool {
        matches!(self.step, LoginStep::Parked { .. })
    }

    /// Whether the rig can be told work.
    pub(super) fn is_done(&self) -> bool {
        self.is_subscribed() && !self.workers.is_empty() && self.welcome
    }

    pub(super) const fn is_subscribed(&self) -> bool {
        matches!(self.step, LoginStep::Subscribed)
    }

    /// The first worker's name.
    pub(super) fn first_worker(&self) -> Option<&Arc<str>> {
        Some(&self.workers.first()?.name)
    }

    /// The authorized worker that a submit names, with or without its suffix.
    pub(super) fn worker(&self, given: &str) -> Option<&Arc<str>> {
        let is_it = |worker: &&AuthorizedWorker| {
            worker.given.as_deref() == Some(given) || *worker.name == *given
        };
        Some(&self.workers.iter().find(is_it)?.name)
    }

    /// The worker whose a share is: where pools do not look at the name in it, the first one if
    /// there is none of that name.
    pub(super) fn worker_of_share(&self, given: &str, checked: bool) -> Option<&Arc<str>> {
        self.worker(given).or_else(|| self.first_worker().filter(|_| !checked))
    }

    /// The password that a worker gave.
    pub(super) fn password(&self, worker: &str) -> Option<&Secret> {
        self.workers.iter().find(|known| *known.name == *worker)?.password.as_ref()
    }

    /// What the rig must do next, or is to be given, within how long, and why it is let go
    /// otherwise.
    fn limit(&self, config: &DownstreamConfig) -> Option<(Duration, CloseReason)> {
        let (limit, reason) = match self.step {
            LoginStep::Connected => {
                let limit = config.subscribe_within;
                (limit, CloseReason::SubscribeTimeout(limit))
            }
            LoginStep::Parked { waits_for, .. } => {
                (config.park_for, CloseReason::Parked(config.park_for, waits_for))
            }
            LoginStep::Subscribed if self.workers.is_empty() => {
                let limit = config.authorize_within;
                (limit, CloseReason::AuthorizeTimeout(limit))
            }
            LoginStep::Subscribed => return None,
        };
        Some((limit, reason))
    }

    /// A step of the login begins.
    pub(super) fn await_step(
        &self,
        config: &DownstreamConfig,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        out.timers.set(DownstreamTimer::Login, self.limit(config).map(|(limit, _)| now + limit));
    }

    /// Why the rig is let go, when a step of its login has taken too long.
    pub(super) fn overdue(
        &self,
        config: &DownstreamConfig,
        out: &DownstreamOut,
        now: Instant,
    ) -> Option<CloseReason> {
        let overdue = out.timers.is_due(DownstreamTimer::Login, now);
        self.limit(config).filter(|_| overdue).map(|(_, reason)| reason)
    }
}

impl<D: Dialect> Downstream<D> {
    pub(super) fn subscribe(
        &mut self,
        id: Id,
        agent: Option<&str>,
        verdict: SubscribeVerdict,
        now: Instant,
    ) {
        self.login.agent = agent.map(|agent| shown(agent).into());
        match verdict {
            SubscribeVerdict::Serve => {}
            SubscribeVerdict::ServeAndLog(remark) => self.out.event(Event::Remark(remark)),
            SubscribeVerdict::Refuse(reason) => {
                self.refuse(&id, &Reject::invalid(reason.clone()));
                return self.out.close(CloseReason::Refused(reason.into()));
            }
        }
        if self.login.is_subscribed() {
            // Its extranonce is still its own.
            self.misdeeds.noted().flood.nuisance(now);
            self.answer_subscribe(&id);
            self.say_extranonce();
            return self.bench.tell_again(
                &self.login,
                &self.config,
                &mut self.misdeeds,
                &mut self.out,
                now,
            );
        }
        if let Some(former) = self.login.park(id) {
            self.misdeeds.noted().flood.nuisance(now);
            return self.refuse(&former, &Reject::invalid("subscribed again"));
        }
        self.login.await_step(&self.config, &mut self.out, now);
        self.out.event(Event::WantsSeat);
    }

    pub(super) fn authorize(
        &mut self,
        id: &Id,
        params: Option<&RawValue>,
        worker: Option<&str>,
        password: Option<&str>,
        now: Instant,
    ) {
        let Some(name) = worker.filter(|name| !name.is_empty() && name.len() <= MAX_WORKER_NAME)
        else {
            let found = shown(params.map_or("nothing", RawValue::get));
            let reason = format!(
                "authorize takes a worker name of 1 to {MAX_WORKER_NAME} bytes, found {found}"
            );
            self.misdeeds.noted().flood.nuisance(now);
            return self.refuse(id, &Reject::invalid(reason));
        };
        let mut rest = None;
        if let Some(access) = &self.config.limits.access_password {
            rest = without_access(password.unwrap_or_default(), access);
            if rest.is_none() {
                return self.deny_access(id);
            }
        }
        let password = rest.as_deref().or(password);
        let is_first = self.login.workers.is_empty();
        if self.login.worker(name).is_none() {
            let password = password.filter(|password| password.len() <= MAX_PASSWORD);
            let options = LoginOptions::parse(name, password.unwrap_or_default());
            let worker = AuthorizedWorker {
                given: (options.worker != name).then(|| name.into()),
                name: options.worker.into(),
                password: password.map(Secret::new),
            };
            let known = Arc::clone(&worker.name);
            if self.login.workers.len() >= MAX_WORKERS {
                self.misdeeds.noted().flood.nuisance(now);
                let reason = format!("at most {MAX_WORKERS} workers on one connection");
                return self.refuse(id, &Reject::invalid(reason));
            }
            // Nearly all rigs have one.
            self.login.workers.reserve_exact(1);
            self.login.workers.push(worker);
            if let Some(difficulty) = options.suffix_difficulty {
                self.start_at(difficulty, StartSource::Suffix, now);
            }
            if let Some(difficulty) = options.password_difficulty {
                self.start_at(difficulty, StartSource::Password, now);
            }
            if self.login.first_worker() == Some(&known) {
                if self.login.is_subscribed() {
                    self.out.timers.set(DownstreamTimer::Login, None);
                }
                self.bench.belongs_to(&known);
            }
            self.out.event(Event::Authorized(known));
        }
        self.say(RigSay::Granted(id));
        if is_first {
            self.say_extranonce();
        }
        self.bench.tell_work(&self.login, &self.config, &mut self.misdeeds, &mut self.out, now);
    }

    fn deny_access(&mut self, id: &Id) {
        let (code, verdict) = (RejectCode::Unauthorized, Verdict::Unauthorized);
        self.refuse(id, &Reject::new(code, "unauthorized: wrong access password", verdict));
        if self.login.wrong_access == 0 {
            self.out.event(Event::Remark("it gave a wrong access password".to_owned()));
        }
        self.login.wrong_access += 1;
        if self.login.wrong_access >= MAX_WRONG_ACCESS {
            self.end(CloseReason::AccessDenied(MAX_WRONG_ACCESS));
        }
    }

    pub(super) fn extranonce_subscribe(&mut self, id: &Id) {
        self.login.asks_for_set_extranonce = true;
        self.say(RigSay::Granted(id));
    }

    pub(super) fn suggest_difficulty(
        &mut self,
        id: &Id,
        params: Option<&RawValue>,
        suggested: Option<Difficulty>,
        now: Instant,
    ) {
        let Some(difficulty) = suggested else {
            let found = shown(params.map_or("nothing", RawValue::get));
            let reason = format!("a suggested difficulty is a number above 0, found {found}");
            return self.refuse(id, &Reject::invalid(reason));
        };
        self.start_at(difficulty, StartSource::Suggested, now);
        self.say(RigSay::Granted(id));
    }

    /// Starts with a difficulty, unless a weightier source has named one, or the operator.
    pub(super) fn start_at(&mut self, difficulty: Difficulty, source: StartSource, now: Instant) {
        if self.login.start <= Some(source) && !self.bench.vardiff.is_fixed() {
            self.login.start = Some(source);
            let level = Level::nearest(difficulty);
            self.bench.vardiff = Vardiff::new(&self.config.vardiff, level, now);
            self.bench.await_vardiff(&self.config, &mut self.out);
        }
    }

    /// Takes a seat: answers the subscribe that waits for it, or moves a rig that has work.
    pub(super) fn sit_down(&mut self, seat: Seat, extranonce1: Extranonce, now: Instant) {
        if let Some(id) = self.login.unpark() {
            self.bench.sit(seat, extranonce1, now);
            self.login.await_step(&self.config, &mut self.out, now);
            self.answer_subscribe(&id);
            self.say_extranonce();
            self.out.event(Event::Subscribed);
            return;
        }
        if self.can_move(&seat) {
            let (dialect, rig) = (&*self.dialect, &self.login.rig);
            self.bench.move_to(seat, extranonce1, dialect, rig, &mut self.out, now);
            // Whether it follows has to be seen, however many of its shares have failed before.
            self.misdeeds.look_again();
        } else {
            self.out.close(CloseReason::ExtranonceChanged);
        }
    }

    fn answer_subscribe(&mut self, id: &Id) {
        let Some((extranonce1, extranonce2)) = self.bench.told_extranonce() else { return };
        let given = RigSpace { extranonce1, extranonce2 };
        let say = RigSay::Subscribed { id, session: &self.login.session, given };
        self.out.say(&*self.dialect, &self.login.rig, say);
    }

    /// Tells the rig its extranonce, where that is due by a call of its own: when it has both
    /// subscribed and authorized.
    fn say_extranonce(&mut self) {
        let is_due = self.dialect.rules().hello == ExtranonceTime::AfterAuthorize
            && self.login.is_subscribed()
            && self.login.first_worker().is_some();
        let Some((extranonce1, extranonce2)) = self.bench.told_extranonce().filter(|_| is_due)
        else {
            return;
        };
        let say = RigSay::Extranonce(RigSpace { extranonce1, extranonce2 });
        self.out.say(&*self.dialect, &self.login.rig, say);
    }
}
