//! The demo's pool and rigs, by dialect.

use std::time::Duration;

use orepass_aion::Aion;
use orepass_hstratum::Hstratum;
use orepass_sim::aion::Family;
use orepass_sim::handshake::Generation;
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::dialect::Dialect;

use crate::commands::CommandError;
use crate::registry::Registry;

/// What the demo needs to know of a coin.
pub(super) struct Coin {
    pub(super) dialect: String,
    pub(super) pool: PoolConfig,
    /// The habits of each rig, by its number.
    pub(super) rig: fn(usize) -> RigConfig,
    /// Lines of the route's config.
    pub(super) route: &'static str,
    /// How many rigs there are where nobody says how many.
    pub(super) rigs: usize,
    pub(super) story: Story,
}

/// What happens during the demo.
#[derive(Clone, Copy)]
pub(super) struct Story {
    /// The pool finds so many blocks, evenly spread.
    pub(super) blocks: u64,
    /// So many shares come at least before each of them.
    pub(super) shares_between: u64,
    /// Whether it makes a job each second between them.
    pub(super) jobs_between: bool,
    /// How long so many rigs may take until each has its accepted share, past the demo's time.
    pub(super) patience: fn(usize) -> Duration,
}

/// The coins of a name, or all that the registry and the demo know.
pub(super) fn chosen(name: &str, registry: &Registry) -> Result<Vec<Coin>, CommandError> {
    let known = [handshake(), aion()];
    let coins: Vec<Coin> = known
        .into_iter()
        .filter(|coin| name == "all" || name == coin.dialect)
        .filter(|coin| registry.get(&coin.dialect).is_ok())
        .collect();
    if coins.is_empty() {
        let problem = registry.get(name).err().map_or_else(
            || format!("there is no demo for dialect `{name}`"),
            |unknown| unknown.to_string(),
        );
        return Err(CommandError::Failed(problem));
    }
    Ok(coins)
}

/// A deployed pool whose shares take some 4,300 hashes. Rigs get targets half as hard, so that
/// some shares count for the rig alone. The pool never retargets, so it may get as many as come;
/// some rigs have the habits of the known hardware.
fn handshake() -> Coin {
    Coin {
        dialect: Hstratum::NAME.to_owned(),
        pool: PoolConfig {
            job_interval: None,
            block_interval: None,
            ..PoolConfig::handshake(Generation::Deployed, 1e-6)
        },
        rig: |number| {
            let habits =
                if number % 3 == 2 { RigConfig::handyminer() } else { RigConfig::default() };
            RigConfig {
                worker: format!("demo.rig{:02}", number + 1),
                hashrate: 4000.0 + 1000.0 * (number % 4) as f64,
                seed: number as u64 + 1,
                ..habits
            }
        },
        route: "max_pool_shares_per_second = 10000\n[route.vardiff]\nmax = 5e-7\n",
        rigs: 36,
        story: Story {
            blocks: 4,
            shares_between: 0,
            jobs_between: true,
            patience: |_| Duration::from_secs(40),
        },
    }
}

/// A pool of Miningcore's kind that takes every solution as a share. The rigs really solve, a
/// nonce in a second or two and no more at a time than there are processors, so there are few of
/// them, and jobs come with blocks alone: each costs what is being solved.
fn aion() -> Coin {
    Coin {
        dialect: Aion::NAME.to_owned(),
        pool: PoolConfig { block_interval: None, ..PoolConfig::aion(Family::Miningcore, 1.0) },
        rig: |number| RigConfig {
            worker: format!("demo.rig{:02}", number + 1),
            seed: number as u64 + 1,
            ..RigConfig::aion()
        },
        route: "",
        rigs: 8,
        story: Story {
            blocks: 3,
            // However slow the machine is, some work is not thrown away.
            shares_between: 2,
            jobs_between: false,
            // Every eighth nonce has no solution.
            patience: |rigs| Duration::from_secs(40) + rigs as u32 * Duration::from_secs(5),
        },
    }
}
