//! What the proxy remembers of rigs and pools from one run to the next.
//!
//! Everything is kept in memory, and written behind to one SQLite file by a thread of its own: who
//! asks or tells something never waits for a disk. A file that is missing, broken or in use costs
//! the memory of former runs and nothing else.

mod entry;
mod file;
mod store;
mod table;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

pub use self::entry::{FirmwareState, HabitState, WorkerState};
use self::entry::{HabitKey, MAX_TEXT, cut};
use self::store::{OpenError, Store};
use self::table::Table;
use self::writer::Writer;
use crate::clock::unix_seconds;

/// The most workers remembered of a route, and the most of their firmwares.
pub const MAX_ENTRIES: usize = 20_000;
/// The most habits of pools remembered of a route.
const MAX_HABITS: usize = 1024;
/// What was not seen for so long is forgotten at the next start.
pub const FORGET_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// The file says of so many more job ids than are in use that they may have been told.
pub const RESERVED_IDS: u32 = 65_536;
/// With fewer ids left than this, more are reserved; the rest lasts until that is written.
const RESERVE_AT: u32 = RESERVED_IDS / 4 * 3;
/// How long the shutdown waits for what is not written yet.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Firmware that is asked for counts as seen; so often that is noted.
const NOTE_SEEN_EVERY: u64 = 24 * 3600;

/// What the proxy remembers of rigs from one run to the next. A clone is another handle.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

/// One route's part of a [`Memory`]. A clone is another handle.
#[derive(Clone)]
pub struct RouteMemory {
    inner: Arc<Inner>,
    part: Arc<Part>,
}

struct Inner {
    contents: Arc<Contents>,
    /// None where nothing outlives the run.
    writer: Option<Writer>,
}

/// All that is remembered, and what of it is not in the file yet.
struct Contents {
    /// Whether there is a file to write to.
    kept: bool,
    /// The first job id that no earlier run can have told.
    first_id: u32,
    /// The first job id that is not reserved; past 32 bits when they are used up.
    mark: AtomicU64,
    parts: Mutex<HashMap<Box<str>, Arc<Part>>>,
}

struct Part {
    /// Whether ids were given out for this route in this run.
    counting: AtomicBool,
    workers: Mutex<Table<WorkerState>>,
    firmware: Mutex<Table<FirmwareState>>,
    habits: Mutex<Table<HabitState>>,
}

impl Memory {
    /// Remembers for this run alone.
    #[must_use]
    pub fn fleeting() -> Self {
        Self::without_file(unix_seconds())
    }

    /// Remembers in a file, which is created where it is missing, and read. Blocks while it does.
    ///
    /// It never fails: what is wrong with the file is said in one line of the log. A broken file
    /// is set aside for a fresh one; with a file that cannot be used, or must not be touched, the
    /// memory is [fleeting](Self::fleeting).
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self::open_at(path, unix_seconds())
    }

    /// As [`open`](Self::open) at a time in Unix seconds.
    #[must_use]
    pub fn open_at(path: &Path, now: u64) -> Self {
        // The log names it in full, and SQLite gives no meaning of its own to an absolute path.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = path.display();
        let (error, set_aside) = match Store::open(&path, now) {
            Ok((store, contents)) => {
                let (workers, firmware) = contents.count();
                info!(
                    event = "state.read", %file, workers, firmware,
                    "remembering {workers} workers"
                );
                return Self::with_file(store, contents, &path);
            }
            Err(error @ OpenError::Damaged(_)) => (error, file::set_aside(&path, now)),
            Err(error) => {
                warn!(
                    event = "state.unusable", %file,
                    "cannot use the state file: {error}; what is learnt of rigs is forgotten at \
                     the end of this run; {}", error.remedy()
                );
                return Self::without_file(now);
            }
        };
        let begun = set_aside.map_err(OpenError::from);
        match begun.and_then(|aside| Ok((aside, Store::open(&path, now)?))) {
            Ok((aside, (store, contents))) => {
                warn!(
                    event = "state.broken", %file, set_aside = %aside.display(),
                    "the state file is broken ({error}) and was set aside; a fresh one is begun, \
                     and rigs start as if they were new"
                );
                Self::with_file(store, contents, &path)
            }
            Err(second) => {
                warn!(
                    event = "state.unusable", %file,
                    "the state file is broken ({error}) and cannot be replaced: {second}; what is \
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
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if !path.exists() {
            return Ok(Self::without_file(now));
        }
        let contents = store::look(&path, now).map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(Inner { contents: Arc::new(contents), writer: None })))
    }

    /// One route's part, by the route's name.
    #[must_use]
    pub fn route(&self, route: &str) -> RouteMemory {
        RouteMemory { inner: Arc::clone(&self.0), part: self.0.contents.part(route) }
    }

    /// Whether what is remembered outlives this run.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.writer.is_some()
    }

    /// Has everything written that is remembered by now, and waits for it for 2 s at most. False
    /// when that was not enough; it is still being tried then.
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

    fn without_file(now: u64) -> Self {
        let contents = Contents::new(false, first_id(None, now));
        Self(Arc::new(Inner { contents: Arc::new(contents), writer: None }))
    }

    fn with_file(mut store: Store, contents: Contents, path: &Path) -> Self {
        let contents = Arc::new(contents);
        let written = Arc::clone(&contents);
        let writer = Writer::start(path.display().to_string(), move || store.write(&written));
        Self(Arc::new(Inner { contents, writer }))
    }
}

impl RouteMemory {
    /// What is known of a worker.
    #[must_use]
    pub fn worker(&self, worker: &str) -> Option<WorkerState> {
        self.workers().get(&worker.into()).cloned()
    }

    /// Notes something of a worker that is seen `now`, in Unix seconds; `edit` is given what is
    /// known so far. A name of more than 256 bytes is not remembered.
    pub fn remember_worker(&self, worker: &str, now: u64, edit: impl FnOnce(&mut WorkerState)) {
        if worker.len() > MAX_TEXT {
            return;
        }
        self.workers().update(worker.into(), |known| {
            let mut state = known.cloned().unwrap_or_default();
            edit(&mut state);
            state.last_seen = now;
            state.made_fit()
        });
    }

    /// What is known of the firmware of a worker's rig, which counts as seen `now`, in Unix seconds.
    #[must_use]
    pub fn firmware(&self, worker: &str, now: u64) -> Option<FirmwareState> {
        let mut table = self.firmwares();
        let known = table.get(&worker.into())?.clone();
        if now.saturating_sub(known.seen) >= NOTE_SEEN_EVERY {
            table.update(worker.into(), |_| FirmwareState { seen: now, ..known.clone() });
        }
        Some(known)
    }

    /// Notes something of the firmware of a worker's rig that is seen `now`, in Unix seconds; `edit`
    /// is given what is known so far. A name of more than 256 bytes is not remembered.
    pub fn remember_firmware(
        &self,
        (worker, agent): (&str, &str),
        now: u64,
        edit: impl FnOnce(&mut FirmwareState),
    ) {
        if worker.len() > MAX_TEXT {
            return;
        }
        self.firmwares().update(worker.into(), |known| {
            let new = || FirmwareState {
                agent: Arc::default(),
                address: None,
                alone: Arc::default(),
                set_extranonce: None,
                shares: false,
                sizes: false,
                seen: now,
            };
            let mut state = known.cloned().unwrap_or_else(new);
            state.agent = agent.into();
            state.seen = now;
            edit(&mut state);
            FirmwareState { agent: cut(state.agent), alone: cut(state.alone), ..state }
        });
    }

    /// What is known of the firmware of all rigs, in no order.
    #[must_use]
    pub fn all_firmware(&self) -> Vec<(Arc<str>, FirmwareState)> {
        let table = self.firmwares();
        table.iter().map(|(worker, state)| (Arc::clone(worker), state.clone())).collect()
    }

    /// What was learnt of a habit of the pool at a server, unless that is too long before `now`, in
    /// Unix seconds.
    #[must_use]
    pub fn habit(&self, server: &str, habit: &str, now: u64) -> Option<HabitState> {
        let key = HabitKey { server: server.into(), habit: habit.into() };
        let known = self.habits().get(&key).cloned()?;
        (!known.is_over(now)).then_some(known)
    }

    /// Whether it was learnt, and that is too long ago.
    #[must_use]
    pub fn habit_is_over(&self, server: &str, habit: &str, now: u64) -> bool {
        let key = HabitKey { server: server.into(), habit: habit.into() };
        self.habits().get(&key).is_some_and(|known| known.is_over(now))
    }

    /// Notes what a habit of the pool at a server is found to be.
    pub fn remember_habit(&self, server: &str, habit: &str, answer: &str, now: u64) {
        let key = HabitKey { server: server.into(), habit: habit.into() };
        self.habits().update(key, |_| HabitState { answer: answer.into(), learnt: now });
    }

    /// The id from which the route counts its jobs: at least the Unix seconds of the start, and
    /// past every id that was told before, by an earlier run or by this one.
    #[must_use]
    pub fn first_job_id(&self) -> u32 {
        let contents = &self.inner.contents;
        if !self.part.counting.swap(true, Ordering::Relaxed) {
            return contents.first_id;
        }
        let first = contents.mark.fetch_add(u64::from(RESERVED_IDS), Ordering::Relaxed);
        self.hurry();
        first as u32
    }

    /// Says that the job ids before `next` may have been told. To be called every few seconds and
    /// at least once in 49,152 ids, so that the file always knows of more ids than were told. It
    /// costs next to nothing.
    pub fn reserve(&self, next: u32) {
        let mark = &self.inner.contents.mark;
        let wanted = u64::from(next) + u64::from(RESERVED_IDS);
        let used = u64::from(RESERVED_IDS - RESERVE_AT);
        if wanted.saturating_sub(mark.load(Ordering::Relaxed)) > used {
            mark.fetch_max(wanted, Ordering::Relaxed);
            self.hurry();
        }
    }

    fn hurry(&self) {
        if let Some(writer) = &self.inner.writer {
            writer.hurry();
        }
    }

    fn workers(&self) -> MutexGuard<'_, Table<WorkerState>> {
        lock(&self.part.workers)
    }

    fn firmwares(&self) -> MutexGuard<'_, Table<FirmwareState>> {
        lock(&self.part.firmware)
    }

    fn habits(&self) -> MutexGuard<'_, Table<HabitState>> {
        lock(&self.part.habits)
    }
}

impl Contents {
    fn new(kept: bool, first_id: u32) -> Self {
        let mark = AtomicU64::new(u64::from(first_id) + u64::from(RESERVED_IDS));
        Self { kept, first_id, mark, parts: Mutex::default() }
    }

    fn part(&self, route: &str) -> Arc<Part> {
        let new = || {
            Arc::new(Part {
                counting: AtomicBool::new(false),
                workers: Mutex::new(Table::new(MAX_ENTRIES, self.kept)),
                firmware: Mutex::new(Table::new(MAX_ENTRIES, self.kept)),
                habits: Mutex::new(Table::new(MAX_HABITS, self.kept)),
            })
        };
        Arc::clone(lock(&self.parts).entry(route.into()).or_insert_with(new))
    }

    fn parts(&self) -> Vec<(Box<str>, Arc<Part>)> {
        let parts = lock(&self.parts);
        parts.iter().map(|(route, part)| (route.clone(), Arc::clone(part))).collect()
    }

    /// How many workers and firmwares are known.
    fn count(&self) -> (usize, usize) {
        let counts = self.parts().into_iter().map(|(_, part)| {
            let workers = lock(&part.workers).len();
            (workers, lock(&part.firmware).len())
        });
        counts.fold((0, 0), |(workers, firmware), (w, f)| (workers + w, firmware + f))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("kept", &self.is_kept()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RouteMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.inner.writer.is_some();
        f.debug_struct("RouteMemory").field("kept", &kept).finish_non_exhaustive()
    }
}

/// The first id that no run told whose mark this is: the greater of the mark and Unix seconds.
/// When 32 bits are nearly used up it is the clock again, whose ids are long forgotten by then.
fn first_id(mark: Option<u64>, now: u64) -> u32 {
    let clock = now as u32;
    let room = u64::from(u32::MAX - 2 * RESERVED_IDS);
    let mark = mark.filter(|&mark| mark <= room).map_or(0, |mark| mark as u32);
    clock.max(mark)
}

/// What is locked is whole whenever it is free, also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
