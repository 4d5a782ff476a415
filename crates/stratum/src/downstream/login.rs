//! A rig's way in: subscribe, authorize and the calls around them, in any order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use serde_json::value::RawValue;

use super::options::LoginOptions;
use super::{CloseReason, DIAGNOSES, Downstream, DownstreamConfig, Event, MAX_WORKERS, Wait};
use crate::calls;
use crate::channel::Seat;
use crate::dialect::{Dialect, SubscribeVerdict};
use crate::error::{Reject, shown};
use crate::extranonce::Extranonce;
use crate::firmware::Firmware;
use crate::ladder::Level;
use crate::rpc::{self, Id, Quoted};
use crate::secret::Secret;
use crate::strikes::Strikes;
use crate::target::Difficulty;

/// The longest worker name, in bytes.
const MAX_WORKER_NAME: usize = 256;
/// The longest password that is kept, in bytes.
const MAX_PASSWORD: usize = 256;
/// The most extensions of one `mining.configure` that are answered.
const MAX_EXTENSIONS: usize = 16;

/// Who the rig is and how far its login has come.
pub(super) struct Login {
    session: String,
    connected: Instant,
    subscribed: Option<Instant>,
    parked: Option<Instant>,
    /// What it waits for meanwhile.
    pub(super) waits_for: Wait,
    pub(super) pending_subscribe: Option<Id>,
    pub(super) agent: Option<String>,
    /// Which of the dialect's login calls it made before it subscribed.
    pub(super) calls: u8,
    workers: ArrayVec<Worker, MAX_WORKERS>,
    /// What is known of its firmware.
    pub(super) firmware: Firmware,
    /// Whether the driver knows the rig, so that it may be told work.
    pub(super) welcome: bool,
    takes_set_extranonce: bool,
    /// Where the difficulty that it started with came from.
    start: Option<StartSource>,
}

/// A worker that authorized on this connection.
struct Worker {
    /// What it said, and what its submits name.
    given: Box<str>,
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

impl Login {
    pub(super) fn new(session: String, welcome: bool, now: Instant) -> Self {
        Self {
            session,
            connected: now,
            subscribed: None,
            parked: None,
            waits_for: Wait::default(),
            pending_subscribe: None,
            agent: None,
            calls: 0,
            workers: ArrayVec::new_const(),
            firmware: Firmware::default(),
            welcome,
            takes_set_extranonce: false,
            start: None,
        }
    }

    /// Whether the rig can be told another extranonce: it asked for it, unless more is known.
    pub(super) const fn takes_set_extranonce(&self) -> bool {
        match self.firmware.set_extranonce {
            Some(known) => known,
            None => self.takes_set_extranonce,
        }
    }

    /// Notes a call that is nobody's, if it gives its firmware away.
    pub(super) fn note_call(&mut self, known: &[&str], method: &str) {
        let place = known.iter().take(8).position(|known| *known == method);
        if let Some(place) = place.filter(|_| self.subscribed.is_none()) {
            self.calls |= 1 << place;
        }
    }

    /// Whether the rig can be told work.
    pub(super) fn is_done(&self) -> bool {
        self.subscribed.is_some() && !self.workers.is_empty() && self.welcome
    }

    pub(super) const fn is_subscribed(&self) -> bool {
        self.subscribed.is_some()
    }

    /// The first worker's name.
    pub(super) fn first_worker(&self) -> Option<&Arc<str>> {
        Some(&self.workers.first()?.name)
    }

    /// The authorized worker that a submit names, with or without its suffix.
    pub(super) fn worker(&self, given: &str) -> Option<&Arc<str>> {
        let is_it = |worker: &&Worker| *worker.given == *given || *worker.name == *given;
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

    pub(super) fn deadline(&self, config: &DownstreamConfig) -> Option<Instant> {
        self.deadline_of(config).map(|(since, limit)| since + limit)
    }

    pub(super) fn overdue(&self, config: &DownstreamConfig, now: Instant) -> Option<CloseReason> {
        let (since, limit) = self.deadline_of(config)?;
        if now < since + limit {
            return None;
        }
        Some(if self.parked.is_some() {
            CloseReason::Parked(limit, self.waits_for)
        } else if self.subscribed.is_none() {
            CloseReason::SubscribeTimeout(limit)
        } else {
            CloseReason::AuthorizeTimeout(limit)
        })
    }

    /// Since when something is waited for, and for how long.
    fn deadline_of(&self, config: &DownstreamConfig) -> Option<(Instant, Duration)> {
        if let Some(since) = self.parked {
            return Some((since, config.park_for));
        }
        let Some(subscribed) = self.subscribed else {
            return Some((self.connected, config.subscribe_within));
        };
        self.workers.is_empty().then_some((subscribed, config.authorize_within))
    }
}

impl<D: Dialect> Downstream<D> {
    pub(super) fn subscribe(&mut self, id: Id, params: Option<&RawValue>, now: Instant) {
        let agent = params
            .and_then(rpc::array::<1>)
            .and_then(|(elements, _)| elements.first().and_then(|agent| rpc::string(agent)));
        self.login.agent = agent.map(|agent| shown(&agent));
        match self.dialect.judge_subscribe(params) {
            SubscribeVerdict::Serve => {}
            SubscribeVerdict::ServeAndLog(remark) => self.events.push_back(Event::Remark(remark)),
            SubscribeVerdict::Refuse(reason) => {
                self.refuse(&id, &Reject::invalid(reason.clone()));
                return self.close(CloseReason::Refused(reason.into()));
            }
        }
        if self.login.is_subscribed() {
            // Its extranonce is still its own.
            self.flood.nuisance(now);
            self.answer_subscribe(&id);
            return self.tell_again(now);
        }
        if let Some(former) = self.login.pending_subscribe.replace(id) {
            self.flood.nuisance(now);
            return self.refuse(&former, &Reject::invalid("subscribed again"));
        }
        self.login.parked = Some(now);
        self.events.push_back(Event::WantsSeat);
    }

    pub(super) fn authorize(&mut self, id: &Id, params: Option<&RawValue>, now: Instant) {
        let given = params.and_then(rpc::array::<2>).map(|(elements, _)| elements);
        let text = |at: usize| given.as_ref()?.get(at).and_then(|text| rpc::string(text));
        let (name, password) = (text(0), text(1));
        let Some(name) = name.filter(|name| !name.is_empty() && name.len() <= MAX_WORKER_NAME)
        else {
            let found = shown(params.map_or("nothing", RawValue::get));
            let reason = format!(
                "authorize takes a worker name of 1 to {MAX_WORKER_NAME} bytes, found {found}"
            );
            self.flood.nuisance(now);
            return self.refuse(id, &Reject::invalid(reason));
        };
        if self.login.worker(&name).is_none() {
            let password = password.filter(|password| password.len() <= MAX_PASSWORD);
            let options = LoginOptions::parse(&name, password.as_deref().unwrap_or_default());
            let worker = Worker {
                given: (&*name).into(),
                name: options.worker.into(),
                password: password.as_ref().map(|password| Secret::new(&**password)),
            };
            let known = Arc::clone(&worker.name);
            if self.login.workers.try_push(worker).is_err() {
                self.flood.nuisance(now);
                let reason = format!("at most {MAX_WORKERS} workers on one connection");
                return self.refuse(id, &Reject::invalid(reason));
            }
            if let Some(difficulty) = options.suffix_difficulty {
                self.start_at(difficulty, StartSource::Suffix, now);
            }
            if let Some(difficulty) = options.password_difficulty {
                self.start_at(difficulty, StartSource::Password, now);
            }
            if self.login.first_worker() == Some(&known) {
                self.bench.belongs_to(&known);
            }
            self.events.push_back(Event::Authorized(known));
        }
        self.transmit.write(|out| rpc::put_result(out, id, true));
        self.tell_work(now);
    }

    pub(super) fn extranonce_subscribe(&mut self, id: &Id) {
        self.login.takes_set_extranonce = true;
        self.transmit.write(|out| rpc::put_result(out, id, true));
    }

    /// Every extension is declined: none of them exists for these coins.
    pub(super) fn configure(&mut self, id: &Id, params: Option<&RawValue>) {
        let extensions = params
            .and_then(rpc::array::<1>)
            .and_then(|(elements, _)| rpc::array::<MAX_EXTENSIONS>(elements.first()?));
        let names = extensions.map(|(names, _)| names).unwrap_or_default();
        let declined: Vec<String> = names
            .iter()
            .filter_map(|name| rpc::string(name))
            .map(|name| format!("{}:false", Quoted(&name)))
            .collect();
        let result = format!("{{{}}}", declined.join(","));
        self.transmit.write(|out| rpc::put_result(out, id, result));
    }

    pub(super) fn suggest_difficulty(&mut self, id: &Id, params: Option<&RawValue>, now: Instant) {
        // In an array or alone.
        let suggested = params
            .and_then(|params| rpc::number(calls::first(params).unwrap_or(params)))
            .and_then(Difficulty::new);
        let Some(difficulty) = suggested else {
            let found = shown(params.map_or("nothing", RawValue::get));
            let reason = format!("a suggested difficulty is a number above 0, found {found}");
            return self.refuse(id, &Reject::invalid(reason));
        };
        self.start_at(difficulty, StartSource::Suggested, now);
        self.transmit.write(|out| rpc::put_result(out, id, true));
    }

    /// Starts with a difficulty, unless a weightier source has named one.
    pub(super) fn start_at(&mut self, difficulty: Difficulty, source: StartSource, now: Instant) {
        if self.login.start <= Some(source) {
            self.login.start = Some(source);
            self.bench.vardiff.restart(Level::nearest(difficulty), now);
        }
    }

    /// Takes a seat: answers the subscribe that waits for it, or moves a rig that has work.
    pub(super) fn sit_down(&mut self, seat: Seat, extranonce1: Extranonce, now: Instant) {
        if let Some(id) = self.login.pending_subscribe.take() {
            self.bench.sit(seat, extranonce1, now);
            self.login.parked = None;
            self.login.subscribed = Some(now);
            self.answer_subscribe(&id);
            self.events.push_back(Event::Subscribed);
            return;
        }
        if self.can_move(&seat) {
            self.move_to(seat, extranonce1, now);
        } else {
            self.close(CloseReason::ExtranonceChanged);
        }
    }

    /// Moves a rig that can be told so.
    pub(super) fn move_to(&mut self, seat: Seat, extranonce1: Extranonce, now: Instant) {
        let size = seat.split.rig_extranonce2;
        self.transmit.write(|out| self.dialect.put_set_extranonce(&extranonce1, size, out));
        self.bench.sit(seat, extranonce1, now);
        // Whether it follows has to be seen, however many of its shares have failed before.
        self.diagnoses = Strikes::new(DIAGNOSES);
    }

    fn answer_subscribe(&mut self, id: &Id) {
        let Some((extranonce1, size)) = self.bench.told_extranonce() else { return };
        let session = &self.login.session;
        self.transmit.write(|out| {
            self.dialect.put_subscribed(id, session, extranonce1, size, out);
        });
    }
}
