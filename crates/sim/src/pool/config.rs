//! What a pool is made of.

use std::sync::Arc;
use std::time::Duration;

use crate::aion::{AionPool, Family};
use crate::bitcoin::BitcoinPool;
use crate::coin::PoolCoin;
use crate::handshake::{HandshakePool, StratumGeneration};
use crate::zcash::ZcashPool;

/// How far apart Aion's blocks are, and Zcash's, which take as long to solve.
const SOLVED_BLOCKS: Duration = Duration::from_secs(10);

/// A simulated pool's options. The default is a public Handshake pool of the deployed generation
/// with a difficulty that a CPU meets about once in 4,000 hashes.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The coin and its options.
    pub coin: Arc<dyn PoolCoin>,
    /// The share difficulty on the coin's scale; 1 where this is no number above zero.
    pub difficulty: f64,
    /// The length of extranonce1 in bytes.
    pub extranonce1_size: usize,
    /// Where extranonce1 comes from.
    pub extranonce1: ExtranonceSource,
    /// Whether `mining.subscribe` with a former extranonce1 as its second parameter gets it back.
    pub resume_sessions: bool,
    /// Whether the first job is told after subscribe already, or only when a worker authorized.
    pub notify_before_authorize: bool,
    /// Which difficulty a share is judged by.
    pub judge: JudgedBy,
    /// Whether the difficulty is told again after each share that missed it.
    pub repeat_difficulty: bool,
    /// Whether a connection's last authorize decides for all its workers, as with both libraries that
    /// Aion's servers use; otherwise each worker that was welcomed may submit.
    pub one_flag: bool,
    /// Whether `mining.authorize_admin` and `mining.add_user` are known.
    pub admin_methods: bool,
    /// Whether `mining.extranonce.subscribe` is known.
    pub extranonce_subscribe: bool,
    /// How many jobs are open for shares.
    pub open_jobs: usize,
    /// Whether a new block closes all jobs before it.
    pub blocks_close_jobs: bool,
    /// Whether a share that is a block makes a new block.
    pub real_blocks: bool,
    /// How often a new job is made, once [a schedule begins](super::Pool::begin_schedule).
    pub job_interval: Option<Duration>,
    /// How often a new block is begun then.
    pub block_interval: Option<Duration>,
    /// The time of the first job in Unix seconds, each further job being a second later; the
    /// clock's time where it is `None`.
    pub fixed_time: Option<u64>,
    /// Of the random numbers that jobs are made of.
    pub seed: u64,
    /// How many connections are served at the same time.
    pub max_connections: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            coin: Arc::new(HandshakePool::new(StratumGeneration::Deployed)),
            difficulty: 1e-6,
            extranonce1_size: 4,
            extranonce1: ExtranonceSource::Counter,
            resume_sessions: false,
            notify_before_authorize: false,
            judge: JudgedBy::AtJob,
            repeat_difficulty: true,
            one_flag: false,
            admin_methods: true,
            extranonce_subscribe: false,
            open_jobs: 6,
            blocks_close_jobs: true,
            real_blocks: true,
            job_interval: Some(Duration::from_secs(30)),
            block_interval: Some(Duration::from_secs(600)),
            fixed_time: None,
            seed: 0,
            max_connections: 16_384,
        }
    }
}

impl PoolConfig {
    /// A Handshake pool of this generation with this difficulty.
    #[must_use]
    pub fn handshake(generation: StratumGeneration, difficulty: f64) -> Self {
        Self { coin: Arc::new(HandshakePool::new(generation)), difficulty, ..Self::default() }
    }

    /// A Bitcoin pool with these options, and this difficulty.
    #[must_use]
    pub fn bitcoin(coin: BitcoinPool, difficulty: f64) -> Self {
        Self {
            difficulty,
            extranonce1_size: coin.extranonce1_size,
            coin: Arc::new(coin),
            repeat_difficulty: false,
            admin_methods: false,
            extranonce_subscribe: true,
            ..Self::default()
        }
    }

    /// An Aion pool of this family. At difficulty 1 every solution is a share.
    #[must_use]
    pub fn aion(family: Family, difficulty: f64) -> Self {
        Self {
            coin: Arc::new(AionPool::new(family)),
            difficulty,
            extranonce1_size: family.extranonce1_size(),
            extranonce1: family.extranonce1_source(),
            notify_before_authorize: family == Family::Node,
            repeat_difficulty: false,
            admin_methods: false,
            open_jobs: 4,
            // The node-based servers forget their jobs with each block, the others only in time.
            blocks_close_jobs: family == Family::Node,
            real_blocks: false,
            job_interval: None,
            block_interval: Some(SOLVED_BLOCKS),
            ..Self::default()
        }
    }

    /// A Zcash pool of the NOMP family where every solution is a share.
    #[must_use]
    pub fn zcash() -> Self {
        Self {
            coin: Arc::new(ZcashPool::default()),
            difficulty: 1.0 / 8192.0,
            repeat_difficulty: false,
            admin_methods: false,
            real_blocks: false,
            job_interval: None,
            block_interval: Some(SOLVED_BLOCKS),
            ..Self::default()
        }
    }
}

/// Where extranonce1 comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtranonceSource {
    /// Counts connections from 0, as the hstratum family does.
    Counter,
    /// Counts connections from this number.
    CounterFrom(u64),
    /// Four random bytes that stay the same while the pool runs, then a counter of four bytes, as
    /// Aion's solo pool does.
    Instance,
    /// Draws a number that no open connection has, as Miningcore does.
    Random,
}

/// Which difficulty a share is judged by, after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JudgedBy {
    /// The one that its job was told with; where it was told with several, the easiest.
    #[default]
    AtJob,
    /// The one that stood at the newest notify, also for shares of jobs before it, as HandyStratum
    /// does.
    Present,
    /// The one that was announced last, whether with a job or alone.
    AtOnce,
}

impl JudgedBy {
    /// The one that counts of those at the share's job, at the newest notify, and announced last.
    pub fn choose<T>(self, at_job: T, present: T, announced: T) -> T {
        match self {
            Self::AtJob => at_job,
            Self::Present => present,
            Self::AtOnce => announced,
        }
    }
}
