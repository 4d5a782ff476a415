//! A rig's side of the conversation: lines and hashes in, bytes out.

mod inbound;

use std::collections::BTreeMap;
use std::sync::MutexGuard;
use std::task::Poll;

use bytes::BytesMut;
use orepass_stratum::rpc::{self, Quoted};
use orepass_stratum::target::Target;
use tokio::sync::watch;
use tokio::time::Instant;

use super::config::{LoginOrder, RigConfig, Rubbish};
use super::pace::Pace;
use super::stats::RigStats;
use super::{Control, Memory, SharedStats};
use crate::coin::{Allotment, Habits, RigJob, Search, Solution};

/// How many calls beside shares may wait for their answers.
const MAX_CALLS: usize = 64;

/// A connection's state.
#[derive(Debug)]
pub(super) struct Session<'a> {
    config: &'a RigConfig,
    habits: Habits,
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
    /// The job that is taken up as soon as what the rig has begun on the present one is finished,
    /// at the latest at that time.
    successor: Option<(Job, Instant)>,
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
            habits: config.coin.habits(),
            stats,
            memory,
            login,
            next_id: 1,
            pending: BTreeMap::new(),
            allotment: None,
            announced: None,
            job: None,
            successor: None,
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
        stats.mining = 0;
    }

    pub(super) fn count_disconnect(&self) {
        self.stats().disconnects += 1;
    }

    pub(super) fn count_ignored_lines(&self, count: u64) {
        self.stats().lines_ignored += count;
    }

    pub(super) fn count_malformed(&self, error: &str) {
        let mut stats = self.stats();
        stats.malformed_lines += 1;
        stats.last_error = Some(error.to_owned());
    }

    /// Whether to hash now. Decided and noted with the counters locked, so that whoever told the
    /// rig to stop and then sees it idle can rely on it.
    pub(super) fn decide_mining(&mut self, control: &watch::Receiver<Control>) -> bool {
        let mut stats = self.stats();
        let wanted = self.config.share_limit.is_none_or(|limit| stats.shares_sent < limit);
        let able = self.job.as_ref().is_some_and(|job| job.search.is_some());
        let mining = control.borrow().mining && wanted && able && stats.logged_in == 1;
        stats.mining = u64::from(mining);
        drop(stats);
        if !mining && let Some(search) = self.search() {
            search.pause();
        }
        mining
    }

    fn search(&mut self) -> Option<&mut Box<dyn Search>> {
        self.job.as_mut().and_then(|job| job.search.as_mut())
    }

    /// Ends when there is something to hash, and it is time to.
    pub(super) async fn ready(&mut self, pace: &Pace) {
        pace.due().await;
        std::future::poll_fn(|context| match self.search() {
            Some(search) => search.poll_ready(context),
            None => Poll::Ready(()),
        })
        .await;
    }

    /// When the present job must make way for the next at the latest.
    pub(super) fn lingers_until(&self) -> Option<Instant> {
        self.successor.as_ref().map(|(_, until)| *until)
    }

    /// Takes up the job that has been waiting, if one has.
    pub(super) fn take_over(&mut self) {
        if let Some((job, _)) = self.successor.take() {
            self.job = Some(job);
        }
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
        if self.successor.is_some() && self.search().is_none_or(|search| !search.is_busy()) {
            self.take_over();
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
            | Rubbish::BadProof
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
            Call::Subscribe => {
                let params = config.coin.subscribe_params(&config.agent, &self.memory.address);
                ("mining.subscribe", params)
            }
            Call::Authorize => ("mining.authorize", self.credentials()),
            Call::Courtesy(method @ "mining.extranonce.subscribe") => (*method, "[]".to_owned()),
            Call::Courtesy(method) => (*method, self.credentials()),
            Call::Transactions { .. } | Call::Share { .. } | Call::Rubbish => return,
        };
        let asks_extranonce = method == "mining.extranonce.subscribe";
        self.call(call, method, &params, out);
        if asks_extranonce && self.habits.mines_once_authorized && self.login.is_empty() {
            self.stats().logged_in = 1;
        }
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

    fn stats(&self) -> MutexGuard<'a, RigStats> {
        self.stats.lock()
    }
}
