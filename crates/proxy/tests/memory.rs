//! What is remembered over restarts and crashes, and what becomes of files that cannot be used.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use orepass::memory::{Firmware, MAX_ENTRIES, Memory, RESERVED_IDS, WorkerState};
use orepass_stratum::job::JobIds;
use proptest::prelude::*;
use rusqlite::Connection;

/// The Unix seconds at which most of this happens.
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

/// A folder of a test's own, which is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
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

/// Copies a state file that is in use to another folder, as a killed process would leave it.
fn crashed(folder: &Folder, copy: &Folder) {
    for name in ["orepass.db", "orepass.db-wal"] {
        fs::copy(folder.0.join(name), copy.0.join(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is logged while something is done: a line each.
fn logged<T>(action: impl FnOnce() -> T) -> (T, Vec<String>) {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, action);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    (result, text.lines().map(str::to_owned).collect())
}

fn firmware() -> Firmware {
    let reason = "ignores_extranonce2_size".into();
    Firmware { dedicated: true, set_extranonce: Some(false), reason, seen: NOW }
}

fn address() -> IpAddr {
    "10.0.3.12".parse().unwrap()
}

/// A closed file that knows many workers, so that it has several pages.
async fn filled(path: &Path) {
    let memory = Memory::open_at(path, NOW);
    for number in 0..500 {
        memory.route("hns").remember_worker(&format!("rig{number}"), NOW, |state| {
            state.difficulty = Some(64.0);
        });
    }
    memory.route("hns").remember_firmware("ASIC/1.0", address(), firmware());
    memory.close().await;
}

/// Remembers something, closes, and finds it again.
async fn assert_serves(memory: Memory, path: &Path) {
    assert!(memory.is_kept());
    memory.route("new").remember_worker("rig", NOW, |state| state.slot = Some(7));
    memory.close().await;
    drop(memory);
    let memory = Memory::open_at(path, NOW);
    assert_eq!(memory.route("new").worker("rig").unwrap().slot, Some(7));
    memory.close().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = Folder::new("restart");
    let memory = Memory::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    assert_eq!(route.worker("rig1"), None);
    route.remember_worker("rig1", NOW, |state| state.difficulty = Some(64.5));
    route.remember_worker("rig1", NOW + 1, |state| {
        state.slot = Some(u64::MAX);
        state.profile = Some("ASIC/1.0".into());
    });
    route.remember_firmware("ASIC/1.0", address(), firmware());
    let expected = WorkerState {
        difficulty: Some(64.5),
        slot: Some(u64::MAX),
        profile: Some("ASIC/1.0".into()),
        last_seen: NOW + 1,
    };
    assert_eq!(route.worker("rig1").as_ref(), Some(&expected), "at once");
    memory.close().await;

    let (memory, log) = logged(|| Memory::open_at(&folder.file(), NOW + 60));
    assert!(log.len() == 1 && log[0].contains("remembering 1 workers"), "{log:?}");
    let route = memory.route("hns");
    assert_eq!(route.worker("rig1"), Some(expected));
    assert_eq!(memory.route("aion").worker("rig1"), None, "another route");
    assert_eq!(route.firmware("ASIC/1.0", address(), NOW), Some(firmware()));
    let mapped = "::ffff:10.0.3.12".parse().unwrap();
    assert_eq!(route.firmware("ASIC/1.0", mapped, NOW), Some(firmware()), "the same address");
    assert_eq!(route.firmware("ASIC/1.1", address(), NOW), None);
    memory.close().await;
    assert_eq!(folder.names(), ["orepass.db"], "closed without leaving anything beside it");
}

#[tokio::test]
async fn a_missing_file_is_made_with_its_folder_for_its_owner_alone() {
    let folder = Folder::new("missing");
    let path = folder.0.join("var/lib/orepass.db");
    let (memory, log) = logged(|| Memory::open_at(&path, NOW));
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
async fn garbage_is_set_aside_with_one_line_and_one_kept() {
    let folder = Folder::new("garbage");
    for (now, garbage) in [(NOW, &b"this is no database"[..]), (NOW + 1, &[0x5a; 20_000])] {
        fs::write(folder.file(), garbage).unwrap();
        let (memory, log) = logged(|| Memory::open_at(&folder.file(), now));
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("WARN") && log[0].contains("file is not a database"), "{log:?}");
        let aside = format!("orepass.db.broken-{now}");
        assert!(log[0].contains(&aside), "{log:?}");
        assert_eq!(fs::read(folder.0.join(&aside)).unwrap(), garbage);
        assert_serves(memory, &folder.file()).await;
        assert_eq!(folder.names(), ["orepass.db".to_owned(), aside]);
    }
}

#[tokio::test]
async fn a_file_cut_off_anywhere_costs_the_memory_alone() {
    let folder = Folder::new("truncated");
    filled(&folder.file()).await;
    let whole = fs::read(folder.file()).unwrap();
    assert!(whole.len() > 3 * 4096, "{}", whole.len());
    let near_pages = (0..=whole.len()).step_by(4096).flat_map(|at| [at, at + 1, at + 4095]);
    for len in near_pages.chain([16, 99, 100, 101, 1024]).filter(|len| *len < whole.len()) {
        fs::write(folder.file(), &whole[..len]).unwrap();
        let (memory, log) = logged(|| Memory::open_at(&folder.file(), NOW));
        assert_eq!(log.len(), 1, "{len}: {log:?}");
        // One byte is what some file systems have of an empty file, and of the last page the end
        // may be missing without harm.
        let usable = len <= 1 || len.div_ceil(4096) == whole.len() / 4096;
        assert!(log[0].contains("WARN") || usable, "{len}: {log:?}");
        assert_serves(memory, &folder.file()).await;
    }
}

#[tokio::test]
async fn no_damage_stops_the_service() {
    let folder = Folder::new("damaged");
    filled(&folder.file()).await;
    let whole = fs::read(folder.file()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..150 {
        let mut damaged = whole.clone();
        // In the header, which a page starts with as well, more often than elsewhere.
        let end = *random.choice([100, 200, whole.len()].iter()).unwrap();
        for _ in 0..random.usize(1..8) {
            damaged[random.usize(0..end)] = random.u8(..);
        }
        fs::write(folder.file(), &damaged).unwrap();
        let (memory, log) = logged(|| Memory::open_at(&folder.file(), NOW));
        assert_eq!(log.len(), 1, "{log:?}");
        let route = memory.route("hns");
        route.remember_worker("rig1", NOW, |state| state.slot = Some(1));
        assert_eq!(route.worker("rig1").unwrap().slot, Some(1));
        memory.close().await;
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_said_with_its_remedy() {
    let folder = Folder::new("unwritable");
    fs::write(folder.0.join("file"), "").unwrap();
    fs::create_dir(folder.0.join("folder")).unwrap();
    for path in ["file/orepass.db", "folder"] {
        let (memory, log) = logged(|| Memory::open_at(&folder.0.join(path), NOW));
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("cannot use the state file"), "{log:?}");
        assert!(log[0].contains("name a `file` in [state]"), "{log:?}");
        assert!(!memory.is_kept());
        memory.route("hns").remember_worker("rig", NOW, |_| {});
        assert!(memory.route("hns").worker("rig").is_some());
        memory.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_folder_costs_the_memory_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("read-only");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o555)).unwrap();
    // Root writes everywhere.
    if fs::write(folder.0.join("probe"), "").is_err() {
        let (memory, log) = logged(|| Memory::open_at(&folder.file(), NOW));
        assert!(log.len() == 1 && log[0].contains("WARN"), "{log:?}");
        assert!(!memory.is_kept());
    }
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn files_of_newer_versions_and_of_other_programs_are_not_touched() {
    let folder = Folder::new("newer");
    for (change, said) in [
        ("PRAGMA user_version = 99", "a newer version of this program wrote it, in format 99"),
        ("PRAGMA application_id = 1", "it belongs to another program"),
        ("PRAGMA user_version = 0", "it belongs to another program"),
    ] {
        let _ = fs::remove_file(folder.file());
        filled(&folder.file()).await;
        Connection::open(folder.file()).unwrap().execute_batch(change).unwrap();
        let before = fs::read(folder.file()).unwrap();
        let (memory, log) = logged(|| Memory::open_at(&folder.file(), NOW));
        assert!(log.len() == 1 && log[0].contains(said), "{log:?}");
        assert!(!memory.is_kept());
        memory.route("hns").remember_worker("rig", NOW, |_| {});
        memory.close().await;
        assert!(fs::read(folder.file()).unwrap() == before, "{change}");
        assert_eq!(folder.names(), ["orepass.db"]);
    }
}

#[tokio::test]
async fn a_file_has_one_user_at_a_time() {
    let folder = Folder::new("shared");
    let first = Memory::open_at(&folder.file(), NOW);
    let (second, log) = logged(|| Memory::open_at(&folder.file(), NOW));
    assert!(log.len() == 1 && log[0].contains("another process uses it"), "{log:?}");
    assert!(!second.is_kept());
    second.route("hns").remember_worker("second", NOW, |_| {});
    second.close().await;
    first.route("hns").remember_worker("first", NOW, |_| {});
    first.close().await;
    let third = Memory::open_at(&folder.file(), NOW);
    assert!(third.is_kept());
    assert!(third.route("hns").worker("first").is_some());
    assert_eq!(third.route("hns").worker("second"), None);
}

#[test]
fn the_program_serves_without_a_file_that_another_process_uses() {
    let folder = Folder::new("process");
    let config = folder.0.join("orepass.toml");
    let text = "[state]\nfile = \"orepass.db\"\n[[route]]\nname = \"hns\"\ndialect = \"hstratum\"\n\
                listen = [\"127.0.0.1:0\"]\n[[route.pool]]\nurl = \"stratum+tcp://127.0.0.1:1\"\n\
                user = \"account\"\n";
    fs::write(&config, text).unwrap();
    let memory = Memory::open(&folder.file());
    let mut program = Command::new(env!("CARGO_BIN_EXE_orepass"))
        .arg("-c")
        .arg(&config)
        .env_remove("OREPASS_LOG")
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.take_while(|line| !line.contains("rigs may connect")).collect();
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(said.iter().any(|line| line.contains("another process uses it")), "{said:?}");
    drop(memory);
}

#[tokio::test]
async fn at_most_so_many_are_remembered_and_the_last_seen_stay() {
    let folder = Folder::new("caps");
    let memory = Memory::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    let count = MAX_ENTRIES as u64 + 100;
    for number in 0..count {
        route.remember_worker(&format!("rig{number}"), NOW + number, |_| {});
        let seen = Firmware { seen: NOW + number, ..firmware() };
        route.remember_firmware(&format!("ASIC/{number}"), address(), seen);
        if number == count / 2 {
            assert!(memory.flush().await, "those forgotten later are in the file by now");
        }
    }
    let check = |route: &orepass::memory::RouteMemory| {
        assert!(route.worker("rig0").is_none());
        assert!(route.worker(&format!("rig{}", count - 1)).is_some());
        assert!(route.firmware("ASIC/0", address(), NOW).is_none());
        assert!(route.firmware(&format!("ASIC/{}", count - 1), address(), NOW).is_some());
        (0..count).filter(|number| route.worker(&format!("rig{number}")).is_some()).count()
    };
    let known = check(&route);
    assert!((MAX_ENTRIES / 10 * 9..=MAX_ENTRIES).contains(&known), "{known}");
    memory.close().await;
    let memory = Memory::open_at(&folder.file(), NOW + count);
    assert_eq!(check(&memory.route("hns")), known);
    memory.close().await;
    let rows = |table: &str| {
        let query = format!("SELECT count(*) FROM {table}");
        let db = Connection::open(folder.file()).unwrap();
        db.query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    assert_eq!((rows("worker"), rows("firmware")), (known, known));
}

#[tokio::test]
async fn what_was_not_seen_for_thirty_days_is_forgotten() {
    let folder = Folder::new("age");
    let memory = Memory::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    for (worker, seen) in [("old", NOW - 10 * DAY), ("new", NOW), ("future", NOW + 1000 * DAY)] {
        route.remember_worker(worker, seen, |_| {});
    }
    route.remember_firmware("old", address(), firmware());
    route.remember_firmware("used", address(), firmware());
    assert!(route.firmware("used", address(), NOW + 20 * DAY).is_some(), "which counts as seen");
    memory.close().await;

    let memory = Memory::open_at(&folder.file(), NOW + 25 * DAY);
    let route = memory.route("hns");
    assert_eq!(route.worker("old"), None);
    assert_eq!(route.worker("new").unwrap().last_seen, NOW);
    assert_eq!(route.worker("future").unwrap().last_seen, NOW + 25 * DAY, "a clock was wrong");
    memory.close().await;
    let memory = Memory::open_at(&folder.file(), NOW + 40 * DAY);
    assert_eq!(memory.route("hns").worker("new"), None);
    assert_eq!(memory.route("hns").firmware("old", address(), NOW), None);
    assert!(memory.route("hns").firmware("used", address(), NOW).is_some());
}

#[tokio::test]
async fn texts_are_capped_and_no_name_stands_for_another() {
    let folder = Folder::new("texts");
    let memory = Memory::open_at(&folder.file(), NOW);
    let route = memory.route("hns");
    let long = "é".repeat(200);
    route.remember_worker(&long, NOW, |_| {});
    assert_eq!(route.worker(&long), None, "not even in part");
    route.remember_worker("rig\0'); DROP", NOW, |state| {
        state.profile = Some(long.as_str().into());
        state.difficulty = Some(f64::NAN);
    });
    let reason = long.as_str().into();
    route.remember_firmware(&long, address(), Firmware { reason, ..firmware() });
    memory.close().await;
    let memory = Memory::open_at(&folder.file(), NOW);
    let state = memory.route("hns").worker("rig\0'); DROP").unwrap();
    assert_eq!((state.profile.unwrap().len(), state.difficulty), (256, None));
    let known = memory.route("hns").firmware(&long, address(), NOW).unwrap();
    assert_eq!(known.reason.len(), 256);
}

#[tokio::test]
async fn job_ids_count_from_the_clock_and_past_all_that_were_told() {
    let memory = Memory::fleeting();
    let first = memory.route("hns").first_job_id();
    assert_eq!(first, memory.route("aion").first_job_id(), "routes count for themselves");
    assert!(u64::from(memory.route("hns").first_job_id()) >= u64::from(first + RESERVED_IDS));

    let folder = Folder::new("ids");
    let now = NOW as u32;
    let memory = Memory::open_at(&folder.file(), NOW);
    assert_eq!(memory.route("hns").first_job_id(), now);
    memory.route("hns").reserve(now + 200_000);
    memory.close().await;
    let memory = Memory::open_at(&folder.file(), NOW);
    let past = now + 200_000 + RESERVED_IDS;
    assert_eq!(memory.route("hns").first_job_id(), past);
    memory.close().await;
    let later = NOW + 1_000_000;
    let memory = Memory::open_at(&folder.file(), later);
    assert_eq!(u64::from(memory.route("hns").first_job_id()), later, "the clock is further");

    memory.route("hns").reserve(u32::MAX - 5);
    memory.close().await;
    let memory = Memory::open_at(&folder.file(), later);
    assert_eq!(u64::from(memory.route("hns").first_job_id()), later, "32 bits are used up");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The process is killed again and again, and its clock may go back.
    #[test]
    fn no_crash_makes_a_job_id_repeat(
        runs in prop::collection::vec(
            (0_u64..100, prop::collection::vec(1_u32..49_000, 0..6)), 1..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut folders = vec![Folder::new("crash")];
        let mut told = 0;
        for (clock, bursts) in runs {
            let memory = Memory::open_at(&folders[folders.len() - 1].file(), NOW + clock);
            prop_assert!(memory.is_kept());
            let route = memory.route("hns");
            let ids = JobIds::new(route.first_job_id());
            for burst in bursts {
                for _ in 0..burst {
                    let id = ids.next().get();
                    prop_assert!(id > told, "{id} was told before");
                    told = id;
                }
                // What is asked for during a burst is in the file before the next one ends.
                route.reserve(ids.peek().get());
                prop_assert!(runtime.block_on(memory.flush()));
            }
            // A last burst, of which the file hears nothing any more.
            told = (0..49_000).map(|_| ids.next().get()).last().unwrap();
            let next = Folder::new(&format!("crash-{}", folders.len()));
            crashed(&folders[folders.len() - 1], &next);
            folders.push(next);
        }
    }
}
