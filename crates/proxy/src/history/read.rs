//! A series' history: one range of rows, and what the minutes that are not in rows yet have.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::compact::under_way;
use super::database::say_unreadable;
use super::pack::{unpack, unpack_minute};
use super::part::{HistoryPart, HistoryPoint, Resolution};
use crate::sqlite::{column, number};

/// What is known of the parts of time that have some of the time between two, in Unix seconds.
pub(super) fn read(
    db: &Connection,
    id: i64,
    from: u64,
    to: u64,
    resolution: Resolution,
) -> rusqlite::Result<Vec<HistoryPoint>> {
    if to <= from {
        return Ok(Vec::new());
    }
    let length = resolution.seconds();
    let from = from - from % length;
    let mut points = BTreeMap::<u64, HistoryPart>::new();
    let query = "SELECT hour, parts FROM point
        WHERE resolution = ?1 AND series = ?2 AND hour BETWEEN ?3 AND ?4 ORDER BY hour DESC LIMIT ?5";
    let mut query = db.prepare(query)?;
    let hours = [from / 3600, (to - 1) / 3600].map(column);
    // A few more than are kept: they may not have been swept yet.
    let most = column(resolution.kept_hours() + 48);
    let mut rows = query.query([resolution.number(), id, hours[0], hours[1], most])?;
    while let Some(row) = rows.next()? {
        let hour = number(row.get(0)?);
        match unpack(resolution, row.get_ref(1)?.as_blob()?) {
            Ok(parts) => points.extend(
                parts
                    .into_iter()
                    .map(|(number, part)| (hour * 3600 + u64::from(number) * length, part)),
            ),
            Err(error) => say_unreadable(&error),
        }
    }
    add_recent(db, id, from..to.next_multiple_of(length), length, &mut points)?;
    let points = points.into_iter().filter(|(start, _)| (from..to).contains(start));
    Ok(points.map(|(start, part)| HistoryPoint { start, part }).collect())
}

/// Adds the minutes of a time that are not in rows.
fn add_recent(
    db: &Connection,
    id: i64,
    time: std::ops::Range<u64>,
    length: u64,
    points: &mut BTreeMap<u64, HistoryPart>,
) -> rusqlite::Result<()> {
    let in_rows = under_way(db)?.filter(|compaction| id < compaction.next_series);
    let query = "SELECT minute, parts FROM recent WHERE minute >= ?1 AND minute < ?2";
    let mut query = db.prepare(query)?;
    let mut rows = query.query([time.start / 60, time.end / 60].map(column))?;
    while let Some(row) = rows.next()? {
        let minute = number(row.get(0)?);
        if in_rows.as_ref().is_some_and(|compaction| compaction.minutes().contains(&minute)) {
            continue;
        }
        let start = minute * 60 / length * length;
        let read =
            unpack_minute(row.get_ref(1)?.as_blob()?, id..id.saturating_add(1), |_, part| {
                points.entry(start).or_default().add(&part);
            });
        read.unwrap_or_else(|error| say_unreadable(&error));
    }
    Ok(())
}
