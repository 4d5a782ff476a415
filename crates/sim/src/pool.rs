//! A simulated pool that checks every share. It has no socket and no clock: lines and the time come
//! in, bytes go out.

mod config;
mod fault;
mod ledger;
mod session;
mod stats;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use self::ledger::{MadeJob, PoolLedger};
use self::session::Session;
use crate::coin::Manners;

pub use config::{ExtranonceSource, JudgedBy, PoolConfig};
pub use fault::{FaultError, PoolFault};
pub use stats::{Duplicate, PoolStats, WorkerStats};

/// More than any line that is read from a pool.
const OVERLONG: usize = 600 * 1024;
/// How many bytes a connection may be behind.
const MAX_UNREAD: usize = 8 * OVERLONG;

/// A simulated pool without I/O.
///
/// Whoever drives it asks [`poll_news`](Self::poll_news) after each call for the connections to
/// which [`transmit`](Self::transmit) has something to give.
#[derive(Debug)]
pub struct Pool {
    hall: Hall,
    sessions: BTreeMap<u64, Session>,
    /// Connections that have something to write, or end.
    news: BTreeSet<u64>,
    schedule: Schedule,
}

/// What all connections share.
#[derive(Debug)]
struct Hall {
    config: PoolConfig,
    ledger: PoolLedger,
    /// What connections are still to be told.
    events: Vec<ConnectionOrder>,
    /// Answers that wait for their time: with the order in which they were given, and the
    /// connection.
    late: BinaryHeap<Reverse<(Instant, u64, u64, Bytes)>>,
    answers: u64,
}

/// The present moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What times are measured with.
    pub at: Instant,
    /// Unix seconds, for the jobs.
    pub unix: u64,
}

/// When jobs and blocks are made by themselves.
#[derive(Debug, Default)]
struct Schedule {
    job: Option<Instant>,
    block: Option<Instant>,
    /// When the pool learns of blocks that it is late for.
    trailing: VecDeque<Instant>,
}

/// What connections are told to do.
#[derive(Debug, Clone)]
enum ConnectionOrder {
    NewJob(Arc<MadeJob>),
    Drop,
    Raw(Bytes),
    Repeat,
    RepeatWithDifficulty,
    Announce,
    SetExtranonce,
}

/// What a connection is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Whole lines; often none.
    pub bytes: Bytes,
    /// The pool ends the connection after them.
    pub ends: bool,
}

impl Pool {
    /// A pool with its first job made.
    #[must_use]
    pub fn new(config: PoolConfig, now: Moment) -> Self {
        let ledger = PoolLedger::new(&config);
        let (events, late) = (Vec::new(), BinaryHeap::new());
        let mut pool = Self {
            hall: Hall { config, ledger, events, late, answers: 0 },
            sessions: BTreeMap::new(),
            news: BTreeSet::new(),
            schedule: Schedule::default(),
        };
        pool.new_job(now);
        pool
    }

    /// Takes a connection and gives its number; `None` where it is refused.
    pub fn handle_connected(&mut self) -> Option<u64> {
        let Hall { config, ledger, .. } = &mut self.hall;
        let full = ledger.stats.connections_open >= config.max_connections as u64;
        if full || ledger.faults.refuse_connections {
            return None;
        }
        let number = ledger.stats.connections_total;
        ledger.stats.connections_total += 1;
        ledger.stats.connections_open += 1;
        self.sessions.insert(number, Session::new(number, ledger.faults.black_hole));
        Some(number)
    }

    /// Takes a line, without its end, that came on a connection.
    pub fn handle_line(&mut self, connection: u64, line: &[u8], now: Moment) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        tracing::trace!(connection, line = %String::from_utf8_lossy(line), "read");
        if self.hall.ledger.faults.stall || session.is_hole() {
            self.hall.ledger.stats.ignored_lines += 1;
            return;
        }
        if self.hall.ledger.faults.freeze {
            return session.keep_line(line, &mut self.hall);
        }
        session.handle_line(line, now, &mut self.hall);
        self.note_news(connection);
        self.pass_on();
    }

    /// What came on a connection is no line, or one that is too long.
    pub fn handle_malformed(&mut self, connection: u64) {
        self.hall.ledger.stats.malformed_lines += 1;
        self.expel(connection);
    }

    /// More came on a connection at a time than the [`Manners`] of this server bear.
    pub fn handle_flood(&mut self, connection: u64) {
        self.hall.ledger.stats.connections_flooded += 1;
        self.expel(connection);
    }

    /// The other side of a connection does not read what it is written.
    pub fn handle_stuck(&mut self, connection: u64) {
        self.expel(connection);
    }

    fn expel(&mut self, connection: u64) {
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.expel(&mut self.hall);
            self.note_news(connection);
        }
    }

    /// A connection has ended; on whatever side.
    pub fn handle_gone(&mut self, connection: u64) {
        let Some(session) = self.sessions.remove(&connection) else { return };
        self.news.remove(&connection);
        self.hall.ledger.stats.connections_open -= 1;
        if let Some(extranonce1) = session.extranonce1() {
            self.hall.ledger.return_extranonce(extranonce1);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.is_frozen() {
            return;
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.at);
        if due(self.schedule.job) {
            self.schedule.job = next(self.hall.config.job_interval, now);
            self.new_job(now);
        }
        if due(self.schedule.block) {
            self.schedule.block = next(self.hall.config.block_interval, now);
            self.new_block(now);
        }
        while due(self.schedule.trailing.front().copied()) {
            self.schedule.trailing.pop_front();
            self.hall.begin_block(None, now);
            self.pass_on();
        }
        while self.hall.late.peek().is_some_and(|Reverse((at, ..))| *at <= now.at) {
            let Some(Reverse((.., connection, answer))) = self.hall.late.pop() else { return };
            if let Some(session) = self.sessions.get_mut(&connection) {
                session.answer_late(&answer, &self.hall);
                self.note_news(connection);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let late = self.hall.late.peek().map(|Reverse((at, ..))| *at);
        let trailing = self.schedule.trailing.front().copied();
        let due = [self.schedule.job, self.schedule.block, trailing, late].into_iter().flatten();
        due.min().filter(|_| !self.is_frozen())
    }

    /// A connection for which [`transmit`](Self::transmit) has something, each once.
    pub fn poll_news(&mut self) -> Option<u64> {
        self.news.pop_first()
    }

    /// What is to be written on a connection.
    pub fn transmit(&mut self, connection: u64) -> Outgoing {
        if self.is_frozen() {
            return Outgoing { bytes: Bytes::new(), ends: false };
        }
        let closed = Outgoing { bytes: Bytes::new(), ends: true };
        self.sessions.get_mut(&connection).map_or(closed, Session::transmit)
    }

    fn note_news(&mut self, connection: u64) {
        if self.sessions.get(&connection).is_some_and(Session::has_news) {
            self.news.insert(connection);
        }
    }

    /// Tells all connections what has happened.
    fn pass_on(&mut self) {
        if self.is_frozen() {
            return;
        }
        for event in std::mem::take(&mut self.hall.events) {
            for (&number, session) in &mut self.sessions {
                session.handle_event(&event, &mut self.hall);
                if session.has_news() {
                    self.news.insert(number);
                }
            }
        }
    }
}

/// What the operator of the pool does.
impl Pool {
    /// Makes jobs and blocks at the configured intervals from now on.
    pub fn begin_schedule(&mut self, now: Moment) {
        let PoolConfig { job_interval, block_interval, .. } = self.hall.config;
        self.schedule.job = next(job_interval, now);
        self.schedule.block = next(block_interval, now);
    }

    /// Makes a job on the present block and tells it to everybody.
    pub fn new_job(&mut self, now: Moment) {
        self.hall.make_job(now);
        self.pass_on();
    }

    /// Begins a block: a job on it is told to everybody, and where
    /// [blocks close jobs](PoolConfig::blocks_close_jobs), all before it become stale.
    pub fn new_block(&mut self, now: Moment) {
        let faults = &self.hall.ledger.faults;
        match faults.trail {
            _ if faults.lag => {}
            Some(delay) => self.schedule.trailing.push_back(now.at + delay),
            None => {
                self.hall.begin_block(None, now);
                self.pass_on();
            }
        }
    }

    /// The block with this hash is there, which another one has found: as [`new_block`](Self::new_block).
    pub fn hear_of_block(&mut self, tip: [u8; 32], now: Moment) {
        self.hall.begin_block(Some(tip), now);
        self.pass_on();
    }

    /// Makes the pool misbehave.
    pub fn fault(&mut self, fault: PoolFault, now: Moment) {
        tracing::info!(?fault, "fault");
        let hall = &mut self.hall;
        let ledger = &mut hall.ledger;
        match fault {
            PoolFault::DropConnections => hall.tell(ConnectionOrder::Drop),
            PoolFault::RefuseConnections => {
                ledger.faults.refuse_connections = true;
                hall.tell(ConnectionOrder::Drop);
            }
            PoolFault::Hang => ledger.faults.hang = true,
            PoolFault::Stall => ledger.faults.stall = true,
            PoolFault::Freeze => ledger.faults.freeze = true,
            PoolFault::BlackHole => {
                ledger.faults.black_hole = true;
                hall.tell(ConnectionOrder::Drop);
            }
            PoolFault::Lag => ledger.faults.lag = true,
            PoolFault::Trail(delay) => ledger.faults.trail = Some(delay),
            PoolFault::NewExtranonce1 => {
                ledger.forget_extranonces();
                hall.tell(ConnectionOrder::Drop);
            }
            PoolFault::Restart => {
                ledger.restart_extranonces(&hall.config);
                hall.tell(ConnectionOrder::Drop);
            }
            PoolFault::SameExtranonce1 => ledger.faults.same_extranonce1 = true,
            PoolFault::SetExtranonce => {
                hall.tell(ConnectionOrder::SetExtranonce);
                hall.make_job(now);
            }
            PoolFault::Difficulty(difficulty) => ledger.difficulty = difficulty,
            PoolFault::DifficultyNow(difficulty) => {
                ledger.difficulty = difficulty;
                hall.tell(ConnectionOrder::RepeatWithDifficulty);
            }
            PoolFault::DifficultyAlone(difficulty) => {
                ledger.difficulty = difficulty;
                hall.tell(ConnectionOrder::Announce);
            }
            PoolFault::RefuseWorker(name) => ledger.faults.refuse_worker(name),
            PoolFault::RefuseShares => ledger.faults.refuse_shares = true,
            PoolFault::NoVerdicts => ledger.faults.no_verdicts = true,
            PoolFault::LateVerdicts(delay) => ledger.faults.late_verdicts = Some(delay),
            PoolFault::UnusableNotify => hall.tell_notify(&hall.config.coin.unusable_notify()),
            PoolFault::OverlongNotify => {
                hall.tell_notify(&format_args!("[\"{}\"]", "0".repeat(OVERLONG)));
            }
            PoolFault::RepeatNotify => hall.tell(ConnectionOrder::Repeat),
            PoolFault::ErrorObjects => ledger.faults.error_objects = true,
            PoolFault::Jobless => ledger.faults.jobless = true,
            PoolFault::UnusableJobs => ledger.faults.unusable_jobs = true,
            PoolFault::StaleVerdicts => ledger.faults.stale_verdicts = true,
            PoolFault::CloseAfterShare => ledger.faults.close_after_share = true,
            PoolFault::ReconnectAtLogin => ledger.faults.reconnect_at_login = true,
        }
        self.pass_on();
    }

    /// Ends all lasting faults; a changed difficulty stays. Connections that were left without jobs
    /// hear of the next one.
    pub fn heal(&mut self, now: Moment) {
        let faults = std::mem::take(&mut self.hall.ledger.faults);
        if !faults.freeze {
            return;
        }
        self.pass_on();
        let numbers: Vec<u64> = self.sessions.keys().copied().collect();
        for number in numbers {
            let lines = self.sessions.get_mut(&number).map(Session::take_lines);
            for line in lines.into_iter().flatten() {
                self.handle_line(number, &line, now);
            }
            self.note_news(number);
        }
    }

    /// Whether connections that come are left waiting: they are not to be handed in.
    #[must_use]
    pub const fn is_hung(&self) -> bool {
        self.hall.ledger.faults.hang
    }

    /// Whether nothing is read or written.
    const fn is_frozen(&self) -> bool {
        self.hall.ledger.faults.freeze
    }

    /// The counters as they are now.
    #[must_use]
    pub const fn stats(&self) -> &PoolStats {
        &self.hall.ledger.stats
    }

    /// How the server treats its connections.
    #[must_use]
    pub fn manners(&self) -> Manners {
        self.hall.config.coin.manners()
    }
}

impl Hall {
    fn make_job(&mut self, now: Moment) {
        let made = self.ledger.make_job(&self.config, now);
        tracing::debug!(job = made.job.id(), "new job");
        self.tell(ConnectionOrder::NewJob(made));
    }

    fn begin_block(&mut self, tip: Option<[u8; 32]>, now: Moment) {
        self.ledger.begin_block(&self.config, tip);
        self.make_job(now);
    }

    fn tell(&mut self, event: ConnectionOrder) {
        self.events.push(event);
    }

    fn tell_notify(&mut self, params: &dyn std::fmt::Display) {
        let mut line = BytesMut::new();
        self.config.coin.put_call("mining.notify", params, &mut line);
        self.tell(ConnectionOrder::Raw(line.freeze()));
    }

    /// Has an answer given on a connection at a later time.
    fn answer_at(&mut self, at: Instant, connection: u64, answer: Bytes) {
        self.answers += 1;
        self.late.push(Reverse((at, self.answers, connection, answer)));
    }
}

/// When something that happens so often happens next.
fn next(period: Option<Duration>, now: Moment) -> Option<Instant> {
    period.filter(|period| !period.is_zero()).map(|period| now.at + period)
}
