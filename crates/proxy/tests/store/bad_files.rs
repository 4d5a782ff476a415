//! Files that are broken, in use, another's, or in a place that cannot be written.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use orepass::store::Store;
use rusqlite::Connection;

use crate::{NOW, assert_serves, folder, logged, remember, remember_slot, slot, workers};

/// A closed file that knows many workers, so that it has several pages.
async fn filled(path: &Path) {
    let memory = Store::open_at(path, NOW);
    for number in 0..500 {
        remember_slot(&memory.route("hns"), &format!("rig{number}"), number, NOW);
    }
    remember(&memory.route("hns"), "rig1", NOW);
    memory.close().await;
}

#[tokio::test]
async fn garbage_is_set_aside_with_one_line_and_one_kept() {
    let folder = folder("garbage");
    for (now, garbage) in [(NOW, &b"this is no database"[..]), (NOW + 1, &[0x5a; 20_000])] {
        fs::write(folder.file(), garbage).unwrap();
        let (memory, log) = logged(|| Store::open_at(&folder.file(), now));
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("WARN") && log[0].contains("file is not a database"), "{log:?}");
        let aside = format!("orepass.db.broken-{now}");
        assert!(log[0].contains(&aside), "{log:?}");
        assert_eq!(fs::read(folder.path.join(&aside)).unwrap(), garbage);
        assert_serves(memory, &folder.file()).await;
        assert_eq!(folder.names(), ["orepass.db".to_owned(), aside]);
    }
}

#[tokio::test]
async fn a_file_cut_off_anywhere_costs_the_memory_alone() {
    let folder = folder("truncated");
    filled(&folder.file()).await;
    let whole = fs::read(folder.file()).unwrap();
    assert!(whole.len() > 3 * 4096, "{}", whole.len());
    let near_pages = (0..=whole.len()).step_by(4096).flat_map(|at| [at, at + 1, at + 4095]);
    for len in near_pages.chain([16, 99, 100, 101, 1024]).filter(|len| *len < whole.len()) {
        fs::write(folder.file(), &whole[..len]).unwrap();
        let (memory, log) = logged(|| Store::open_at(&folder.file(), NOW));
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
    let folder = folder("damaged");
    filled(&folder.file()).await;
    let whole = fs::read(folder.file()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..60 {
        let mut damaged = whole.clone();
        // In the header, which a page starts with as well, more often than elsewhere.
        let end = *random.choice([100, 200, whole.len()].iter()).unwrap();
        for _ in 0..random.usize(1..8) {
            damaged[random.usize(0..end)] = random.u8(..);
        }
        fs::write(folder.file(), &damaged).unwrap();
        let (memory, log) = logged(|| Store::open_at(&folder.file(), NOW));
        assert_eq!(log.len(), 1, "{log:?}");
        let _ = memory.route("hns").take();
        remember_slot(&memory.route("hns"), "rig1", 1, NOW);
        memory.close().await;
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_said_with_its_remedy() {
    let folder = folder("unwritable");
    fs::write(folder.path.join("file"), "").unwrap();
    fs::create_dir(folder.path.join("folder")).unwrap();
    for path in ["file/orepass.db", "folder"] {
        let (memory, log) = logged(|| Store::open_at(&folder.path.join(path), NOW));
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("cannot use the state file"), "{log:?}");
        assert!(log[0].contains("name a `file` in [state]"), "{log:?}");
        assert!(!memory.is_kept());
        remember_slot(&memory.route("hns"), "rig", 1, NOW);
        memory.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_folder_costs_the_memory_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder("read-only");
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o555)).unwrap();
    // Root writes everywhere.
    if fs::write(folder.path.join("probe"), "").is_err() {
        let (memory, log) = logged(|| Store::open_at(&folder.file(), NOW));
        assert!(log.len() == 1 && log[0].contains("WARN"), "{log:?}");
        assert!(!memory.is_kept());
    }
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn files_of_newer_versions_and_of_other_programs_are_not_touched() {
    let folder = folder("newer");
    for (change, said) in [
        ("PRAGMA user_version = 99", "a newer version of this program wrote it, in format 99"),
        ("PRAGMA application_id = 1", "it belongs to another program"),
        ("PRAGMA user_version = 0", "it belongs to another program"),
    ] {
        let _ = fs::remove_file(folder.file());
        filled(&folder.file()).await;
        Connection::open(folder.file()).unwrap().execute_batch(change).unwrap();
        let before = fs::read(folder.file()).unwrap();
        let (memory, log) = logged(|| Store::open_at(&folder.file(), NOW));
        assert!(log.len() == 1 && log[0].contains(said), "{log:?}");
        assert!(!memory.is_kept());
        remember_slot(&memory.route("hns"), "rig", 1, NOW);
        memory.close().await;
        assert!(fs::read(folder.file()).unwrap() == before, "{change}");
        assert_eq!(folder.names(), ["orepass.db"]);
    }
}

#[tokio::test]
async fn a_file_has_one_user_at_a_time() {
    let folder = folder("shared");
    let first = Store::open_at(&folder.file(), NOW);
    let (second, log) = logged(|| Store::open_at(&folder.file(), NOW));
    assert!(log.len() == 1 && log[0].contains("another process uses it"), "{log:?}");
    assert!(!second.is_kept());
    remember_slot(&second.route("hns"), "second", 2, NOW);
    second.close().await;
    remember_slot(&first.route("hns"), "first", 1, NOW);
    first.close().await;
    let third = Store::open_at(&folder.file(), NOW);
    assert!(third.is_kept());
    assert_eq!(workers(&third, "hns"), [("first".to_owned(), slot(1))]);
}

#[test]
fn the_program_serves_without_a_file_that_another_process_uses() {
    let folder = folder("process");
    let config = folder.path.join("orepass.toml");
    let text = "[api]\nlisten = \"off\"\n[state]\nfile = \"orepass.db\"\n[[route]]\nname = \"hns\"\ndialect = \"hstratum\"\n\
                listen = [\"127.0.0.1:0\"]\n[[route.pool]]\nurl = \"stratum+tcp://127.0.0.1:1\"\n\
                user = \"account\"\n";
    fs::write(&config, text).unwrap();
    let memory = Store::open(&folder.file());
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
