//! What is remembered over restarts and crashes, and what becomes of files that cannot be used.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_files;
mod job_ids;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;

use orepass::store::{FirmwareState, MAX_ENTRIES, RouteStore, Store, WorkerState};
use rusqlite::Connection;

/// The Unix seconds at which most of this happens.
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

/// A folder of a test's own, which is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        start_log();
        let path = std::env::temp_dir().join(format!("orepass-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("orepass.db")
    }

    /// The names of what is in it.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

thread_local! {
    /// What was logged by this thread.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes the log into each thread's own. It is started before anything is logged: a line that
/// is first met without a log would be taken for one that nobody reads.
fn start_log() {
    struct Lines;
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LOG.with_borrow_mut(|log| log.write(bytes))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(|| Lines).init();
    });
}

/// What this thread logs while something is done: a line each.
fn logged<T>(action: impl FnOnce() -> T) -> (T, Vec<String>) {
    LOG.take();
    let result = action();
    let text = String::from_utf8(LOG.take()).unwrap();
    (result, text.lines().map(str::to_owned).collect())
}

/// What a rig of this software has shown.
fn firmware(agent: &str) -> FirmwareState {
    FirmwareState {
        agent: agent.into(),
        address: Some([192, 0, 2, 7].into()),
        alone: "ignores_extranonce2_size".into(),
        set_extranonce: Some(false),
        shares: false,
        sizes: true,
        seen: NOW,
    }
}

/// Remembers that of a worker's rig.
fn remember(route: &RouteStore, worker: &str, seen: u64) {
    route.remember_firmware((worker, "ASIC/1.0"), seen, |state| {
        *state = FirmwareState { seen, ..firmware("ASIC/1.0") };
    });
}

/// Remembers something, closes, and finds it again.
async fn assert_serves(memory: Store, path: &Path) {
    assert!(memory.is_kept());
    memory.route("new").remember_worker("rig", NOW, |state| state.slot = Some(7));
    memory.close().await;
    drop(memory);
    let memory = Store::open_at(path, NOW);
    assert_eq!(memory.route("new").worker("rig").unwrap().slot, Some(7));
    memory.close().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = Folder::new("restart");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    assert_eq!(route.worker("rig1"), None);
    route.remember_worker("rig1", NOW, |state| state.difficulty = Some(64.5));
    route.remember_worker("rig1", NOW + 1, |state| {
        state.slot = Some(u64::MAX);
        state.profile = Some("ASIC/1.0".into());
    });
    remember(&route, "rig1", NOW);
    route.remember_habit("pool.example:3008", "split", "wide", NOW);
    let expected = WorkerState {
        difficulty: Some(64.5),
        slot: Some(u64::MAX),
        profile: Some("ASIC/1.0".into()),
        last_seen: NOW + 1,
    };
    assert_eq!(route.worker("rig1").as_ref(), Some(&expected), "at once");
    memory.close().await;

    let (memory, log) = logged(|| Store::open_at(&folder.file(), NOW + 60));
    assert!(log.len() == 1 && log[0].contains("remembering 1 workers"), "{log:?}");
    let route = memory.route("hns");
    assert_eq!(route.worker("rig1"), Some(expected));
    assert_eq!(memory.route("aion").worker("rig1"), None, "another route");
    assert_eq!(route.firmware("rig1", NOW), Some(firmware("ASIC/1.0")));
    assert_eq!(route.firmware("rig2", NOW), None);
    assert_eq!(route.all_firmware(), [("rig1".into(), firmware("ASIC/1.0"))]);
    let habit = route.habit("pool.example:3008", "split", NOW + 29 * DAY).unwrap();
    assert_eq!((&*habit.answer, habit.learnt), ("wide", NOW));
    assert_eq!(route.habit("pool.example:3008", "split", NOW + 30 * DAY), None, "too long ago");
    assert_eq!(route.habit("pool.example:3009", "split", NOW), None, "another server");
    memory.close().await;
    assert_eq!(folder.names(), ["orepass.db"], "closed without leaving anything beside it");
}

#[tokio::test]
async fn a_missing_file_is_made_with_its_folder_for_its_owner_alone() {
    let folder = Folder::new("missing");
    let path = folder.0.join("var/lib/orepass.db");
    let (memory, log) = logged(|| Store::open_at(&path, NOW));
    assert!(log.len() == 1 && log[0].contains("INFO"), "{log:?}");
    memory.route("hns").remember_worker("rig", NOW, |_| {});
    assert!(memory.flush().await);
    #[cfg(unix)]
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let mode = std::os::unix::fs::MetadataExt::mode(&entry.unwrap().metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_serves(memory, &path).await;
}

#[tokio::test]
async fn at_most_so_many_are_remembered_and_the_last_seen_stay() {
    let folder = Folder::new("caps");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    let count = MAX_ENTRIES as u64 + 100;
    for number in 0..count {
        route.remember_worker(&format!("rig{number}"), NOW + number, |_| {});
        remember(&route, &format!("rig{number}"), NOW + number);
        if number == count / 2 {
            assert!(memory.flush().await, "those forgotten later are in the file by now");
        }
    }
    let check = |route: &RouteStore| {
        assert!(route.worker("rig0").is_none());
        assert!(route.worker(&format!("rig{}", count - 1)).is_some());
        assert!(route.firmware("rig0", NOW).is_none());
        assert!(route.firmware(&format!("rig{}", count - 1), NOW).is_some());
        (0..count).filter(|number| route.worker(&format!("rig{number}")).is_some()).count()
    };
    let known = check(&route);
    assert!((MAX_ENTRIES / 10 * 9..=MAX_ENTRIES).contains(&known), "{known}");
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW + count);
    assert_eq!(check(&memory.route("hns")), known);
    memory.close().await;
    let rows = |table: &str| {
        let query = format!("SELECT count(*) FROM {table}");
        let db = Connection::open(folder.file()).unwrap();
        db.query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    assert_eq!((rows("worker"), rows("rig_firmware")), (known, known));
}

#[tokio::test]
async fn without_a_file_no_more_is_remembered_and_nothing_waits_to_be_written() {
    let memory = Store::fleeting();
    let route = memory.route("hns");
    for number in 0..=MAX_ENTRIES as u64 {
        remember(&route, &format!("rig{number}"), NOW + number);
    }
    assert_eq!(route.all_firmware().len(), MAX_ENTRIES - MAX_ENTRIES / 16);
    assert!(!memory.is_kept() && memory.flush().await);
    memory.close().await;
    assert!(route.firmware(&format!("rig{MAX_ENTRIES}"), NOW).is_some());
}

#[tokio::test]
async fn what_was_not_seen_for_thirty_days_is_forgotten() {
    let folder = Folder::new("age");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    for (worker, seen) in [("old", NOW - 10 * DAY), ("new", NOW), ("future", NOW + 1000 * DAY)] {
        route.remember_worker(worker, seen, |_| {});
    }
    for worker in ["old", "used"] {
        remember(&route, worker, NOW);
    }
    assert!(route.firmware("used", NOW + 20 * DAY).is_some(), "which counts as seen");
    memory.close().await;

    let memory = Store::open_at(&folder.file(), NOW + 25 * DAY);
    let route = memory.route("hns");
    assert_eq!(route.worker("old"), None);
    assert_eq!(route.worker("new").unwrap().last_seen, NOW);
    assert_eq!(route.worker("future").unwrap().last_seen, NOW + 25 * DAY, "a clock was wrong");
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW + 40 * DAY);
    assert_eq!(memory.route("hns").worker("new"), None);
    assert_eq!(memory.route("hns").firmware("old", NOW), None);
    assert!(memory.route("hns").firmware("used", NOW).is_some());
}

#[tokio::test]
async fn texts_are_capped_and_no_name_stands_for_another() {
    let folder = Folder::new("texts");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    let long = "é".repeat(200);
    route.remember_worker(&long, NOW, |_| {});
    assert_eq!(route.worker(&long), None, "not even in part");
    route.remember_worker("rig\0'); DROP", NOW, |state| {
        state.profile = Some(long.as_str().into());
        state.difficulty = Some(f64::NAN);
    });
    route.remember_firmware(("rig", &long), NOW, |state| state.alone = long.as_str().into());
    remember(&route, &long, NOW);
    assert_eq!(route.firmware(&long, NOW), None);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW);
    let state = memory.route("hns").worker("rig\0'); DROP").unwrap();
    assert_eq!((state.profile.unwrap().len(), state.difficulty), (256, None));
    let known = memory.route("hns").firmware("rig", NOW).unwrap();
    assert_eq!((known.agent.len(), known.alone.len()), (256, 256));
}

#[tokio::test]
async fn a_file_of_the_first_format_is_taken_over() {
    let folder = Folder::new("first-format");
    let memory = Store::open_at(&folder.file(), NOW);
    memory.route("hns").remember_worker("rig1", NOW, |state| state.slot = Some(7));
    memory.close().await;
    // What the first version had, and did not have.
    let db = Connection::open(folder.file()).unwrap();
    db.execute_batch(
        "DROP TABLE rig_firmware; DROP TABLE habit;
         CREATE TABLE firmware (route TEXT, agent TEXT, address TEXT);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(db);
    let memory = Store::open_at(&folder.file(), NOW);
    assert_eq!(memory.route("hns").worker("rig1").unwrap().slot, Some(7));
    assert_serves(memory, &folder.file()).await;
}

#[tokio::test]
async fn a_file_of_the_second_format_is_read_as_it_was_written() {
    let folder = Folder::new("second-format");
    let db = Connection::open(folder.file()).unwrap();
    db.execute_batch(include_str!("format2.sql")).unwrap();
    drop(db);
    let memory = Store::open_at(&folder.file(), NOW + 60);
    let route = memory.route("hns");
    let expected = WorkerState {
        difficulty: Some(64.5),
        slot: Some(u64::MAX),
        profile: Some("ASIC/1.0".into()),
        last_seen: NOW,
    };
    assert_eq!(route.worker("rig1"), Some(expected));
    let expected = WorkerState { last_seen: NOW, ..WorkerState::default() };
    assert_eq!(route.worker("rig2"), Some(expected));
    assert_eq!(route.firmware("rig1", NOW), Some(firmware("ASIC/1.0")));
    let habit = route.habit("pool.example:3008", "split", NOW).unwrap();
    assert_eq!((&*habit.answer, habit.learnt), ("wide", NOW));
    assert_eq!(u64::from(route.first_job_id()), NOW + 200_000);
    assert_serves(memory, &folder.file()).await;
}
