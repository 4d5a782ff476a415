//! What is remembered of one route: asked, and told what is to be written.

use std::sync::Arc;

use super::job_ids::Reservation;
use super::record::{FirmwareState, HabitState, MAX_TEXT, WorkerState};
use super::table::{Record, Table};
use super::{Inner, lock};

/// Firmware that is asked for counts as seen; so often that is noted.
const NOTE_SEEN_EVERY: u64 = 24 * 3600;

/// One route's part of a [`Store`](super::Store). A clone is another handle.
#[derive(Clone, Debug)]
pub struct RouteStore {
    store: Arc<Inner>,
    route: Arc<str>,
}

impl RouteStore {
    pub(super) const fn new(store: Arc<Inner>, route: Arc<str>) -> Self {
        Self { store, route }
    }

    /// What is known of a worker.
    #[must_use]
    pub fn worker(&self, worker: &str) -> Option<WorkerState> {
        self.get(&[worker.into()])
    }

    /// Notes something of a worker that is seen `now`, in Unix seconds; `edit` is given what is
    /// known so far. A name of more than 256 bytes is not remembered.
    pub fn remember_worker(&self, worker: &str, now: u64, edit: impl FnOnce(&mut WorkerState)) {
        if worker.len() > MAX_TEXT {
            return;
        }
        self.update([worker.into()], |known| {
            let mut state: WorkerState = known.cloned().unwrap_or_default();
            edit(&mut state);
            state.last_seen = now;
            state.made_fit()
        });
    }

    /// What is known of the firmware of a worker's rig, which counts as seen `now`, in Unix seconds.
    #[must_use]
    pub fn firmware(&self, worker: &str, now: u64) -> Option<FirmwareState> {
        let known: FirmwareState = self.get(&[worker.into()])?;
        if now.saturating_sub(known.seen) >= NOTE_SEEN_EVERY {
            self.update([worker.into()], |latest: Option<&FirmwareState>| FirmwareState {
                seen: now,
                ..latest.unwrap_or(&known).clone()
            });
        }
        Some(known)
    }

    /// Notes something of the firmware of a worker's rig that is seen `now`, in Unix seconds; `edit`
    /// is given what is known so far. A name of more than 256 bytes is not remembered.
    pub fn remember_firmware(
        &self,
        (worker, agent): (&str, &str),
        now: u64,
        edit: impl FnOnce(&mut FirmwareState),
    ) {
        if worker.len() > MAX_TEXT {
            return;
        }
        self.update([worker.into()], |known| {
            let mut state: FirmwareState = known.cloned().unwrap_or_default();
            state.agent = agent.into();
            state.seen = now;
            edit(&mut state);
            state.made_fit()
        });
    }

    /// What is known of the firmware of all rigs, in no order.
    #[must_use]
    pub fn all_firmware(&self) -> Vec<(Arc<str>, FirmwareState)> {
        self.with_table(|table: &mut Table<FirmwareState>| {
            table.iter().map(|([worker], state)| (Arc::clone(worker), state.clone())).collect()
        })
    }

    /// What was learnt of a habit of the pool at a server, unless that is too long before `now`, in
    /// Unix seconds.
    #[must_use]
    pub fn habit(&self, server: &str, habit: &str, now: u64) -> Option<HabitState> {
        self.get(&[server.into(), habit.into()]).filter(|known: &HabitState| !known.is_over(now))
    }

    /// Whether it was learnt, and that is too long ago.
    #[must_use]
    pub fn habit_is_over(&self, server: &str, habit: &str, now: u64) -> bool {
        self.get(&[server.into(), habit.into()]).is_some_and(|known: HabitState| known.is_over(now))
    }

    /// Notes what a habit of the pool at a server is found to be.
    pub fn remember_habit(&self, server: &str, habit: &str, answer: &str, now: u64) {
        let state = HabitState { answer: answer.into(), learnt: now };
        self.update([server.into(), habit.into()], |_| state);
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

    fn get<V: Record>(&self, key: &V::Key) -> Option<V> {
        self.with_table(|table| table.get(key).cloned())
    }

    /// Puts what becomes of the present record in its place.
    fn update<V: Record>(&self, key: V::Key, value: impl FnOnce(Option<&V>) -> V) {
        self.with_table(|table| {
            let known = table.get(&key);
            let value = value(known);
            if known == Some(&value) {
                return;
            }
            let forgotten = table.put(key.clone(), value.clone());
            // Under the lock of the table, so that the file hears of changes in their order.
            if let Some(writer) = &self.store.writer {
                writer.note(|changes| changes.put(&self.route, key, value, forgotten));
            }
        });
    }

    fn with_table<V: Record, T>(&self, action: impl FnOnce(&mut Table<V>) -> T) -> T {
        let routes = &mut lock(&self.store.remembered).routes;
        action(V::table(routes.entry(Arc::clone(&self.route)).or_default()))
    }
}
