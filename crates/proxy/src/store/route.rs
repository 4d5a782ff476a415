//! One route's part of what is remembered.

use std::sync::{Arc, Weak};

use orepass_farm::knowledge::{Change, HabitRecord, Remembered};
use orepass_stratum::grounds::Grounds;

use super::job_ids::Reservation;
use super::{StoreInner, lock};

/// One route's part of a [`Store`](super::Store). A clone is another handle.
#[derive(Clone, Debug)]
pub struct RouteStore {
    store: Arc<StoreInner>,
    route: Arc<str>,
}

impl RouteStore {
    pub(super) const fn new(store: Arc<StoreInner>, route: Arc<str>) -> Self {
        Self { store, route }
    }

    /// All that earlier runs knew of the route. Whoever takes it has it from then on, and
    /// [notes](Self::note) what changes of it.
    #[must_use]
    pub fn take(&self) -> Remembered {
        lock(&self.store.remembered).routes.remove(&self.route).unwrap_or_default()
    }

    /// Gives back what was [taken](Self::take), as it has become: another farm of the route takes it.
    pub fn give_back(&self, known: Remembered) {
        lock(&self.store.remembered).routes.insert(Arc::clone(&self.route), known);
    }

    /// What earlier runs found out about the pool at a server, while nobody has taken it.
    #[must_use]
    pub fn habits(&self, server: &str) -> Vec<HabitRecord> {
        let remembered = lock(&self.store.remembered);
        let habits = remembered.routes.get(&self.route).map(|known| known.habits.as_slice());
        let of_server = |record: &&HabitRecord| *record.server == *server;
        habits.unwrap_or_default().iter().filter(of_server).cloned().collect()
    }

    /// Has the grounds of the pool at a server hold what is [held](super::Store::hold) of it.
    pub(crate) fn hold(&self, server: &str, grounds: &Grounds) {
        let held = lock(&self.store.held);
        for (_, extranonce1) in held.extranonces.iter().filter(|(of, _)| of == server) {
            grounds.hold(extranonce1.clone(), Weak::clone(&held.until_dropped));
        }
    }

    /// Has something written that has changed of what is seen `now`, in Unix seconds.
    pub fn note(&self, change: Change, now: u64) {
        if let Some(writer) = &self.store.writer {
            let route = || Arc::clone(&self.route);
            writer.note(|changes| changes.routes.entry(route()).or_default().note(change, now));
        }
    }

    /// The id from which the route counts its jobs: at least the Unix seconds of the start, and
    /// past every id that was told before, by an earlier run or by this one.
    #[must_use]
    pub fn first_job_id(&self) -> u32 {
        self.with_ids(|ids| ids.first(&self.route))
    }

    /// Says that the job ids before `next` may have been told. To be called every few seconds and
    /// at least once in 49,152 ids, so that the file always knows of more ids than were told. It
    /// costs next to nothing.
    pub fn reserve(&self, next: u32) {
        self.with_ids(|ids| ids.reserve(next));
    }

    fn with_ids<T>(&self, change: impl FnOnce(&mut Reservation) -> T) -> T {
        let ids = &mut lock(&self.store.remembered).ids;
        let before = ids.mark();
        let result = change(ids);
        let mark = ids.mark();
        if mark != before
            && let Some(writer) = &self.store.writer
        {
            writer.note(|changes| changes.mark = Some(mark));
            writer.hurry();
        }
        result
    }
}
