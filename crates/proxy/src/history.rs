//! What became of the shares of each worker, route and pool: minute by minute for a day, in tens of minutes
//! for 30 days, hour by hour for two years. And when workers were seen, for those that are offline.
//!
//! It stands in a SQLite file of its own, which is written behind: nobody waits for it, and without it
//! the proxy serves as well. Whoever samples the books notes each minute what was added to them.

mod batch;
mod compact;
mod database;
pub mod pack;
mod part;
mod read;
mod retain;
mod seen;
mod series;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tracing::{info, warn};

pub use self::database::FLUSH_EVERY;
use self::database::{FoundHistory, HistoryDatabase, HistoryTrouble};
pub use self::part::{EndedShares, HistoryPart, HistoryPoint, Resolution};
use self::seen::WorkerPlace;
pub use self::seen::{FORGET_SEEN_AFTER, MAX_SEEN, WorkerSeen};
pub use self::series::{SeriesKey, SeriesKind};
use crate::clock::unix_seconds;
use crate::sqlite::{BatchWriter, OpenError, cut, lock};

/// How long the shutdown waits for what is not written yet.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How long whoever reads waits.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// So many may read at a time; others wait, so that the thread that writes comes to it in between.
const MAX_READERS: usize = 4;
/// No time that is noted is later: some thirty thousand years.
const LAST_SECOND: u64 = 1 << 40;

/// The history. A clone is another handle.
#[derive(Clone, Debug)]
pub struct History(Arc<HistoryInner>);

struct HistoryInner {
    /// None where nothing is kept.
    writer: Option<BatchWriter<HistoryDatabase>>,
    /// The writer's file, and how large it may be.
    path: PathBuf,
    max_bytes: u64,
    trouble: HistoryTrouble,
    /// Who was seen in earlier runs, until somebody takes it.
    seen: Mutex<Vec<(WorkerPlace, WorkerSeen)>>,
    readers: Semaphore,
}

impl History {
    /// Keeps nothing, since nobody wants it to.
    #[must_use]
    pub fn off() -> Self {
        Self::new(None, PathBuf::new(), 0, HistoryTrouble::default(), Vec::new())
    }

    /// Keeps a history in a file of at most so many MiB, which is created where it is missing;
    /// [none](Self::off) with 0. Blocks while it opens the file.
    ///
    /// It never fails: what is wrong with the file is said in one line of the log, and by
    /// [`trouble`](Self::trouble). A broken file is set aside for a fresh one; with a file that cannot be
    /// used, or must not be touched, nothing is kept.
    #[must_use]
    pub fn open(path: &Path, max_mib: u32) -> Self {
        Self::open_at(path, max_mib, unix_seconds())
    }

    /// As [`open`](Self::open) at a time in Unix seconds.
    #[must_use]
    pub fn open_at(path: &Path, max_mib: u32, now: u64) -> Self {
        if max_mib == 0 {
            return Self::off();
        }
        // The log names it in full, and SQLite gives no meaning of its own to an absolute path.
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        let (max_bytes, trouble) = (u64::from(max_mib) << 20, HistoryTrouble::default());
        let file = path.display();
        let (why, remedy) = match HistoryDatabase::open(&path, max_bytes, now, &trouble) {
            Ok(FoundHistory { database, seen }) => {
                let (series, workers) = (database.series_count(), seen.len());
                info!(
                    event = "history.read", %file, series, workers,
                    "keeping the history of {series} workers, routes and pools"
                );
                match BatchWriter::start(database) {
                    Ok(writer) => {
                        return Self::new(Some(writer), path, max_bytes, trouble, seen);
                    }
                    Err(error) => {
                        let why = format!("the system gives no thread to write it: {error}");
                        (why, "raise the limit of threads".to_owned())
                    }
                }
            }
            Err(error @ OpenError::Damaged(_)) => {
                (format!("it is broken and cannot be replaced: {error}"), error.remedy(""))
            }
            Err(error) => (error.to_string(), error.remedy("[history]")),
        };
        warn!(
            event = "history.unusable", %file,
            "cannot use the history file: {why}; no history is kept in this run; {remedy}"
        );
        *lock(&trouble) = Some(format!("cannot use {file}: {why}; {remedy}"));
        Self::new(None, path, max_bytes, trouble, Vec::new())
    }

    /// Whether a history is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.writer.is_some()
    }

    /// Why none is kept, or nothing can be written at present, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        lock(&self.0.trouble).clone()
    }

    /// What was added to the books of these in the minute of a time, in Unix seconds. What is noted twice
    /// of a minute is added. It is written at once, and nobody waits for it.
    pub fn note(&self, at: u64, parts: impl IntoIterator<Item = (SeriesKey, HistoryPart)>) {
        if let Some(writer) = &self.0.writer {
            writer.note(|batch| batch.note(at.min(LAST_SECOND) / 60, parts));
            writer.hurry();
        }
    }

    /// What is known of workers by now, each with its route: whole, in the place of what was known. It is
    /// written with the next minute.
    pub fn note_seen(&self, all: impl IntoIterator<Item = (Arc<str>, Arc<str>, WorkerSeen)>) {
        if let Some(writer) = &self.0.writer {
            let all = all.into_iter().map(|(route, name, seen)| (short(route), short(name), seen));
            writer.note(|batch| batch.note_seen(all));
        }
    }

    /// What earlier runs knew of workers, each with its route, those that had a good share first
    /// and of these those seen last: at most [`MAX_SEEN`] of a route, none unseen for [`FORGET_SEEN_AFTER`].
    /// Whoever takes it has it.
    #[must_use]
    pub fn take_seen(&self) -> Vec<(Arc<str>, Arc<str>, WorkerSeen)> {
        let seen = std::mem::take(&mut *lock(&self.0.seen));
        seen.into_iter().map(|((route, name), seen)| (route, name, seen)).collect()
    }

    /// Forgets all of a worker that was noted until now. False when more are to be forgotten than can be
    /// noted: the file cannot be written.
    #[must_use]
    pub fn forget(&self, route: &str, worker: &str) -> bool {
        let Some(writer) = &self.0.writer else { return true };
        let is_noted = writer.note(|batch| batch.forget((cut(route).into(), cut(worker).into())));
        writer.hurry();
        is_noted
    }

    /// What is known of a series in all parts of time that have some of the time between two, in Unix
    /// seconds: the oldest first, those without anything left out.
    ///
    /// # Errors
    /// A [`HistoryUnread`].
    pub async fn read(
        &self,
        key: SeriesKey,
        from: u64,
        to: u64,
        resolution: Resolution,
    ) -> Result<Vec<HistoryPoint>, HistoryUnread> {
        let writer = self.0.writer.as_ref().ok_or(HistoryUnread::NotKept)?;
        let (from, to) = (from.min(LAST_SECOND), to.min(LAST_SECOND));
        let look = move |database: &HistoryDatabase| {
            database.read(&key, from, to, resolution).map_err(HistoryUnread::Unreadable)
        };
        let turn = tokio::time::timeout(READ_WITHIN, self.0.readers.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(HistoryUnread::Busy) };
        writer.look(look, READ_WITHIN).await.unwrap_or(Err(HistoryUnread::Busy))
    }

    /// Has everything written that is noted by now, and waits for it for 2 s at most. False when that
    /// failed or was not enough; it is still being tried then.
    pub async fn flush(&self) -> bool {
        match &self.0.writer {
            Some(writer) => writer.flush(CLOSE_WITHIN).await,
            None => true,
        }
    }

    /// Writes what is not written yet and lets go of the file, within 2 s. What is noted later is lost.
    pub async fn close(&self) {
        if let Err(error) = self.hand_over().await {
            warn!(event = "history.unwritten", "{error}; the last minutes are lost");
        }
    }

    /// As [`close`](Self::close), so that another process can [open](Self::open) the file. What is noted
    /// later waits for a [`reopen`](Self::reopen).
    ///
    /// # Errors
    /// [`HistoryNotLetGo`].
    pub async fn hand_over(&self) -> Result<(), HistoryNotLetGo> {
        match &self.0.writer {
            Some(writer) if !writer.close(CLOSE_WITHIN).await => Err(HistoryNotLetGo),
            _ => Ok(()),
        }
    }

    /// Opens the file again after it was [handed over](Self::hand_over), and writes what was noted since.
    /// Blocks while it opens.
    ///
    /// # Errors
    /// In words, why that cannot be. What is noted waits all the same.
    pub fn reopen(&self) -> Result<(), String> {
        let HistoryInner { writer: Some(writer), path, max_bytes, trouble, .. } = &*self.0 else {
            return Ok(());
        };
        let opened = HistoryDatabase::open(path, *max_bytes, unix_seconds(), trouble);
        let opened = opened.map_err(|error| error.to_string())?;
        writer.restart(opened.database).map_err(|error| error.to_string())?;
        writer.hurry();
        Ok(())
    }

    fn new(
        writer: Option<BatchWriter<HistoryDatabase>>,
        path: PathBuf,
        max_bytes: u64,
        trouble: HistoryTrouble,
        seen: Vec<(WorkerPlace, WorkerSeen)>,
    ) -> Self {
        let (seen, readers) = (Mutex::new(seen), Semaphore::new(MAX_READERS));
        Self(Arc::new(HistoryInner { writer, path, max_bytes, trouble, seen, readers }))
    }
}

/// Why a history cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryUnread {
    /// There is none.
    #[error("no history is kept")]
    NotKept,
    /// It takes too long, or too many ask.
    #[error("the history file is busy; ask again in a moment")]
    Busy,
    /// Something is wrong with the file.
    #[error("the history file cannot be read: {0}")]
    Unreadable(String),
}

/// The history file was not written in time, or cannot be: it may be open still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the history file could not be written and closed within {CLOSE_WITHIN:?}")]
pub struct HistoryNotLetGo;

impl fmt::Debug for HistoryInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryInner").field("kept", &self.writer.is_some()).finish_non_exhaustive()
    }
}

/// A name as it stands in the file.
fn short(name: Arc<str>) -> Arc<str> {
    if cut(&name).len() == name.len() { name } else { cut(&name).into() }
}
