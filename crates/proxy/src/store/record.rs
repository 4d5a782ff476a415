//! What is remembered, as it passes between a route's farm and the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::knowledge::{Change, FirmwareRecord, Remembered, WorkerRecord};
use orepass_stratum::habits::{Answer, Habit};

/// The most changes of a kind that wait to be written. A farm knows of half as many; the others were
/// forgotten meanwhile, and which those are is left out past that: they are forgotten by the next start.
const MAX_WAITING: usize = 40_000;

/// What earlier runs knew, by route.
pub(super) type Routes = HashMap<Arc<str>, Remembered>;

/// A worker's name.
pub(super) type WorkerKey = [Arc<str>; 1];

/// A pool's host and port, and a habit's name.
pub(super) type PoolHabit = [Arc<str>; 2];

/// What the file does not have yet of a route.
#[derive(Default)]
pub(super) struct Unwritten {
    pub(super) workers: Latest<WorkerKey, WorkerRecord>,
    pub(super) firmware: Latest<WorkerKey, FirmwareRecord>,
    pub(super) habits: Latest<PoolHabit, (Habit, Answer)>,
    /// For how long from then on workers are refused.
    pub(super) bans: Latest<WorkerKey, Duration>,
}

impl Unwritten {
    /// Takes in a change of something that is seen `now`, in Unix seconds.
    pub(super) fn note(&mut self, change: Change, now: u64) {
        match change {
            Change::Worker(name, record) => self.workers.put([name], now, record),
            Change::Firmware(name, record) => self.firmware.put([name], now, record),
            Change::Ban(name, lasts) => self.bans.put([name], now, lasts),
            Change::Habit { server, habit, answer } => {
                self.habits.put([server, habit.name().into()], now, Some((habit, answer)));
            }
        }
    }

    /// Takes over what came later.
    pub(super) fn merge(&mut self, newer: Self) {
        self.workers.merge(newer.workers);
        self.firmware.merge(newer.firmware);
        self.habits.merge(newer.habits);
        self.bans.merge(newer.bans);
    }
}

/// The latest that is known by each key, and when it was seen; none where it is forgotten.
pub(super) struct Latest<K, V>(BTreeMap<K, (u64, Option<V>)>);

impl<K: Ord, V> Latest<K, V> {
    fn put(&mut self, key: K, seen: u64, value: Option<V>) {
        self.0.insert(key, (seen, value));
        if self.0.len() > MAX_WAITING {
            self.0.retain(|_, (_, value)| value.is_some());
        }
    }

    fn merge(&mut self, newer: Self) {
        for (key, (seen, value)) in newer.0 {
            self.put(key, seen, value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u64, Option<&V>)> {
        self.0.iter().map(|(key, (seen, value))| (key, *seen, value.as_ref()))
    }
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_nothing_is_written_what_waits_has_its_bound() {
        let mut unwritten = Unwritten::default();
        // A farm with room for 20,000 names, and names that never come twice.
        let name = |number: usize| Arc::from(number.to_string());
        for number in 0..100_000 {
            let record = Some(WorkerRecord::default());
            unwritten.note(Change::Worker(name(number), record), number as u64);
            if let Some(former) = number.checked_sub(20_000) {
                unwritten.note(Change::Worker(name(former), None), number as u64);
            }
            assert!(unwritten.workers.0.len() <= MAX_WAITING);
        }
        let known = unwritten.workers.iter().filter(|(_, _, record)| record.is_some()).count();
        assert_eq!(known, 20_000);
    }

    #[test]
    fn what_comes_later_stands_for_what_came_before() {
        let (mut batch, mut newer) = (Unwritten::default(), Unwritten::default());
        let record = |slot| Some(WorkerRecord { slot: Some(slot), ..WorkerRecord::default() });
        batch.note(Change::Worker("a".into(), record(1)), 1);
        batch.note(Change::Worker("b".into(), record(2)), 1);
        newer.note(Change::Worker("a".into(), None), 2);
        batch.merge(newer);
        let slots: Vec<_> =
            batch.workers.iter().map(|(_, seen, record)| (seen, record.cloned())).collect();
        assert_eq!(slots, [(2, None), (1, record(2))]);
    }
}
