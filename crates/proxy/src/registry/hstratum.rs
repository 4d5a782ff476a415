//! Handshake's options, and its demo.

use std::time::Duration;

use orepass_hstratum::job::{Job, Uncheckable};
use orepass_hstratum::share::{self, Share};
use orepass_hstratum::{Hstratum, Options};
use orepass_sim::handshake::StratumGeneration;
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::space::MAX_WORKS;

use super::FromConfig;
use crate::commands::demo::{Scene, Story};
use crate::config::{OptionError, OptionTable};

impl FromConfig for Hstratum {
    const ROUTE_OPTIONS: &'static [&'static str] = &["split", "rig_difficulty_scale", "open_jobs"];
    const POOL_OPTIONS: &'static [&'static str] = &["split", "difficulty_scale"];
    const SCENE: Option<fn() -> Scene> = Some(scene);
    const OTHER_NAMES: &'static [&'static str] = &["handshake", "hns"];

    fn from_config(route: &OptionTable, pool: &OptionTable) -> Result<Self, OptionError> {
        let mut errors = OptionError::default();
        let mut options = Options::default()
            .with_rig_difficulty_scale(route.parsed("rig_difficulty_scale", &mut errors))
            .with_difficulty_scale(pool.chosen("difficulty_scale", &mut errors));
        let split = route.parsed("split", &mut errors);
        if let Some(split) = pool.parsed("split", &mut errors).or(split) {
            options.split = split;
        }
        if let Some(open_jobs) = route.whole("open_jobs", 1..=MAX_WORKS, &mut errors) {
            options.open_jobs = open_jobs;
        }
        errors.or(Self::new(options))
    }

    fn uncheckable(&self, job: &Job) -> String {
        match job.checkable() {
            Err(Uncheckable::Transactions) => {
                "the job's header needs the ids of its transactions: add \"transactions\", the \
                 pool's answer to mining.get_transactions"
                    .into()
            }
            Err(why) => why.to_string(),
            Ok(()) => "the share cannot be checked".into(),
        }
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        share::header(job, extranonce1.as_bytes(), share)
    }
}

/// A deployed pool whose shares take some 4,300 hashes. Rigs get targets half as hard, so that
/// some shares count for the rig alone. The pool never retargets, so it may get as many as come;
/// some rigs have the habits of the known hardware.
fn scene() -> Scene {
    Scene {
        pool: PoolConfig {
            job_interval: None,
            block_interval: None,
            ..PoolConfig::handshake(StratumGeneration::Deployed, 1e-6)
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
