//! What is remembered, as plain data: bounded tables without a file, a lock or a clock.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::record::{FirmwareState, HabitState, WorkerState};

/// The share of a full table that is forgotten at once, so that it is seldom searched.
const FORGET_AT_ONCE: usize = 16;

/// Something that is remembered by a key.
pub(super) trait Record: Clone + PartialEq {
    /// Texts that tell it from others of its route.
    type Key: Clone + Ord + Hash + AsRef<[Arc<str>]>;
    /// The most of them in a table.
    const MOST: usize;

    /// When it was last seen, in Unix seconds.
    fn seen(&self) -> u64;
    /// The table of its kind.
    fn table(tables: &mut Tables) -> &mut Table<Self>;
}

/// When a record was last seen, in Unix seconds, and its key: no two of a table are equal in it.
pub(super) type Age<V> = (u64, <V as Record>::Key);

/// What is remembered of each route.
pub(super) type Routes = HashMap<Arc<str>, Tables>;

/// What is remembered of a route.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) workers: Table<WorkerState>,
    pub(super) firmware: Table<FirmwareState>,
    pub(super) habits: Table<HabitState>,
}

impl Tables {
    /// Takes over what came later.
    pub(super) fn merge(&mut self, newer: Self) {
        self.workers.merge(newer.workers);
        self.firmware.merge(newer.firmware);
        self.habits.merge(newer.habits);
    }
}

/// At most [`MOST`](Record::MOST) records by key; of more, those seen the longest ago are forgotten.
pub(super) struct Table<V: Record> {
    records: HashMap<V::Key, V>,
    forgotten: Option<Age<V>>,
}

impl<V: Record> Table<V> {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&V::Key, &V)> {
        self.records.iter()
    }

    pub(super) fn get(&self, key: &V::Key) -> Option<&V> {
        self.records.get(key)
    }

    /// Up to which age records were forgotten, if any were.
    pub(super) const fn forgotten(&self) -> Option<&Age<V>> {
        self.forgotten.as_ref()
    }

    /// Puts a record in the place of what is known by its key. Gives the age up to which records
    /// were forgotten because of that.
    pub(super) fn put(&mut self, key: V::Key, value: V) -> Option<Age<V>> {
        self.records.insert(key, value);
        if self.records.len() <= V::MOST {
            return None;
        }
        let mut ages: Vec<Age<V>> =
            self.records.iter().map(|(key, value)| (value.seen(), key.clone())).collect();
        let age = ages.select_nth_unstable(V::MOST / FORGET_AT_ONCE).1.clone();
        self.forget(age.clone());
        Some(age)
    }

    /// Forgets the records up to an age.
    pub(super) fn forget(&mut self, age: Age<V>) {
        self.records.retain(|key, value| (value.seen(), key) > (age.0, &age.1));
        self.forgotten = self.forgotten.take().max(Some(age));
    }

    /// Takes over what another table forgot and put since.
    pub(super) fn merge(&mut self, newer: Self) {
        if let Some(age) = newer.forgotten {
            self.forget(age);
        }
        for (key, value) in newer.records {
            self.put(key, value);
        }
    }
}

impl<V: Record> Default for Table<V> {
    fn default() -> Self {
        Self { records: HashMap::new(), forgotten: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// When it was seen.
    #[derive(Debug, Clone, PartialEq)]
    struct Seen(u64);

    impl Record for Seen {
        type Key = [Arc<str>; 1];
        const MOST: usize = 32;

        fn seen(&self) -> u64 {
            self.0
        }

        fn table(_: &mut Tables) -> &mut Table<Self> {
            unreachable!("it belongs to no route")
        }
    }

    fn name(number: u64) -> [Arc<str>; 1] {
        [format!("w{number:04}").into()]
    }

    #[test]
    fn the_longest_unseen_are_forgotten_first_and_a_few_at_once() {
        let mut table = Table::default();
        assert!((0..32).all(|number| table.put(name(number), Seen(number)).is_none()));
        assert_eq!(table.len(), 32);
        assert_eq!(table.put(name(40), Seen(40)), Some((2, name(2))));
        assert_eq!(table.len(), 30);
        assert!((0..3).all(|number| table.get(&name(number)).is_none()));
        // Those of one second are told apart by their names.
        let mut table = Table::default();
        (0..33).for_each(|number| _ = table.put(name(number), Seen(7)));
        assert_eq!((table.len(), table.forgotten()), (30, Some(&(7, name(2)))));
    }

    proptest! {
        /// Some rounds of the writer fail, and the file has all that is remembered after the next.
        #[test]
        fn what_could_not_be_written_is_written_later_and_never_grows_past_its_bound(
            steps in prop::collection::vec((0_u64..60, 0_u64..2, any::<bool>(), any::<bool>()), 500),
        ) {
            let (mut table, mut pending) = (Table::default(), Table::default());
            let (mut batch, mut file) = (Table::default(), BTreeMap::new());
            let mut now = 0;
            for (number, later, writes, works) in steps {
                now += later;
                let forgotten = table.put(name(number), Seen(now));
                pending.put(name(number), Seen(now));
                if let Some(age) = forgotten {
                    pending.forget(age);
                }
                prop_assert!(table.len().max(pending.len()) <= Seen::MOST);
                if writes {
                    batch.merge(std::mem::take(&mut pending));
                    prop_assert!(batch.len() <= Seen::MOST);
                }
                if writes && works {
                    let written = std::mem::take(&mut batch);
                    if let Some((seen, key)) = &written.forgotten {
                        file.retain(|known, value: &mut Seen| (value.0, known) > (*seen, key));
                    }
                    file.extend(written.records);
                    prop_assert_eq!(&file, &table.records.clone().into_iter().collect());
                }
            }
        }
    }
}
