//! Stories of the file, told to the database without its thread: what is noted is found again at every
//! resolution, through whatever happens between, for as long as it is kept, and takes little room.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use orepass_stratum::verdict::Verdict;
use proptest::prelude::*;

use super::batch::HistoryBatch;
use super::database::{HistoryDatabase, HistoryTrouble};
use super::pack::tests::are_alike;
use super::*;
use crate::sqlite::{Batch, BatchFile};

/// The hour at which most of this begins.
const HOUR: u64 = 500_000;
const NO_LIMIT: u64 = u64::MAX;

/// A file of a test's own, which is gone afterwards.
struct TestFile {
    folder: PathBuf,
    database: Option<HistoryDatabase>,
    max_bytes: u64,
}

impl TestFile {
    fn new(name: &str, max_bytes: u64) -> Self {
        let name = format!("orepass-history-{name}-{}-{}", std::process::id(), fastrand::u32(..));
        let folder = std::env::temp_dir().join(name);
        let mut file = Self { folder, database: None, max_bytes };
        file.reopen(HOUR * 3600);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.join("history.db")
    }

    fn reopen(&mut self, now: u64) -> Vec<(WorkerPlace, WorkerSeen)> {
        self.database = None;
        let trouble = HistoryTrouble::default();
        let opened = HistoryDatabase::open(&self.path(), self.max_bytes, now, &trouble);
        let FoundHistory { database, seen } = opened.unwrap_or_else(|error| panic!("{error}"));
        self.database = Some(database);
        seen
    }

    fn database(&mut self) -> &mut HistoryDatabase {
        self.database.as_mut().unwrap()
    }

    fn write(&mut self, note: impl FnOnce(&mut HistoryBatch)) {
        let mut batch = HistoryBatch::default();
        note(&mut batch);
        self.database().write(&mut batch).unwrap();
    }

    fn note(&mut self, minute: u64, parts: impl IntoIterator<Item = (SeriesKey, HistoryPart)>) {
        self.write(|batch| batch.note(minute, parts));
    }

    fn settle(&mut self) {
        while self.database().tidy().unwrap() {}
    }

    fn read(&self, key: &SeriesKey, resolution: Resolution) -> BTreeMap<u64, HistoryPart> {
        let database = self.database.as_ref().unwrap();
        let points = database.read(key, 0, LAST_SECOND, resolution).unwrap();
        points.into_iter().map(|point| (point.start, point.part)).collect()
    }

    /// How large the file is when its log is in it.
    fn bytes(&self) -> u64 {
        let db = self.database.as_ref().unwrap().connection();
        let ask = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
        (ask("page_count") * ask("page_size")).cast_unsigned()
    }

    fn log_bytes(&self) -> u64 {
        fs::metadata(self.folder.join("history.db-wal")).unwrap().len()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        self.database = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn worker(number: usize) -> SeriesKey {
    SeriesKey::worker("hns", &format!("farm.rig{number}"))
}

fn part(seconds_online: u16, shares: &[(Verdict, u64, f64)]) -> HistoryPart {
    let mut part = HistoryPart::online(seconds_online);
    for &(verdict, count, work) in shares {
        part.put(EndedShares { verdict, count, work });
    }
    part
}

fn accepted(count: u64) -> HistoryPart {
    part(60, &[(Verdict::AcceptedByPool, count, count as f64 * 1.7e12)])
}

/// What is expected at each resolution of minutes that were noted.
#[derive(Default)]
struct Expected(BTreeMap<(SeriesKey, Resolution), BTreeMap<u64, HistoryPart>>);

impl Expected {
    fn add(&mut self, key: &SeriesKey, minute: u64, part: &HistoryPart) {
        for resolution in Resolution::ALL {
            let start = minute * 60 / resolution.seconds() * resolution.seconds();
            let points = self.0.entry((key.clone(), resolution)).or_default();
            points.entry(start).or_default().add(part);
        }
    }

    fn assert_found(&self, file: &TestFile) {
        for ((key, resolution), points) in &self.0 {
            let found = file.read(key, *resolution);
            assert!(found.keys().eq(points.keys()), "{key:?} {resolution:?}");
            for (start, part) in points {
                let mut part = part.clone();
                part.seconds_online = part.seconds_online.min(resolution.seconds() as u16);
                let mut found = found[start].clone();
                // Of a minute that was noted twice while it waited.
                found.seconds_online = found.seconds_online.min(resolution.seconds() as u16);
                assert!(are_alike(&part, &found), "{key:?} {start} {part:?} {found:?}");
            }
        }
    }
}

#[derive(Debug, Clone)]
enum StoryStep {
    /// Minutes from now, of series.
    Note {
        ahead: i8,
        series: Vec<(usize, u8, u64, bool)>,
    },
    Tidy,
    Settle,
    Reopen,
}

fn story() -> impl Strategy<Value = Vec<StoryStep>> {
    let one = (0..4_usize, 0..13_u8, 0..30_u64, any::<bool>());
    let series = prop::collection::vec(one, 1..5);
    let note = (-3..70_i8, series).prop_map(|(ahead, series)| StoryStep::Note { ahead, series });
    let step = prop_oneof![
        6 => note,
        2 => Just(StoryStep::Tidy),
        1 => Just(StoryStep::Settle),
        1 => Just(StoryStep::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Less than a day passes, so that all is kept.
    #[test]
    fn whatever_happens_every_resolution_has_what_was_noted(story in story()) {
        let mut file = TestFile::new("story", NO_LIMIT);
        let (mut expected, mut minute) = (Expected::default(), HOUR * 60);
        for step in story {
            match step {
                StoryStep::Note { ahead, series } => {
                    minute = minute.saturating_add_signed(ahead.into()).max(HOUR * 60);
                    minute = minute.min((HOUR + 22) * 60);
                    let parts = series.into_iter().map(|(number, verdict, count, hard)| {
                        let share = if hard { 4.4e12 } else { 1.7e12 };
                        let verdict = Verdict::ALL[usize::from(verdict)];
                        let online = if hard { 60 } else { 13 };
                        let part = part(online, &[(verdict, count, share * count as f64)]);
                        expected.add(&worker(number), minute, &part);
                        (worker(number), part)
                    });
                    let parts: Vec<_> = parts.collect();
                    file.note(minute, parts);
                }
                StoryStep::Tidy => _ = file.database().tidy().unwrap(),
                StoryStep::Settle => file.settle(),
                StoryStep::Reopen => _ = file.reopen(minute * 60),
            }
        }
        // Seconds online are capped by part, in whichever order they are added: they are looked at elsewhere.
        for points in expected.0.values_mut() {
            points.values_mut().for_each(|part| part.seconds_online = 0);
        }
        for _ in 0..2 {
            for ((key, resolution), points) in &expected.0 {
                let found = file.read(key, *resolution);
                prop_assert!(found.keys().eq(points.keys()), "{key:?} {resolution:?}");
                for (start, part) in points {
                    let mut found = found[start].clone();
                    found.seconds_online = 0;
                    prop_assert!(are_alike(part, &found), "{key:?} {start} {part:?} {found:?}");
                }
            }
            file.settle();
        }
    }
}

#[test]
fn an_hour_that_is_half_compacted_is_whole_for_readers_and_after_a_crash() {
    let mut file = TestFile::new("half", NO_LIMIT);
    let mut expected = Expected::default();
    let mut note = |file: &mut TestFile, minute| {
        let parts = (0..1_200).map(|number| (worker(number), accepted(number as u64 % 7)));
        let parts: Vec<_> = parts.collect();
        parts.iter().for_each(|(key, part)| expected.add(key, minute, part));
        file.note(minute, parts);
    };
    (0..4).for_each(|minute| note(&mut file, HOUR * 60 + 57 + minute));
    assert!(file.database().tidy().unwrap());
    assert!(compact_is_under_way(&mut file));
    // As a crash would: the file is as the last transaction left it.
    file.reopen((HOUR + 1) * 3600);
    assert!(compact_is_under_way(&mut file));
    // One more of the hour, when a part of the series has it.
    note(&mut file, HOUR * 60 + 59);
    assert!(!compact_is_under_way(&mut file));
    expected.assert_found(&file);
    file.settle();
    expected.assert_found(&file);
}

fn compact_is_under_way(file: &mut TestFile) -> bool {
    compact::under_way(rusqlite_of(file)).unwrap().is_some()
}

fn rusqlite_of(file: &mut TestFile) -> &rusqlite::Connection {
    file.database().connection()
}

#[test]
fn each_resolution_is_kept_for_its_time_and_a_series_for_as_long_as_it_has_rows() {
    let mut file = TestFile::new("kept", NO_LIMIT);
    let (old, steady) = (worker(0), SeriesKey::route("hns"));
    file.note(HOUR * 60, [(old.clone(), accepted(1)), (steady.clone(), accepted(1))]);
    let counts = |file: &TestFile, key| Resolution::ALL.map(|r| file.read(key, r).len());
    for (hours, expected) in [
        (24, [1, 1, 1]),
        (25, [0, 1, 1]),
        (30 * 24, [0, 1, 1]),
        (30 * 24 + 1, [0, 0, 1]),
        (2 * 365 * 24, [0, 0, 1]),
        (2 * 365 * 24 + 1, [0, 0, 0]),
    ] {
        file.note((HOUR + hours) * 60, [(steady.clone(), accepted(1))]);
        file.settle();
        assert_eq!(counts(&file, &old), expected, "after {hours} hours");
    }
    assert_eq!(file.database().series_count(), 1, "the last of its rows is gone");
    assert_eq!(counts(&file, &steady), [2, 2, 6]);
    file.reopen(0);
    assert_eq!(file.database().series_count(), 1);
}

#[test]
fn a_clock_that_was_far_ahead_leaves_nothing_for_ever() {
    let mut file = TestFile::new("clock", NO_LIMIT);
    file.note((HOUR + 1_000_000) * 60, [(worker(0), accepted(1))]);
    file.settle();
    for hour in 0..3 {
        file.note((HOUR + hour) * 60, [(worker(0), accepted(1))]);
        file.settle();
    }
    for resolution in Resolution::ALL {
        assert_eq!(file.read(&worker(0), resolution).len(), 3);
    }
}

#[test]
fn a_worker_is_forgotten_whole_and_may_come_back() {
    let mut file = TestFile::new("forget", NO_LIMIT);
    let minutes = [HOUR * 60, HOUR * 60 + 61, HOUR * 60 + 62];
    let note_all = |file: &mut TestFile, minute| {
        file.note(minute, (0..2).map(|number| (worker(number), accepted(5))));
    };
    note_all(&mut file, minutes[0]);
    note_all(&mut file, minutes[1]);
    file.settle();
    note_all(&mut file, minutes[2]);
    let place: WorkerPlace = ("hns".into(), "farm.rig0".into());
    let seen = WorkerSeen { last_seen: HOUR * 3600, ..WorkerSeen::default() };
    file.write(|batch| {
        batch.note_seen([(Arc::clone(&place.0), Arc::clone(&place.1), seen)]);
        batch.note(minutes[2], [(worker(0), accepted(1))]);
        let mut newer = HistoryBatch::default();
        assert!(newer.forget(place.clone()));
        newer.note(minutes[2] + 1, [(worker(0), accepted(3))]);
        batch.merge(newer);
    });
    assert_eq!(file.read(&worker(0), Resolution::Minute).len(), 1, "what came after alone");
    assert_eq!(file.read(&worker(1), Resolution::Minute).len(), 3, "another's stays");
    file.note((HOUR + 2) * 60, [(worker(0), accepted(3))]);
    file.settle();
    let hours = file.read(&worker(0), Resolution::Hour);
    let counts = hours.values().map(|part| part.count(Verdict::AcceptedByPool));
    assert_eq!(counts.collect::<Vec<_>>(), [3, 3]);
    assert!(file.reopen(HOUR * 3600).is_empty());
}

#[test]
fn workers_are_known_for_thirty_days_and_so_many_of_a_route() {
    let mut file = TestFile::new("seen", NO_LIMIT);
    let now = HOUR * 3600;
    let seen = |last_seen| WorkerSeen {
        first_seen: 7,
        last_seen,
        last_share: Some(now - 9),
        best_share: 1e15,
        blocks: 2,
        norm_hs: Some(5e12),
    };
    let name = |number: u64| (Arc::from("hns"), Arc::from(number.to_string()));
    let most = MAX_SEEN as u64;
    file.write(|batch| {
        let all = (0..most + 3).map(|number| (name(number).0, name(number).1, seen(now - number)));
        batch.note_seen(all);
        // A new name without a good share goes before an old one that had some.
        let bot = WorkerSeen { best_share: 0.0, ..seen(now) };
        batch.note_seen([("hns".into(), "bot".into(), bot)]);
        let old = now - FORGET_SEEN_AFTER;
        batch.note_seen([("a".into(), "old".into(), seen(old - 1))]);
        batch.note_seen([("a".into(), "kept".into(), seen(old))]);
    });
    let found = file.reopen(now);
    assert_eq!(found.len(), MAX_SEEN + 1);
    assert!(found.iter().all(|((_, name), _)| &**name != "bot"), "not read either");
    assert_eq!(found[0], (name(0), seen(now)));
    assert_eq!(found.last().unwrap().0, ("a".into(), "kept".into()));
    file.note(HOUR * 60, [(worker(0), accepted(1))]);
    file.note((HOUR + 1) * 60, [(worker(0), accepted(1))]);
    file.settle();
    let count = "SELECT count(*) FROM worker_seen";
    let count = rusqlite_of(&mut file).query_row(count, [], |row| row.get::<_, i64>(0));
    assert_eq!(count, Ok(most as i64), "what is too much goes, and what is too old by then");
    let bots = "SELECT count(*) FROM worker_seen WHERE name = 'bot'";
    let bots = rusqlite_of(&mut file).query_row(bots, [], |row| row.get::<_, i64>(0));
    assert_eq!(bots, Ok(0));
}

/// Hours of workers at one share in six seconds, with one difficulty, give or take chance.
fn work_on(file: &mut TestFile, workers: usize, hours: std::ops::Range<u64>) {
    let mut random = fastrand::Rng::with_seed(12);
    for minute in hours.start * 60..hours.end * 60 {
        let parts: Vec<_> = (0..workers)
            .map(|number| {
                let count = (0..60).filter(|_| random.u8(0..6) == 0).count();
                let share = 1.7e12 * (number + 1) as f64;
                let shares = [(Verdict::AcceptedByPool, count as u64, share * count as f64)];
                (worker(number), part(60, &shares))
            })
            .collect();
        file.note(minute, parts);
        if minute % 60 == 0 {
            file.settle();
        }
    }
}

/// Measured with a fiftieth of the workers: what each of them takes does not depend on the others, and what
/// is the file's own counts fifty times. The log has a bound, however many there are.
#[test]
fn a_day_of_ten_thousand_workers_takes_less_than_100_mib() {
    let mut file = TestFile::new("day", NO_LIMIT);
    work_on(&mut file, 200, HOUR..HOUR + 25);
    let mib = |file: &TestFile| (file.bytes() * 50 + file.log_bytes()) as f64 / f64::from(1 << 20);
    let day = mib(&file);
    println!("10,000 workers: {day:.1} MiB after a day");
    assert!(day < 100.0, "{day} MiB");
    work_on(&mut file, 200, HOUR + 25..HOUR + 49);
    println!("10,000 workers: {:.1} MiB after two", mib(&file));
}

#[test]
fn of_a_file_that_is_too_large_the_finest_and_oldest_go_first() {
    let max_bytes = 400 << 10;
    let mut file = TestFile::new("large", max_bytes);
    work_on(&mut file, 60, HOUR..HOUR + 40);
    file.settle();
    let lengths = Resolution::ALL.map(|resolution| file.read(&worker(0), resolution).len());
    println!("{} bytes, {lengths:?}", file.bytes());
    assert!(file.bytes() <= max_bytes, "{} bytes", file.bytes());
    let [minutes, ten_minutes, hours] = lengths;
    assert!(minutes < 24 * 60, "{lengths:?}");
    assert!(ten_minutes > 39 * 6 && hours == 40, "{lengths:?}");
    let minutes = file.read(&worker(0), Resolution::Minute);
    assert!(minutes.keys().all(|start| *start >= (HOUR + 16) * 3600), "the oldest go first");
    // With hardly any room even the hours go, but for the one that is not over.
    file.max_bytes = 60 << 10;
    file.reopen((HOUR + 40) * 3600);
    file.settle();
    assert!(file.read(&worker(0), Resolution::Hour).len() < 40);
}

#[test]
fn a_full_disk_costs_nothing_once_there_is_room_again() {
    let mut file = TestFile::new("full", NO_LIMIT);
    let pages = |file: &mut TestFile, count: i64| {
        let limit = format!("PRAGMA max_page_count = {count}");
        rusqlite_of(file).query_row(&limit, [], |row| row.get::<_, i64>(0)).unwrap();
    };
    pages(&mut file, 1);
    let mut batch = HistoryBatch::default();
    batch.note(HOUR * 60, (0..1_000).map(|number| (worker(number), accepted(3))));
    let error = file.database().write(&mut batch).unwrap_err();
    assert!(matches!(error, OpenError::Unusable(_)), "{error}");
    assert_eq!(file.database().series_count(), 0, "all or nothing");
    pages(&mut file, 1 << 20);
    file.database().write(&mut batch).unwrap();
    assert_eq!(file.read(&worker(999), Resolution::Minute).len(), 1);
}

#[test]
fn however_long_nothing_is_written_what_waits_has_its_bound() {
    let mut batch = HistoryBatch::default();
    for minute in 0..60 {
        let mut newer = HistoryBatch::default();
        newer.note(minute, (0..10_000).map(|number| (worker(number), accepted(1))));
        batch.merge(newer);
        assert!(batch.minutes().len() <= 10);
    }
    assert_eq!(batch.minutes().keys().next_back(), Some(&59), "the oldest goes first");
}
