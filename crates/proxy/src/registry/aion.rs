//! Aion's options.

use std::time::Duration;

use orepass_aion::{Aion, Options};
use orepass_stratum::space::MAX_WORKS;

use super::FromConfig;
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
}
