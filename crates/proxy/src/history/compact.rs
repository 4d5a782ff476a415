//! An hour that is over goes from the minutes of all series to a row for each series and resolution.
//!
//! It goes in slices, each a transaction that says how far it has come: a crash in between does nothing
//! twice. What is late, or of a clock that was set back, is added to what stands there.

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::batch::MinuteParts;
use super::database::say_unreadable;
use super::pack::{HourParts, pack, unpack, unpack_minute};
use super::part::Resolution;
use crate::sqlite::column;

/// So many series go at a time: some megabytes of pages, some hundredths of a second.
const SLICE: usize = 500;

/// What a step has come to.
pub(super) enum CompactStep {
    /// No hour is over.
    Nothing,
    /// There is more to do.
    More,
    /// An hour is in its place.
    HourDone,
}

/// An hour on its way.
pub(super) struct Compaction {
    pub(super) hour: u64,
    /// Series before this one have it in their rows.
    pub(super) next_series: i64,
}

impl Compaction {
    pub(super) fn minutes(&self) -> Range<u64> {
        self.hour * 60..self.hour * 60 + 60
    }

    fn bounds(&self) -> [i64; 2] {
        [column(self.hour * 60), column(self.hour * 60 + 59)]
    }
}

/// The hour that is on its way.
pub(super) fn under_way(db: &Connection) -> rusqlite::Result<Option<Compaction>> {
    let query = "SELECT hour, next_series FROM compaction";
    let found = db.prepare(query)?.query_row([], |row| {
        Ok(Compaction { hour: row.get::<_, i64>(0)?.cast_unsigned(), next_series: row.get(1)? })
    });
    found.optional()
}

/// The oldest hour that is over.
fn due(db: &Connection) -> rusqlite::Result<Option<Compaction>> {
    let query = "SELECT min(minute) / 60, max(minute) / 60 FROM recent";
    let [oldest, newest]: [Option<i64>; 2] =
        db.prepare(query)?.query_row([], |row| Ok([row.get(0)?, row.get(1)?]))?;
    let hour = oldest.filter(|_| oldest < newest);
    Ok(hour.map(|hour| Compaction { hour: hour.cast_unsigned(), next_series: 0 }))
}

/// Brings the hour that is on its way to its end where these minutes belong to it: what is added to them
/// would come too late for the series that have it.
pub(super) fn finish_before(
    db: &mut Connection,
    minutes: &BTreeMap<u64, MinuteParts>,
) -> rusqlite::Result<()> {
    while let Some(compaction) = under_way(db)?
        && minutes.range(compaction.minutes()).next().is_some()
    {
        step(db)?;
    }
    Ok(())
}

/// The next slice.
pub(super) fn step(db: &mut Connection) -> rusqlite::Result<CompactStep> {
    let compaction = match under_way(db)? {
        Some(compaction) => Some(compaction),
        None => due(db)?,
    };
    let Some(compaction) = compaction else { return Ok(CompactStep::Nothing) };
    let transaction = db.transaction()?;
    let mut series = series_from(&transaction, compaction.next_series)?;
    let end = series.get(SLICE).copied();
    series.truncate(SLICE);
    let wanted = compaction.next_series..end.unwrap_or(i64::MAX);
    let mut hours = gather(&transaction, &compaction, wanted)?;
    for id in series {
        if let Some(minutes) = hours.remove(&id) {
            write_hour(&transaction, id, compaction.hour, &minutes)?;
        }
    }
    if let Some(next) = end {
        let put = "INSERT OR REPLACE INTO compaction (only, hour, next_series) VALUES (1, ?1, ?2)";
        transaction.execute(put, [column(compaction.hour), next])?;
    } else {
        transaction
            .execute("DELETE FROM recent WHERE minute BETWEEN ?1 AND ?2", compaction.bounds())?;
        transaction.execute("DELETE FROM compaction", [])?;
    }
    transaction.commit()?;
    Ok(if end.is_some() { CompactStep::More } else { CompactStep::HourDone })
}

/// The next series, and one more.
fn series_from(db: &Connection, first: i64) -> rusqlite::Result<Vec<i64>> {
    let query = "SELECT id FROM series WHERE id >= ?1 ORDER BY id LIMIT ?2";
    let mut query = db.prepare(query)?;
    query.query_map([first, SLICE as i64 + 1], |row| row.get(0))?.collect()
}

/// The hour's minutes, by series.
fn gather(
    db: &Connection,
    compaction: &Compaction,
    wanted: Range<i64>,
) -> rusqlite::Result<BTreeMap<i64, HourParts>> {
    let query = "SELECT minute % 60, parts FROM recent WHERE minute BETWEEN ?1 AND ?2";
    let mut query = db.prepare(query)?;
    let mut rows = query.query(compaction.bounds())?;
    let mut hours = BTreeMap::<i64, HourParts>::new();
    while let Some(row) = rows.next()? {
        let minute: u8 = row.get(0)?;
        let packed = row.get_ref(1)?.as_blob()?;
        let read = unpack_minute(packed, wanted.clone(), |id, part| {
            hours.entry(id).or_default().insert(minute, part);
        });
        read.unwrap_or_else(|error| say_unreadable(&error));
    }
    Ok(hours)
}

fn write_hour(
    db: &Transaction<'_>,
    id: i64,
    hour: u64,
    minutes: &HourParts,
) -> rusqlite::Result<()> {
    let find = "SELECT parts FROM point WHERE resolution = ?1 AND series = ?2 AND hour = ?3";
    let put = "INSERT OR REPLACE INTO point (resolution, series, hour, parts) \
               VALUES (?1, ?2, ?3, ?4)";
    let (mut find, mut put) = (db.prepare(find)?, db.prepare(put)?);
    for resolution in Resolution::ALL {
        let place = (resolution.number(), id, column(hour));
        let known: Option<Vec<u8>> = find.query_row(place, |row| row.get(0)).optional()?;
        let known = known.map(|known| unpack(resolution, &known));
        let mut parts = known.transpose().unwrap_or_else(|error| {
            say_unreadable(&error);
            None
        });
        let parts = parts.get_or_insert_default();
        for (&minute, part) in minutes {
            let number = u64::from(minute) * 60 / resolution.seconds();
            parts.entry(number as u8).or_default().add(part);
        }
        put.execute(params![place.0, place.1, place.2, pack(resolution, parts)])?;
    }
    let seen = "UPDATE series SET last_seen = max(last_seen, ?2) WHERE id = ?1";
    db.prepare(seen)?.execute([id, column((hour + 1) * 3600)]).map(drop)
}
