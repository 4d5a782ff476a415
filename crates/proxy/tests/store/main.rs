//! What is remembered over restarts and crashes, and what becomes of files that cannot be used.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_files;
#[path = "../common/folder.rs"]
mod folder;
mod handing_over;
mod job_ids;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use orepass::store::{RouteStore, Store};
use orepass_farm::knowledge::{Change, FirmwareRecord, HabitRecord, WorkerRecord};
use orepass_stratum::habits::{Answer, Habit};
use orepass_stratum::target::Difficulty;
use rusqlite::Connection;

use folder::Folder;

/// The Unix seconds at which most of this happens.
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

/// A folder of a test's own, which is gone afterwards.
fn folder(name: &str) -> Folder {
    start_log();
    Folder::new(name, "orepass.db")
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
fn firmware(agent: &str) -> FirmwareRecord {
    FirmwareRecord {
        agent: agent.into(),
        address: Some([192, 0, 2, 7].into()),
        alone: "ignores_extranonce2_size".into(),
        set_extranonce: Some(false),
        shares: false,
        sizes: true,
    }
}

/// Remembers that of a worker's rig.
fn remember(route: &RouteStore, worker: &str, seen: u64) {
    route.note(Change::Firmware(worker.into(), Some(firmware("ASIC/1.0"))), seen);
}

fn slot(slot: u64) -> WorkerRecord {
    WorkerRecord { slot: Some(slot), ..WorkerRecord::default() }
}

/// Remembers of a worker which lease it had.
fn remember_slot(route: &RouteStore, worker: &str, number: u64, seen: u64) {
    route.note(Change::Worker(worker.into(), Some(slot(number))), seen);
}

/// What is known of a route's workers, those seen last first.
fn workers(memory: &Store, route: &str) -> Vec<(String, WorkerRecord)> {
    let workers = memory.route(route).take().workers.into_iter();
    workers.map(|(name, record)| (name.to_string(), record)).collect()
}

/// Remembers something, closes, and finds it again.
async fn assert_serves(memory: Store, path: &Path) {
    assert!(memory.is_kept());
    remember_slot(&memory.route("new"), "rig", 7, NOW);
    memory.close().await;
    drop(memory);
    let memory = Store::open_at(path, NOW);
    assert_eq!(workers(&memory, "new"), [("rig".to_owned(), slot(7))]);
    memory.close().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = folder("restart");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    remember_slot(&route, "rig1", 3, NOW);
    let expected = WorkerRecord {
        difficulty: Difficulty::new(64.5),
        slot: Some(u64::MAX),
        agent: Some("ASIC/1.0".into()),
    };
    route.note(Change::Worker("rig1".into(), Some(expected.clone())), NOW + 1);
    remember_slot(&route, "rig0", 2, NOW + 2);
    remember(&route, "rig1", NOW);
    let (server, habit, answer) = ("pool.example:3008".into(), Habit::Split, Answer::Other);
    route.note(Change::Habit { server, habit, answer }, NOW);
    memory.close().await;

    let (memory, log) = logged(|| Store::open_at(&folder.file(), NOW + 60));
    assert!(log.len() == 1 && log[0].contains("remembering 2 workers"), "{log:?}");
    let route = memory.route("hns");
    let (server, age) = ("pool.example:3008".into(), Duration::from_secs(60));
    let found = HabitRecord { server, habit, answer, age };
    assert_eq!(route.habits("pool.example:3008"), [found]);
    assert!(route.habits("pool.example:3009").is_empty(), "another server");
    assert!(memory.route("aion").take().workers.is_empty(), "another route");
    let known = route.take();
    assert_eq!(known.workers, [("rig0".into(), slot(2)), ("rig1".into(), expected)]);
    assert_eq!(known.firmware, [("rig1".into(), firmware("ASIC/1.0"))]);
    assert_eq!(known.habits.len(), 1);
    assert!(route.take().workers.is_empty(), "whoever took it has it");
    memory.close().await;
    assert_eq!(folder.names(), ["orepass.db"], "closed without leaving anything beside it");

    let memory = Store::open_at(&folder.file(), NOW + 30 * DAY + 1);
    assert!(memory.route("hns").habits("pool.example:3008").is_empty(), "too long ago");
}

#[tokio::test]
async fn a_missing_file_is_made_with_its_folder_for_its_owner_alone() {
    let folder = folder("missing");
    let path = folder.path.join("var/lib/orepass.db");
    let (memory, log) = logged(|| Store::open_at(&path, NOW));
    assert!(log.len() == 1 && log[0].contains("INFO"), "{log:?}");
    remember_slot(&memory.route("hns"), "rig", 1, NOW);
    assert!(memory.flush().await);
    #[cfg(unix)]
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let mode = std::os::unix::fs::MetadataExt::mode(&entry.unwrap().metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_serves(memory, &path).await;
}

#[tokio::test]
async fn what_a_farm_forgets_is_forgotten_by_the_file_too() {
    let folder = folder("forgets");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    for (name, seen) in [("a", NOW), ("b", NOW + 1), ("c", NOW + 2)] {
        remember_slot(&route, name, 1, seen);
        remember(&route, name, seen);
    }
    assert!(memory.flush().await);
    route.note(Change::Worker("a".into(), None), NOW + 3);
    remember_slot(&route, "d", 4, NOW + 3);
    // This one is not in the file yet.
    route.note(Change::Worker("d".into(), None), NOW + 3);
    route.note(Change::Firmware("b".into(), None), NOW + 3);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW + 4);
    let known = memory.route("hns").take();
    assert_eq!(known.workers, [("c".into(), slot(1)), ("b".into(), slot(1))]);
    let firmware: Vec<&str> = known.firmware.iter().map(|(name, _)| &**name).collect();
    assert_eq!(firmware, ["c", "a"]);
    memory.close().await;
}

#[tokio::test]
async fn without_a_file_nothing_waits_to_be_written() {
    let memory = Store::fleeting();
    let route = memory.route("hns");
    remember(&route, "rig", NOW);
    assert!(!memory.is_kept() && memory.flush().await);
    memory.close().await;
    assert!(route.take().firmware.is_empty());
}

#[tokio::test]
async fn what_was_not_seen_for_thirty_days_is_forgotten() {
    let folder = folder("age");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    for (worker, seen) in [("old", NOW - 10 * DAY), ("new", NOW), ("future", NOW + 1000 * DAY)] {
        remember_slot(&route, worker, 1, seen);
    }
    remember(&route, "old", NOW);
    remember(&route, "used", NOW);
    remember(&route, "used", NOW + 20 * DAY);
    memory.close().await;

    let memory = Store::open_at(&folder.file(), NOW + 25 * DAY);
    let known = workers(&memory, "hns");
    assert_eq!(known, [("future".to_owned(), slot(1)), ("new".to_owned(), slot(1))]);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW + 40 * DAY);
    let known = memory.route("hns").take();
    assert_eq!(known.workers, [("future".into(), slot(1))], "a clock was wrong");
    assert_eq!(known.firmware, [("used".into(), firmware("ASIC/1.0"))]);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW + 56 * DAY);
    assert!(workers(&memory, "hns").is_empty(), "and is no more");
}

#[tokio::test]
async fn whom_the_operator_refuses_stays_refused_for_the_time_that_is_left() {
    let folder = folder("bans");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    let hours = |hours: u64| Some(Duration::from_secs(3600 * hours));
    for (name, lasts) in [("long", hours(48)), ("short", hours(1)), ("pardoned", hours(48))] {
        route.note(Change::Ban(name.into(), lasts), NOW);
    }
    route.note(Change::Ban("pardoned".into(), None), NOW + 1);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW + 7200);
    assert_eq!(memory.route("hns").take().banned, [("long".into(), hours(46).unwrap())]);
    memory.close().await;
}

#[tokio::test]
async fn texts_are_capped_and_no_name_stands_for_another() {
    let folder = folder("texts");
    let memory = Store::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    let long = "é".repeat(200);
    let name = "rig\0'); DROP";
    let record = WorkerRecord { agent: Some(long.as_str().into()), ..WorkerRecord::default() };
    route.note(Change::Worker(name.into(), Some(record)), NOW);
    let record = FirmwareRecord { alone: long.as_str().into(), ..firmware(&long) };
    route.note(Change::Firmware(name.into(), Some(record)), NOW);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW);
    let known = memory.route("hns").take();
    let ((worker, state), (rig, shown)) = (&known.workers[0], &known.firmware[0]);
    assert_eq!((&**worker, &**rig), (name, name));
    let agent = state.agent.as_ref().unwrap();
    assert_eq!((agent.len(), shown.agent.len(), shown.alone.len()), (256, 256, 256));
}

#[tokio::test]
async fn a_file_of_the_first_format_is_taken_over() {
    let folder = folder("first-format");
    let memory = Store::open_at(&folder.file(), NOW);
    remember_slot(&memory.route("hns"), "rig1", 7, NOW);
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
    assert_eq!(workers(&memory, "hns"), [("rig1".to_owned(), slot(7))]);
    assert_serves(memory, &folder.file()).await;
}

#[tokio::test]
async fn a_file_of_the_second_format_is_read_as_it_was_written() {
    let folder = folder("second-format");
    let db = Connection::open(folder.file()).unwrap();
    db.execute_batch(include_str!("format2.sql")).unwrap();
    drop(db);
    let memory = Store::open_at(&folder.file(), NOW + 60);
    let route = memory.route("hns");
    let expected = WorkerRecord {
        difficulty: Difficulty::new(64.5),
        slot: Some(u64::MAX),
        agent: Some("ASIC/1.0".into()),
    };
    let [habit] = &route.habits("pool.example:3008")[..] else { panic!("there is one habit") };
    assert_eq!((habit.habit, habit.answer), (Habit::Split, Answer::Other));
    assert_eq!(habit.age, Duration::from_secs(60));
    let known = route.take();
    let rig2 = ("rig2".into(), WorkerRecord::default());
    assert_eq!(known.workers, [("rig1".into(), expected), rig2]);
    assert_eq!(known.firmware, [("rig1".into(), firmware("ASIC/1.0"))]);
    assert_eq!(u64::from(route.first_job_id()), NOW + 200_000);
    assert_serves(memory, &folder.file()).await;
}
