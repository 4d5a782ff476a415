//! Opening a file, and why that may fail.

use std::path::Path;
use std::time::Duration;

use orepass_stratum::error::shown;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

/// How long another process, such as the former run, may take to let go of a file.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// The most that is held of a file in memory.
const MAX_CACHE_KIB: i32 = 256;
/// The most bytes of a text that is kept.
const MAX_TEXT: usize = 256;

/// How a kind of files is known.
pub(crate) struct FileFormat {
    /// Tells our files of this kind from all others.
    pub(crate) application_id: i64,
    /// The newest format that is known here, which is the file's `user_version`.
    pub(crate) newest: i64,
    /// The tables in which damage is looked for when a file is opened; none for all of them.
    pub(crate) checked: &'static [&'static str],
}

/// Why there is no file to use. It is the operator's, or the disk's.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
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

    /// What the operator can do with the `file` of this table of the config.
    pub(crate) fn remedy(&self, table: &str) -> String {
        match self {
            Self::Damaged(_) => "delete it".to_owned(),
            Self::InUse => format!("give each process a `file` of its own in {table}"),
            Self::Newer { .. } => format!("run that version, or name another `file` in {table}"),
            Self::Foreign => format!("name another `file` in {table}"),
            Self::Unusable(_) | Self::Io(_) => format!(
                "name a `file` in {table} that this program may create and write, with its folder"
            ),
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

/// Opens a file that is there, and changes nothing in it. Gives its format too, which is 0 when it is empty.
pub(crate) fn open(path: &Path, format: &FileFormat) -> Result<(Connection, i64), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_FOR)?;
    // Held as long as the file is open: two processes would overwrite each other's memory.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Below zero it is KiB.
    db.pragma_update(None, "cache_size", -MAX_CACHE_KIB)?;
    let found = format.check(&db)?;
    Ok((db, found))
}

impl FileFormat {
    /// The format of a file that is whole, and ours or empty. Changes nothing in it.
    fn check(&self, db: &Connection) -> Result<i64, OpenError> {
        let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let found = number("user_version")?;
        let ours = if found == 0 {
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0
        } else {
            number("application_id")? == self.application_id
        };
        if !ours {
            return Err(OpenError::Foreign);
        }
        if !(0..=self.newest).contains(&found) {
            return Err(OpenError::Newer { found, known: self.newest });
        }
        let all = ["1"].as_slice();
        let tables = if self.checked.is_empty() || found == 0 { all } else { self.checked };
        for table in tables {
            let check = format!("PRAGMA quick_check({table})");
            let verdict: String = db.query_row(&check, [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(OpenError::damaged(&verdict));
            }
        }
        Ok(found)
    }
}

/// A count, or a time in Unix seconds, as SQLite's signed numbers have it…
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// …and back.
pub(crate) fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or_default()
}

/// The start of a text that is not too long to be kept.
pub(crate) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}
