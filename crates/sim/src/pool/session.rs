//! One connection's side of the conversation: lines in, bytes out.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Id, Message, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::config::Judge;
use super::ledger::{MadeJob, Submitted};
use super::{Event, Inner};
use crate::coin::Reason;

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
    difficulty: Option<Difficulty>,
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
    Close,
}

impl Session {
    pub(super) fn new(pool: Arc<Inner>, connection: u64) -> Self {
        Self {
            pool,
            connection,
            extranonce1: None,
            workers: HashSet::new(),
            difficulty: None,
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
        match method {
            "mining.subscribe" => self.subscribe(&id, params, out),
            "mining.authorize" => self.authorize(&id, params, out),
            "mining.submit" => {
                let too_many = elements.as_ref().is_some_and(|(_, count)| *count > MAX_PARAMS);
                return self.submit(&id, if too_many { &[] } else { params }, now, out);
            }
            "mining.get_transactions" => self.get_transactions(&id, params, out),
            "mining.authorize_admin" | "mining.add_user" if self.pool.config.admin_methods => {
                rpc::put_result(&mut out.now, &id, true);
            }
            "mining.extranonce.subscribe" if self.pool.config.extranonce_subscribe => {
                rpc::put_result(&mut out.now, &id, true);
            }
            unknown => {
                self.pool.ledger().stats.count_method(unknown);
                let text = format_args!("{{\"id\":{id},\"result\":null,\"error\":true}}\n");
                rpc::put(&mut out.now, text);
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
            Event::SetExtranonce => self.set_extranonce(out),
        }
        Next::Continue
    }

    fn subscribe(&mut self, id: &Id, params: &[&RawValue], out: &mut Outbox) {
        let extranonce1 = self.extranonce1.clone().unwrap_or_else(|| {
            let former = params.get(1).and_then(|former| rpc::string(former));
            let former = former.and_then(|former| former.parse().ok());
            let mut ledger = self.pool.ledger();
            ledger.stats.subscribes += 1;
            ledger.lend_extranonce(&self.pool.config, former.as_ref())
        });
        rpc::put_result(&mut out.now, id, self.pool.config.coin.subscribe_result(&extranonce1));
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
        self.workers.extend(name.filter(|_| welcome).map(Cow::into_owned));
        rpc::put_result(&mut out.now, id, welcome);
        self.tell_first(out);
    }

    fn get_transactions(&self, id: &Id, params: &[&RawValue], out: &mut Outbox) {
        let name = params.first().and_then(|name| rpc::string(name)).unwrap_or_default();
        let job = self.pool.ledger().find_job(&name);
        match job.map(|made| made.job.transactions()) {
            Ok(Some(transactions)) => rpc::put_result(&mut out.now, id, transactions),
            Ok(None) => self.put_error(id, Reason::InvalidParams, &mut out.now),
            Err(reason) => self.put_error(id, reason, &mut out.now),
        }
    }

    fn submit(&mut self, id: &Id, params: &[&RawValue], now: Instant, out: &mut Outbox) -> Next {
        let worker = params.first().and_then(|worker| rpc::string(worker));
        let outcome = self.judge(worker.as_deref(), params, now);
        let mut ledger = self.pool.ledger();
        // Only names that authorized are counted, so a stranger cannot fill the table.
        let known = worker.as_deref().filter(|worker| self.workers.contains(*worker));
        ledger.count(known, outcome.map(|_| ()));
        let (late, withhold) = (ledger.faults.late_verdicts, ledger.faults.no_verdicts);
        if withhold {
            ledger.stats.withheld_verdicts += 1;
        }
        drop(ledger);
        if let Ok(Some(block)) = outcome
            && self.pool.config.real_blocks
        {
            self.pool.begin_block(Some(block));
        }
        if withhold {
            return Next::Continue;
        }
        let mut answer = BytesMut::new();
        match outcome {
            Ok(_) => rpc::put_result(&mut answer, id, true),
            Err(reason) => self.put_error(id, reason, &mut answer),
        }
        if outcome == Err(Reason::HighHash) && self.pool.config.repeat_difficulty {
            self.put_difficulty(&mut answer);
        }
        match late {
            None => out.now.extend_from_slice(&answer),
            Some(_) if out.late.len() >= MAX_LATE => return Next::Close,
            Some(delay) => {
                // A delay that was shortened meanwhile does not let answers overtake others.
                let last = out.late.back().map_or(now, |(due, _)| *due);
                out.late.push_back((last.max(now + delay), answer.freeze()));
            }
        }
        Next::Continue
    }

    /// The block's hash where the share is one.
    fn judge(
        &self,
        worker: Option<&str>,
        params: &[&RawValue],
        now: Instant,
    ) -> Result<Option<[u8; 32]>, Reason> {
        let worker = worker.ok_or(Reason::InvalidParams)?;
        let id = params.get(1).and_then(|id| rpc::string(id)).ok_or(Reason::InvalidParams)?;
        let extranonce1 = self.extranonce1.as_ref().ok_or(Reason::NotSubscribed)?;
        if !self.workers.contains(worker) {
            return Err(Reason::Unauthorized);
        }
        let made = self.pool.ledger().find_job(&id)?;
        let told = self.told.iter().rev().find(|told| told.serial == made.serial);
        let extranonce1 = told.map_or(extranonce1, |told| &told.extranonce1);
        let present = self.present_target();
        let target = match self.pool.config.judge {
            Judge::AtJob => told.map_or(present, |told| told.target),
            Judge::Present => present,
        };
        let share = made.job.check(extranonce1, params, now.duration_since(made.made))?;
        self.pool.ledger().judge(
            &self.pool.config,
            &Submitted {
                worker,
                connection: self.connection,
                serial: made.serial,
                target,
                share: &share,
            },
        )
    }

    fn present_target(&self) -> Target {
        let difficulty = self.difficulty.unwrap_or_else(|| self.pool.ledger().difficulty);
        self.pool.config.coin.target(difficulty)
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

    /// Tells a job, and before it the difficulty where that has changed.
    fn tell(&mut self, made: &MadeJob, out: &mut Outbox) {
        let Some(extranonce1) = self.extranonce1.clone() else {
            return;
        };
        let difficulty = self.pool.ledger().difficulty;
        if self.difficulty != Some(difficulty) {
            self.difficulty = Some(difficulty);
            self.put_difficulty(&mut out.now);
        }
        let target = self.pool.config.coin.target(difficulty);
        rpc::put_notification(&mut out.now, "mining.notify", made.job.notify_params(&target));
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
        let size = config.coin.extranonce2_size(&new);
        let params = format_args!("[\"{new}\",{size}]");
        rpc::put_notification(&mut out.now, "mining.set_extranonce", params);
        self.extranonce1 = Some(new);
    }

    fn put_difficulty(&self, out: &mut BytesMut) {
        if let Some(difficulty) = self.difficulty {
            rpc::put_notification(out, "mining.set_difficulty", format_args!("[{difficulty}]"));
        }
    }

    fn put_error(&self, id: &Id, reason: Reason, out: &mut BytesMut) {
        let (code, text) = self.pool.config.coin.error(reason);
        let text = Quoted(text);
        if self.pool.ledger().faults.error_objects {
            let error = format_args!("{{\"code\":{code},\"message\":{text},\"data\":null}}");
            rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
            return;
        }
        let error = match self.pool.config.coin.error_data() {
            Some(data) => format!("[{code},{text},{data}]"),
            None => format!("[{code},{text}]"),
        };
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
