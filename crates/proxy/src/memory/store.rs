//! The state file as a database.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orepass_stratum::error::shown;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction};
use thiserror::Error;

use super::entry::{Kept, column};
use super::table::{Batch, Table};
use super::{Contents, FORGET_AFTER, Part, file, first_id, lock};

/// Tells our files from those of other programs: "orep".
const APPLICATION_ID: i64 = 0x6f72_6570;
/// How long another process, such as the former run, may take to let go of the file.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// So many changes are taken at once, so that nobody waits long for a table.
const BATCH: usize = 512;

/// What makes each version of the format of the one before; `user_version` counts them.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE job_id (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        mark INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE worker (
        route TEXT NOT NULL,
        name TEXT NOT NULL,
        difficulty REAL,
        slot INTEGER,
        profile TEXT,
        last_seen INTEGER NOT NULL,
        PRIMARY KEY (route, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE firmware (
        route TEXT NOT NULL,
        agent TEXT NOT NULL,
        address TEXT NOT NULL,
        dedicated INTEGER NOT NULL,
        set_extranonce INTEGER,
        reason TEXT NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (route, agent, address)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Firmware was known by software and address, where one rig spoke for all.
    DROP TABLE firmware;
    CREATE TABLE rig_firmware (
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
    CREATE TABLE habit (
        route TEXT NOT NULL,
        server TEXT NOT NULL,
        habit TEXT NOT NULL,
        answer TEXT NOT NULL,
        learnt INTEGER NOT NULL,
        PRIMARY KEY (route, server, habit)
    ) STRICT, WITHOUT ROWID;
",
];

/// Why there is no state file to use. It is the operator's, or the disk's.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    /// What stands in it makes no sense.
    #[error("{0}")]
    Damaged(String),
    #[error("another process uses it")]
    InUse,
    #[error(
        "a newer version of this program wrote it, in format {found}; known here is up to {known}"
    )]
    Newer { found: i64, known: i64 },
    #[error("it belongs to another program")]
    Foreign,
    #[error("{0}")]
    Unusable(rusqlite::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl OpenError {
    /// What SQLite says may quote the file, and may have a headline.
    fn damaged(said: &str) -> Self {
        Self::Damaged(shown(said.lines().last().unwrap_or_default()))
    }

    /// What the operator can do.
    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "delete it",
            Self::InUse => "give each process a `file` of its own in [state]",
            Self::Newer { .. } => "run that version, or name another `file` in [state]",
            Self::Foreign => "name another `file` in [state]",
            Self::Unusable(_) | Self::Io(_) => {
                "name a `file` in [state] that this program may create and write, with its folder"
            }
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport,
            ) => Self::Unusable(error),
            _ => Self::damaged(&error.to_string()),
        }
    }
}

/// The open file, which no other process can open.
pub(super) struct Store {
    db: Connection,
    /// The mark of job ids that it has.
    mark: u64,
}

/// Reads a file that is there, and changes nothing in it.
pub(super) fn look(path: &Path, now: u64) -> Result<Contents, OpenError> {
    let (mut db, version) = open(path)?;
    // What brings an older file up to date is not kept.
    let transaction = db.transaction()?;
    migrate(&transaction, version)?;
    let contents = read(&transaction, now, false)?;
    transaction.rollback()?;
    Ok(contents)
}

fn open(path: &Path) -> Result<(Connection, i64), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_FOR)?;
    // Held as long as the file is open: two processes would overwrite each other's memory.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let version = checked_version(&db)?;
    Ok((db, version))
}

impl Store {
    /// Opens a file or makes it, reads it, and reserves the first job ids of this run in it.
    pub(super) fn open(path: &Path, now: u64) -> Result<(Self, Contents), OpenError> {
        file::create(path)?;
        let (mut db, version) = open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // What this run relies on is to survive a power failure too.
        db.pragma_update(None, "synchronous", "FULL")?;
        let transaction = db.transaction()?;
        migrate(&transaction, version)?;
        let contents = read(&transaction, now, true)?;
        let mark = contents.mark.load(Ordering::Relaxed);
        put_mark(&transaction, mark)?;
        transaction.commit()?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        Ok((Self { db, mark }, contents))
    }

    /// Writes what the file does not have yet. What could not be written is so next time.
    pub(super) fn write(&mut self, contents: &Contents) -> rusqlite::Result<()> {
        let mark = contents.mark.load(Ordering::Relaxed);
        if mark > self.mark {
            self.db.pragma_update(None, "synchronous", "FULL")?;
            put_mark(&self.db, mark)?;
            self.mark = mark;
            self.db.pragma_update(None, "synchronous", "NORMAL")?;
        }
        for (route, part) in contents.parts() {
            write_table(&mut self.db, &route, &part.workers)?;
            write_table(&mut self.db, &route, &part.firmware)?;
            write_table(&mut self.db, &route, &part.habits)?;
        }
        Ok(())
    }
}

/// The version of a file that is whole, and ours or empty. Changes nothing in it.
fn checked_version(db: &Connection) -> Result<i64, OpenError> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let known = MIGRATIONS.len() as i64;
    let found = number("user_version")?;
    let ours = if found == 0 {
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0
    } else {
        number("application_id")? == APPLICATION_ID
    };
    if !ours {
        return Err(OpenError::Foreign);
    }
    if !(0..=known).contains(&found) {
        return Err(OpenError::Newer { found, known });
    }
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(found) } else { Err(OpenError::damaged(&verdict)) }
}

fn migrate(transaction: &Transaction<'_>, version: i64) -> rusqlite::Result<()> {
    for (migration, version) in MIGRATIONS.iter().zip(1..).skip(version as usize) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)
}

fn read(db: &Connection, now: u64, kept: bool) -> rusqlite::Result<Contents> {
    let mark = db.query_row("SELECT mark FROM job_id", [], |row| row.get::<_, i64>(0));
    let mark = mark.optional()?.and_then(|mark| u64::try_from(mark).ok());
    let contents = Contents::new(kept, first_id(mark, now));
    read_table(db, now, &contents, |part| &part.workers)?;
    read_table(db, now, &contents, |part| &part.firmware)?;
    read_table(db, now, &contents, |part| &part.habits)?;
    Ok(contents)
}

fn read_table<V: Kept>(
    db: &Connection,
    now: u64,
    contents: &Contents,
    table: impl Fn(&Part) -> &Mutex<Table<V>>,
) -> rusqlite::Result<()> {
    db.execute(V::FORGET, [column(now.saturating_sub(FORGET_AFTER.as_secs()))])?;
    let mut query = db.prepare(V::READ)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let part = contents.part(row.get_ref(0)?.as_str()?);
        let (key, value) = V::read(row, now)?;
        lock(table(&part)).load(key, value);
    }
    Ok(())
}

fn put_mark(db: &Connection, mark: u64) -> rusqlite::Result<()> {
    let put = "INSERT OR REPLACE INTO job_id (only, mark) VALUES (1, ?1)";
    db.execute(put, [column(mark)]).map(drop)
}

/// Writes what a table has that the file has not, in one transaction.
fn write_table<V: Kept>(
    db: &mut Connection,
    route: &str,
    table: &Mutex<Table<V>>,
) -> rusqlite::Result<()> {
    let first = lock(table).take(BATCH);
    if first.changes.is_empty() && !first.anew {
        return Ok(());
    }
    let (mut taken, mut anew) = (keys(&first), first.anew);
    let written = db.transaction().and_then(|transaction| {
        let mut batch = first;
        loop {
            write_batch(&transaction, route, &batch)?;
            if batch.changes.len() < BATCH {
                return transaction.commit();
            }
            batch = lock(table).take(BATCH);
            taken.extend(keys(&batch));
            anew |= batch.anew;
        }
    });
    if written.is_err() {
        lock(table).give_back(taken, anew);
    }
    written
}

fn keys<V: Kept>(batch: &Batch<V>) -> Vec<V::Key> {
    batch.changes.iter().map(|(key, _)| key.clone()).collect()
}

fn write_batch<V: Kept>(db: &Connection, route: &str, batch: &Batch<V>) -> rusqlite::Result<()> {
    if batch.anew {
        db.execute(V::REMOVE_ALL, [route])?;
    }
    let mut put = db.prepare(V::PUT)?;
    let mut remove = db.prepare(V::REMOVE)?;
    for (key, value) in &batch.changes {
        match value {
            Some(value) => value.put(&mut put, route, key)?,
            None => V::remove(&mut remove, route, key)?,
        };
    }
    Ok(())
}
