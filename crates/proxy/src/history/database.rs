//! The history's file: what is flushed into it, and what is done to it besides.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tracing::{info, warn};

use super::batch::{HistoryBatch, MinuteParts};
use super::compact::{self, CompactStep};
use super::pack::{UnpackError, pack_minute, unpack_minute};
use super::part::{HistoryPart, HistoryPoint, Resolution};
use super::read;
use super::retain::{self, Retention};
use super::seen::{self, WorkerPlace, WorkerSeen};
use super::series::SeriesKey;
use crate::sqlite::{BatchFile, FileFormat, OpenError, column, file, lock, open};

/// How often what was noted is flushed, at least.
pub const FLUSH_EVERY: Duration = Duration::from_secs(60);
/// The most series that are kept. At it new names are not, until those unseen for longest are dropped.
pub(super) const MAX_SERIES: usize = 100_000;

const FORMAT: FileFormat = FileFormat {
    // "oreh"
    application_id: 0x6f72_6568,
    newest: 1,
    // The points may be a gigabyte: damage there is found when it is met.
    checked: &["series", "recent", "compaction", "worker_seen"],
};
const SCHEMA: &str = "
    CREATE TABLE series (
        -- A number is not used again: what stands under it elsewhere would be another's.
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        route TEXT NOT NULL,
        name TEXT NOT NULL,
        last_seen INTEGER NOT NULL,
        UNIQUE (kind, route, name)
    ) STRICT;
    -- Minutes of hours that are not over, each with all its series.
    CREATE TABLE recent (
        minute INTEGER PRIMARY KEY,
        parts BLOB NOT NULL
    ) STRICT;
    CREATE TABLE point (
        resolution INTEGER NOT NULL,
        series INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        parts BLOB NOT NULL,
        PRIMARY KEY (resolution, series, hour)
    ) STRICT, WITHOUT ROWID;
    -- Which hour is on its way from `recent` to `point`, and how far it has come.
    CREATE TABLE compaction (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        hour INTEGER NOT NULL,
        next_series INTEGER NOT NULL
    ) STRICT;
";

/// Why nothing is kept at present; none while it is.
pub(super) type HistoryTrouble = Arc<Mutex<Option<String>>>;
/// The numbers of series in the file.
pub(super) type SeriesIds = HashMap<SeriesKey, i64>;

/// The open file, which no other process can open.
pub(super) struct HistoryDatabase {
    /// None where it was broken, and a fresh one could not be begun.
    db: Option<Connection>,
    path: PathBuf,
    series: SeriesIds,
    /// The time of what was flushed last, in Unix seconds.
    now: u64,
    retention: Retention,
    trouble: HistoryTrouble,
    /// What was found broken by somebody who reads, until it is begun anew.
    damage: Cell<Option<OpenError>>,
}

/// What is found in a file when it is opened.
pub(super) struct FoundHistory {
    pub(super) database: HistoryDatabase,
    pub(super) seen: Vec<(WorkerPlace, WorkerSeen)>,
}

impl HistoryDatabase {
    /// Opens a file or makes it. A broken one is set aside for a fresh one.
    pub(super) fn open(
        path: &Path,
        max_bytes: u64,
        now: u64,
        trouble: &HistoryTrouble,
    ) -> Result<FoundHistory, OpenError> {
        let read = |db: Connection| {
            let series = read_series(&db)?;
            Ok::<_, OpenError>((seen::read(&db, now)?, series, db))
        };
        let found = match connect(path).and_then(read) {
            Err(error @ OpenError::Damaged(_)) => begin_anew(path, &error, now).and_then(read),
            found => found,
        };
        let (seen, series, db) = found?;
        let database = Self {
            db: Some(db),
            path: path.to_owned(),
            series,
            now,
            retention: Retention::new(max_bytes),
            trouble: Arc::clone(trouble),
            damage: Cell::default(),
        };
        Ok(FoundHistory { database, seen })
    }

    #[cfg(test)]
    pub(super) const fn connection(&self) -> &Connection {
        self.db.as_ref().expect("it is open")
    }

    pub(super) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// What is known of a series within a time, in Unix seconds; or in words, why that cannot be read.
    pub(super) fn read(
        &self,
        key: &SeriesKey,
        from: u64,
        to: u64,
        resolution: Resolution,
    ) -> Result<Vec<HistoryPoint>, String> {
        let (Some(db), Some(&id)) = (&self.db, self.series.get(key)) else { return Ok(Vec::new()) };
        read::read(db, id, from, to, resolution).map_err(|error| {
            let error = OpenError::from(error);
            let said = error.to_string();
            if matches!(error, OpenError::Damaged(_)) {
                self.damage.set(Some(error));
            }
            said
        })
    }

    /// Does something to the file, which is begun anew where it turns out to be broken.
    fn attempt<T>(
        &mut self,
        mut action: impl FnMut(&mut Self) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let broken = match (self.damage.take(), &self.db) {
            (Some(damage), _) => damage,
            (None, None) => OpenError::Damaged("it could not be begun anew before".to_owned()),
            (None, Some(_)) => match action(self) {
                Err(damage @ OpenError::Damaged(_)) => damage,
                done => return done,
            },
        };
        // It is closed before it is renamed.
        self.db = None;
        self.db = Some(begin_anew(&self.path, &broken, self.now)?);
        self.series.clear();
        action(self)
    }

    fn flush(&mut self, batch: &HistoryBatch) -> Result<(), OpenError> {
        let Some(db) = &mut self.db else { return Ok(()) };
        compact::finish_before(db, batch.minutes())?;
        let transaction = db.transaction()?;
        for place in batch.forgotten() {
            seen::forget(&transaction, place)?;
            if let Some(&id) = self.series.get(&worker(place)) {
                retain::forget_series(&transaction, id)?;
            }
        }
        let forgotten: HashSet<SeriesKey> = batch.forgotten().iter().map(worker).collect();
        let mut added = SeriesIds::new();
        for (&minute, parts) in batch.minutes() {
            let id_of = |key: &SeriesKey| -> rusqlite::Result<Option<i64>> {
                let known = self.series.get(key).filter(|_| !forgotten.contains(key));
                if let Some(&id) = known.or_else(|| added.get(key)) {
                    return Ok(Some(id));
                }
                if self.series.len() + added.len() >= MAX_SERIES {
                    return Ok(None);
                }
                let id = add_series(&transaction, key, minute)?;
                added.insert(key.clone(), id);
                Ok(Some(id))
            };
            write_minute(&transaction, minute, parts, id_of)?;
        }
        seen::write(&transaction, batch.seen())?;
        transaction.commit()?;
        self.series.retain(|key, _| !forgotten.contains(key));
        self.series.extend(added);
        if let Some((minute, _)) = batch.minutes().last_key_value() {
            self.now = minute * 60;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<bool, OpenError> {
        let Some(db) = &mut self.db else { return Ok(false) };
        match compact::step(db)? {
            CompactStep::More => return Ok(true),
            CompactStep::HourDone => {
                self.retention.begin();
                seen::forget_old(db, self.now)?;
                return Ok(true);
            }
            CompactStep::Nothing => {}
        }
        Ok(self.retention.step(db, &mut self.series, self.now)?)
    }
}

impl BatchFile for HistoryDatabase {
    type Batch = HistoryBatch;
    type Error = OpenError;
    const THREAD: &'static str = "history";
    const WRITE_EVERY: Duration = FLUSH_EVERY;

    /// Writes all or nothing.
    fn write(&mut self, batch: &mut HistoryBatch) -> Result<(), OpenError> {
        self.attempt(|database| database.flush(batch))
    }

    fn tidy(&mut self) -> Result<bool, OpenError> {
        self.attempt(Self::step)
    }

    fn say_unwritten(&self, error: &OpenError) {
        *lock(&self.trouble) = Some(error.to_string());
        warn!(
            event = "history.unwritten", file = %self.path.display(),
            "cannot write the history file: {error}; tried again every {FLUSH_EVERY:?}, and of what \
             cannot be kept so long the oldest is lost: is the disk full?"
        );
    }

    fn say_written(&self) {
        *lock(&self.trouble) = None;
        let file = self.path.display();
        info!(event = "history.written", %file, "the history file is written again");
    }
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    file::create(path)?;
    let (mut db, format) = open(path, &FORMAT)?;
    // Of an empty file alone; so that what is deleted leaves it.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A crash of the machine may cost some minutes, and no more: unlike job ids they may be missing.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    // A large transaction does not leave a large log behind.
    db.pragma_update(None, "journal_size_limit", 4 << 20)?;
    if format < FORMAT.newest {
        let transaction = db.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(seen::SCHEMA)?;
        transaction.pragma_update(None, "user_version", FORMAT.newest)?;
        transaction.pragma_update(None, "application_id", FORMAT.application_id)?;
        transaction.commit()?;
    }
    Ok(db)
}

fn begin_anew(path: &Path, broken: &OpenError, now: u64) -> Result<Connection, OpenError> {
    let aside = file::set_aside(path, now)?;
    let db = connect(path)?;
    warn!(
        event = "history.broken", file = %path.display(), set_aside = %aside.display(),
        "the history file is broken ({broken}) and was set aside; a fresh one is begun, and what \
         was before is not shown any more"
    );
    Ok(db)
}

fn read_series(db: &Connection) -> rusqlite::Result<SeriesIds> {
    let mut query = db.prepare("SELECT kind, route, name, id FROM series")?;
    let mut rows = query.query([])?;
    let mut series = SeriesIds::new();
    while let Some(row) = rows.next()? {
        let (route, name): (Arc<str>, Arc<str>) = (row.get(1)?, row.get(2)?);
        if let Some(key) = SeriesKey::of_columns(row.get(0)?, &route, &name) {
            series.insert(key, row.get(3)?);
        }
    }
    Ok(series)
}

fn add_series(db: &Connection, key: &SeriesKey, minute: u64) -> rusqlite::Result<i64> {
    let (kind, route, name) = key.columns();
    let add = "INSERT INTO series (kind, route, name, last_seen) VALUES (?1, ?2, ?3, ?4)";
    db.prepare(add)?.insert(params![kind, route, name, column(minute * 60)])
}

/// Adds to a minute, which may stand there in part.
fn write_minute(
    db: &Transaction<'_>,
    minute: u64,
    parts: &MinuteParts,
    mut id_of: impl FnMut(&SeriesKey) -> rusqlite::Result<Option<i64>>,
) -> rusqlite::Result<()> {
    let mut by_id = BTreeMap::<i64, HistoryPart>::new();
    let known = "SELECT parts FROM recent WHERE minute = ?1";
    let known = db.prepare(known)?.query_row([column(minute)], |row| row.get(0));
    if let Some(known) = known.optional()? {
        let known: Vec<u8> = known;
        let read = unpack_minute(&known, 0..i64::MAX, |id, part| _ = by_id.insert(id, part));
        read.unwrap_or_else(|error| say_unreadable(&error));
    }
    for (key, part) in parts {
        if let Some(id) = id_of(key)? {
            by_id.entry(id).or_default().add(part);
        }
    }
    let packed = pack_minute(by_id.iter().map(|(id, part)| (*id, part)));
    let put = "INSERT OR REPLACE INTO recent (minute, parts) VALUES (?1, ?2)";
    db.prepare(put)?.execute(params![column(minute), packed]).map(drop)
}

/// Says once that something in the file makes no sense, and is left out.
pub(super) fn say_unreadable(error: &UnpackError) {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        warn!(
            event = "history.unreadable",
            "a row of the history makes no sense ({error}) and is left out, as are others like it: \
             the disk may be damaged; stop orepass and delete the history file to be rid of them"
        );
    });
}

fn worker((route, name): &WorkerPlace) -> SeriesKey {
    SeriesKey::worker(route, name)
}
