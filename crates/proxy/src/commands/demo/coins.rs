//! The demo's pool and rigs, by dialect.

use orepass_hstratum::Hstratum;
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
}

/// The coins of a name, or all that the registry and the demo know.
pub(super) fn chosen(name: &str, registry: &Registry) -> Result<Vec<Coin>, CommandError> {
    let known = [handshake()];
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
/// some shares count for the rig alone; some rigs have the habits of the known hardware.
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
        route: "[route.vardiff]\nmax = 5e-7\n",
    }
}
