//! Hashing, and what comes of it: shares, and rubbish in between.

use std::time::Instant;

use orepass_stratum::rpc::{self, Quoted};
use orepass_stratum::target::Target;

use super::config::Rubbish;
use super::{Call, Rig};
use crate::coin::{RigJob, Search, Solution};

/// What is being searched.
#[derive(Debug)]
pub(super) struct SearchedJob {
    pub(super) job: Box<dyn RigJob>,
    pub(super) target: Target,
    /// `None` until everything is there that hashing needs.
    pub(super) search: Option<Box<dyn Search>>,
    pub(super) last_share: Option<Solution>,
}

impl Rig {
    /// Whether to hash now; noted in the counters, so that whoever told the rig to stop and then
    /// sees it idle can rely on it.
    pub(super) fn decide_mining(&mut self) -> bool {
        let sent = self.stats.shares_sent;
        let wanted = self.config.share_limit.is_none_or(|limit| sent < limit);
        let able = self.link.job.as_ref().is_some_and(|job| job.search.is_some());
        let mining = self.mining && wanted && able && self.stats.logged_in == 1;
        self.stats.mining = u64::from(mining);
        if !mining && let Some(search) = self.search() {
            search.pause();
        }
        mining
    }

    pub(super) fn search(&mut self) -> Option<&mut Box<dyn Search>> {
        self.link.job.as_mut().and_then(|job| job.search.as_mut())
    }

    /// Takes up the job that has been waiting, if one has.
    pub(super) fn take_over(&mut self) {
        if let Some((job, _)) = self.link.successor.take() {
            self.link.job = Some(job);
        }
    }

    /// Hashes for a while.
    pub fn mine(&mut self, now: Instant) {
        let tried = self.hash();
        // Nothing tried is still time spent, so that a search that does nothing does not spin.
        self.pace.spent(tried.max(1), now);
    }

    fn hash(&mut self) -> u32 {
        let budget = self.pace.batch();
        let Some(job) = &mut self.link.job else { return budget };
        let Some(search) = &mut job.search else { return budget };
        let step = search.step(budget, &job.target);
        let hashes = job.target.hashes_lossy();
        if step.exhausted {
            job.search = None;
        }
        self.stats.hashes += u64::from(step.tried);
        if let Some(share) = step.found {
            self.send_share(share, hashes);
        }
        if self.link.successor.is_some() && self.search().is_none_or(|search| !search.is_busy()) {
            self.take_over();
        }
        step.tried
    }

    fn send_share(&mut self, share: Solution, hashes: f64) {
        if self.stats.pending >= self.config.max_pending as u64 {
            self.stats.withheld += 1;
            return;
        }
        self.stats.pending += 1;
        self.stats.shares_sent += 1;
        self.submit(Call::Share { hashes }, None, None, &share);
        if let Some(job) = &mut self.link.job {
            job.last_share = Some(share);
        }
        let due = self.stats.shares_sent.is_multiple_of(self.config.rubbish_every.max(1));
        if !self.config.rubbish.is_empty() && due {
            self.send_rubbish();
        }
    }

    fn send_rubbish(&mut self) {
        let how = self.config.rubbish[self.memory.rubbish % self.config.rubbish.len()];
        self.memory.rubbish += 1;
        let Some(job) = &self.link.job else { return };
        let Some(share) = job.last_share.clone() else { return };
        match how {
            Rubbish::MalformedLine => {
                let line = format_args!("{{\"method\":\"mining.submit\",\"params\":[\n");
                rpc::put(&mut self.out, line);
                self.stats.rubbish_sent += 1;
            }
            Rubbish::UnknownJob => self.submit(Call::Rubbish, None, Some("nojob"), &share),
            Rubbish::Duplicate => self.submit(Call::Rubbish, None, None, &share),
            Rubbish::WrongWorker => self.submit(Call::Rubbish, Some("nobody"), None, &share),
            Rubbish::WrongExtranonce2
            | Rubbish::LowDifficulty
            | Rubbish::NotHex
            | Rubbish::BadProof
            | Rubbish::OldTime => {
                let search = job.search.as_ref();
                if let Some(spoiled) = search.and_then(|search| search.spoil(&share, how)) {
                    self.submit(Call::Rubbish, None, None, &spoiled);
                }
            }
        }
    }

    /// Submits a share of the present job, under the rig's own name and the job's own id unless
    /// others are given.
    fn submit(&mut self, call: Call, worker: Option<&str>, id: Option<&str>, share: &Solution) {
        let Some(job) = &self.link.job else { return };
        if call == Call::Rubbish {
            self.stats.rubbish_sent += 1;
        }
        let worker = Quoted(worker.unwrap_or(&self.config.worker));
        let mut params = format!("[{worker},{}", Quoted(id.unwrap_or_else(|| job.job.id())));
        for field in &share.fields {
            params.push(',');
            params.push_str(&Quoted(field).to_string());
        }
        params.push(']');
        self.call(call, "mining.submit", &params);
    }
}
