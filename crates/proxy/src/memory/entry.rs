//! What is remembered of a worker and of a firmware, and how it stands in the file.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Row, Statement, params};

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

/// What was found out about a firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareState {
    /// Whether it needs a pool connection to itself.
    pub dedicated: bool,
    /// Whether it takes `mining.set_extranonce`; none while that is not known.
    pub set_extranonce: Option<bool>,
    /// Why, as a short word such as `ignores_extranonce2_size`; at most 256 bytes of it.
    pub reason: Arc<str>,
    /// When it was last seen, in Unix seconds.
    pub seen: u64,
}

/// A firmware where it was met.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FirmwareKey {
    agent: Arc<str>,
    address: IpAddr,
}

impl FirmwareKey {
    pub(super) fn new(agent: &str, address: IpAddr) -> Self {
        let end = agent.floor_char_boundary(MAX_TEXT);
        Self { agent: agent[..end].into(), address: address.to_canonical() }
    }
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
    type Key = FirmwareKey;
    const READ: &'static str = "SELECT route, agent, address, dedicated, set_extranonce, reason, \
         seen FROM firmware ORDER BY seen DESC";
    const PUT: &'static str = "INSERT OR REPLACE INTO firmware \
         (route, agent, address, dedicated, set_extranonce, reason, seen) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    const REMOVE: &'static str =
        "DELETE FROM firmware WHERE route = ?1 AND agent = ?2 AND address = ?3";
    const REMOVE_ALL: &'static str = "DELETE FROM firmware WHERE route = ?1";
    const FORGET: &'static str = "DELETE FROM firmware WHERE seen < ?1";

    fn seen(&self) -> u64 {
        self.seen
    }

    fn read(row: &Row<'_>, now: u64) -> rusqlite::Result<(Self::Key, Self)> {
        let address = row.get_ref(2)?.as_str()?.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error))
        })?;
        let firmware = Self {
            dedicated: row.get(3)?,
            set_extranonce: row.get(4)?,
            reason: cut(row.get(5)?),
            seen: time(row.get(6)?).min(now),
        };
        Ok((FirmwareKey { agent: row.get(1)?, address }, firmware))
    }

    fn put(
        &self,
        put: &mut Statement<'_>,
        route: &str,
        key: &Self::Key,
    ) -> rusqlite::Result<usize> {
        let Self { dedicated, set_extranonce, reason, seen } = self;
        let FirmwareKey { agent, address } = key;
        let address = address.to_string();
        put.execute(params![
            route,
            agent,
            address,
            dedicated,
            set_extranonce,
            reason,
            column(*seen)
        ])
    }

    fn remove(remove: &mut Statement<'_>, route: &str, key: &Self::Key) -> rusqlite::Result<usize> {
        remove.execute(params![route, key.agent, key.address.to_string()])
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
