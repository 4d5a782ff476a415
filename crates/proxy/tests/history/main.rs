//! A history survives restarts, crashes and handing over, and what is wrong with its file costs the history
//! alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/folder.rs"]
mod folder;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use orepass::history::{
    History, HistoryNotLetGo, HistoryPart, HistoryUnread, Resolution, SeriesKey, WorkerSeen,
};
use orepass_farm::stats::Minute;
use orepass_stratum::verdict::Verdict;
use rusqlite::Connection;

use folder::Folder;

/// The Unix seconds at which most of this happens, at the start of an hour.
const NOW: u64 = 1_800_000_000;
const MIB: u32 = 64;

/// A folder of a test's own, which is gone afterwards.
fn folder(name: &str) -> Folder {
    Folder::new(&format!("history-{name}"), "history.db")
}

fn rig() -> SeriesKey {
    SeriesKey::worker("hns", "farm.rig")
}

fn part(count: u64) -> HistoryPart {
    let mut minute = Minute::default();
    minute.counts[Verdict::AcceptedByPool as usize] = count as u32;
    minute.work[Verdict::AcceptedByPool as usize] = count as f32 * 4e12;
    HistoryPart::new(&minute, 60)
}

/// How many shares are found in each minute.
async fn counts(history: &History, key: SeriesKey) -> Vec<u64> {
    let points = history.read(key, 0, u64::MAX, Resolution::Minute).await.unwrap();
    points.iter().map(|point| point.part.count(Verdict::AcceptedByPool)).collect()
}

fn open(path: &Path) -> History {
    History::open_at(path, MIB, NOW)
}

/// Keeps something, closes, and finds it again.
async fn assert_keeps(history: History, path: &Path) {
    assert!(history.is_kept());
    assert_eq!(history.trouble(), None);
    history.note(NOW, [(rig(), part(7))]);
    history.close().await;
    let history = open(path);
    assert_eq!(counts(&history, rig()).await.last(), Some(&7));
    history.close().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = folder("restart");
    let history = History::open_at(&folder.path.join("var/history.db"), MIB, NOW);
    let seen = |last_seen| WorkerSeen {
        first_seen: NOW - 1000,
        last_seen,
        last_share: Some(NOW - 5),
        best_share: 9e15,
        blocks: 1,
        norm_hs: None,
    };
    history.note_seen([("hns".into(), "farm.rig".into(), seen(NOW))]);
    history.note_seen([("hns".into(), "farm.old".into(), seen(NOW - 1))]);
    let long: Arc<str> = "x".repeat(1000).into();
    history.note_seen([("hns".into(), Arc::clone(&long), seen(NOW - 2))]);
    assert!(history.take_seen().is_empty(), "earlier runs are meant");
    history.note(NOW, [(rig(), part(3)), (SeriesKey::worker("hns", &long), part(1))]);
    history.note(NOW + 59, [(rig(), part(2)), (SeriesKey::pool("hns", "first"), part(1))]);
    history.note(NOW + 60, [(rig(), part(1)), (SeriesKey::route("hns"), part(1))]);
    assert_eq!(counts(&history, rig()).await, [5, 1]);
    let within = history.read(rig(), NOW + 60, NOW + 61, Resolution::Minute).await.unwrap();
    assert_eq!((within.len(), within[0].start), (1, NOW + 60));
    let none = history.read(rig(), NOW + 61, NOW + 60, Resolution::Hour).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
    history.close().await;
    assert!(matches!(
        history.read(rig(), 0, NOW, Resolution::Hour).await,
        Err(HistoryUnread::Busy)
    ));

    let history = History::open_at(&folder.path.join("var/history.db"), MIB, NOW + 3600);
    assert_eq!(counts(&history, rig()).await, [5, 1]);
    assert_eq!(counts(&history, SeriesKey::worker("hns", &long)).await, [1]);
    let a_pool = SeriesKey::worker("hns", "first");
    assert!(counts(&history, a_pool).await.is_empty());
    assert_eq!(counts(&history, SeriesKey::pool("hns", "first")).await, [1]);
    let known = history.take_seen();
    let names: Vec<_> = known.iter().map(|(_, name, _)| name.len()).collect();
    assert_eq!(names, [8, 8, 256]);
    assert_eq!((&*known[0].1, known[0].2), ("farm.rig", seen(NOW)));
    assert!(history.take_seen().is_empty(), "whoever took it has it");
    assert!(history.forget("hns", "farm.rig"));
    assert!(counts(&history, rig()).await.is_empty());
    history.close().await;
    let history = History::open_at(&folder.path.join("var/history.db"), MIB, NOW + 3600);
    assert_eq!(history.take_seen().len(), 2);
    history.close().await;
}

#[tokio::test]
async fn another_process_opens_it_when_it_is_handed_over_and_the_old_one_again() {
    let folder = folder("handover");
    let old = open(&folder.file());
    old.note(NOW, [(rig(), part(1))]);
    old.hand_over().await.unwrap();
    let new = open(&folder.file());
    new.note(NOW + 60, [(rig(), part(2))]);
    old.note(NOW + 60, [(rig(), part(1))]);
    assert_eq!(counts(&new, rig()).await, [1, 2]);
    assert!(old.reopen().unwrap_err().contains("another process uses it"));
    new.close().await;
    old.reopen().unwrap();
    assert_eq!(counts(&old, rig()).await, [1, 3]);
    old.close().await;
    assert_eq!(old.hand_over().await, Err(HistoryNotLetGo), "nobody has it");
    assert_eq!(folder.names(), ["history.db"], "closed without leaving anything beside it");
}

#[tokio::test]
async fn without_a_file_nothing_is_kept_and_nothing_is_wrong() {
    for history in [History::off(), History::open(Path::new("/nowhere/history.db"), 0)] {
        assert!(!history.is_kept());
        assert_eq!(history.trouble(), None);
        history.note(NOW, [(rig(), part(1))]);
        assert!(history.forget("hns", "farm.rig") && history.flush().await);
        let read = history.read(rig(), 0, NOW, Resolution::Minute).await;
        assert_eq!(read, Err(HistoryUnread::NotKept));
        history.hand_over().await.unwrap();
        history.reopen().unwrap();
        history.close().await;
    }
}

#[tokio::test]
async fn a_broken_file_is_set_aside_and_one_that_is_not_ours_to_touch_is_left_alone() {
    let folder = folder("broken");
    fs::write(folder.file(), "this is no database".repeat(300)).unwrap();
    assert_keeps(open(&folder.file()), &folder.file()).await;
    assert_eq!(folder.names(), ["history.db".to_owned(), format!("history.db.broken-{NOW}")]);

    for (change, said) in [
        ("PRAGMA user_version = 99", "a newer version of this program wrote it"),
        ("PRAGMA application_id = 1", "it belongs to another program"),
    ] {
        Connection::open(folder.file()).unwrap().execute_batch(change).unwrap();
        let before = fs::read(folder.file()).unwrap();
        let history = open(&folder.file());
        let trouble = history.trouble().unwrap();
        assert!(trouble.contains(said) && trouble.contains("[history]"), "{trouble}");
        assert!(!history.is_kept());
        history.note(NOW, [(rig(), part(1))]);
        history.close().await;
        assert!(fs::read(folder.file()).unwrap() == before, "{change}");
    }
}

#[tokio::test]
async fn a_file_has_one_user_at_a_time() {
    let folder = folder("shared");
    let first = open(&folder.file());
    let second = open(&folder.file());
    assert!(second.trouble().unwrap().contains("another process uses it"));
    second.note(NOW, [(rig(), part(1))]);
    second.close().await;
    assert_keeps(first, &folder.file()).await;
}

#[tokio::test]
async fn whatever_is_damaged_the_next_minutes_are_kept() {
    let folder = folder("damaged");
    let history = open(&folder.file());
    for minute in 0..180 {
        let parts = (0..40).map(|rig| (SeriesKey::worker("hns", &rig.to_string()), part(3)));
        history.note(NOW + minute * 60, parts);
        assert!(history.flush().await);
    }
    history.close().await;
    let whole = fs::read(folder.file()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..60 {
        let mut damaged = whole.clone();
        let end = *random.choice([100, 200, whole.len()].iter()).unwrap();
        for _ in 0..random.usize(1..200) {
            damaged[random.usize(0..end)] = random.u8(..);
        }
        fs::write(folder.file(), &damaged).unwrap();
        let history = open(&folder.file());
        for key in (0..40).map(|rig| SeriesKey::worker("hns", &rig.to_string())) {
            for resolution in Resolution::ALL {
                let _ = history.read(key.clone(), 0, u64::MAX, resolution).await;
            }
        }
        // What was found broken while it was read is begun anew.
        history.note(NOW + 180 * 60, [(rig(), part(7))]);
        let is_written = history.flush().await;
        if history.is_kept() && is_written {
            assert_eq!(counts(&history, rig()).await.last(), Some(&7));
        } else {
            assert!(history.trouble().is_some());
        }
        history.close().await;
        for name in folder.names() {
            fs::remove_file(folder.path.join(name)).unwrap();
        }
    }
}

const CHILD: &str = "OREPASS_TEST_HISTORY";

/// The child of the test below: notes a minute after the other and says each that was flushed.
#[tokio::test]
async fn note_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let history = History::open_at(Path::new(&path), MIB, NOW);
    for minute in 0..u64::MAX {
        let parts =
            (0..300).map(|rig| (SeriesKey::worker("hns", &rig.to_string()), part(minute % 9)));
        history.note(NOW + minute * 60, parts);
        assert!(history.flush().await);
        println!("flushed {minute}");
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn a_kill_under_load_loses_nothing_that_was_flushed() {
    let folder = folder("kill");
    for minutes in [5, 61, 130] {
        let _ = fs::remove_file(folder.file());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "note_until_killed", "--nocapture"])
            .env(CHILD, folder.file())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let flushed = lines.filter_map(|line| line.split_once("flushed ")?.1.parse::<usize>().ok());
        let last = flushed.take_while(|minute| *minute <= minutes).last().unwrap();
        // SIGKILL, wherever it is by now.
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(last, minutes);

        let history = open(&folder.file());
        assert_eq!(history.trouble(), None);
        for rig in [0, 299] {
            let counts = counts(&history, SeriesKey::worker("hns", &rig.to_string())).await;
            assert!(counts.len() > minutes, "{} of {minutes}", counts.len());
            for (minute, count) in counts.iter().enumerate() {
                assert_eq!(*count, minute as u64 % 9);
            }
        }
        history.close().await;
    }
    assert_eq!(folder.names(), ["history.db"], "nothing was broken");
}
