//! What the proxy remembers of rigs and pools from one run to the next.
//!
//! It is read whole from one SQLite file at the start, and given to the routes' farms, which keep it and
//! say what changes. That is written behind by a thread of its own: nobody waits for a disk. A file
//! that is missing, broken or in use costs the memory of former runs and nothing else.

mod columns;
mod database;
mod job_ids;
mod record;
mod route;

use std::fmt;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use orepass_stratum::extranonce::Extranonce;
use thiserror::Error;
use tracing::{info, warn};

use self::database::Database;
pub use self::job_ids::RESERVED_IDS;
use self::job_ids::Reservation;
use self::record::Routes;
pub use self::route::RouteStore;
use crate::clock::unix_seconds;
use crate::sqlite::{BatchWriter, OpenError, file, lock};

/// What was not seen for so long is forgotten at the next start.
pub const FORGET_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the shutdown waits for what is not written yet.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// What the proxy remembers from one run to the next. A clone is another handle.
#[derive(Clone, Debug)]
pub struct Store(Arc<StoreInner>);

struct StoreInner {
    remembered: Mutex<KeptState>,
    /// None where nothing outlives the run.
    writer: Option<BatchWriter<Database>>,
    /// The writer's file.
    path: PathBuf,
    held: Mutex<HeldExtranonces>,
}

/// Under what rigs of the process before this one still work, or did lately.
#[derive(Default)]
struct HeldExtranonces {
    /// Each with its pool's host and port.
    extranonces: Vec<(String, Extranonce)>,
    until_dropped: Weak<()>,
}

/// What earlier runs have left.
struct KeptState {
    ids: Reservation,
    routes: Routes,
}

impl Store {
    /// Knows nothing, and keeps nothing but which job ids were told in this run.
    #[must_use]
    pub fn fleeting() -> Self {
        Self::without_file(unix_seconds())
    }

    /// Remembers in a file, which is created where it is missing, and read. Blocks while it does.
    ///
    /// It never fails: what is wrong with the file is said in one line of the log. A broken file
    /// is set aside for a fresh one; with a file that cannot be used, or must not be touched, the
    /// store is [fleeting](Self::fleeting).
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self::open_at(path, unix_seconds())
    }

    /// As [`open`](Self::open) at a time in Unix seconds.
    #[must_use]
    pub fn open_at(path: &Path, now: u64) -> Self {
        // The log names it in full, and SQLite gives no meaning of its own to an absolute path.
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        let opened = Database::open(&path, now);
        Self::of_opened(opened, &path, now)
    }

    fn of_opened(opened: Result<(Database, KeptState), OpenError>, path: &Path, now: u64) -> Self {
        let file = path.display();
        match opened {
            Ok((database, remembered)) => {
                let routes = || remembered.routes.values();
                let workers: usize = routes().map(|route| route.workers.len()).sum();
                let firmware: usize = routes().map(|route| route.firmware.len()).sum();
                info!(
                    event = "state.read", %file, workers, firmware,
                    "remembering {workers} workers"
                );
                Self::with_file(database, remembered, path)
            }
            Err(error @ OpenError::Damaged(_)) => Self::begin_anew(&error, path, now),
            Err(error) => {
                warn!(
                    event = "state.unusable", %file,
                    "cannot use the state file: {error}; what is learnt of rigs is forgotten at \
                     the end of this run; {}", error.remedy("[state]")
                );
                Self::without_file(now)
            }
        }
    }

    fn begin_anew(broken: &OpenError, path: &Path, now: u64) -> Self {
        let file = path.display();
        let set_aside = file::set_aside(path, now).map_err(OpenError::from);
        match set_aside.and_then(|aside| Ok((aside, Database::open(path, now)?))) {
            Ok((aside, (database, remembered))) => {
                warn!(
                    event = "state.broken", %file, set_aside = %aside.display(),
                    "the state file is broken ({broken}) and was set aside; a fresh one is begun, \
                     and rigs start as if they were new"
                );
                Self::with_file(database, remembered, path)
            }
            Err(error) => {
                warn!(
                    event = "state.unusable", %file,
                    "the state file is broken ({broken}) and cannot be replaced: {error}; what is \
                     learnt of rigs is forgotten at the end of this run; delete it"
                );
                Self::without_file(now)
            }
        }
    }

    /// What a file remembers, for a program that only looks: nothing is kept, and a file that is
    /// missing is as good as an empty one. Blocks while it reads.
    ///
    /// # Errors
    /// Why it cannot be read, in words. A running Orepass has it to itself.
    pub fn look(path: &Path) -> Result<Self, String> {
        let now = unix_seconds();
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        if !path.exists() {
            return Ok(Self::without_file(now));
        }
        let remembered = database::look(&path, now).map_err(|error| error.to_string())?;
        Ok(Self::new(remembered, None, path))
    }

    /// One route's part, by the route's name.
    #[must_use]
    pub fn route(&self, route: &str) -> RouteStore {
        RouteStore::new(Arc::clone(&self.0), route.into())
    }

    /// The routes of the config are there. One that comes later may be told rigs of another's socket, so
    /// that it counts its jobs past all that were told.
    pub fn all_started(&self) {
        lock(&self.0.remembered).ids.all_started();
    }

    /// Whether what is remembered outlives this run.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.writer.is_some()
    }

    /// Has everything written that is remembered by now, and waits for it for 2 s at most. False
    /// when that failed or was not enough; it is still being tried then.
    pub async fn flush(&self) -> bool {
        match &self.0.writer {
            Some(writer) => writer.flush(CLOSE_WITHIN).await,
            None => true,
        }
    }

    /// Writes what is not written yet and lets go of the file, within 2 s. What is remembered
    /// later lasts as long as the run.
    pub async fn close(&self) {
        if let Some(writer) = &self.0.writer
            && !writer.close(CLOSE_WITHIN).await
        {
            warn!(
                event = "state.unwritten",
                "the state file was not written within {CLOSE_WITHIN:?}; the last moments are lost"
            );
        }
    }

    /// As [`close`](Self::close), so that another process can open the file. Gives the mark: the first
    /// job id that this process does not tell, which may go on telling jobs for a while.
    ///
    /// # Errors
    /// [`NotLetGo`].
    pub async fn hand_over(&self) -> Result<u64, NotLetGo> {
        let mark = lock(&self.0.remembered).ids.leave();
        if let Some(writer) = &self.0.writer {
            writer.note(|changes| changes.mark = Some(mark));
            if !writer.close(CLOSE_WITHIN).await {
                return Err(NotLetGo);
            }
        }
        Ok(mark)
    }

    /// Opens the file again after it was [handed over](Self::hand_over), and writes what was noted
    /// since. What the other process has put there meanwhile and this one knows otherwise is lost.
    /// Blocks while it opens.
    ///
    /// # Errors
    /// In words, why that cannot be. What is noted waits all the same.
    pub fn reopen(&self) -> Result<(), String> {
        let StoreInner { remembered, writer: Some(writer), path, .. } = &*self.0 else {
            return Ok(());
        };
        let opened = Database::open(path, unix_seconds()).map_err(|error| error.to_string())?;
        let (database, found) = opened;
        writer.restart(database).map_err(|error| error.to_string())?;
        let ids = &mut lock(remembered).ids;
        ids.not_before(found.ids.mark());
        writer.note(|changes| changes.mark = Some(ids.mark()));
        writer.hurry();
        Ok(())
    }

    /// As [`open`](Self::open), or [`fleeting`](Self::fleeting) without a path, where another process
    /// has [handed over](Self::hand_over): no job id before its mark is told.
    ///
    /// # Errors
    /// In words, where the other process has the file still, or some third one.
    pub fn take_over(path: Option<&Path>, mark: u64) -> Result<Self, String> {
        let now = unix_seconds();
        let store = match path.map(|path| absolute(path).unwrap_or_else(|_| path.to_owned())) {
            None => Self::without_file(now),
            Some(path) => match Database::open(&path, now) {
                Err(OpenError::InUse) => {
                    return Err(format!("another process uses the state file {}", path.display()));
                }
                opened => Self::of_opened(opened, &path, now),
            },
        };
        let ids = &mut lock(&store.0.remembered).ids;
        ids.begin_at(mark);
        if let Some(writer) = &store.0.writer {
            writer.note(|changes| changes.mark = Some(ids.mark()));
        }
        Ok(store.clone())
    }

    /// Routes that start later have none of their connections work under these extranonces, each with
    /// its pool's host and port, until what this gives is dropped.
    #[must_use]
    pub fn hold(&self, extranonces: Vec<(String, Extranonce)>) -> Arc<()> {
        let held = Arc::new(());
        let until_dropped = Arc::downgrade(&held);
        *lock(&self.0.held) = HeldExtranonces { extranonces, until_dropped };
        held
    }

    fn without_file(now: u64) -> Self {
        let fresh = KeptState { ids: Reservation::new(None, now), routes: Routes::new() };
        Self::new(fresh, None, PathBuf::new())
    }

    fn with_file(database: Database, remembered: KeptState, path: &Path) -> Self {
        let writer = BatchWriter::start(database);
        if let Err(error) = &writer {
            warn!(
                event = "state.unusable",
                "cannot start the thread that writes the state file: {error}; what is learnt of \
                 rigs is forgotten at the end of this run"
            );
        }
        Self::new(remembered, writer.ok(), path.to_owned())
    }

    fn new(remembered: KeptState, writer: Option<BatchWriter<Database>>, path: PathBuf) -> Self {
        let (remembered, held) = (Mutex::new(remembered), Mutex::default());
        Self(Arc::new(StoreInner { remembered, writer, path, held }))
    }
}

/// The state file was not written in time, or cannot be: it may be open still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the state file could not be written and closed within {CLOSE_WITHIN:?}")]
pub struct NotLetGo;

impl fmt::Debug for StoreInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("kept", &self.writer.is_some()).finish_non_exhaustive()
    }
}
