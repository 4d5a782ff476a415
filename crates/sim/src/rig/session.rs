//! A rig's side of the conversation: lines and hashes in, bytes out.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::MutexGuard;

use bytes::BytesMut;
use orepass_stratum::rpc::{self, Message, PoolError, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;

use super::config::{LoginOrder, RigConfig, Rubbish};
use super::stats::RigStats;
use super::{Memory, SharedStats};
use crate::coin::{Allotment, RigError, RigJob, Search, Solution};

/// How many calls beside shares may wait for their answers.
const MAX_CALLS: usize = 64;

/// A connection's state.
#[derive(Debug)]
pub(super) struct Session<'a> {
    config: &'a RigConfig,
    stats: &'a SharedStats,
    memory: &'a mut Memory,
    /// The calls of the login that are still to come, the next one last.
    login: Vec<Call>,
    next_id: u64,
    /// At most [`MAX_CALLS`] more than `config.max_pending`.
    pending: BTreeMap<u64, Call>,
    allotment: Option<Allotment>,
    /// The target announced last.
    announced: Option<Target>,
    job: Option<Job>,
}

#[derive(Debug)]
struct Job {
    job: Box<dyn RigJob>,
    target: Target,
    /// `None` until everything is there that hashing needs.
    search: Option<Box<dyn Search>>,
    last_share: Option<Solution>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
enum Call {
    Subscribe,
    Authorize,
    /// A call whose answer does not matter.
    Courtesy(&'static str),
    Transactions {
        job: String,
    },
    Share {
        hashes: f64,
    },
    Rubbish,
}

/// Whether the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    Close,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        config: &'a RigConfig,
        stats: &'a SharedStats,
        memory: &'a mut Memory,
    ) -> Self {
        let mut login = match config.login {
            LoginOrder::SubscribeFirst => vec![Call::Subscribe, Call::Authorize],
            LoginOrder::AuthorizeFirst => vec![Call::Authorize, Call::Subscribe],
            LoginOrder::HandyMiner => vec![
                Call::Courtesy("mining.authorize_admin"),
                Call::Courtesy("mining.add_user"),
                Call::Authorize,
                Call::Subscribe,
            ],
        };
        if config.extranonce_subscribe {
            login.push(Call::Courtesy("mining.extranonce.subscribe"));
        }
        login.reverse();
        Self {
            config,
            stats,
            memory,
            login,
            next_id: 1,
            pending: BTreeMap::new(),
            allotment: None,
            announced: None,
            job: None,
        }
    }

    /// Begins the login.
    pub(super) fn begin(&mut self, out: &mut BytesMut) {
        let mut stats = self.stats();
        stats.connects += 1;
        stats.connected = 1;
        drop(stats);
        self.go_on_with_login(out);
    }

    /// Books what the end of the connection leaves open.
    pub(super) fn end(&mut self) {
        let mut stats = self.stats();
        stats.unanswered += stats.pending;
        stats.pending = 0;
        stats.connected = 0;
        stats.logged_in = 0;
    }

    pub(super) fn count_disconnect(&self) {
        self.stats().disconnects += 1;
    }

    pub(super) fn count_malformed(&self, error: &str) {
        let mut stats = self.stats();
        stats.malformed_lines += 1;
        stats.last_error = Some(error.to_owned());
    }

    /// Whether there is something to hash.
    pub(super) fn can_mine(&self) -> bool {
        let stats = self.stats();
        let wanted = self.config.share_limit.is_none_or(|limit| stats.shares_sent < limit);
        let logged_in = stats.logged_in == 1;
        drop(stats);
        wanted && logged_in && self.job.as_ref().is_some_and(|job| job.search.is_some())
    }

    /// Hashes for a while; says how many hashes that were.
    pub(super) fn mine(&mut self, budget: u32, out: &mut BytesMut) -> u32 {
        let Some(job) = &mut self.job else {
            return budget;
        };
        let Some(search) = &mut job.search else {
            return budget;
        };
        let step = search.step(budget, &job.target);
        let hashes = job.target.hashes_lossy();
        if step.exhausted {
            job.search = None;
        }
        self.stats().hashes += u64::from(step.tried);
        if let Some(share) = step.found {
            self.send_share(share, hashes, out);
        }
        // Nothing tried is still time spent, so that a search that does nothing does not spin.
        step.tried.max(1)
    }

    fn send_share(&mut self, share: Solution, hashes: f64, out: &mut BytesMut) {
        let mut stats = self.stats();
        if stats.pending >= self.config.max_pending as u64 {
            stats.withheld += 1;
            return;
        }
        stats.pending += 1;
        stats.shares_sent += 1;
        let sent = stats.shares_sent;
        drop(stats);
        self.submit(Call::Share { hashes }, &self.config.worker, None, &share, out);
        if let Some(job) = &mut self.job {
            job.last_share = Some(share);
        }
        if !self.config.rubbish.is_empty() && sent.is_multiple_of(self.config.rubbish_every.max(1))
        {
            self.send_rubbish(out);
        }
    }

    fn send_rubbish(&mut self, out: &mut BytesMut) {
        let how = self.config.rubbish[self.memory.rubbish % self.config.rubbish.len()];
        self.memory.rubbish += 1;
        let Some(job) = &self.job else {
            return;
        };
        let Some(share) = job.last_share.clone() else {
            return;
        };
        let worker = self.config.worker.as_str();
        match how {
            Rubbish::MalformedLine => {
                rpc::put(out, format_args!("{{\"method\":\"mining.submit\",\"params\":[\n"));
                self.stats().rubbish_sent += 1;
            }
            Rubbish::UnknownJob => self.submit(Call::Rubbish, worker, Some("nojob"), &share, out),
            Rubbish::Duplicate => self.submit(Call::Rubbish, worker, None, &share, out),
            Rubbish::WrongWorker => self.submit(Call::Rubbish, "nobody", None, &share, out),
            Rubbish::WrongExtranonce2
            | Rubbish::LowDifficulty
            | Rubbish::NotHex
            | Rubbish::OldTime => {
                let search = job.search.as_ref();
                if let Some(spoiled) = search.and_then(|search| search.spoil(&share, how)) {
                    self.submit(Call::Rubbish, worker, None, &spoiled, out);
                }
            }
        }
    }

    fn submit(
        &mut self,
        call: Call,
        worker: &str,
        job_id: Option<&str>,
        share: &Solution,
        out: &mut BytesMut,
    ) {
        let Some(job) = &self.job else {
            return;
        };
        if call == Call::Rubbish {
            self.stats().rubbish_sent += 1;
        }
        let job_id = job_id.unwrap_or_else(|| job.job.id());
        let mut params = format!("[{},{}", Quoted(worker), Quoted(job_id));
        for field in &share.fields {
            params.push(',');
            params.push_str(&Quoted(field).to_string());
        }
        params.push(']');
        self.call(call, "mining.submit", &params, out);
    }

    fn go_on_with_login(&mut self, out: &mut BytesMut) {
        let Some(call) = self.login.pop() else {
            self.stats().logged_in = 1;
            return;
        };
        let config = self.config;
        let (method, params) = match &call {
            Call::Subscribe => ("mining.subscribe", config.coin.subscribe_params(&config.agent)),
            Call::Authorize => ("mining.authorize", self.credentials()),
            Call::Courtesy(method @ "mining.extranonce.subscribe") => (*method, "[]".to_owned()),
            Call::Courtesy(method) => (*method, self.credentials()),
            Call::Transactions { .. } | Call::Share { .. } | Call::Rubbish => return,
        };
        self.call(call, method, &params, out);
    }

    fn credentials(&self) -> String {
        format!("[{},{}]", Quoted(&self.config.worker), Quoted(&self.config.password))
    }

    fn call(&mut self, call: Call, method: &str, params: &str, out: &mut BytesMut) {
        let id = self.next_id;
        self.next_id += 1;
        if self.pending.len() >= self.config.max_pending + MAX_CALLS
            && let Some((_, Call::Share { .. })) = self.pending.pop_first()
        {
            // The pool answers nothing: what it owes longest is given up.
            let mut stats = self.stats();
            stats.pending -= 1;
            stats.unanswered += 1;
        }
        self.pending.insert(id, call);
        let quote = if self.config.string_ids { "\"" } else { "" };
        let text = format_args!(
            "{{\"id\":{quote}{id}{quote},\"method\":\"{method}\",\"params\":{params}}}\n"
        );
        rpc::put(out, text);
    }

    /// Takes a line from the pool.
    pub(super) fn handle_line(&mut self, line: &[u8], out: &mut BytesMut) -> Next {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(error) => {
                self.count_malformed(&error.to_string());
                return Next::Continue;
            }
        };
        if let Some(method) = &message.method {
            return match message.params {
                Some(params) => self.handle_call(method, params, out),
                None => Next::Continue,
            };
        }
        self.handle_answer(&message, out)
    }

    fn handle_call(&mut self, method: &str, params: &RawValue, out: &mut BytesMut) -> Next {
        let taken = match method {
            "mining.notify" => self.take_job(params, out),
            "mining.set_difficulty" => self.take_difficulty(params),
            "mining.set_target" => self.take_target(params),
            "mining.set_extranonce" => self.take_extranonce(params),
            "client.reconnect" => return Next::Close,
            // Rigs pass over what they do not know.
            _ => Ok(()),
        };
        if let Err(error) = taken {
            let mut stats = self.stats();
            if method == "mining.notify" {
                stats.jobs_unusable += 1;
            } else {
                stats.malformed_lines += 1;
            }
            stats.last_error = Some(error.to_string());
        }
        Next::Continue
    }

    fn take_job(&mut self, params: &RawValue, out: &mut BytesMut) -> Result<(), RigError> {
        let job = self.config.coin.parse_notify(params)?;
        let mut work = DefaultHasher::new();
        job.fingerprint().hash(&mut work);
        self.allotment.as_ref().map(|given| &given.extranonce1).hash(&mut work);
        let (id_seen, work_seen) = self.memory.note_job(job.id(), work.finish());
        let mut stats = self.stats();
        stats.jobs += 1;
        stats.job_ids_repeated += u64::from(id_seen);
        stats.works_repeated += u64::from(work_seen);
        drop(stats);
        let default = || self.config.coin.target(Difficulty::ONE);
        let target = job.target().or(self.announced).unwrap_or_else(default);
        if job.wants_transactions() {
            let call = Call::Transactions { job: job.id().to_owned() };
            let params = format!("[{}]", Quoted(job.id()));
            self.call(call, "mining.get_transactions", &params, out);
        }
        self.job = Some(Job { job, target, search: None, last_share: None });
        self.start_search()
    }

    /// Starts to hash as soon as job, extranonce and transactions are known.
    fn start_search(&mut self) -> Result<(), RigError> {
        if let (Some(job), Some(allotment)) = (&mut self.job, &self.allotment)
            && job.search.is_none()
            && !job.job.wants_transactions()
        {
            job.search = Some(job.job.search(allotment)?);
        }
        Ok(())
    }

    fn take_difficulty(&mut self, params: &RawValue) -> Result<(), RigError> {
        let difficulty = rpc::array::<1>(params)
            .and_then(|(elements, _)| rpc::number(elements.first()?))
            .and_then(Difficulty::new)
            .ok_or_else(|| RigError::field("difficulty", params))?;
        let mut stats = self.stats();
        stats.difficulties += 1;
        stats.difficulty = Some(difficulty.get());
        drop(stats);
        self.announce(self.config.coin.target(difficulty));
        Ok(())
    }

    fn take_target(&mut self, params: &RawValue) -> Result<(), RigError> {
        let target = rpc::array::<1>(params)
            .and_then(|(elements, _)| rpc::string(elements.first()?))
            .and_then(|text| Target::from_hex(&text).ok())
            .ok_or_else(|| RigError::field("target", params))?;
        self.stats().difficulties += 1;
        self.announce(target);
        Ok(())
    }

    fn announce(&mut self, target: Target) {
        self.announced = Some(target);
        if self.config.difficulty_at_once
            && let Some(job) = &mut self.job
        {
            job.target = target;
        }
    }

    /// The present search goes on with the old extranonce; the next job uses the new one.
    fn take_extranonce(&mut self, params: &RawValue) -> Result<(), RigError> {
        let wrong = || RigError::field("extranonce", params);
        let (elements, _) = rpc::array::<2>(params).ok_or_else(wrong)?;
        let extranonce1 = elements.first().and_then(|text| rpc::string(text));
        let extranonce1 = extranonce1.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        let told = elements.get(1).and_then(|size| size.get().parse().ok());
        let size = told.or_else(|| self.allotment.as_ref().and_then(|before| before.size));
        self.stats().set_extranonces += 1;
        self.allot(Allotment { extranonce1, size });
        Ok(())
    }

    fn allot(&mut self, allotment: Allotment) {
        self.stats().extranonce1 = Some(allotment.extranonce1.to_string());
        self.allotment = Some(allotment);
    }

    fn handle_answer(&mut self, message: &Message<'_>, out: &mut BytesMut) -> Next {
        let refusal = refusal(message);
        let Some(id) = message.id else {
            let mut stats = self.stats();
            stats.anonymous_errors += 1;
            stats.last_error = refusal.map(|refusal| refusal.to_string());
            return Next::Continue;
        };
        let id = if self.config.string_ids {
            rpc::string(id).and_then(|id| id.parse().ok())
        } else {
            id.get().parse().ok()
        };
        let call = id.and_then(|id| self.pending.remove(&id));
        let Some(call) = call else {
            let asked = id.is_some_and(|id: u64| id > 0 && id < self.next_id);
            let mut stats = self.stats();
            let counter =
                if asked { &mut stats.double_answers } else { &mut stats.unknown_answers };
            *counter += 1;
            return Next::Continue;
        };
        if let Some(refusal) = refusal.as_ref().filter(|_| call != Call::Rubbish) {
            self.stats().last_error = Some(refusal.to_string());
        }
        match call {
            Call::Share { hashes } => {
                let mut stats = self.stats();
                stats.pending -= 1;
                match refusal {
                    None => {
                        stats.accepted += 1;
                        stats.work += hashes;
                    }
                    Some(refusal) => stats.count_rejected(refusal.code),
                }
            }
            Call::Rubbish => {
                let mut stats = self.stats();
                let counter = match refusal {
                    None => &mut stats.rubbish_accepted,
                    Some(_) => &mut stats.rubbish_rejected,
                };
                *counter += 1;
            }
            Call::Subscribe => return self.subscribed(message.result, out),
            Call::Authorize => {
                let mut stats = self.stats();
                if refusal.is_some() {
                    stats.authorize_refused += 1;
                    return Next::Close;
                }
                stats.authorized += 1;
                drop(stats);
                self.go_on_with_login(out);
            }
            Call::Courtesy(_) => self.go_on_with_login(out),
            Call::Transactions { job } => self.learn_transactions(&job, message.result),
        }
        Next::Continue
    }

    fn subscribed(&mut self, result: Option<&RawValue>, out: &mut BytesMut) -> Next {
        let parsed = match result {
            Some(result) => self.config.coin.parse_subscribed(result),
            None => Err(RigError::field("subscribe result", "null")),
        };
        let started = parsed.and_then(|allotment| {
            self.allot(allotment);
            self.start_search()
        });
        if let Err(error) = started {
            self.stats().last_error = Some(error.to_string());
            return Next::Close;
        }
        self.go_on_with_login(out);
        Next::Continue
    }

    /// Completes the job that was asked about, if it is still the present one.
    fn learn_transactions(&mut self, id: &str, answer: Option<&RawValue>) {
        let Some(job) = self.job.as_mut().filter(|job| job.job.id() == id) else {
            return;
        };
        let learnt = match answer {
            Some(answer) => job.job.learn_transactions(answer),
            None => Err(RigError::field("transactions", "null")),
        };
        if let Err(error) = learnt.and_then(|()| self.start_search()) {
            let mut stats = self.stats();
            stats.jobs_unusable += 1;
            stats.last_error = Some(error.to_string());
        }
    }

    fn stats(&self) -> MutexGuard<'a, RigStats> {
        self.stats.lock()
    }
}

/// Why an answer is a no; `None` for a yes.
fn refusal(message: &Message<'_>) -> Option<PoolError> {
    if let Some(error) = message.error.and_then(PoolError::parse) {
        return Some(error);
    }
    let refused = message.result.is_none_or(|result| result.get() == "false");
    refused.then(|| PoolError { code: None, message: "answered false".into() })
}
