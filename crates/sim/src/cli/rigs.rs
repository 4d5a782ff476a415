//! `orepass-sim rigs`.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use orepass_aion::pow::EQUIHASH;

use crate::aion::AionRig;
use crate::bitcoin::BitcoinRig;
use crate::equihash::Solvers;
use crate::handshake::{ExtranoncePolicy, HandshakeRig, PoolScale};
use crate::net::RigFarm;
use crate::registry::{SimDialect, SimRegistry};
use crate::rig::{LoginOrder, RigConfig, Rubbish};

/// How long open answers are waited for at the end.
const DRAIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct RigsArgs {
    /// The coin's variant of stratum
    #[arg(long, value_name = "NAME")]
    dialect: String,
    /// Where to connect to
    #[arg(long, value_name = "ADDR")]
    connect: String,
    /// How many rigs
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// Hashes per second of each rig [default: 500; as many as there are with aion and zcash]
    #[arg(long, value_name = "H")]
    hashrate: Option<f64>,
    /// The beginning of the workers' names; a number follows
    #[arg(long, value_name = "PREFIX", default_value = "sim.")]
    worker: String,
    /// The password
    #[arg(long, default_value = "x")]
    password: String,
    /// Ask for mining.set_extranonce, as those of aion and zcash always do
    #[arg(long)]
    extranonce_subscribe: bool,
    /// Connect again after at most so many seconds [default: 3]
    #[arg(long, value_name = "S", value_parser = super::seconds)]
    reconnect_max: Option<Duration>,
    /// Let the rigs connect one after the other within so many seconds
    #[arg(long, value_name = "S", default_value = "1", value_parser = super::seconds)]
    ramp_up: Duration,
    /// Send rubbish beside good shares; may be given repeatedly
    #[arg(long = "fault", value_enum, value_name = "RUBBISH")]
    faults: Vec<Rubbish>,
    /// After how many good shares each a piece of rubbish follows
    #[arg(long, value_name = "N", default_value_t = 10)]
    fault_every: u64,
    /// End after so many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    #[command(flatten)]
    hstratum: HstratumRigArgs,
    #[command(flatten)]
    aion: AionRigArgs,
    #[command(flatten)]
    bitcoin: BitcoinRigArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of hstratum")]
struct HstratumRigArgs {
    /// What the firmware makes of the announced extranonce
    #[arg(long, value_enum, default_value = "respect")]
    policy: ExtranoncePolicy,
    /// How the firmware reads difficulties
    #[arg(long, value_enum, default_value = "bitcoin")]
    scale: PoolScale,
    /// The order of the login
    #[arg(long, value_enum, default_value = "subscribe-first")]
    login: LoginOrder,
    /// Send a sixth submit parameter, a mask of zeros
    #[arg(long)]
    six_params: bool,
    /// Send nonces of 16 digits
    #[arg(long)]
    long_nonces: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of aion")]
struct AionRigArgs {
    /// How many nonces all rigs solve at a time [default: the processors]
    #[arg(long, value_name = "N")]
    solver_threads: Option<usize>,
    /// How many nonces a rig works on at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u8,
    /// Work from the target of mining.set_target instead of the notify's
    #[arg(long)]
    obey_set_target: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of bitcoin")]
struct BitcoinRigArgs {
    /// Know nothing of version rolling
    #[arg(long)]
    no_version_rolling: bool,
    /// Ask for no easier difficulty than this by mining.configure
    #[arg(long, value_name = "D")]
    minimum_difficulty: Option<f64>,
    /// Roll a bit of the version that no pool grants
    #[arg(long)]
    roll_too_much: bool,
}

impl RigsArgs {
    pub(super) async fn run(self, registry: &SimRegistry) -> anyhow::Result<()> {
        let dialect = super::dialect(&self.dialect, registry)?;
        let seed = fastrand::u64(..);
        let solvers = self.aion.solvers();
        let farm = RigFarm::start(self.count, &self.connect, self.ramp_up, |number| {
            self.config(dialect, number, seed, &solvers)
        });
        super::watch(self.seconds, || {
            let stats = farm.stats();
            format!(
                "{}/{} logged in, {} hashes, {} shares, {} accepted, {} rejected, {} pending, \
                 {} unanswered",
                stats.logged_in,
                self.count,
                stats.hashes,
                stats.shares_sent,
                stats.accepted,
                stats.rejected,
                stats.pending,
                stats.unanswered,
            )
        })
        .await?;
        if let Err(error) = farm.drain(DRAIN).await {
            tracing::warn!(%error, "some shares stay unanswered");
        }
        super::print_summary(&farm.close().await)
    }

    fn config(
        &self,
        dialect: SimDialect,
        number: usize,
        seed: u64,
        solvers: &Solvers,
    ) -> RigConfig {
        let usual = match dialect {
            SimDialect::Hstratum => self.hstratum.config(),
            SimDialect::Aion => self.aion.config(solvers),
            SimDialect::Bitcoin => self.bitcoin.config(),
            SimDialect::Other(coin) => (coin.rig)(),
        };
        let reconnect_max = self.reconnect_max.unwrap_or(usual.reconnect_max);
        RigConfig {
            worker: format!("{}{number}", self.worker),
            password: self.password.clone(),
            hashrate: self.hashrate.unwrap_or(usual.hashrate),
            extranonce_subscribe: self.extranonce_subscribe || usual.extranonce_subscribe,
            reconnect_min: usual.reconnect_min.min(reconnect_max),
            reconnect_max,
            rubbish: self.faults.clone(),
            rubbish_every: self.fault_every,
            seed: seed.wrapping_add(number as u64),
            ..usual
        }
    }
}

impl HstratumRigArgs {
    fn config(&self) -> RigConfig {
        let coin = HandshakeRig {
            policy: self.policy,
            scale: self.scale,
            six_params: self.six_params,
            long_nonces: self.long_nonces,
            ..HandshakeRig::default()
        };
        RigConfig {
            coin: Arc::new(coin),
            hashrate: 500.0,
            login: self.login,
            string_ids: self.login == LoginOrder::HandyMiner,
            ..RigConfig::default()
        }
    }
}

impl AionRigArgs {
    fn solvers(&self) -> Solvers {
        let new = |threads| Solvers::new(EQUIHASH, threads);
        self.solver_threads.map_or_else(|| Solvers::shared(EQUIHASH), new)
    }

    fn config(&self, solvers: &Solvers) -> RigConfig {
        let coin = AionRig {
            seat: solvers.seat(),
            threads: self.threads,
            obeys_set_target: self.obey_set_target,
        };
        RigConfig {
            coin: Arc::new(coin),
            difficulty_at_once: self.obey_set_target,
            ..RigConfig::aion()
        }
    }
}

impl BitcoinRigArgs {
    fn config(&self) -> RigConfig {
        let usual = BitcoinRig::default();
        let coin = BitcoinRig {
            version_mask: if self.no_version_rolling { 0 } else { usual.version_mask },
            minimum_difficulty: self.minimum_difficulty,
            rolls_too_much: self.roll_too_much,
            ..usual
        };
        RigConfig { coin: Arc::new(coin), hashrate: 500.0, ..RigConfig::bitcoin() }
    }
}
