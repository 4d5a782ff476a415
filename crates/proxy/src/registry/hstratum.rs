//! Handshake's options.

use orepass_hstratum::job::{Job, Uncheckable};
use orepass_hstratum::{Hstratum, Options};
use orepass_stratum::space::MAX_WORKS;

use super::FromConfig;
use crate::config::{OptionError, OptionTable};

impl FromConfig for Hstratum {
    const ROUTE_OPTIONS: &'static [&'static str] = &["split", "rig_difficulty_scale", "open_jobs"];
    const POOL_OPTIONS: &'static [&'static str] = &["split", "difficulty_scale"];
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
}
