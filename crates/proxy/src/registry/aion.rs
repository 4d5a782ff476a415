//! Aion's options.

use std::time::Duration;

use orepass_aion::{Aion, Options};

use super::FromConfig;
use crate::config::{OptionError, OptionTable};

impl FromConfig for Aion {
    const ROUTE_OPTIONS: &'static [&'static str] =
        &["strict_version", "soft_jobs", "open_jobs", "open_seconds"];
    const POOL_OPTIONS: &'static [&'static str] =
        &["difficulty_scale", "notify_target", "protocol_version", "solution_prefix"];

    fn from_config(route: &OptionTable, pool: &OptionTable) -> Result<Self, OptionError> {
        let mut errors = OptionError::default();
        let defaults = Options::default();
        let open_seconds = route.whole("open_seconds", 0..=3600, &mut errors);
        let options = Options {
            strict_version: route
                .flag("strict_version", &mut errors)
                .unwrap_or(defaults.strict_version),
            soft_jobs: route.flag("soft_jobs", &mut errors).unwrap_or(defaults.soft_jobs),
            open_jobs: route.whole("open_jobs", 1..=64, &mut errors).unwrap_or(defaults.open_jobs),
            open_for: open_seconds.map(|seconds| Duration::from_secs(seconds as u64)),
            difficulty_scale: pool.chosen("difficulty_scale", &mut errors),
            notify_target: pool.chosen("notify_target", &mut errors),
            protocol_version: pool
                .parsed("protocol_version", &mut errors)
                .unwrap_or(defaults.protocol_version),
            solution_prefix: pool
                .flag("solution_prefix", &mut errors)
                .unwrap_or(defaults.solution_prefix),
        };
        errors.or(Self::new(options))
    }
}
