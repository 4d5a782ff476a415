//! A simulated rig that really hashes. It has no socket and no clock: lines and the time come in,
//! bytes go out, and it hashes when it is told that it may.

mod config;
mod inbound;
mod mining;
mod pace;
mod stats;

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use orepass_stratum::line::LineError;
use orepass_stratum::rpc::{self, Quoted};
use orepass_stratum::target::Target;

use self::mining::SearchedJob;
use self::pace::HashPace;
use crate::coin::{Allotment, FirmwareHabits};

pub use config::{LoginOrder, RigConfig, Rubbish};
pub use stats::RigStats;

/// How many jobs a rig remembers, to notice repeated ones.
const MEMORY: usize = 256;
/// How many calls beside shares may wait for their answers.
const MAX_CALLS: usize = 64;

/// A simulated rig without I/O, through all its connections.
#[derive(Debug)]
pub struct Rig {
    config: RigConfig,
    habits: FirmwareHabits,
    stats: RigStats,
    memory: RigMemory,
    rng: fastrand::Rng,
    pace: HashPace,
    /// Whether it is to hash.
    mining: bool,
    link: RigConnection,
    out: BytesMut,
}

/// What belongs to one connection.
#[derive(Debug, Default)]
struct RigConnection {
    /// Whether there is a connection, and it goes on.
    open: bool,
    /// The calls of the login that are still to come, the next one last.
    login: Vec<Call>,
    last_id: u64,
    /// At most [`MAX_CALLS`] more than `config.max_pending`.
    pending: BTreeMap<u64, Call>,
    allotment: Option<Allotment>,
    /// What the pool granted last.
    granted: Option<String>,
    /// The target announced last.
    announced: Option<Target>,
    job: Option<SearchedJob>,
    /// The job that is taken up as soon as what the rig has begun on the present one is finished,
    /// at the latest at that time.
    successor: Option<(SearchedJob, Instant)>,
}

/// What a rig knows beyond one connection.
#[derive(Debug, Default)]
struct RigMemory {
    /// Hashes of job ids.
    job_ids: VecDeque<u64>,
    /// Fingerprints of works with their extranonce1.
    works: VecDeque<u64>,
    /// The id of the job that it took last.
    last_job: Option<String>,
    /// Which rubbish comes next.
    rubbish: usize,
    /// Where it is to connect to; empty where that is no address.
    address: String,
    /// Whether it has given up for good.
    ended: bool,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
enum Call {
    Configure,
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

impl Rig {
    /// A rig that has not connected.
    #[must_use]
    pub fn new(config: RigConfig) -> Self {
        Self {
            habits: config.coin.habits(),
            stats: RigStats::default(),
            memory: RigMemory::default(),
            rng: fastrand::Rng::with_seed(config.seed),
            pace: HashPace::new(config.hashrate),
            mining: true,
            link: RigConnection::default(),
            out: BytesMut::new(),
            config,
        }
    }

    /// Where it wants to connect to, as `host:port`. Firmware that follows `client.reconnect` may
    /// change that.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.memory.address
    }

    /// Sends it to an address.
    pub fn set_address(&mut self, address: String) {
        self.memory.address = address;
    }

    /// It is connected, and begins its login.
    pub fn handle_connected(&mut self) {
        self.stats.connects += 1;
        self.stats.connected = 1;
        self.pace = HashPace::new(self.config.hashrate);
        self.out.clear();
        let login = login(&self.config);
        self.link = RigConnection { open: true, login, ..RigConnection::default() };
        self.go_on_with_login();
    }

    /// A connection could not be made.
    pub fn handle_unconnected(&mut self, why: String) {
        tracing::debug!(worker = self.config.worker, why, "cannot connect");
        self.stats.connect_failures += 1;
        self.stats.last_error = Some(why);
    }

    /// What came is no line, or one that is too long.
    pub fn handle_line_error(&mut self, error: &LineError) {
        self.count_malformed(error.to_string());
        if matches!(error, LineError::NotStratum { .. }) {
            self.link.open = false;
        }
    }

    /// So many lines were passed over for their first or last byte.
    pub const fn handle_ignored(&mut self, lines: u64) {
        self.stats.lines_ignored += lines;
    }

    /// The connection has ended: the other side did it, or this one was told to
    /// [end](Self::wants_to_end). What is left open is booked.
    pub fn handle_disconnected(&mut self) {
        self.stats.disconnects += 1;
        self.disconnect();
    }

    /// The connection was ended from outside.
    pub fn disconnect(&mut self) {
        self.link = RigConnection::default();
        self.out.clear();
        let stats = &mut self.stats;
        stats.unanswered += std::mem::take(&mut stats.pending);
        stats.connected = 0;
        stats.logged_in = 0;
        stats.mining = 0;
    }

    /// Whether the connection is to be ended, when all has been written.
    #[must_use]
    pub const fn wants_to_end(&self) -> bool {
        !self.link.open
    }

    /// Whether it has given up for good.
    #[must_use]
    pub const fn has_given_up(&self) -> bool {
        self.memory.ended
    }

    /// How long it waits before the next connection.
    pub fn pause(&mut self) -> Duration {
        let range = self.config.reconnect_max.saturating_sub(self.config.reconnect_min);
        self.config.reconnect_min + range.mul_f64(self.rng.f64())
    }

    /// Whether it is to hash whenever it can; it is from the beginning on.
    pub fn set_mining(&mut self, mining: bool) {
        self.mining = mining;
        self.decide_mining();
    }

    /// What is to be written.
    pub fn transmit(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.link.successor.as_ref().map(|(_, until)| *until)
    }

    /// The present job must make way.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.take_over();
        }
    }

    /// When it next hashes; `None` when it does not.
    pub fn poll_mining(&mut self, now: Instant) -> Option<Instant> {
        self.decide_mining().then(|| self.pace.due().unwrap_or(now))
    }

    /// Ready when [`mine`](Self::mine) has something to do. Searches that work in the background are
    /// begun by it.
    pub fn poll_search(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.search().map_or(Poll::Ready(()), |search| search.poll_ready(context))
    }

    /// The counters as they are now.
    #[must_use]
    pub const fn stats(&self) -> &RigStats {
        &self.stats
    }

    /// How its firmware treats what it is told.
    #[must_use]
    pub const fn habits(&self) -> &FirmwareHabits {
        &self.habits
    }

    fn count_malformed(&mut self, error: String) {
        self.stats.malformed_lines += 1;
        self.stats.last_error = Some(error);
    }

    fn go_on_with_login(&mut self) {
        let Some(call) = self.link.login.pop() else {
            self.stats.logged_in = 1;
            return;
        };
        let (method, params) = match &call {
            Call::Configure => {
                let params = self.config.coin.configure_params();
                ("mining.configure", params.unwrap_or_else(|| "[]".to_owned()))
            }
            Call::Subscribe => {
                let config = &self.config;
                let params = config.coin.subscribe_params(&config.agent, &self.memory.address);
                ("mining.subscribe", params)
            }
            Call::Authorize => ("mining.authorize", self.credentials()),
            Call::Courtesy(method @ "mining.extranonce.subscribe") => (*method, "[]".to_owned()),
            Call::Courtesy(method) => (*method, self.credentials()),
            Call::Transactions { .. } | Call::Share { .. } | Call::Rubbish => return,
        };
        let asks_extranonce = method == "mining.extranonce.subscribe";
        self.call(call, method, &params);
        if asks_extranonce && self.habits.mines_once_authorized && self.link.login.is_empty() {
            self.stats.logged_in = 1;
        }
    }

    fn credentials(&self) -> String {
        format!("[{},{}]", Quoted(&self.config.worker), Quoted(&self.config.password))
    }

    fn call(&mut self, call: Call, method: &str, params: &str) {
        let link = &mut self.link;
        link.last_id += 1;
        let id = link.last_id;
        if link.pending.len() >= self.config.max_pending + MAX_CALLS
            && let Some((_, Call::Share { .. })) = link.pending.pop_first()
        {
            // The pool answers nothing: what it owes longest is given up.
            self.stats.pending -= 1;
            self.stats.unanswered += 1;
        }
        link.pending.insert(id, call);
        let quote = if self.config.string_ids { "\"" } else { "" };
        let text = format_args!(
            "{{\"id\":{quote}{id}{quote},\"method\":\"{method}\",\"params\":{params}}}\n"
        );
        rpc::put(&mut self.out, text);
    }
}

/// The calls of a login, the first one last.
fn login(config: &RigConfig) -> Vec<Call> {
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
    if config.coin.configure_params().is_some() {
        login.insert(0, Call::Configure);
    }
    login.reverse();
    login
}

impl RigMemory {
    /// Notes a job; says whether its id and its work were there before.
    fn note_job(&mut self, id: u64, work: u64) -> (bool, bool) {
        let seen = (self.job_ids.contains(&id), self.works.contains(&work));
        if self.job_ids.len() == MEMORY {
            self.job_ids.pop_front();
        }
        if self.works.len() == MEMORY {
            self.works.pop_front();
        }
        self.job_ids.push_back(id);
        self.works.push_back(work);
        seen
    }
}
