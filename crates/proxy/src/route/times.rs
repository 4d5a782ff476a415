//! How long things take in a route, and how often its rigs were moved.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::histogram::{Histogram, JOB_FANOUT, SHARE_CHECK};

/// The most pairs of ranks that are told apart.
const MAX_SWITCHES: usize = 64;

/// The times of a route.
#[derive(Debug)]
pub(crate) struct RouteTimes {
    /// Reading and checking a share.
    pub(crate) check: Histogram,
    /// From a pool's notify to a rig's.
    pub(crate) fanout: Histogram,
    /// From which pools to which.
    switches: Mutex<BTreeMap<(String, String), u64>>,
}

impl RouteTimes {
    pub(crate) const fn new() -> Self {
        let (check, fanout) = (Histogram::new(SHARE_CHECK), Histogram::new(JOB_FANOUT));
        Self { check, fanout, switches: Mutex::new(BTreeMap::new()) }
    }

    /// Rigs move.
    pub(crate) fn switched(&self, from: String, to: String) {
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (from, to);
        if switches.len() < MAX_SWITCHES || switches.contains_key(&key) {
            *switches.entry(key).or_default() += 1;
        }
    }

    /// How often, each with both ends.
    pub(crate) fn switches(&self) -> Vec<(String, String, u64)> {
        let switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        let each = switches.iter();
        each.map(|((from, to), count)| (from.clone(), to.clone(), *count)).collect()
    }
}
