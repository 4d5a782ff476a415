//! One kind of what is remembered of a route: bounded, and aware of what the file does not have.

use std::collections::{HashMap, HashSet};

use super::entry::Kept;

/// The share of a full table that is forgotten at once, so that it is seldom searched.
const FORGET_AT_ONCE: usize = 16;

/// At most `cap` entries by key; of more, those seen the longest ago are forgotten.
pub(super) struct Table<V: Kept> {
    cap: usize,
    entries: HashMap<V::Key, V>,
    /// Whether there is a file to keep up with this table.
    kept: bool,
    /// The keys that the file has otherwise: to be written, or removed when there is no entry.
    /// At most twice the cap; past that the file is written anew.
    pending: HashSet<V::Key>,
    /// Whether the file is to have nothing but what is pending.
    anew: bool,
}

/// What the file is to be told.
pub(super) struct Batch<V: Kept> {
    /// What there is to write, and the keys of what to remove.
    pub(super) changes: Vec<(V::Key, Option<V>)>,
    /// Whether everything else is to be removed first.
    pub(super) anew: bool,
}

impl<V: Kept> Table<V> {
    pub(super) fn new(cap: usize, kept: bool) -> Self {
        let entries = HashMap::new();
        Self { cap, entries, kept, pending: HashSet::new(), anew: false }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&V::Key, &V)> {
        self.entries.iter()
    }

    pub(super) fn get(&self, key: &V::Key) -> Option<&V> {
        self.entries.get(key)
    }

    /// Takes over what the file has, the last seen first. What is too much is removed there.
    pub(super) fn load(&mut self, key: V::Key, value: V) {
        if self.entries.len() < self.cap {
            self.entries.insert(key, value);
        } else {
            self.note(key);
        }
    }

    /// Puts what becomes of the present entry in its place.
    pub(super) fn update(&mut self, key: V::Key, value: impl FnOnce(Option<&V>) -> V) {
        let known = self.entries.get(&key);
        let value = value(known);
        if known == Some(&value) {
            return;
        }
        self.entries.insert(key.clone(), value);
        self.note(key);
        if self.entries.len() > self.cap {
            self.forget();
        }
    }

    /// At most `max` of the changes that the file does not have yet; they count as written.
    pub(super) fn take(&mut self, max: usize) -> Batch<V> {
        let anew = std::mem::take(&mut self.anew);
        let keys: Vec<V::Key> = self.pending.iter().take(max).cloned().collect();
        let entry = |key: V::Key| {
            self.pending.remove(&key);
            let value = self.entries.get(&key).cloned();
            (key, value)
        };
        Batch { changes: keys.into_iter().map(entry).collect(), anew }
    }

    /// The keys of changes that could not be written after all.
    pub(super) fn give_back(&mut self, keys: impl IntoIterator<Item = V::Key>, anew: bool) {
        keys.into_iter().for_each(|key| self.note(key));
        if anew {
            self.write_anew();
        }
    }

    fn note(&mut self, key: V::Key) {
        if !self.kept {
            return;
        }
        self.pending.insert(key);
        if self.pending.len() > 2 * self.cap {
            self.write_anew();
        }
    }

    fn write_anew(&mut self) {
        self.anew = true;
        self.pending = self.entries.keys().cloned().collect();
    }

    /// Forgets a part of the entries, and all that are too many.
    fn forget(&mut self) {
        let goal = self.cap - self.cap / FORGET_AT_ONCE;
        let count = self.entries.len().saturating_sub(goal);
        let mut ages: Vec<(u64, V::Key)> =
            self.entries.iter().map(|(key, value)| (value.seen(), key.clone())).collect();
        if count < ages.len() {
            ages.select_nth_unstable_by_key(count, |(seen, _)| *seen);
        }
        for (_, key) in ages.into_iter().take(count) {
            self.entries.remove(&key);
            self.note(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory::WorkerState;

    fn name(number: u64) -> Arc<str> {
        format!("w{number}").into()
    }

    fn see(table: &mut Table<WorkerState>, number: u64) {
        let state = WorkerState { last_seen: number, ..WorkerState::default() };
        table.update(name(number), |_| state);
    }

    fn written(table: &mut Table<WorkerState>) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (put, removed): (Vec<_>, Vec<_>) =
            table.take(usize::MAX).changes.into_iter().partition(|(_, value)| value.is_some());
        let keys = |changes: Vec<(Arc<str>, Option<WorkerState>)>| {
            let mut keys: Vec<Arc<str>> = changes.into_iter().map(|(key, _)| key).collect();
            keys.sort();
            keys
        };
        (keys(put), keys(removed))
    }

    #[test]
    fn the_longest_unseen_are_forgotten_first_and_a_few_at_once() {
        let mut table = Table::new(32, true);
        (0..32).for_each(|number| see(&mut table, number));
        assert_eq!((table.len(), written(&mut table).0.len()), (32, 32));
        see(&mut table, 0);
        assert_eq!(written(&mut table), (vec![], vec![]), "nothing new");
        see(&mut table, 40);
        assert_eq!(table.len(), 30);
        let (put, removed) = written(&mut table);
        assert_eq!(put, [name(40)]);
        assert_eq!(removed, [name(0), name(1), name(2)]);
    }

    #[test]
    fn what_could_not_be_written_is_written_later_and_never_grows_past_its_bound() {
        let mut table = Table::new(32, true);
        for number in 0..1_000 {
            see(&mut table, number);
            let batch = table.take(usize::MAX);
            table.give_back(batch.changes.into_iter().map(|(key, _)| key), batch.anew);
            assert!(table.pending.len() <= 64);
        }
        let batch = table.take(usize::MAX);
        assert!(batch.anew);
        assert_eq!(batch.changes.len(), table.len());
        assert!(batch.changes.iter().all(|(_, value)| value.is_some()));
        assert!(!table.take(usize::MAX).anew);
    }

    #[test]
    fn a_table_without_a_file_notes_no_changes() {
        let mut table = Table::new(32, false);
        (0..100).for_each(|number| see(&mut table, number));
        assert!(table.pending.is_empty());
        assert!(table.len() <= 32);
    }
}
