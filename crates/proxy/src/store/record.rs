//! What is remembered of workers, of their firmware and of pools.

use std::net::IpAddr;
use std::sync::Arc;

use super::FORGET_AFTER;
use super::table::{Record, Table, Tables};

/// The most workers remembered of a route, and the most of their firmwares.
pub const MAX_ENTRIES: usize = 20_000;
/// The most habits of pools remembered of a route.
const MAX_HABITS: usize = 1024;
/// The most bytes of a text that is remembered.
pub(super) const MAX_TEXT: usize = 256;

/// What is known of a worker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkerState {
    /// The last difficulty, on the scale that rigs are told.
    pub difficulty: Option<f64>,
    /// The number of the lease that it had.
    pub slot: Option<u64>,
    /// The name of its software, at most 256 bytes of it.
    pub profile: Option<Arc<str>>,
    /// When it was last seen, in Unix seconds.
    pub last_seen: u64,
}

impl WorkerState {
    /// Without what no worker can have, so that whoever reads it need not look.
    pub(super) fn made_fit(self) -> Self {
        let is_difficulty = |difficulty: &f64| difficulty.is_finite() && *difficulty > 0.0;
        Self {
            difficulty: self.difficulty.filter(is_difficulty),
            profile: self.profile.map(cut),
            ..self
        }
    }
}

/// What a worker's rig has shown of its firmware.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwareState {
    /// The name that the software gives itself, at most 256 bytes of it.
    pub agent: Arc<str>,
    /// Where it connected from last.
    pub address: Option<IpAddr>,
    /// The word for what it does wrong, such as `ignores_extranonce2_size`, where that keeps it
    /// from sharing a pool connection; empty where nothing does. At most 256 bytes of it.
    pub alone: Arc<str>,
    /// Whether it takes `mining.set_extranonce`; none while that is not known.
    pub set_extranonce: Option<bool>,
    /// Whether it had a good share on a connection that it shared.
    pub shares: bool,
    /// Whether it had a good share with an extranonce2 of another length than the usual one.
    pub sizes: bool,
    /// When it was last seen, in Unix seconds.
    pub seen: u64,
}

impl FirmwareState {
    /// With texts that are not too long to be remembered.
    pub(super) fn made_fit(self) -> Self {
        Self { agent: cut(self.agent), alone: cut(self.alone), ..self }
    }
}

/// What was learnt of a pool's habit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HabitState {
    /// The word for it.
    pub answer: Arc<str>,
    /// When, in Unix seconds.
    pub learnt: u64,
}

impl HabitState {
    pub(super) const fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.learnt) >= FORGET_AFTER.as_secs()
    }
}

/// By the worker's name.
impl Record for WorkerState {
    type Key = [Arc<str>; 1];
    const MOST: usize = MAX_ENTRIES;

    fn seen(&self) -> u64 {
        self.last_seen
    }

    fn table(tables: &mut Tables) -> &mut Table<Self> {
        &mut tables.workers
    }
}

/// By the worker's name.
impl Record for FirmwareState {
    type Key = [Arc<str>; 1];
    const MOST: usize = MAX_ENTRIES;

    fn seen(&self) -> u64 {
        self.seen
    }

    fn table(tables: &mut Tables) -> &mut Table<Self> {
        &mut tables.firmware
    }
}

/// By the server's host and port, and the habit's name.
impl Record for HabitState {
    type Key = [Arc<str>; 2];
    const MOST: usize = MAX_HABITS;

    fn seen(&self) -> u64 {
        self.learnt
    }

    fn table(tables: &mut Tables) -> &mut Table<Self> {
        &mut tables.habits
    }
}

/// The start of a text that is not too long to be remembered.
pub(super) fn cut(text: Arc<str>) -> Arc<str> {
    match text.floor_char_boundary(MAX_TEXT) {
        end if end < text.len() => text[..end].into(),
        _ => text,
    }
}
