//! How records stand in the tables of the file.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::FORGET_AFTER;
use super::record::{FirmwareState, HabitState, WorkerState, cut};
use super::table::{Record, Routes, Table, Tables};

/// A record with a table of the file, whose columns are the route, when it was seen, the texts of the
/// key, and the rest.
pub(super) trait Stored: Record {
    const TABLE: &'static str;
    const SEEN: &'static str;
    const KEY: &'static str;
    const REST: &'static str;

    /// Reads a row of all columns in this order.
    fn read(row: &Row<'_>) -> rusqlite::Result<(Self::Key, Self)>;
    /// What stands in the last ones.
    fn rest(&self) -> Vec<Value>;
}

/// Reads all that was seen in the last 30 days before `now`, in Unix seconds, and deletes the rest.
pub(super) fn read<V: Stored>(
    db: &Connection,
    now: u64,
    routes: &mut Routes,
) -> rusqlite::Result<()> {
    let (table, seen, key) = (V::TABLE, V::SEEN, V::KEY);
    let oldest = now.saturating_sub(FORGET_AFTER.as_secs());
    db.execute(&format!("DELETE FROM {table} WHERE {seen} < ?"), [column(oldest)])?;
    // A clock was wrong.
    db.execute(&format!("UPDATE {table} SET {seen} = ?1 WHERE {seen} > ?1"), [column(now)])?;
    // In the order in which too many are forgotten.
    let columns = columns::<V>();
    let mut query = db.prepare(&format!("SELECT {columns} FROM {table} ORDER BY {seen}, {key}"))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (key, value) = V::read(row)?;
        V::table(routes.entry(row.get(0)?).or_default()).put(key, value);
    }
    routes.iter_mut().try_for_each(|(route, tables)| forget(db, route, V::table(tables)))
}

/// Writes what a table has and deletes what it forgot.
pub(super) fn write<V: Stored>(
    db: &Connection,
    route: &str,
    tables: &mut Tables,
) -> rusqlite::Result<()> {
    let table = V::table(tables);
    forget(db, route, table)?;
    let columns = columns::<V>();
    let marks = marks(columns.split(',').count());
    let put = format!("INSERT OR REPLACE INTO {} ({columns}) VALUES ({marks})", V::TABLE);
    let mut put = db.prepare(&put)?;
    for (key, value) in table.iter() {
        let values = place::<V>(route, value.seen(), key).into_iter().chain(value.rest());
        put.execute(params_from_iter(values))?;
    }
    Ok(())
}

fn forget<V: Stored>(db: &Connection, route: &str, table: &Table<V>) -> rusqlite::Result<()> {
    let Some((seen, key)) = table.forgotten() else { return Ok(()) };
    let values = place::<V>(route, *seen, key);
    let age = format!("({}, {}) <= ({})", V::SEEN, V::KEY, marks(values.len() - 1));
    let delete = format!("DELETE FROM {} WHERE route = ? AND {age}", V::TABLE);
    db.execute(&delete, params_from_iter(values)).map(drop)
}

impl Stored for WorkerState {
    const TABLE: &'static str = "worker";
    const SEEN: &'static str = "last_seen";
    const KEY: &'static str = "name";
    const REST: &'static str = "difficulty, slot, profile";

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self::Key, Self)> {
        let state = Self {
            last_seen: time(row.get(1)?),
            difficulty: row.get(3)?,
            slot: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            profile: row.get(5)?,
        };
        Ok(([row.get(2)?], state.made_fit()))
    }

    fn rest(&self) -> Vec<Value> {
        let slot = self.slot.map(u64::cast_signed);
        vec![self.difficulty.into(), slot.into(), self.profile.as_deref().map(text).into()]
    }
}

impl Stored for FirmwareState {
    const TABLE: &'static str = "rig_firmware";
    const SEEN: &'static str = "seen";
    const KEY: &'static str = "worker";
    const REST: &'static str = "agent, address, alone, set_extranonce, shares, sizes";

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self::Key, Self)> {
        let state = Self {
            seen: time(row.get(1)?),
            agent: row.get(3)?,
            address: row.get_ref(4)?.as_str_or_null()?.and_then(|text| text.parse().ok()),
            alone: row.get(5)?,
            set_extranonce: row.get(6)?,
            shares: row.get(7)?,
            sizes: row.get(8)?,
        };
        Ok(([row.get(2)?], state.made_fit()))
    }

    fn rest(&self) -> Vec<Value> {
        vec![
            text(&self.agent),
            self.address.map(|address| address.to_string()).into(),
            text(&self.alone),
            self.set_extranonce.into(),
            self.shares.into(),
            self.sizes.into(),
        ]
    }
}

impl Stored for HabitState {
    const TABLE: &'static str = "habit";
    const SEEN: &'static str = "learnt";
    const KEY: &'static str = "server, habit";
    const REST: &'static str = "answer";

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self::Key, Self)> {
        let state = Self { learnt: time(row.get(1)?), answer: cut(row.get(4)?) };
        Ok(([row.get(2)?, row.get(3)?], state))
    }

    fn rest(&self) -> Vec<Value> {
        vec![text(&self.answer)]
    }
}

fn columns<V: Stored>() -> String {
    ["route", V::SEEN, V::KEY, V::REST].join(", ")
}

/// The first columns.
fn place<V: Stored>(route: &str, seen: u64, key: &V::Key) -> Vec<Value> {
    let mut values = vec![text(route), column(seen).into()];
    values.extend(key.as_ref().iter().map(|part| text(part)));
    values
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn text(text: &str) -> Value {
    text.to_owned().into()
}

/// Unix seconds as SQLite's signed numbers, and back.
pub(super) fn column(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn time(column: i64) -> u64 {
    u64::try_from(column).unwrap_or_default()
}
