//! What is dropped: what is too old, and of what is too large the finest and oldest.
//!
//! Both are done by a sweep over all series, in slices. It begins when an hour has come to its place, and
//! again, keeping less, as long as the file is too large.

use rusqlite::{Connection, Row};

use super::database::{MAX_SERIES, SeriesIds};
use super::part::Resolution;
use super::series::SeriesKey;
use crate::sqlite::{column, number};

/// So many series are looked at at a time.
const SLICE: usize = 500;
/// So many pages are given back to the system at a time.
const VACUUMED_PAGES: u64 = 500;
/// What is kept grows and shrinks by so much of its whole span.
const STEPS: u64 = 24;
/// What lies further in the future was noted while a clock was wrong, in hours.
const FUTURE: u64 = 24;

/// What is kept, and how far the sweep is.
pub(super) struct Retention {
    max_bytes: u64,
    /// For how many hours each resolution is kept at present.
    kept: [u64; Resolution::ALL.len()],
    sweep_from: Option<i64>,
}

impl Retention {
    /// The first sweep begins at once: much may be too old.
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, kept: Resolution::ALL.map(Resolution::kept_hours), sweep_from: Some(0) }
    }

    pub(super) const fn begin(&mut self) {
        self.sweep_from = Some(0);
    }

    /// One step; whether there is more to do.
    pub(super) fn step(
        &mut self,
        db: &mut Connection,
        series: &mut SeriesIds,
        now: u64,
    ) -> rusqlite::Result<bool> {
        if let Some(first) = self.sweep_from {
            self.sweep_from = self.sweep(db, series, first, now / 3600)?;
            if self.sweep_from.is_none() {
                self.judge_size(FileSize::of(db)?);
            }
            return Ok(true);
        }
        if series.len() > MAX_SERIES - MAX_SERIES / 16 {
            return drop_unseen(db, series);
        }
        FileSize::of(db)?.vacuum(db, self.max_bytes)
    }

    /// Sweeps a slice; gives the series to go on with.
    fn sweep(
        &self,
        db: &mut Connection,
        known: &mut SeriesIds,
        first: i64,
        hour: u64,
    ) -> rusqlite::Result<Option<i64>> {
        let transaction = db.transaction()?;
        let query = "SELECT id, last_seen FROM series WHERE id >= ?1 ORDER BY id LIMIT ?2";
        let slice: Vec<(i64, i64)> = transaction
            .prepare(query)?
            .query_map([first, SLICE as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut delete = transaction.prepare(
            "DELETE FROM point WHERE resolution = ?1 AND series = ?2 AND hour BETWEEN ?3 AND ?4",
        )?;
        let mut dropped = Vec::new();
        for &(id, last_seen) in &slice {
            for (resolution, kept) in Resolution::ALL.into_iter().zip(self.kept) {
                let oldest = column(hour.saturating_sub(kept));
                let newest = column(hour + FUTURE);
                for [first, last] in [[i64::MIN, oldest - 1], [newest + 1, i64::MAX]] {
                    delete.execute([resolution.number(), id, first, last])?;
                }
            }
            // One that was seen since may stand in minutes that are not in their place yet.
            if number(last_seen) / 3600 + 1 < hour && !has_points(&transaction, id)? {
                dropped.extend(forget_series(&transaction, id)?);
            }
        }
        drop(delete);
        let odd = column((hour + FUTURE) * 60);
        transaction.execute("DELETE FROM recent WHERE minute > ?1", [odd])?;
        transaction.commit()?;
        dropped.iter().for_each(|key| _ = known.remove(key));
        Ok(slice.get(SLICE - 1).map(|(last, _)| last + 1))
    }

    /// Keeps less where the file is too large, the finest first, and more where there is room again.
    fn judge_size(&mut self, size: FileSize) {
        let spans = Resolution::ALL.map(Resolution::kept_hours);
        if size.used_bytes() > self.max_bytes {
            if let Some(at) = self.kept.iter().position(|kept| *kept > 0) {
                self.kept[at] = self.kept[at].saturating_sub(spans[at] / STEPS);
                self.begin();
            }
        } else if size.used_bytes() < self.max_bytes / 4 * 3
            && let Some(at) = (0..spans.len()).rev().find(|&at| self.kept[at] < spans[at])
        {
            self.kept[at] = spans[at].min(self.kept[at] + spans[at] / STEPS);
        }
    }
}

/// How large a file is.
#[derive(Clone, Copy)]
struct FileSize {
    page_bytes: u64,
    pages: u64,
    /// Those of them in which nothing stands.
    free: u64,
}

impl FileSize {
    fn of(db: &Connection) -> rusqlite::Result<Self> {
        let ask = |pragma| db.pragma_query_value(None, pragma, |row| row.get(0).map(number));
        Ok(Self {
            page_bytes: ask("page_size")?,
            pages: ask("page_count")?,
            free: ask("freelist_count")?,
        })
    }

    const fn used_bytes(self) -> u64 {
        (self.pages - self.free) * self.page_bytes
    }

    /// Gives free pages back where there are more than are soon used again; whether there were.
    fn vacuum(self, db: &Connection, max_bytes: u64) -> rusqlite::Result<bool> {
        let too_large = self.free > 0 && self.pages * self.page_bytes > max_bytes;
        if !too_large && self.free <= self.pages / 8 {
            return Ok(false);
        }
        db.execute_batch(&format!("PRAGMA incremental_vacuum({VACUUMED_PAGES})"))?;
        // A file that was made without it stays as it is.
        Ok(Self::of(db)?.free < self.free)
    }
}

/// Drops all of a series; gives its name.
pub(super) fn forget_series(db: &Connection, id: i64) -> rusqlite::Result<Option<SeriesKey>> {
    for resolution in Resolution::ALL {
        let forget = "DELETE FROM point WHERE resolution = ?1 AND series = ?2";
        db.prepare(forget)?.execute([resolution.number(), id])?;
    }
    let forget = "DELETE FROM series WHERE id = ?1 RETURNING kind, route, name";
    let mut forget = db.prepare(forget)?;
    let mut names = forget.query_map([id], key)?;
    names.next().transpose().map(Option::flatten)
}

/// Drops workers that were not seen for longest; whether there were any.
fn drop_unseen(db: &mut Connection, known: &mut SeriesIds) -> rusqlite::Result<bool> {
    let transaction = db.transaction()?;
    let worker = SeriesKey::worker("", "").columns().0;
    let ids: Vec<i64> = transaction
        .prepare("SELECT id FROM series WHERE kind = ?1 ORDER BY last_seen, id LIMIT ?2")?
        .query_map([worker, SLICE as i64], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut dropped = Vec::new();
    for &id in &ids {
        dropped.extend(forget_series(&transaction, id)?);
    }
    transaction.commit()?;
    dropped.iter().for_each(|key| _ = known.remove(key));
    Ok(!dropped.is_empty())
}

fn has_points(db: &Connection, id: i64) -> rusqlite::Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM point WHERE resolution = ?1 AND series = ?2)";
    let mut query = db.prepare(query)?;
    for resolution in Resolution::ALL {
        if query.query_row([resolution.number(), id], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn key(row: &Row<'_>) -> rusqlite::Result<Option<SeriesKey>> {
    let (route, name): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(SeriesKey::of_columns(row.get(0)?, &route, &name))
}
