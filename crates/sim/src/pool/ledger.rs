//! The pool's books: jobs, extranonces, shares. No socket; the time is an argument.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{Difficulty, Target};

use super::Moment;
use super::config::{ExtranonceSource, PoolConfig};
use super::fault::LastingFaults;
use super::stats::{Duplicate, PoolStats};
use crate::coin::{CheckedShare, JobOrder, PoolJob, Reason};

/// How many ids of replaced jobs are remembered, to tell stale shares from nonsense.
const MAX_RETIRED: usize = 1024;
/// How many shares a job takes.
const MAX_SHARES: usize = 1 << 20;
/// How many extranonces are remembered for those who come back.
const MAX_KNOWN: usize = 1 << 16;
/// How often a random extranonce is drawn before a taken one is given.
const DRAWS: usize = 64;

/// Everything that connections share.
#[derive(Debug)]
pub(super) struct PoolLedger {
    pub(super) stats: PoolStats,
    pub(super) faults: LastingFaults,
    pub(super) difficulty: Difficulty,
    rng: fastrand::Rng,
    tip: [u8; 32],
    next_job: u64,
    jobs: VecDeque<OpenJob>,
    retired: VecDeque<String>,
    /// Whether no job of the present block has been made.
    block_began: bool,
    /// The number that extranonces are counted from.
    first_extranonce: u64,
    next_extranonce: u64,
    in_use: HashMap<Extranonce, u32>,
    known: VecDeque<Extranonce>,
}

#[derive(Debug)]
struct OpenJob {
    job: Arc<MadeJob>,
    /// The work handed in, and the connection it came on.
    seen: HashMap<Box<[u8]>, u64>,
    /// What the server itself tells shares apart by, and the connection where that matters.
    claims: HashSet<(Option<u64>, Box<[u8]>)>,
}

/// A job and when it was made.
#[derive(Debug)]
pub(super) struct MadeJob {
    pub(super) serial: u64,
    pub(super) made: Instant,
    pub(super) job: Box<dyn PoolJob>,
}

impl PoolLedger {
    pub(super) fn new(config: &PoolConfig) -> Self {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        let tip = new_tip(&mut rng);
        let first_extranonce = first_extranonce(config.extranonce1, &mut rng);
        Self {
            stats: PoolStats::default(),
            faults: LastingFaults::default(),
            difficulty: Difficulty::new(config.difficulty).unwrap_or(Difficulty::ONE),
            rng,
            tip,
            next_job: 0,
            jobs: VecDeque::new(),
            retired: VecDeque::new(),
            block_began: true,
            first_extranonce,
            next_extranonce: 0,
            in_use: HashMap::new(),
            known: VecDeque::new(),
        }
    }

    /// Makes the next job on the present block.
    pub(super) fn make_job(&mut self, config: &PoolConfig, now: Moment) -> Arc<MadeJob> {
        let serial = self.next_job;
        self.next_job += 1;
        let time = config.fixed_time.map_or(now.unix, |first| first + serial);
        let new_block = std::mem::take(&mut self.block_began);
        let order = JobOrder { serial, time, tip: self.tip, new_block };
        let job = config.coin.make_job(&order, &mut self.rng);
        let job = Arc::new(MadeJob { serial, made: now.at, job });
        self.stats.jobs += 1;
        self.jobs.push_back(OpenJob {
            job: Arc::clone(&job),
            seen: HashMap::new(),
            claims: HashSet::new(),
        });
        while self.jobs.len() > config.open_jobs.max(1) {
            self.retire_oldest();
        }
        job
    }

    /// Begins a block: the one with this hash, or any.
    pub(super) fn begin_block(&mut self, config: &PoolConfig, tip: Option<[u8; 32]>) {
        self.tip = tip.unwrap_or_else(|| new_tip(&mut self.rng));
        self.block_began = true;
        while config.blocks_close_jobs && !self.jobs.is_empty() {
            self.retire_oldest();
        }
    }

    fn retire_oldest(&mut self) {
        if let Some(old) = self.jobs.pop_front() {
            if self.retired.len() == MAX_RETIRED {
                self.retired.pop_front();
            }
            self.retired.push_back(old.job.job.id().to_owned());
        }
    }

    /// The job that is told to those who come now.
    pub(super) fn present_job(&self) -> Option<Arc<MadeJob>> {
        self.jobs.back().map(|open| Arc::clone(&open.job))
    }

    /// The open job of this id.
    pub(super) fn find_job(&self, id: &str) -> Result<Arc<MadeJob>, Reason> {
        match self.jobs.iter().find(|open| open.job.job.id() == id) {
            Some(open) => Ok(Arc::clone(&open.job)),
            None if self.retired.iter().any(|retired| retired == id) => Err(Reason::Stale),
            None => Err(Reason::UnknownJob),
        }
    }

    /// Gives out an extranonce1; `former` is one that is asked back.
    pub(super) fn lend_extranonce(
        &mut self,
        config: &PoolConfig,
        former: Option<&Extranonce>,
    ) -> Extranonce {
        let back = former
            .filter(|former| config.resume_sessions && self.known.contains(former))
            .filter(|former| !self.in_use.contains_key(former));
        let given = match back {
            Some(former) => former.clone(),
            None if self.faults.same_extranonce1 => {
                numbered(self.first_extranonce, config.extranonce1_size)
            }
            None => self.next_extranonce(config),
        };
        *self.in_use.entry(given.clone()).or_insert(0) += 1;
        if !self.known.contains(&given) {
            if self.known.len() == MAX_KNOWN {
                self.known.pop_front();
            }
            self.known.push_back(given.clone());
        }
        given
    }

    fn next_extranonce(&mut self, config: &PoolConfig) -> Extranonce {
        let size = config.extranonce1_size;
        match config.extranonce1 {
            ExtranonceSource::Random => {
                let mut drawn = numbered(self.rng.u64(..), size);
                for _ in 0..DRAWS {
                    if !self.in_use.contains_key(&drawn) {
                        break;
                    }
                    drawn = numbered(self.rng.u64(..), size);
                }
                drawn
            }
            ExtranonceSource::Counter
            | ExtranonceSource::CounterFrom(_)
            | ExtranonceSource::Instance => {
                let number = self.first_extranonce.wrapping_add(self.next_extranonce);
                self.next_extranonce += 1;
                numbered(number, size)
            }
        }
    }

    /// Takes an extranonce1 back.
    pub(super) fn return_extranonce(&mut self, extranonce1: &Extranonce) {
        if let Some(users) = self.in_use.get_mut(extranonce1) {
            *users -= 1;
            if *users == 0 {
                self.in_use.remove(extranonce1);
            }
        }
    }

    /// Gives nobody a former extranonce back.
    pub(super) fn forget_extranonces(&mut self) {
        self.known.clear();
    }

    /// Gives out extranonces from the first again.
    pub(super) fn restart_extranonces(&mut self, config: &PoolConfig) {
        self.next_extranonce = 0;
        self.rng = fastrand::Rng::with_seed(config.seed ^ self.next_job);
        self.first_extranonce = first_extranonce(config.extranonce1, &mut self.rng);
    }

    /// Books a submit of a well-formed share and decides about it.
    pub(super) fn judge(
        &mut self,
        config: &PoolConfig,
        submit: &Submitted<'_>,
    ) -> Result<Option<[u8; 32]>, Reason> {
        let share = submit.share;
        let Some(open) = self.jobs.iter_mut().find(|open| open.job.serial == submit.serial) else {
            return Err(Reason::Stale);
        };
        if let Some(&first) = open.seen.get(&share.key) {
            self.stats.count_duplicate(Duplicate {
                worker: submit.worker.to_owned(),
                job: open.job.job.id().to_owned(),
                key: const_hex::encode(&share.key),
                first,
                again: submit.connection,
            });
            return Err(Reason::Duplicate);
        }
        if open.seen.len() >= MAX_SHARES {
            return Err(Reason::Full);
        }
        open.seen.insert(share.key.clone(), submit.connection);
        if let Some(claim) = &share.claim {
            let owner = claim.per_connection.then_some(submit.connection);
            if !open.claims.insert((owner, claim.key.clone())) {
                return Err(Reason::SecondSolution);
            }
        }
        if self.faults.refuse_shares || self.faults.stale_verdicts {
            return Err(Reason::Refused);
        }
        if !config.coin.meets(&share.hash, &submit.target) && share.block.is_none() {
            return Err(Reason::HighHash);
        }
        self.stats.work += submit.target.hashes_lossy();
        if share.block.is_some() {
            self.stats.blocks_found += 1;
        }
        Ok(share.block)
    }

    /// Counts what became of a submit.
    pub(super) fn count(&mut self, worker: Option<&str>, outcome: Result<(), Reason>) {
        let stats = &mut self.stats;
        stats.submits += 1;
        let counter = match outcome {
            Ok(()) => &mut stats.accepted,
            Err(Reason::Stale) => &mut stats.stale,
            Err(Reason::Duplicate) => &mut stats.duplicates,
            Err(Reason::SecondSolution) => &mut stats.second_solutions,
            Err(Reason::InvalidSolution) => &mut stats.invalid_solutions,
            Err(Reason::HighHash) => &mut stats.low_difficulty,
            Err(Reason::InvalidParams | Reason::Form(_)) => &mut stats.invalid_params,
            Err(Reason::UnknownJob) => &mut stats.unknown_job,
            Err(Reason::TimeTooOld | Reason::TimeTooNew) => &mut stats.bad_time,
            Err(Reason::Unauthorized) => &mut stats.unauthorized,
            Err(Reason::NotSubscribed) => &mut stats.not_subscribed,
            Err(Reason::Refused | Reason::Full) => &mut stats.refused,
        };
        *counter += 1;
        if let Some(worker) = worker {
            stats.count_worker(worker, outcome.is_ok());
        }
    }
}

/// A share whose form is right, and the circumstances it is judged in.
#[derive(Debug)]
pub(super) struct Submitted<'a> {
    pub(super) worker: &'a str,
    pub(super) connection: u64,
    pub(super) serial: u64,
    pub(super) target: Target,
    pub(super) share: &'a CheckedShare,
}

/// The number that extranonces are counted from.
fn first_extranonce(source: ExtranonceSource, rng: &mut fastrand::Rng) -> u64 {
    match source {
        ExtranonceSource::Counter | ExtranonceSource::Random => 0,
        ExtranonceSource::CounterFrom(first) => first,
        ExtranonceSource::Instance => u64::from(rng.u32(..)) << 32,
    }
}

/// A number as an extranonce: big-endian, its lowest bytes.
fn numbered(number: u64, size: usize) -> Extranonce {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    let from = 32 - size.min(32);
    Extranonce::from_slice(&bytes[from..]).unwrap_or_default()
}

/// A block hash as they look: a number with leading zeros.
fn new_tip(rng: &mut fastrand::Rng) -> [u8; 32] {
    let mut tip = [0; 32];
    rng.fill(&mut tip[8..]);
    tip
}
