//! What is remembered of workers, of their firmware and of pools, and how it stands in the file.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{Row, Statement, params};

use super::FORGET_AFTER;

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
        Self {
            difficulty: self.difficulty.filter(|&difficulty| is_difficulty(difficulty)),
            profile: self.profile.map(cut),
            ..self
        }
    }
}

/// What a worker's rig has shown of its firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareState {
    /// The name that the software gives itself.
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

/// A habit of a server: its host and port, and the habit's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HabitKey {
    pub(super) server: Arc<str>,
    pub(super) habit: Arc<str>,
}

/// The start of a text that is not too long to be remembered.
pub(super) fn cut(text: Arc<str>) -> Arc<str> {
    match text.floor_char_boundary(MAX_TEXT) {
        end if end < text.len() => text[..end].into(),
        _ => text,
    }
}

/// Something that is kept in a table of the file. The statements' first parameter is the route,
/// but for [`FORGET`](Self::FORGET), which has nothing but the earliest time to stay.
pub(super) trait Kept: Clone + PartialEq {
    type Key: Clone + Eq + Hash;
    /// Everything, the last seen first; the first column is the route.
    const READ: &'static str;
    const PUT: &'static str;
    const REMOVE: &'static str;
    const REMOVE_ALL: &'static str;
    const FORGET: &'static str;

    /// When it was last seen, in Unix seconds.
    fn seen(&self) -> u64;
    /// Reads a row; nothing was seen after `now`.
    fn read(row: &Row<'_>, now: u64) -> rusqlite::Result<(Self::Key, Self)>;
    fn put(&self, put: &mut Statement<'_>, route: &str, key: &Self::Key)
    -> rusqlite::Result<usize>;
    fn remove(remove: &mut Statement<'_>, route: &str, key: &Self::Key) -> rusqlite::Result<usize>;
}

impl Kept for WorkerState {
    type Key = Arc<str>;
    const READ: &'static str = "SELECT route, name, difficulty, slot, profile, last_seen \
         FROM worker ORDER BY last_seen DESC";
    const PUT: &'static str = "INSERT OR REPLACE INTO worker \
         (route, name, difficulty, slot, profile, last_seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const REMOVE: &'static str = "DELETE FROM worker WHERE route = ?1 AND name = ?2";
    const REMOVE_ALL: &'static str = "DELETE FROM worker WHERE route = ?1";
    const FORGET: &'static str = "DELETE FROM worker WHERE last_seen < ?1";

    fn seen(&self) -> u64 {
        self.last_seen
    }

    fn read(row: &Row<'_>, now: u64) -> rusqlite::Result<(Self::Key, Self)> {
        let state = Self {
            difficulty: row.get(2)?,
            slot: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
            profile: row.get(4)?,
            last_seen: time(row.get(5)?).min(now),
        };
        Ok((row.get(1)?, state.made_fit()))
    }

    fn put(
        &self,
        put: &mut Statement<'_>,
        route: &str,
        key: &Self::Key,
    ) -> rusqlite::Result<usize> {
        let Self { difficulty, slot, profile, last_seen } = self;
        let slot = slot.map(u64::cast_signed);
        put.execute(params![route, key, difficulty, slot, profile, column(*last_seen)])
    }

    fn remove(remove: &mut Statement<'_>, route: &str, key: &Self::Key) -> rusqlite::Result<usize> {
        remove.execute(params![route, key])
    }
}

impl Kept for FirmwareState {
    type Key = Arc<str>;
    const READ: &'static str = "SELECT \
         route, worker, agent, address, alone, set_extranonce, shares, sizes, seen \
         FROM rig_firmware ORDER BY seen DESC";
    const PUT: &'static str = "INSERT OR REPLACE INTO rig_firmware \
         (route, worker, agent, address, alone, set_extranonce, shares, sizes, seen) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    const REMOVE: &'static str = "DELETE FROM rig_firmware WHERE route = ?1 AND worker = ?2";
    const REMOVE_ALL: &'static str = "DELETE FROM rig_firmware WHERE route = ?1";
    const FORGET: &'static str = "DELETE FROM rig_firmware WHERE seen < ?1";

    fn seen(&self) -> u64 {
        self.seen
    }

    fn read(row: &Row<'_>, now: u64) -> rusqlite::Result<(Self::Key, Self)> {
        let firmware = Self {
            agent: cut(row.get(2)?),
            address: row.get_ref(3)?.as_str_or_null()?.and_then(|text| text.parse().ok()),
            alone: cut(row.get(4)?),
            set_extranonce: row.get(5)?,
            shares: row.get(6)?,
            sizes: row.get(7)?,
            seen: time(row.get(8)?).min(now),
        };
        Ok((row.get(1)?, firmware))
    }

    fn put(
        &self,
        put: &mut Statement<'_>,
        route: &str,
        worker: &Self::Key,
    ) -> rusqlite::Result<usize> {
        let Self { agent, address, alone, set_extranonce, shares, sizes, seen } = self;
        let (address, seen) = (address.map(|address| address.to_string()), column(*seen));
        put.execute(params![
            route,
            worker,
            agent,
            address,
            alone,
            set_extranonce,
            shares,
            sizes,
            seen
        ])
    }

    fn remove(
        remove: &mut Statement<'_>,
        route: &str,
        worker: &Self::Key,
    ) -> rusqlite::Result<usize> {
        remove.execute(params![route, worker])
    }
}

impl Kept for HabitState {
    type Key = HabitKey;
    const READ: &'static str =
        "SELECT route, server, habit, answer, learnt FROM habit ORDER BY learnt DESC";
    const PUT: &'static str = "INSERT OR REPLACE INTO habit \
         (route, server, habit, answer, learnt) VALUES (?1, ?2, ?3, ?4, ?5)";
    const REMOVE: &'static str =
        "DELETE FROM habit WHERE route = ?1 AND server = ?2 AND habit = ?3";
    const REMOVE_ALL: &'static str = "DELETE FROM habit WHERE route = ?1";
    const FORGET: &'static str = "DELETE FROM habit WHERE learnt < ?1";

    fn seen(&self) -> u64 {
        self.learnt
    }

    fn read(row: &Row<'_>, now: u64) -> rusqlite::Result<(Self::Key, Self)> {
        let key = HabitKey { server: row.get(1)?, habit: row.get(2)? };
        Ok((key, Self { answer: cut(row.get(3)?), learnt: time(row.get(4)?).min(now) }))
    }

    fn put(
        &self,
        put: &mut Statement<'_>,
        route: &str,
        key: &Self::Key,
    ) -> rusqlite::Result<usize> {
        put.execute(params![route, key.server, key.habit, self.answer, column(self.learnt)])
    }

    fn remove(remove: &mut Statement<'_>, route: &str, key: &Self::Key) -> rusqlite::Result<usize> {
        remove.execute(params![route, key.server, key.habit])
    }
}

fn is_difficulty(difficulty: f64) -> bool {
    difficulty.is_finite() && difficulty > 0.0
}

/// Unix seconds as SQLite's signed numbers, and back.
pub(super) fn column(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn time(column: i64) -> u64 {
    u64::try_from(column).unwrap_or_default()
}
