//! How many files, and so connections, this process may have open, and who gets them.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::watch::{self, Concern};

/// The part kept for listeners, the log, the state file, name look-ups and connections that are
/// being made.
const KEPT_PERCENT: u64 = 10;
/// The least that is kept: a lone attempt to reach a pool may take eight.
const KEPT_LEAST: u64 = 32;
/// With room for so many rigs nobody is warned, whatever the config would allow.
const PLENTY: u64 = 4096;

/// The open-file limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles(u64);

impl OpenFiles {
    /// Raises the soft limit to the hard one, as every process may.
    ///
    /// # Errors
    /// When the system refuses to tell or to raise it.
    pub fn raise() -> io::Result<Self> {
        rlimit::increase_nofile_limit(u64::MAX).map(Self)
    }

    /// How many files.
    #[must_use]
    pub const fn limit(self) -> u64 {
        self.0
    }

    /// How many connections there may be, those of rigs and those to pools together.
    #[must_use]
    pub fn room(self) -> u64 {
        let kept = self.0.div_ceil(100 / KEPT_PERCENT).max(KEPT_LEAST);
        self.0.saturating_sub(kept)
    }

    /// Whether it is too little for `capacity` rigs, or for a sizeable farm where the config
    /// allows more than that.
    #[must_use]
    pub fn is_short_for(self, capacity: usize) -> bool {
        self.room() < PLENTY.min(capacity as u64)
    }
}

impl fmt::Display for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, room) = (self.limit(), self.room());
        write!(f, "open files {limit}, room for {room} connections of rigs and pools")
    }
}

/// Raises the limit and logs it, as a warning with its remedy where it is too low for `capacity`
/// rigs. Gives the door through which all connections of the process go.
pub fn raise_and_report(capacity: usize) -> Arc<Door> {
    let files = match OpenFiles::raise() {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(
                event = "limits.unknown",
                "limits: the open-file limit cannot be raised: {error}"
            );
            return Arc::default();
        }
    };
    let room = files.room();
    if files.is_short_for(capacity) {
        watch::raise(Concern::FilesLow, "", format!("{files}, {capacity} rigs by the config"));
        tracing::warn!(
            event = "limits.low",
            "limits: {files} only, while the config allows {capacity} rigs; {REMEDY}"
        );
    } else {
        tracing::info!(event = "limits", "limits: {files}");
    }
    Arc::new(Door::new(usize::try_from(room).unwrap_or(usize::MAX)))
}

/// What to do about a limit that is too low.
pub const REMEDY: &str = "raise the hard limit: `LimitNOFILE=1048576` in the [Service] section of \
     the systemd unit, `--ulimit nofile=1048576` for docker run, or `ulimit -Hn 1048576` as root in \
     the shell that starts orepass";

/// A limit on how many are inside at a time.
#[derive(Debug)]
pub struct Door {
    room: AtomicUsize,
    inside: AtomicUsize,
}

/// Somebody's stay inside. It ends when this is dropped.
#[derive(Debug)]
pub struct Pass(Arc<Door>);

impl Door {
    /// A door with room for so many.
    #[must_use]
    pub const fn new(room: usize) -> Self {
        Self { room: AtomicUsize::new(room), inside: AtomicUsize::new(0) }
    }

    /// Lets one in if there is room.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Option<Pass> {
        self.take_place(0).then(|| Pass(Arc::clone(self)))
    }

    /// Takes a place if there is one and so many in a hundred besides, for somebody who
    /// [gives it back](Self::give_back).
    pub(crate) fn take_place(&self, spared_percent: usize) -> bool {
        let room = self.room();
        let room = room - room / 100 * spared_percent;
        let next = |inside: usize| (inside < room).then_some(inside + 1);
        let entered = self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        entered.is_ok()
    }

    /// Gives a place back that was taken.
    pub(crate) fn give_back(&self) {
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }

    /// Lets one in that must not be refused. It takes a place that others then lack.
    #[must_use]
    pub fn claim(self: &Arc<Self>) -> Pass {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Pass(Arc::clone(self))
    }

    /// For how many there is room.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room.load(Ordering::Relaxed)
    }

    /// There is another room from now on. Nobody who is inside has to go.
    pub fn set_room(&self, room: usize) {
        self.room.store(room, Ordering::Relaxed);
    }
}

impl Default for Door {
    /// A door with room for all.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// A descriptor that is kept so that one more connection can be taken when there are no others: to be
/// told so, rather than wait for an answer that never comes.
#[derive(Debug)]
pub struct Reserve(Option<File>);

impl Reserve {
    /// Keeps one, if there is any.
    #[must_use]
    pub fn keep() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Lends it for as long as something takes.
    pub fn lend<T>(&mut self, what: impl FnOnce() -> T) -> T {
        self.0 = None;
        let made = what();
        *self = Self::keep();
        made
    }
}

/// Whether the system said that no more files can be open, in this process or at all.
#[must_use]
pub fn is_want_of_files(error: &io::Error) -> bool {
    /// `EMFILE` and `ENFILE`, everywhere.
    const NO_FILES: [i32; 2] = [24, 23];
    error.raw_os_error().is_some_and(|code| NO_FILES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_kept_and_never_less_than_a_few() {
        assert_eq!(OpenFiles(1_048_576).room(), 943_718);
        assert_eq!(OpenFiles(320).room(), 288);
        assert_eq!(OpenFiles(120).room(), 88);
        assert_eq!((OpenFiles(32).room(), OpenFiles(1).room(), OpenFiles(0).room()), (0, 0, 0));
    }

    #[test]
    fn short_is_what_the_config_or_a_farm_does_not_fit_in() {
        assert!(OpenFiles(1024).is_short_for(1000));
        assert!(!OpenFiles(1024).is_short_for(250));
        assert!(OpenFiles(4096).is_short_for(100_000));
        assert!(!OpenFiles(8192).is_short_for(100_000));
    }

    #[test]
    fn the_limit_is_raised() {
        let files = OpenFiles::raise().unwrap();
        assert_eq!(OpenFiles::raise().unwrap(), files);
        assert!(files.limit() > 0);
    }

    #[test]
    fn pools_are_let_in_always_and_rigs_as_long_as_there_is_room() {
        let door = Arc::new(Door::new(3));
        let rigs = [door.enter(), door.enter()];
        let pool = door.claim();
        assert!(door.enter().is_none(), "the pool took the last place");
        let second = door.claim();
        drop(pool);
        assert!(door.enter().is_none(), "the second pool has it");
        drop(second);
        let rig = door.enter().expect("a place is free again");
        assert!(door.enter().is_none());
        drop((rigs, rig));
        assert_eq!(door.inside.load(Ordering::Relaxed), 0);
    }
}
