//! One connection's side of the conversation: lines in, bytes out.

mod submit;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Id, Message, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::ledger::MadeJob;
use super::{Event, Inner};
use crate::coin::{Place, Reason, Terms};

/// How many workers may authorize on one connection.
const MAX_WORKERS: usize = 4096;
/// How long a worker's name may be, in bytes.
const MAX_NAME: usize = 256;
/// How many jobs a connection remembers having been told.
const MAX_TOLD: usize = 32;
/// How many answers may wait for their time.
const MAX_LATE: usize = 4096;
/// How many parameters of a call are looked at.
const MAX_PARAMS: usize = 8;

/// A connection's state.
#[derive(Debug)]
pub(super) struct Session {
    pool: Arc<Inner>,
    connection: u64,
    extranonce1: Option<Extranonce>,
    workers: HashSet<String>,
    /// What the last authorize came to.
    welcome: bool,
    /// The difficulty at the newest notify.
    difficulty: Option<Difficulty>,
    /// The one that was announced last.
    announced: Option<Difficulty>,
    told: VecDeque<Told>,
}

/// A job as this connection was told it.
#[derive(Debug)]
struct Told {
    serial: u64,
    target: Target,
    extranonce1: Extranonce,
}

/// What is to be written, and when.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) now: BytesMut,
    /// In the order of their times.
    pub(super) late: VecDeque<(Instant, Bytes)>,
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    /// It is closed since the pool is like that.
    Close,
    /// It is closed for what the other side did.
    Expel,
}

impl Session {
    pub(super) fn new(pool: Arc<Inner>, connection: u64) -> Self {
        Self {
            pool,
            connection,
            extranonce1: None,
            workers: HashSet::new(),
            welcome: false,
            difficulty: None,
            announced: None,
            told: VecDeque::new(),
        }
    }

    /// Answers a line.
    pub(super) fn handle_line(&mut self, line: &[u8], now: Instant, out: &mut Outbox) -> Next {
        let message = Message::parse(line).ok();
        let call = message.as_ref().and_then(|message| {
            Some((Id::new(message.id)?, message.method.as_deref()?, message.params))
        });
        let Some((id, method, params)) = call else {
            // The real servers log such lines and go on.
            self.pool.ledger().stats.malformed_lines += 1;
            return Next::Continue;
        };
        let elements = params.and_then(rpc::array::<MAX_PARAMS>);
        let params = elements.as_ref().map_or(&[][..], |(elements, _)| elements);
        let coin = &self.pool.config.coin;
        match method {
            "mining.subscribe" => self.subscribe(&id, params, out),
            "mining.authorize" => self.authorize(&id, params, out),
            "mining.submit" => {
                let too_many = elements.as_ref().is_some_and(|(_, count)| *count > MAX_PARAMS);
                return self.submit(&id, if too_many { &[] } else { params }, now, out);
            }
            "mining.get_transactions" if coin.manners().tells_transactions => {
                self.get_transactions(&id, params, out);
            }
            "mining.authorize_admin" | "mining.add_user" if self.pool.config.admin_methods => {
                coin.put_result(&id, &true, &mut out.now);
            }
            "mining.extranonce.subscribe" if self.pool.config.extranonce_subscribe => {
                coin.put_result(&id, &true, &mut out.now);
            }
            unknown => {
                self.pool.ledger().stats.count_method(unknown);
                coin.put_unknown(&id, unknown, &mut out.now);
            }
        }
        Next::Continue
    }

    /// Passes on what happened at the pool.
    pub(super) fn handle_event(&mut self, event: &Event, out: &mut Outbox) -> Next {
        if matches!(event, Event::Drop) {
            return Next::Close;
        }
        if !self.ready() || self.pool.ledger().faults.stall {
            return Next::Continue;
        }
        match event {
            Event::Drop => {}
            Event::NewJob(job) => {
                // The first job after the login may still stand in the queue.
                if !self.was_told(job) {
                    self.tell(job, out);
                }
            }
            Event::Raw(bytes) => out.now.extend_from_slice(bytes),
            Event::Repeat => self.repeat(out),
            Event::RepeatWithDifficulty => {
                self.difficulty = None;
                self.repeat(out);
            }
            Event::Announce => self.announce(out),
            Event::SetExtranonce => self.set_extranonce(out),
        }
        Next::Continue
    }

    fn subscribe(&mut self, id: &Id, params: &[&RawValue], out: &mut Outbox) {
        if let Some(reason) = self.pool.config.coin.refuse_subscribe(params.len()) {
            self.put_error(id, reason, &mut out.now);
            return;
        }
        let extranonce1 = self.extranonce1.clone().unwrap_or_else(|| {
            let former = params.get(1).and_then(|former| rpc::string(former));
            let former = former.and_then(|former| former.parse().ok());
            let mut ledger = self.pool.ledger();
            ledger.stats.subscribes += 1;
            ledger.lend_extranonce(&self.pool.config, former.as_ref())
        });
        let coin = &self.pool.config.coin;
        coin.put_result(id, &coin.subscribe_result(&extranonce1), &mut out.now);
        self.extranonce1 = Some(extranonce1);
        self.tell_first(out);
    }

    fn authorize(&mut self, id: &Id, params: &[&RawValue], out: &mut Outbox) {
        let name = params.first().and_then(|name| rpc::string(name));
        let mut ledger = self.pool.ledger();
        let name = name.filter(|name| name.len() <= MAX_NAME && !ledger.faults.refuses(name));
        let welcome = name.is_some() && self.workers.len() < MAX_WORKERS;
        let stats = &mut ledger.stats;
        let counter = if welcome { &mut stats.authorized } else { &mut stats.authorize_refused };
        *counter += 1;
        drop(ledger);
        self.welcome = welcome;
        self.workers.extend(name.filter(|_| welcome).map(Cow::into_owned));
        let coin = &self.pool.config.coin;
        coin.put_result(id, &welcome, &mut out.now);
        if self.pool.ledger().faults.reconnect_at_login {
            coin.put_call("client.reconnect", &"[]", &mut out.now);
        }
        self.tell_first(out);
    }

    fn get_transactions(&self, id: &Id, params: &[&RawValue], out: &mut Outbox) {
        let name = params.first().and_then(|name| rpc::string(name)).unwrap_or_default();
        let job = self.pool.ledger().find_job(&name);
        match job.map(|made| made.job.transactions()) {
            Ok(Some(transactions)) => {
                self.pool.config.coin.put_result(id, &transactions, &mut out.now);
            }
            Ok(None) => self.put_error(id, Reason::InvalidParams, &mut out.now),
            Err(reason) => self.put_error(id, reason, &mut out.now),
        }
    }

    /// Whether the connection gets jobs.
    fn ready(&self) -> bool {
        let logged_in = self.pool.config.notify_before_authorize || !self.workers.is_empty();
        self.extranonce1.is_some() && logged_in
    }

    fn was_told(&self, job: &MadeJob) -> bool {
        self.told.back().is_some_and(|told| told.serial >= job.serial)
    }

    /// Tells the present job as soon as the connection is ready, once.
    fn tell_first(&mut self, out: &mut Outbox) {
        if !self.ready() || !self.told.is_empty() {
            return;
        }
        let job = self.pool.ledger().present_job();
        if let Some(job) = job {
            self.tell(&job, out);
        }
    }

    /// The present job again.
    fn repeat(&mut self, out: &mut Outbox) {
        let job = self.pool.ledger().present_job();
        if let Some(job) = job {
            self.tell(&job, out);
        }
    }

    /// Tells a job, and what is to be told of its target.
    fn tell(&mut self, made: &MadeJob, out: &mut Outbox) {
        let Some(extranonce1) = self.extranonce1.clone() else {
            return;
        };
        let ledger = self.pool.ledger();
        let difficulty = ledger.difficulty;
        let silent = ledger.faults.jobless || ledger.faults.reconnect_at_login;
        let unusable = ledger.faults.unusable_jobs;
        drop(ledger);
        let coin = &self.pool.config.coin;
        if silent {
            return;
        }
        if unusable {
            return coin.put_call("mining.notify", &coin.unusable_notify(), &mut out.now);
        }
        let changed = self.difficulty != Some(difficulty);
        (self.difficulty, self.announced) = (Some(difficulty), Some(difficulty));
        let target = coin.target(difficulty);
        let first = self.told.is_empty();
        let terms = |place| Terms { difficulty, target, changed, first, place };
        coin.put_terms(&terms(Place::BeforeNotify), &mut out.now);
        let params = made.job.notify_params(&target, first);
        coin.put_call("mining.notify", &params, &mut out.now);
        coin.put_terms(&terms(Place::AfterNotify), &mut out.now);
        let before = self
            .told
            .iter_mut()
            .find(|told| told.serial == made.serial && told.extranonce1 == extranonce1);
        if let Some(before) = before {
            before.target = before.target.easier(target);
            return;
        }
        if self.told.len() == MAX_TOLD {
            self.told.pop_front();
        }
        self.told.push_back(Told { serial: made.serial, target, extranonce1 });
    }

    /// The new extranonce1 applies to the jobs told from now on.
    fn set_extranonce(&mut self, out: &mut Outbox) {
        let Some(old) = self.extranonce1.take() else {
            return;
        };
        let config = &self.pool.config;
        let mut ledger = self.pool.ledger();
        let new = ledger.lend_extranonce(config, None);
        ledger.return_extranonce(&old);
        drop(ledger);
        let params = config.coin.set_extranonce_params(&new);
        config.coin.put_call("mining.set_extranonce", &params, &mut out.now);
        self.extranonce1 = Some(new);
    }

    /// Announces another difficulty, without a job.
    fn announce(&mut self, out: &mut Outbox) {
        self.announced = Some(self.pool.ledger().difficulty);
        self.repeat_terms(&mut out.now);
    }

    /// Announces the present target once more, without a job.
    fn repeat_terms(&self, out: &mut BytesMut) {
        if let Some(difficulty) = self.announced {
            let coin = &self.pool.config.coin;
            let target = coin.target(difficulty);
            let place = Place::BeforeNotify;
            coin.put_terms(&Terms { difficulty, target, changed: true, first: false, place }, out);
        }
    }

    fn put_error(&self, id: &Id, reason: Reason, out: &mut BytesMut) {
        let coin = &self.pool.config.coin;
        if !self.pool.ledger().faults.error_objects {
            coin.put_error(id, reason, out);
            return;
        }
        let (code, text) = coin.error(reason);
        let error = format_args!("{{\"code\":{code},\"message\":{},\"data\":null}}", Quoted(text));
        rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(extranonce1) = &self.extranonce1 {
            self.pool.ledger().return_extranonce(extranonce1);
        }
    }
}
