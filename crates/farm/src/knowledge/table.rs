//! What is remembered by a name: bounded, and with every change said.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::time::Instant;

/// The longest name that is remembered, in bytes.
pub(super) const MAX_NAME: usize = 256;
/// The part of a full table that is forgotten at once, so that it is seldom searched.
const FORGET_AT_ONCE: usize = 16;
/// Whoever is asked for counts as seen; so often that is said.
const SAY_SEEN_EVERY: Duration = Duration::from_secs(24 * 3600);

/// At most `cap` values by name; of more, those unseen for longest are forgotten.
#[derive(Debug)]
pub(super) struct Table<V> {
    cap: usize,
    entries: HashMap<Arc<str>, TableEntry<V>>,
    /// Grows with each time that something is seen.
    clock: u64,
    /// What is to be said; taken after every call, which adds few.
    changes: VecDeque<Changed<V>>,
}

#[derive(Debug)]
struct TableEntry<V> {
    value: V,
    seen: u64,
    /// When it was said last that it was seen, in this run.
    said: Option<Instant>,
}

/// What has become of a name's value; none where it is forgotten.
pub(super) type Changed<V> = (Arc<str>, Option<V>);

impl<V: Clone> Table<V> {
    /// What earlier runs knew, the last seen first. What is too much is forgotten, which is said.
    pub(super) fn new(cap: usize, known: Vec<(Arc<str>, V)>) -> Self {
        let clock = known.len() as u64;
        let mut table = Self { cap, entries: HashMap::new(), clock, changes: VecDeque::new() };
        for (seen, (name, value)) in (0..known.len() as u64).rev().zip(known) {
            if table.entries.len() < cap {
                table.entries.insert(name, TableEntry { value, seen, said: None });
            } else {
                table.changes.push_back((name, None));
            }
        }
        table
    }

    /// All that it knows, the last seen first.
    pub(super) fn export(&self) -> Vec<(Arc<str>, V)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| std::cmp::Reverse(entry.seen));
        let pair =
            |(name, entry): (&Arc<str>, &TableEntry<V>)| (Arc::clone(name), entry.value.clone());
        entries.into_iter().map(pair).collect()
    }

    pub(super) fn poll_change(&mut self) -> Option<Changed<V>> {
        self.changes.pop_front()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.entries.iter().map(|(name, entry)| (name, &entry.value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&V> {
        Some(&self.entries.get(name)?.value)
    }

    /// The same for one that is here again.
    pub(super) fn meet(&mut self, name: &str, now: Instant) -> Option<&V> {
        let (key, _) = self.entries.get_key_value(name)?;
        let key = Arc::clone(key);
        let entry = self.entries.get_mut(name)?;
        self.clock += 1;
        entry.seen = self.clock;
        if entry.said.is_none_or(|said| now.saturating_duration_since(said) >= SAY_SEEN_EVERY) {
            entry.said = Some(now);
            self.changes.push_back((key, Some(entry.value.clone())));
        }
        Some(&entry.value)
    }

    /// Puts what becomes of the present value in its place. A name that is too long is not
    /// remembered.
    pub(super) fn update(
        &mut self,
        name: &Arc<str>,
        now: Instant,
        value: impl FnOnce(Option<&V>) -> V,
    ) {
        if name.len() > MAX_NAME {
            return;
        }
        self.clock += 1;
        let known = self.entries.remove_entry(&**name);
        let value = value(known.as_ref().map(|(_, entry)| &entry.value));
        let name = known.map_or_else(|| Arc::clone(name), |(name, _)| name);
        self.changes.push_back((Arc::clone(&name), Some(value.clone())));
        self.entries.insert(name, TableEntry { value, seen: self.clock, said: Some(now) });
        if self.entries.len() > self.cap {
            self.forget();
        }
    }

    /// Forgets a name; whether it was known.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some((name, _)) = self.entries.remove_entry(name) else { return false };
        self.changes.push_back((name, None));
        true
    }

    /// Forgets a part of the entries.
    fn forget(&mut self) {
        let goal = self.cap - self.cap / FORGET_AT_ONCE;
        let count = self.entries.len().saturating_sub(goal);
        let mut ages: Vec<(u64, Arc<str>)> =
            self.entries.iter().map(|(name, entry)| (entry.seen, Arc::clone(name))).collect();
        ages.sort_unstable();
        for (_, name) in ages.into_iter().take(count) {
            self.entries.remove(&name);
            self.changes.push_back((name, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    fn changes(table: &mut Table<u32>) -> Vec<(String, Option<u32>)> {
        table.changes.drain(..).map(|(name, value)| (name.to_string(), value)).collect()
    }

    #[test]
    fn what_was_unseen_for_longest_is_forgotten_and_that_is_said() {
        let now = start();
        let known = (0..17).map(|number| (number.to_string().into(), number)).collect();
        let mut table = Table::new(16, known);
        assert_eq!(changes(&mut table), [("16".into(), None)], "the last of those seen first");
        assert_eq!(table.meet("15", now), Some(&15));
        changes(&mut table);
        table.update(&"new".into(), now, |_| 7);
        let forgotten = [("new".into(), Some(7)), ("14".into(), None), ("13".into(), None)];
        assert_eq!(changes(&mut table), forgotten);
        assert_eq!(table.iter().count(), 15);
        assert_eq!((table.get("15"), table.get("14")), (Some(&15), None));
    }

    #[test]
    fn who_is_met_counts_as_seen_which_is_said_once_a_day() {
        let mut now = start();
        let mut table = Table::new(16, vec![("a".into(), 1)]);
        for expected in [1, 0, 0] {
            table.meet("a", now);
            assert_eq!(changes(&mut table).len(), expected);
        }
        now += SAY_SEEN_EVERY;
        table.meet("a", now);
        assert_eq!(changes(&mut table), [("a".into(), Some(1))]);
    }

    #[test]
    fn a_name_that_is_too_long_is_not_remembered() {
        let mut table = Table::new(16, vec![]);
        table.update(&"x".repeat(MAX_NAME + 1).into(), start(), |_| 1);
        assert!(changes(&mut table).is_empty() && table.iter().next().is_none());
    }
}
