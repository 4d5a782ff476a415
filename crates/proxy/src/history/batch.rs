//! What the file does not have yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::part::HistoryPart;
use super::seen::{WorkerPlace, WorkerSeen};
use super::series::SeriesKey;
use crate::sqlite::Batch;

/// So many parts of minutes wait to be written: ten minutes of 10,000 workers. Of more the oldest
/// minute is lost, so that a disk that stays full costs no more memory.
const MAX_WAITING_PARTS: usize = 100_000;
/// The most workers that are to be noted as seen, or to be forgotten; of more the others wait for the
/// next time that they are noted.
const MAX_WAITING_WORKERS: usize = 40_000;

/// The parts of one minute.
pub(super) type MinuteParts = BTreeMap<SeriesKey, HistoryPart>;

/// What was noted since the last flush.
#[derive(Debug, Default)]
pub(super) struct HistoryBatch {
    /// By Unix minute.
    minutes: BTreeMap<u64, MinuteParts>,
    seen: BTreeMap<WorkerPlace, WorkerSeen>,
    /// All that the file has of these goes, before the rest is written.
    forgotten: BTreeSet<WorkerPlace>,
}

impl HistoryBatch {
    /// Adds to a minute, which may have been noted in part before.
    pub(super) fn note(
        &mut self,
        minute: u64,
        parts: impl IntoIterator<Item = (SeriesKey, HistoryPart)>,
    ) {
        let known = self.minutes.entry(minute).or_default();
        for (key, part) in parts {
            known.entry(key).or_default().add(&part);
        }
        let waiting = |batch: &Self| batch.minutes.values().map(BTreeMap::len).sum::<usize>();
        while self.minutes.len() > 1 && waiting(self) > MAX_WAITING_PARTS {
            self.minutes.pop_first();
        }
    }

    pub(super) fn note_seen(
        &mut self,
        all: impl IntoIterator<Item = (Arc<str>, Arc<str>, WorkerSeen)>,
    ) {
        for (route, name, seen) in all {
            let place = (route, name);
            if self.seen.len() < MAX_WAITING_WORKERS || self.seen.contains_key(&place) {
                self.seen.insert(place, seen);
            }
        }
    }

    /// Forgets all of a worker that was noted before. False when too many are to be forgotten already.
    pub(super) fn forget(&mut self, place: WorkerPlace) -> bool {
        if self.forgotten.len() >= MAX_WAITING_WORKERS {
            return false;
        }
        let key = SeriesKey::worker(&place.0, &place.1);
        for parts in self.minutes.values_mut() {
            parts.remove(&key);
        }
        self.seen.remove(&place);
        self.forgotten.insert(place);
        true
    }

    pub(super) const fn minutes(&self) -> &BTreeMap<u64, MinuteParts> {
        &self.minutes
    }

    pub(super) const fn seen(&self) -> &BTreeMap<WorkerPlace, WorkerSeen> {
        &self.seen
    }

    pub(super) const fn forgotten(&self) -> &BTreeSet<WorkerPlace> {
        &self.forgotten
    }
}

impl Batch for HistoryBatch {
    fn merge(&mut self, newer: Self) {
        for place in newer.forgotten {
            self.forget(place);
        }
        for (minute, parts) in newer.minutes {
            self.note(minute, parts);
        }
        let seen = newer.seen.into_iter();
        self.note_seen(seen.map(|((route, name), seen)| (route, name, seen)));
    }
}
