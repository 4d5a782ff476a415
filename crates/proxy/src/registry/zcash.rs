//! Zcash in configs, and its demo.

use std::time::Duration;

use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::extranonce::Extranonce;
use orepass_zcash::Zcash;
use orepass_zcash::job::Job;
use orepass_zcash::pow::SOLUTION_PREFIX;
use orepass_zcash::share::Share;

use super::FromConfig;
use crate::commands::demo::{Scene, Story};
use crate::config::{OptionError, OptionTable};

impl FromConfig for Zcash {
    const ROUTE_OPTIONS: &'static [&'static str] = &[];
    const POOL_OPTIONS: &'static [&'static str] = &[];
    const SCENE: Option<fn() -> Scene> = Some(scene);
    const OTHER_NAMES: &'static [&'static str] = &["zec"];

    fn from_config(_route: &OptionTable, _pool: &OptionTable) -> Result<Self, OptionError> {
        Ok(Self)
    }

    /// With its solution, which is hashed too.
    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        let header = share.header(job, extranonce1).ok()?;
        Some([&header[..], &SOLUTION_PREFIX, &share.solution].concat())
    }
}

/// A pool that takes every solution as a share. The rigs really solve, a nonce in about a second and no
/// more at a time than there are processors, so there are few of them, and jobs come with blocks alone:
/// each costs what is being solved.
fn scene() -> Scene {
    Scene {
        pool: PoolConfig { block_interval: None, ..PoolConfig::zcash() },
        rig: |number| RigConfig {
            worker: format!("demo.rig{:02}", number + 1),
            seed: number as u64 + 1,
            ..RigConfig::zcash()
        },
        route: "",
        rigs: 6,
        story: Story {
            blocks: 3,
            // However slow the machine is, some work is not thrown away.
            shares_between: 2,
            jobs_between: false,
            // Every seventh nonce has no solution.
            patience: |rigs| Duration::from_secs(120) + rigs as u32 * Duration::from_secs(10),
        },
    }
}
