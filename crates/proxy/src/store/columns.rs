//! How records stand in the tables of the file.

use std::sync::Arc;
use std::time::Duration;

use orepass_farm::knowledge::{FirmwareRecord, HabitRecord, Remembered, WorkerRecord};
use orepass_stratum::habits::Habit;
use orepass_stratum::target::Difficulty;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::FORGET_AFTER;
use super::record::{Latest, Routes, Unwritten};
use crate::sqlite::{column, cut, number};

/// A table of the file, whose columns are the route, when a record was seen, the texts of its key, and
/// the rest.
struct Columns {
    table: &'static str,
    seen: &'static str,
    key: &'static [&'static str],
    rest: &'static [&'static str],
}

const WORKERS: Columns = Columns {
    table: "worker",
    seen: "last_seen",
    key: &["name"],
    rest: &["difficulty", "slot", "profile"],
};

const FIRMWARE: Columns = Columns {
    table: "rig_firmware",
    seen: "seen",
    key: &["worker"],
    rest: &["agent", "address", "alone", "set_extranonce", "shares", "sizes"],
};

const HABITS: Columns =
    Columns { table: "habit", seen: "learnt", key: &["server", "habit"], rest: &["answer"] };

/// Whom the operator refuses, since when, and for how long from then on.
const BANS: Columns = Columns { table: "ban", seen: "since", key: &["worker"], rest: &["lasts_s"] };

/// Reads all that was seen in the last 30 days before `now`, in Unix seconds, what was seen last
/// first, and deletes the rest.
pub(super) fn read(db: &Connection, now: u64) -> rusqlite::Result<Routes> {
    let mut routes = Routes::new();
    WORKERS.read(db, now, &mut routes, |row, route| {
        route.workers.push(worker(row)?);
        Ok(())
    })?;
    FIRMWARE.read(db, now, &mut routes, |row, route| {
        route.firmware.push(firmware(row)?);
        Ok(())
    })?;
    HABITS.read(db, now, &mut routes, |row, route| {
        route.habits.extend(habit(row, now)?);
        Ok(())
    })?;
    BANS.read(db, now, &mut routes, |row, route| {
        route.banned.extend(ban(row, now)?);
        Ok(())
    })?;
    Ok(routes)
}

/// Writes what the file does not have yet.
pub(super) fn write(db: &Connection, route: &str, unwritten: &Unwritten) -> rusqlite::Result<()> {
    WORKERS.write(db, route, &unwritten.workers, of_worker)?;
    FIRMWARE.write(db, route, &unwritten.firmware, of_firmware)?;
    HABITS
        .write(db, route, &unwritten.habits, |(habit, answer)| vec![text(habit.word(*answer))])?;
    BANS.write(db, route, &unwritten.bans, |lasts| vec![column(lasts.as_secs()).into()])
}

impl Columns {
    fn read(
        &self,
        db: &Connection,
        now: u64,
        routes: &mut Routes,
        mut take: impl FnMut(&Row<'_>, &mut Remembered) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let Self { table, seen, .. } = self;
        let oldest = now.saturating_sub(FORGET_AFTER.as_secs());
        db.execute(&format!("DELETE FROM {table} WHERE {seen} < ?"), [column(oldest)])?;
        // A clock was wrong.
        db.execute(&format!("UPDATE {table} SET {seen} = ?1 WHERE {seen} > ?1"), [column(now)])?;
        let (columns, key) = (self.all().join(", "), self.key.join(", "));
        let query = format!("SELECT {columns} FROM {table} ORDER BY {seen} DESC, {key}");
        let mut query = db.prepare(&query)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            take(row, routes.entry(row.get(0)?).or_default())?;
        }
        Ok(())
    }

    fn write<K: AsRef<[Arc<str>]> + Ord, V>(
        &self,
        db: &Connection,
        route: &str,
        latest: &Latest<K, V>,
        rest: impl Fn(&V) -> Vec<Value>,
    ) -> rusqlite::Result<()> {
        let (table, columns) = (self.table, self.all());
        let marks = vec!["?"; columns.len()].join(", ");
        let columns = columns.join(", ");
        let put = format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})");
        let key = self.key.join(" = ? AND ");
        let forget = format!("DELETE FROM {table} WHERE route = ? AND {key} = ?");
        let (mut put, mut forget) = (db.prepare(&put)?, db.prepare(&forget)?);
        for (key, seen, value) in latest.iter() {
            let key = key.as_ref().iter().map(|part| text(part));
            match value {
                Some(value) => {
                    let place = [text(route), column(seen).into()];
                    put.execute(params_from_iter(place.into_iter().chain(key).chain(rest(value))))
                }
                None => forget.execute(params_from_iter([text(route)].into_iter().chain(key))),
            }?;
        }
        Ok(())
    }

    fn all(&self) -> Vec<&'static str> {
        [&["route", self.seen], self.key, self.rest].concat()
    }
}

fn worker(row: &Row<'_>) -> rusqlite::Result<(Arc<str>, WorkerRecord)> {
    let record = WorkerRecord {
        difficulty: row.get::<_, Option<f64>>(3)?.and_then(Difficulty::new),
        slot: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        agent: row.get(5)?,
    };
    Ok((row.get(2)?, record))
}

fn of_worker(record: &WorkerRecord) -> Vec<Value> {
    vec![
        record.difficulty.map(Difficulty::get).into(),
        record.slot.map(u64::cast_signed).into(),
        record.agent.as_deref().map(text).into(),
    ]
}

fn firmware(row: &Row<'_>) -> rusqlite::Result<(Arc<str>, FirmwareRecord)> {
    let record = FirmwareRecord {
        agent: row.get(3)?,
        address: row.get_ref(4)?.as_str_or_null()?.and_then(|text| text.parse().ok()),
        alone: row.get(5)?,
        set_extranonce: row.get(6)?,
        shares: row.get(7)?,
        sizes: row.get(8)?,
    };
    Ok((row.get(2)?, record))
}

fn of_firmware(record: &FirmwareRecord) -> Vec<Value> {
    vec![
        text(&record.agent),
        record.address.map(|address| address.to_string()).into(),
        text(&record.alone),
        record.set_extranonce.into(),
        record.shares.into(),
        record.sizes.into(),
    ]
}

/// None where another version knew of it, and this one does not.
fn habit(row: &Row<'_>, now: u64) -> rusqlite::Result<Option<HabitRecord>> {
    let (name, word): (Arc<str>, Arc<str>) = (row.get(3)?, row.get(4)?);
    let age = Duration::from_secs(now.saturating_sub(number(row.get(1)?)));
    let habit = Habit::ALL.into_iter().find(|habit| habit.name() == &*name);
    let answer = habit.and_then(|habit| Some((habit, habit.of_word(&word)?)));
    let server = row.get(2)?;
    Ok(answer.map(|(habit, answer)| HabitRecord { server, habit, answer, age }))
}

/// None where its time is over.
fn ban(row: &Row<'_>, now: u64) -> rusqlite::Result<Option<(Arc<str>, Duration)>> {
    let until = number(row.get(1)?).saturating_add(number(row.get(3)?));
    let left = Duration::from_secs(until.saturating_sub(now));
    Ok((!left.is_zero()).then_some((row.get(2)?, left)))
}

fn text(text: &str) -> Value {
    cut(text).to_owned().into()
}
