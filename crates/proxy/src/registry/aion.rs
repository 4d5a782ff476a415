//! Aion's options, and its demo.

use std::time::Duration;

use orepass_aion::job::Job;
use orepass_aion::share::{self, Share};
use orepass_aion::{Aion, Options};
use orepass_sim::aion::Family;
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::space::MAX_WORKS;

use super::FromConfig;
use crate::commands::demo::{Scene, Story};
use crate::config::{OptionError, OptionTable};

impl FromConfig for Aion {
    const ROUTE_OPTIONS: &'static [&'static str] =
        &["strict_version", "soft_jobs", "open_jobs", "open_seconds"];
    const POOL_OPTIONS: &'static [&'static str] = &[
        "difficulty_scale",
        "notify_target",
        "protocol_version",
        "second_solutions",
        "solution_prefix",
    ];
    const SCENE: Option<fn() -> Scene> = Some(scene);
    const OTHER_NAMES: &'static [&'static str] = &["equihash"];

    fn from_config(route: &OptionTable, pool: &OptionTable) -> Result<Self, OptionError> {
        let mut errors = OptionError::default();
        let mut options = Options::default()
            .with_difficulty_scale(pool.chosen("difficulty_scale", &mut errors))
            .with_notify_target(pool.chosen("notify_target", &mut errors));
        if let Some(strict) = route.flag("strict_version", &mut errors) {
            options.strict_version = strict;
        }
        if let Some(soft) = route.flag("soft_jobs", &mut errors) {
            options.soft_jobs = soft;
        }
        if let Some(open_jobs) = route.whole("open_jobs", 1..=MAX_WORKS, &mut errors) {
            options.open_jobs = open_jobs;
        }
        if let Some(seconds) = route.whole("open_seconds", 0..=3600, &mut errors) {
            options.open_for = Some(Duration::from_secs(seconds as u64));
        }
        if let Some(version) = pool.parsed("protocol_version", &mut errors) {
            options.protocol_version = version;
        }
        if let Some(count) = pool.flag("second_solutions", &mut errors) {
            options.second_solutions = count;
        }
        if let Some(prefix) = pool.flag("solution_prefix", &mut errors) {
            options.solution_prefix = prefix;
        }
        errors.or(Self::new(options))
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        share::header(job, extranonce1.as_bytes(), share)
    }
}

/// A pool of Miningcore's kind that takes every solution as a share. The rigs really solve, a
/// nonce in a second or two and no more at a time than there are processors, so there are few of
/// them, and jobs come with blocks alone: each costs what is being solved.
fn scene() -> Scene {
    Scene {
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
            patience: |rigs| Duration::from_secs(120) + rigs as u32 * Duration::from_secs(10),
        },
    }
}
