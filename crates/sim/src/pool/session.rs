//! One connection's side of the conversation: lines in, bytes out.

mod submit;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Id, Message, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;

use super::ledger::MadeJob;
use super::{ConnectionOrder, Hall, MAX_UNREAD, Moment, Outgoing};
use crate::coin::{AnnouncementPlace, Reason, TargetTerms};

/// How many workers may authorize on one connection.
const MAX_WORKERS: usize = 4096;
/// How long a worker's name may be, in bytes.
const MAX_NAME: usize = 256;
/// How many jobs a connection remembers having been told.
const MAX_TOLD: usize = 32;
/// How many answers may wait for their time.
const MAX_LATE: usize = 4096;
/// How many lines may wait for a frozen pool.
const MAX_KEPT: usize = 4096;
/// How many parameters of a call are looked at.
const MAX_PARAMS: usize = 8;

/// A connection's state.
#[derive(Debug)]
pub(super) struct Session {
    connection: u64,
    out: BytesMut,
    /// The connection ends with what is still to be written.
    ends: bool,
    /// Nothing is ever said on it.
    hole: bool,
    /// What came while the pool was frozen.
    kept: Vec<Bytes>,
    /// How many answers wait for their time, and the last one's.
    late: (usize, Option<Instant>),
    extranonce1: Option<Extranonce>,
    /// The subscribe's answer has left it out.
    owes_extranonce: bool,
    workers: HashSet<String>,
    /// What the last authorize came to.
    welcome: bool,
    /// The difficulty at the newest notify.
    difficulty: Option<Difficulty>,
    /// The one that was announced last.
    announced: Option<Difficulty>,
    told: VecDeque<ToldJob>,
}

/// A job as this connection was told it.
#[derive(Debug)]
struct ToldJob {
    serial: u64,
    target: Target,
    extranonce1: Extranonce,
}

impl Session {
    pub(super) fn new(connection: u64, hole: bool) -> Self {
        Self {
            connection,
            out: BytesMut::new(),
            ends: false,
            hole,
            kept: Vec::new(),
            late: (0, None),
            extranonce1: None,
            owes_extranonce: false,
            workers: HashSet::new(),
            welcome: false,
            difficulty: None,
            announced: None,
            told: VecDeque::new(),
        }
    }

    pub(super) const fn extranonce1(&self) -> Option<&Extranonce> {
        self.extranonce1.as_ref()
    }

    pub(super) const fn is_hole(&self) -> bool {
        self.hole
    }

    /// Keeps a line until the pool goes on.
    pub(super) fn keep_line(&mut self, line: &[u8], hall: &mut Hall) {
        if self.kept.len() < MAX_KEPT {
            self.kept.push(Bytes::copy_from_slice(line));
        } else {
            self.expel(hall);
        }
    }

    pub(super) fn take_lines(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.kept)
    }

    /// Whether there is something for [`transmit`](Self::transmit).
    pub(super) fn has_news(&self) -> bool {
        self.ends || !self.out.is_empty()
    }

    pub(super) fn transmit(&mut self) -> Outgoing {
        Outgoing { bytes: self.out.split().freeze(), ends: self.ends }
    }

    /// Ends the connection for what the other side did.
    pub(super) fn expel(&mut self, hall: &mut Hall) {
        if !self.ends {
            self.ends = true;
            hall.ledger.stats.connections_ended += 1;
        }
    }

    /// An answer's time has come.
    pub(super) fn answer_late(&mut self, answer: &[u8], hall: &Hall) {
        self.late.0 -= 1;
        // Answers whose time comes during a stall are lost.
        if !self.ends && !hall.ledger.faults.stall {
            self.out.extend_from_slice(answer);
        }
    }

    /// Answers a line.
    pub(super) fn handle_line(&mut self, line: &[u8], now: Moment, hall: &mut Hall) {
        if self.ends {
            return;
        }
        let message = Message::parse(line).ok();
        let call = message.as_ref().and_then(|message| {
            Some((Id::new(message.id)?, message.method.as_deref()?, message.params))
        });
        let Some((id, method, params)) = call else {
            // The real servers log such lines and go on.
            hall.ledger.stats.malformed_lines += 1;
            return;
        };
        let elements = params.and_then(rpc::array::<MAX_PARAMS>);
        let params = elements.as_ref().map_or(&[][..], |(elements, _)| elements);
        let coin = &hall.config.coin;
        match method {
            "mining.subscribe" => self.subscribe(&id, params, hall),
            "mining.authorize" => self.authorize(&id, params, hall),
            "mining.submit" => {
                let too_many = elements.as_ref().is_some_and(|(_, count)| *count > MAX_PARAMS);
                self.submit(&id, if too_many { &[] } else { params }, now, hall);
            }
            "mining.get_transactions" if coin.manners().tells_transactions => {
                self.get_transactions(&id, params, hall);
            }
            "mining.authorize_admin" | "mining.add_user" if hall.config.admin_methods => {
                coin.put_result(&id, &true, &mut self.out);
            }
            "mining.extranonce.subscribe" if hall.config.extranonce_subscribe => {
                coin.put_result(&id, &true, &mut self.out);
            }
            "mining.configure" => match coin.configure(params) {
                Some(result) => coin.put_result(&id, &result, &mut self.out),
                None => self.put_unknown(&id, method, hall),
            },
            unknown => self.put_unknown(&id, unknown, hall),
        }
    }

    /// Passes on what happened at the pool.
    pub(super) fn handle_event(&mut self, event: &ConnectionOrder, hall: &mut Hall) {
        if matches!(event, ConnectionOrder::Drop) {
            self.ends = true;
        }
        if self.ends || !self.ready(hall) || hall.ledger.faults.stall {
            return;
        }
        match event {
            ConnectionOrder::Drop => {}
            ConnectionOrder::NewJob(job) => self.tell(job, hall),
            ConnectionOrder::Raw(bytes) => self.out.extend_from_slice(bytes),
            ConnectionOrder::Repeat => self.repeat(hall),
            ConnectionOrder::RepeatWithDifficulty => {
                self.difficulty = None;
                self.repeat(hall);
            }
            ConnectionOrder::Announce => self.announce(hall),
            ConnectionOrder::SetExtranonce => self.set_extranonce(hall),
        }
        // Whoever cannot keep up with the events does not read either.
        if self.out.len() > MAX_UNREAD {
            self.expel(hall);
        }
    }

    fn subscribe(&mut self, id: &Id, params: &[&RawValue], hall: &mut Hall) {
        if let Some(reason) = hall.config.coin.refuse_subscribe(params.len()) {
            return self.put_error(id, reason, hall);
        }
        let coin = &hall.config.coin;
        if self.extranonce1.is_none() {
            self.owes_extranonce = coin.manners().extranonce_after_authorize;
        }
        let extranonce1 = self.extranonce1.clone().unwrap_or_else(|| {
            let former = params.get(1).and_then(|former| rpc::string(former));
            let former = former.and_then(|former| former.parse().ok());
            hall.ledger.stats.subscribes += 1;
            hall.ledger.lend_extranonce(&hall.config, former.as_ref())
        });
        let coin = &hall.config.coin;
        coin.put_result(id, &coin.subscribe_result(&extranonce1), &mut self.out);
        self.extranonce1 = Some(extranonce1);
        self.tell_first(hall);
    }

    fn authorize(&mut self, id: &Id, params: &[&RawValue], hall: &mut Hall) {
        let name = params.first().and_then(|name| rpc::string(name));
        let faults = &hall.ledger.faults;
        let name = name.filter(|name| name.len() <= MAX_NAME && !faults.refuses(name));
        let welcome = name.is_some() && self.workers.len() < MAX_WORKERS;
        let stats = &mut hall.ledger.stats;
        let counter = if welcome { &mut stats.authorized } else { &mut stats.authorize_refused };
        *counter += 1;
        self.welcome = welcome;
        self.workers.extend(name.filter(|_| welcome).map(Cow::into_owned));
        let coin = &hall.config.coin;
        coin.put_result(id, &welcome, &mut self.out);
        if hall.ledger.faults.reconnect_at_login {
            coin.put_call("client.reconnect", &"[]", &mut self.out);
        }
        self.tell_first(hall);
    }

    fn get_transactions(&mut self, id: &Id, params: &[&RawValue], hall: &Hall) {
        let name = params.first().and_then(|name| rpc::string(name)).unwrap_or_default();
        let job = hall.ledger.find_job(&name);
        match job.map(|made| made.job.transactions()) {
            Ok(Some(transactions)) => {
                hall.config.coin.put_result(id, &transactions, &mut self.out);
            }
            Ok(None) => self.put_error(id, Reason::InvalidParams, hall),
            Err(reason) => self.put_error(id, reason, hall),
        }
    }

    /// Whether the connection gets jobs.
    fn ready(&self, hall: &Hall) -> bool {
        let logged_in = hall.config.notify_before_authorize || !self.workers.is_empty();
        self.extranonce1.is_some() && logged_in
    }

    /// Tells what the subscribe's answer left out and the present job, each as soon as the connection is
    /// ready for it, and once.
    fn tell_first(&mut self, hall: &Hall) {
        if !self.workers.is_empty() && std::mem::take(&mut self.owes_extranonce) {
            self.put_extranonce(hall);
        }
        if !self.ready(hall) || !self.told.is_empty() {
            return;
        }
        self.repeat(hall);
    }

    /// The present job again.
    fn repeat(&mut self, hall: &Hall) {
        let job = hall.ledger.present_job();
        if let Some(job) = job {
            self.tell(&job, hall);
        }
    }

    /// Tells a job, and what is to be told of its target.
    fn tell(&mut self, made: &MadeJob, hall: &Hall) {
        let Some(extranonce1) = self.extranonce1.clone() else {
            return;
        };
        let ledger = &hall.ledger;
        let difficulty = ledger.difficulty;
        let silent = ledger.faults.jobless || ledger.faults.reconnect_at_login;
        let unusable = ledger.faults.unusable_jobs;
        let coin = &hall.config.coin;
        if silent {
            return;
        }
        if unusable {
            return coin.put_call("mining.notify", &coin.unusable_notify(), &mut self.out);
        }
        let changed = self.difficulty != Some(difficulty);
        (self.difficulty, self.announced) = (Some(difficulty), Some(difficulty));
        let target = coin.target(difficulty);
        let first = self.told.is_empty();
        let terms = |place| TargetTerms { difficulty, target, changed, first, place };
        coin.put_terms(&terms(AnnouncementPlace::BeforeNotify), &mut self.out);
        let params = made.job.notify_params(&target, first);
        coin.put_call("mining.notify", &params, &mut self.out);
        coin.put_terms(&terms(AnnouncementPlace::AfterNotify), &mut self.out);
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
        self.told.push_back(ToldJob { serial: made.serial, target, extranonce1 });
    }

    /// The new extranonce1 applies to the jobs told from now on.
    fn set_extranonce(&mut self, hall: &mut Hall) {
        let Some(old) = self.extranonce1.take() else {
            return;
        };
        let Hall { config, ledger, .. } = hall;
        let new = ledger.lend_extranonce(config, None);
        ledger.return_extranonce(&old);
        self.extranonce1 = Some(new);
        self.owes_extranonce = false;
        self.put_extranonce(hall);
    }

    fn put_extranonce(&mut self, hall: &Hall) {
        if let Some(extranonce1) = &self.extranonce1 {
            let params = hall.config.coin.set_extranonce_params(extranonce1);
            hall.config.coin.put_call("mining.set_extranonce", &params, &mut self.out);
        }
    }

    /// Announces another difficulty, without a job.
    fn announce(&mut self, hall: &Hall) {
        self.announced = Some(hall.ledger.difficulty);
        self.repeat_terms(hall);
    }

    fn repeat_terms(&mut self, hall: &Hall) {
        let mut out = std::mem::take(&mut self.out);
        self.put_terms_again(hall, &mut out);
        self.out = out;
    }

    /// Announces the present target once more, without a job.
    fn put_terms_again(&self, hall: &Hall, out: &mut BytesMut) {
        if let Some(difficulty) = self.announced {
            let coin = &hall.config.coin;
            let target = coin.target(difficulty);
            let place = AnnouncementPlace::BeforeNotify;
            coin.put_terms(
                &TargetTerms { difficulty, target, changed: true, first: false, place },
                out,
            );
        }
    }

    fn put_unknown(&mut self, id: &Id, method: &str, hall: &mut Hall) {
        hall.ledger.stats.count_method(method);
        hall.config.coin.put_unknown(id, method, &mut self.out);
    }

    fn put_error(&mut self, id: &Id, reason: Reason, hall: &Hall) {
        put_error(id, reason, hall, &mut self.out);
    }
}

fn put_error(id: &Id, reason: Reason, hall: &Hall, out: &mut BytesMut) {
    let coin = &hall.config.coin;
    if !hall.ledger.faults.error_objects {
        return coin.put_error(id, reason, out);
    }
    let (code, text) = coin.error(reason);
    let error = format_args!("{{\"code\":{code},\"message\":{},\"data\":null}}", Quoted(text));
    rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
}
