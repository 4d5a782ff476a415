//! `orepass-sim pool`.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use orepass_stratum::target::Difficulty;

use crate::aion::{AionPool, Family};
use crate::bitcoin::BitcoinPool;
use crate::handshake::{HandshakePool, PoolScale, StratumGeneration};
use crate::net::PoolServer;
use crate::pool::{ExtranonceSource, JudgedBy, PoolConfig, PoolFault};
use crate::registry::{SimDialect, SimRegistry};

#[derive(Debug, Args)]
pub(super) struct PoolArgs {
    /// The coin's variant of stratum
    #[arg(long, value_name = "NAME")]
    dialect: String,
    /// Where to listen
    #[arg(long, value_name = "ADDR")]
    listen: String,
    /// The share difficulty [default: 0.000001; with aion and zcash one where every solution is a
    /// share]
    #[arg(long, value_name = "D", value_parser = difficulty)]
    difficulty: Option<Difficulty>,
    /// Judge shares by the difficulty at the newest notify, not by the one at their job
    #[arg(long)]
    judge_present: bool,
    /// Judge shares by the difficulty that was announced last, at once
    #[arg(long, conflicts_with = "judge_present")]
    judge_at_once: bool,
    /// Let a connection's last authorize decide for all its workers
    #[arg(long)]
    one_flag: bool,
    /// Draw extranonce1 at random instead of counting connections
    #[arg(long)]
    random_extranonce1: bool,
    /// Give a former extranonce1 back to whoever asks for it
    #[arg(long)]
    resume_sessions: bool,
    /// Seconds between jobs [default: 30; none between blocks with aion and zcash]
    #[arg(long, value_name = "S", value_parser = super::seconds)]
    job_interval: Option<Duration>,
    /// Seconds between blocks [default: 600; 10 with aion and zcash]
    #[arg(long, value_name = "S", value_parser = super::seconds)]
    block_interval: Option<Duration>,
    /// Misbehave: NAME, NAME:VALUE, or either with @SECONDS for later; may be given repeatedly
    #[arg(
        long = "fault",
        value_name = "FAULT",
        long_help = format!(
            "Misbehave: NAME, NAME:VALUE, or either with @SECONDS for later; may be given \
             repeatedly. There are: {}",
            PoolFault::NAMES
        )
    )]
    faults: Vec<TimedFault>,
    /// End after so many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    #[command(flatten)]
    hstratum: HstratumPoolArgs,
    #[command(flatten)]
    aion: AionPoolArgs,
    #[command(flatten)]
    bitcoin: BitcoinPoolArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of hstratum")]
struct HstratumPoolArgs {
    /// The layout of the jobs
    #[arg(long, value_enum, default_value = "deployed")]
    generation: StratumGeneration,
    /// What difficulties mean [default: bitcoin; hstratum with the seed generations]
    #[arg(long, value_enum)]
    scale: Option<PoolScale>,
    /// The announced size: extranonce2's, or that of the whole header field
    #[arg(long, value_name = "BYTES", default_value = "4", value_parser = extranonce2_size)]
    extranonce2_size: usize,
    /// Take an extranonce2 of exactly 4 bytes only
    #[arg(long)]
    strict_extranonce2: bool,
    /// Use a secret mask (with generation deployed-mask)
    #[arg(long)]
    random_mask: bool,
    /// Transactions in a block beside the coinbase (seed generations)
    #[arg(long, value_name = "N", default_value_t = 0)]
    transactions: usize,
    /// The block target in compact form; 207fffff makes every second share a block
    #[arg(long, value_name = "HEX", default_value = "1900ffff", value_parser = bits)]
    bits: u32,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of aion")]
struct AionPoolArgs {
    /// The kind of server
    #[arg(long, value_enum, default_value = "miningcore")]
    family: Family,
    /// Tell jobs between blocks as not clean
    #[arg(long)]
    soft_jobs: bool,
    /// Announce the share target by set_difficulty with a string (family node)
    #[arg(long)]
    string_difficulty: bool,
    /// Announce by set_difficulty so many times the difficulty that shares are judged by, and tell
    /// that in the notify (family node)
    #[arg(long, value_name = "FACTOR", value_parser = difficulty)]
    announce_times: Option<Difficulty>,
    /// Announce difficulties and no target (family miningcore)
    #[arg(long)]
    no_set_target: bool,
    /// The difficulty of blocks
    #[arg(long, value_name = "D", default_value = "11500000", value_parser = difficulty)]
    network_difficulty: Difficulty,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of bitcoin")]
struct BitcoinPoolArgs {
    /// The length of extranonce2
    #[arg(long, value_name = "BYTES", default_value_t = 8)]
    bitcoin_extranonce2: u8,
    /// The bits of the version that may be rolled; 00000000 grants no version rolling
    #[arg(long, value_name = "HEX", default_value = "1fffe000", value_parser = bits)]
    version_mask: u32,
    /// The bits that may be rolled from the first job on, by mining.set_version_mask
    #[arg(long, value_name = "HEX", value_parser = bits)]
    narrow_mask: Option<u32>,
    /// The script that blocks pay (scriptPubKey)
    #[arg(long, value_name = "HEX", value_parser = script)]
    pay: Option<Script>,
    /// Make coinbases that are no transactions
    #[arg(long)]
    break_coinbases: bool,
}

/// A script in hex.
#[derive(Debug, Clone)]
struct Script(Vec<u8>);

impl PoolArgs {
    pub(super) async fn run(self, registry: &SimRegistry) -> anyhow::Result<()> {
        let dialect = super::dialect(&self.dialect, registry)?;
        let pool = PoolServer::new(self.config(dialect));
        let address = pool
            .listen(&self.listen)
            .await
            .with_context(|| format!("cannot listen at {}", self.listen))?;
        tracing::info!(%address, dialect = self.dialect, "pool is open");
        pool.begin_schedule();
        for TimedFault { fault, after } in self.faults {
            let pool = pool.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                pool.fault(fault);
            });
        }
        super::watch(self.seconds, || {
            let stats = pool.stats();
            format!(
                "{} connections, {} jobs, {} accepted, {} rejected ({} stale, {} duplicates, {} second \
                 solutions, {} low difficulty), {} blocks",
                stats.connections_open,
                stats.jobs,
                stats.accepted,
                stats.rejected(),
                stats.stale,
                stats.duplicates,
                stats.second_solutions,
                stats.low_difficulty,
                stats.blocks_found,
            )
        })
        .await?;
        pool.close();
        super::print_summary(&pool.stats())
    }

    fn config(&self, dialect: SimDialect) -> PoolConfig {
        let usual = match dialect {
            SimDialect::Hstratum => self.hstratum.config(),
            SimDialect::Aion => self.aion.config(),
            SimDialect::Bitcoin => self.bitcoin.config(),
            SimDialect::Other(coin) => (coin.pool)(),
        };
        let source =
            if self.random_extranonce1 { ExtranonceSource::Random } else { usual.extranonce1 };
        PoolConfig {
            difficulty: self.difficulty.map_or(usual.difficulty, Difficulty::get),
            extranonce1: source,
            resume_sessions: self.resume_sessions,
            judge: match (self.judge_present, self.judge_at_once) {
                (_, true) => JudgedBy::AtOnce,
                (true, false) => JudgedBy::Present,
                (false, false) => JudgedBy::AtJob,
            },
            one_flag: self.one_flag,
            job_interval: self.job_interval.or(usual.job_interval),
            block_interval: self.block_interval.or(usual.block_interval),
            seed: fastrand::u64(..),
            ..usual
        }
    }
}

impl HstratumPoolArgs {
    fn config(&self) -> PoolConfig {
        let usual = HandshakePool::new(self.generation);
        let coin = HandshakePool {
            extranonce2_size: self.extranonce2_size,
            strict_extranonce2: self.strict_extranonce2,
            scale: self.scale.unwrap_or(usual.scale),
            random_mask: self.random_mask,
            bits: self.bits,
            transactions: self.transactions,
            ..usual
        };
        PoolConfig { coin: Arc::new(coin), ..PoolConfig::default() }
    }
}

impl AionPoolArgs {
    fn config(&self) -> PoolConfig {
        let coin = AionPool {
            soft_jobs: self.soft_jobs,
            string_difficulty: self.string_difficulty,
            announce_times: self.announce_times.map(Difficulty::get),
            tells_target: !self.no_set_target,
            network_difficulty: self.network_difficulty.get(),
            ..AionPool::new(self.family)
        };
        PoolConfig { coin: Arc::new(coin), ..PoolConfig::aion(self.family, 1.0) }
    }
}

impl BitcoinPoolArgs {
    fn config(&self) -> PoolConfig {
        let usual = BitcoinPool::default();
        let coin = BitcoinPool {
            extranonce2_size: self.bitcoin_extranonce2.into(),
            version_mask: self.version_mask,
            narrows_to: self.narrow_mask,
            pays: self.pay.as_ref().map_or(usual.pays, |Script(script)| vec![script.clone()]),
            breaks_coinbases: self.break_coinbases,
            ..usual
        };
        PoolConfig::bitcoin(coin, PoolConfig::default().difficulty)
    }
}

/// A fault, and how long after the start it comes.
#[derive(Debug, Clone)]
struct TimedFault {
    fault: PoolFault,
    after: Duration,
}

impl FromStr for TimedFault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        // A worker's name may have an @ of its own.
        let later = text
            .rsplit_once('@')
            .and_then(|(fault, after)| Some((fault, super::seconds(after).ok()?)));
        let (fault, after) = later.unwrap_or((text, Duration::ZERO));
        Ok(Self { fault: fault.parse()?, after })
    }
}

fn difficulty(text: &str) -> Result<Difficulty, &'static str> {
    text.parse().ok().and_then(Difficulty::new).ok_or("not a number above zero")
}

fn extranonce2_size(text: &str) -> Result<usize, &'static str> {
    match text {
        "4" => Ok(4),
        "24" => Ok(24),
        _ => Err("servers announce 4 or 24"),
    }
}

fn script(text: &str) -> Result<Script, const_hex::FromHexError> {
    const_hex::decode(text).map(Script)
}

fn bits(text: &str) -> Result<u32, std::num::ParseIntError> {
    u32::from_str_radix(text, 16)
}
