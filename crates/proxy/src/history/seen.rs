//! When workers were seen: what is known of those that are offline, also after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::sqlite::{column, number};

/// A worker that was not seen for so long is forgotten, in seconds.
pub const FORGET_SEEN_AFTER: u64 = 30 * 24 * 3600;
/// The most workers of a route that are known; of more, those that had a good share, and of these those seen
/// last.
pub const MAX_SEEN: usize = 20_000;
/// In which order workers of a route have a claim to be among them.
const CLAIM: &str = "best_share > 0 DESC, last_seen DESC, name";

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS worker_seen (
        route TEXT NOT NULL,
        name TEXT NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        last_share INTEGER,
        best_share REAL NOT NULL,
        blocks INTEGER NOT NULL,
        norm_hs REAL,
        PRIMARY KEY (route, name)
    ) STRICT, WITHOUT ROWID;
";

/// A worker's route and its name.
pub(super) type WorkerPlace = (Arc<str>, Arc<str>);

/// What is known of a worker, whether or not it is there. Times are Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorkerSeen {
    /// When it first came, as far as is known.
    pub first_seen: u64,
    /// When a rig of it was last connected.
    pub last_seen: u64,
    /// When it last had a good share.
    pub last_share: Option<u64>,
    /// The work of its best share, in hashes.
    pub best_share: f64,
    /// How many blocks it has found.
    pub blocks: u64,
    /// What is normal for it, in hashes per second.
    pub norm_hs: Option<f64>,
}

/// Reads all that is not forgotten at a time, those that had a good share first, and of these those seen last.
pub(super) fn read(db: &Connection, now: u64) -> rusqlite::Result<Vec<(WorkerPlace, WorkerSeen)>> {
    let mut query = db.prepare(&format!(
        "SELECT route, name, first_seen, last_seen, last_share, best_share, blocks, norm_hs
        FROM worker_seen WHERE last_seen >= ?1 ORDER BY {CLAIM}",
    ))?;
    let mut rows = query.query([oldest(now)])?;
    let (mut found, mut counts) = (Vec::new(), HashMap::<Arc<str>, usize>::new());
    while let Some(row) = rows.next()? {
        let route: Arc<str> = row.get(0)?;
        let count = counts.entry(Arc::clone(&route)).or_default();
        *count += 1;
        if *count > MAX_SEEN {
            continue;
        }
        let seen = WorkerSeen {
            first_seen: number(row.get(2)?),
            // A clock was wrong.
            last_seen: number(row.get(3)?).min(now),
            last_share: row.get::<_, Option<i64>>(4)?.map(|at| number(at).min(now)),
            best_share: row.get(5)?,
            blocks: number(row.get(6)?),
            norm_hs: row.get(7)?,
        };
        found.push(((route, row.get(1)?), seen));
    }
    Ok(found)
}

/// Puts in the place of what was known what is.
pub(super) fn write<'s>(
    db: &Connection,
    all: impl IntoIterator<Item = (&'s WorkerPlace, &'s WorkerSeen)>,
) -> rusqlite::Result<()> {
    let mut put = db.prepare(
        "INSERT OR REPLACE INTO worker_seen
        (route, name, first_seen, last_seen, last_share, best_share, blocks, norm_hs)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for ((route, name), seen) in all {
        // SQLite takes what is no number for none at all.
        let best = if seen.best_share.is_nan() { 0.0 } else { seen.best_share };
        put.execute(params![
            route,
            name,
            column(seen.first_seen),
            column(seen.last_seen),
            seen.last_share.map(column),
            best,
            column(seen.blocks),
            seen.norm_hs,
        ])?;
    }
    Ok(())
}

pub(super) fn forget(db: &Connection, (route, name): &WorkerPlace) -> rusqlite::Result<()> {
    let forget = "DELETE FROM worker_seen WHERE route = ?1 AND name = ?2";
    db.prepare(forget)?.execute([route, name]).map(drop)
}

/// Forgets those that were not seen for too long, and those past the bound.
pub(super) fn forget_old(db: &Connection, now: u64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM worker_seen WHERE last_seen < ?1", [oldest(now)])?;
    let surplus = format!(
        "DELETE FROM worker_seen WHERE (route, name) IN (SELECT route, name FROM
        (SELECT route, name, row_number() OVER (PARTITION BY route ORDER BY {CLAIM}) AS place
        FROM worker_seen) WHERE place > ?1)"
    );
    db.execute(&surplus, [MAX_SEEN as i64]).map(drop)
}

fn oldest(now: u64) -> i64 {
    column(now.saturating_sub(FORGET_SEEN_AFTER))
}
