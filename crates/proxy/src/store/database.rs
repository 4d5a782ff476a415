//! The state file as a database.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction};
use tracing::{info, warn};

use super::job_ids::Reservation;
use super::record::Unwritten;
use super::{KeptState, columns};
use crate::sqlite::{Batch, BatchFile, FileFormat, OpenError, column, file, open};
use crate::watch::{self, Concern};

/// How often what has changed is written.
pub(super) const WRITE_EVERY: Duration = Duration::from_secs(5);

/// The format that is written and read here.
const FORMAT: FileFormat = FileFormat {
    // "orep"
    application_id: 0x6f72_6570,
    newest: 3,
    checked: &[],
};
/// Makes that of an empty file and of one of an earlier format.
const SCHEMA: &str = "
    -- Format 1 knew firmware by software and address, where one rig spoke for all.
    DROP TABLE IF EXISTS firmware;
    CREATE TABLE IF NOT EXISTS job_id (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        mark INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS worker (
        route TEXT NOT NULL,
        name TEXT NOT NULL,
        difficulty REAL,
        slot INTEGER,
        profile TEXT,
        last_seen INTEGER NOT NULL,
        PRIMARY KEY (route, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS rig_firmware (
        route TEXT NOT NULL,
        worker TEXT NOT NULL,
        agent TEXT NOT NULL,
        address TEXT,
        alone TEXT NOT NULL,
        set_extranonce INTEGER,
        shares INTEGER NOT NULL,
        sizes INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (route, worker)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS habit (
        route TEXT NOT NULL,
        server TEXT NOT NULL,
        habit TEXT NOT NULL,
        answer TEXT NOT NULL,
        learnt INTEGER NOT NULL,
        PRIMARY KEY (route, server, habit)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ban (
        route TEXT NOT NULL,
        worker TEXT NOT NULL,
        since INTEGER NOT NULL,
        lasts_s INTEGER NOT NULL,
        PRIMARY KEY (route, worker)
    ) STRICT, WITHOUT ROWID;
";

/// The open file, which no other process can open.
pub(super) struct Database(Connection);

/// What the file is to be told.
#[derive(Default)]
pub(super) struct Changes {
    /// The first job id that is not reserved, when that is another one.
    pub(super) mark: Option<u64>,
    /// What has changed of each route.
    pub(super) routes: BTreeMap<Arc<str>, Unwritten>,
}

impl Batch for Changes {
    fn merge(&mut self, newer: Self) {
        self.mark = newer.mark.or(self.mark);
        for (route, unwritten) in newer.routes {
            self.routes.entry(route).or_default().merge(unwritten);
        }
    }
}

/// Reads a file that is there, and changes nothing in it.
pub(super) fn look(path: &Path, now: u64) -> Result<KeptState, OpenError> {
    let (mut db, format) = open(path, &FORMAT)?;
    // What brings an older file up to date is not kept.
    let transaction = db.transaction()?;
    migrate(&transaction, format)?;
    Ok(read(&transaction, now)?)
}

impl Database {
    /// Opens a file or makes it, reads it, and reserves the first job ids of this run in it.
    pub(super) fn open(path: &Path, now: u64) -> Result<(Self, KeptState), OpenError> {
        file::create(path)?;
        let (mut db, format) = open(path, &FORMAT)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // What is written, job ids above all, is to survive a power failure too.
        db.pragma_update(None, "synchronous", "FULL")?;
        let transaction = db.transaction()?;
        migrate(&transaction, format)?;
        let remembered = read(&transaction, now)?;
        put_mark(&transaction, remembered.ids.mark())?;
        transaction.commit()?;
        Ok((Self(db), remembered))
    }
}

impl BatchFile for Database {
    type Batch = Changes;
    type Error = rusqlite::Error;
    const THREAD: &'static str = "state";
    const WRITE_EVERY: Duration = WRITE_EVERY;

    /// Writes all changes, or none but the mark, without which job ids might repeat.
    fn write(&mut self, changes: &mut Changes) -> rusqlite::Result<()> {
        if let Some(mark) = changes.mark {
            put_mark(&self.0, mark)?;
        }
        let transaction = self.0.transaction()?;
        for (route, unwritten) in &changes.routes {
            columns::write(&transaction, route, unwritten)?;
        }
        transaction.commit()
    }

    fn say_unwritten(&self, error: &rusqlite::Error) {
        let file = self.0.path();
        watch::raise(Concern::StateFile, file.unwrap_or_default(), error.to_string());
        warn!(
            event = "state.unwritten",
            file,
            "cannot write the state file: {error}; tried again every {WRITE_EVERY:?}, and \
             meanwhile a crash costs what was learnt of rigs: is the disk full?"
        );
    }

    fn say_written(&self) {
        let file = self.0.path();
        watch::settle(Concern::StateFile, file.unwrap_or_default());
        info!(event = "state.written", file, "the state file is written again");
    }
}

fn migrate(transaction: &Transaction<'_>, format: i64) -> rusqlite::Result<()> {
    if format < FORMAT.newest {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", FORMAT.newest)?;
    }
    transaction.pragma_update(None, "application_id", FORMAT.application_id)
}

fn read(db: &Connection, now: u64) -> rusqlite::Result<KeptState> {
    let mark = db.query_row("SELECT mark FROM job_id", [], |row| row.get::<_, i64>(0));
    let mark = mark.optional()?.and_then(|mark| u64::try_from(mark).ok());
    Ok(KeptState { ids: Reservation::new(mark, now), routes: columns::read(db, now)? })
}

fn put_mark(db: &Connection, mark: u64) -> rusqlite::Result<()> {
    let put = "INSERT OR REPLACE INTO job_id (only, mark) VALUES (1, ?1)";
    db.execute(put, [column(mark)]).map(drop)
}

#[cfg(test)]
mod tests {
    use orepass_farm::knowledge::{Change, WorkerRecord};
    use rusqlite::ErrorCode;

    use super::*;

    #[test]
    fn a_full_disk_costs_nothing_once_there_is_room_again() {
        let path = std::env::temp_dir().join(format!("orepass-full-{}.db", std::process::id()));
        let now = 1_800_000_000;
        let (mut database, _) = Database::open(&path, now).unwrap();
        let mut changes = Changes { mark: Some(u64::from(u32::MAX)), ..Changes::default() };
        for number in 0..1_000 {
            let change = Change::Worker(number.to_string().into(), Some(WorkerRecord::default()));
            changes.routes.entry("hns".into()).or_default().note(change, now);
        }
        let number = |database: &Database, query: &str| {
            database.0.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        let room = |database: &Database, pages: i64| {
            number(database, &format!("PRAGMA max_page_count = {pages}"));
        };
        let pages = number(&database, "PRAGMA page_count");
        room(&database, pages + 1);
        let error = database.write(&mut changes).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull));
        assert_eq!(number(&database, "SELECT count(*) FROM worker"), 0, "all or nothing");
        assert_eq!(number(&database, "SELECT mark FROM job_id"), i64::from(u32::MAX), "but ids");
        room(&database, pages + 100);
        database.write(&mut changes).unwrap();
        assert_eq!(number(&database, "SELECT count(*) FROM worker"), 1_000);
        drop(database);
        std::fs::remove_file(path).unwrap();
    }
}
