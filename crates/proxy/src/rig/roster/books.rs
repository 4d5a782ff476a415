//! The books of a route's workers, by name.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::books::MeteredBook;

/// The most workers that are booked by name. Past them those are forgotten that were not heard of
/// for longest, and before them those that never had a good share; shares of names that find no room all
/// the same are booked together.
pub const MAX_WORKERS: usize = 20_000;
/// So many of the names are forgotten at once: a twentieth, so that a crowd of new names does not
/// cost a walk over all each.
const FORGET_PART: usize = 20;

/// Books by name. They outlive their workers' connections.
pub(super) struct WorkerBooks {
    most: usize,
    books: DashMap<Arc<str>, Arc<KeptBook>>,
    count: AtomicUsize,
    /// Counts what happens, to tell what was longer ago.
    time: AtomicU64,
    /// When room may be looked for again, in that time.
    look_again: Mutex<u64>,
    others: Arc<MeteredBook>,
}

/// A worker's book, and when a session last used it.
#[derive(Debug)]
struct KeptBook {
    book: Arc<MeteredBook>,
    used: AtomicU64,
}

/// The books of one session's workers. They are not forgotten as long as it has them.
#[derive(Debug, Default)]
pub(crate) struct HeldBooks(Vec<(Arc<str>, Arc<KeptBook>)>);

impl WorkerBooks {
    fn new(most: usize) -> Self {
        Self {
            most,
            books: DashMap::new(),
            count: AtomicUsize::new(0),
            time: AtomicU64::new(0),
            look_again: Mutex::new(0),
            others: Arc::default(),
        }
    }

    /// The book of one of a session's workers: as a rule one that the session has already.
    pub(super) fn book(&self, name: &Arc<str>, held: &mut HeldBooks) -> Arc<MeteredBook> {
        let known = held.0.iter().find(|(known, _)| Arc::ptr_eq(known, name));
        if let Some((_, kept)) = known {
            kept.used.store(self.time.load(Ordering::Relaxed), Ordering::Relaxed);
            return Arc::clone(&kept.book);
        }
        let time = self.time.fetch_add(1, Ordering::Relaxed);
        let Some(kept) = self.kept(name, time) else { return Arc::clone(&self.others) };
        kept.used.store(time, Ordering::Relaxed);
        let book = Arc::clone(&kept.book);
        held.0.push((Arc::clone(name), kept));
        book
    }

    /// All names and their books, in no order.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Arc<MeteredBook>)> {
        let books = self.books.iter();
        books.map(|entry| (Arc::clone(entry.key()), Arc::clone(&entry.value().book))).collect()
    }

    /// The book of one worker.
    pub(super) fn of(&self, name: &str) -> Option<Arc<MeteredBook>> {
        self.books.get(name).map(|kept| Arc::clone(&kept.book))
    }

    /// The book of those that found no room.
    pub(super) const fn others(&self) -> &Arc<MeteredBook> {
        &self.others
    }

    /// A worker is there that was known in an earlier run.
    pub(super) fn expect(&self, name: &Arc<str>) -> Option<Arc<MeteredBook>> {
        let time = self.time.fetch_add(1, Ordering::Relaxed);
        self.kept(name, time).map(|kept| Arc::clone(&kept.book))
    }

    /// Forgets a worker that no session has.
    pub(super) fn forget(&self, name: &str) -> bool {
        let gone = self.books.remove_if(name, |_, kept| kept.is_free()).is_some();
        self.count.fetch_sub(usize::from(gone), Ordering::Relaxed);
        gone
    }

    /// What is kept of a worker; none where there is no room for its name.
    fn kept(&self, name: &Arc<str>, time: u64) -> Option<Arc<KeptBook>> {
        if let Some(kept) = self.books.get(name) {
            return Some(Arc::clone(&kept));
        }
        if self.count.load(Ordering::Relaxed) >= self.most {
            self.make_room(time);
        }
        match self.books.entry(Arc::clone(name)) {
            Entry::Occupied(entry) => Some(Arc::clone(entry.get())),
            Entry::Vacant(entry) => {
                // Several may come here at once.
                let next = |count: usize| (count < self.most).then_some(count + 1);
                self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
                let kept = KeptBook { book: Arc::default(), used: AtomicU64::new(time) };
                Some(Arc::clone(&entry.insert(Arc::new(kept))))
            }
        }
    }

    /// Forgets the books without a good share and those that were used longest ago, but for those that
    /// somebody has.
    fn make_room(&self, time: u64) {
        let part = (self.most / FORGET_PART).max(1);
        let mut look_again = self.look_again.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.count.load(Ordering::Relaxed) >= self.most;
        if !full || time < *look_again {
            return;
        }
        let free = self.books.iter().filter(|entry| entry.value().is_free());
        let mut free: Vec<((bool, u64), Arc<str>)> =
            free.map(|entry| (entry.value().worth(), Arc::clone(entry.key()))).collect();
        if free.len() > part {
            free.select_nth_unstable_by_key(part, |(worth, _)| *worth);
            free.truncate(part);
        }
        let forgotten = free.iter().filter(|(_, name)| {
            // It may have been asked for meanwhile.
            self.books.remove_if(name, |_, kept| kept.is_free()).is_some()
        });
        let forgotten = forgotten.count();
        self.count.fetch_sub(forgotten, Ordering::Relaxed);
        // Where sessions have them all, each look would be in vain.
        *look_again = if forgotten < part { time + part as u64 } else { 0 };
    }
}

impl Default for WorkerBooks {
    fn default() -> Self {
        Self::new(MAX_WORKERS)
    }
}

impl fmt::Debug for WorkerBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("count", &self.count).finish_non_exhaustive()
    }
}

impl KeptBook {
    /// Those of the least are forgotten first.
    fn worth(&self) -> (bool, u64) {
        (self.book.has_worked(), self.used.load(Ordering::Relaxed))
    }

    /// Whether no session has it, and no share of it waits for its verdict.
    fn is_free(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && Arc::strong_count(&self.book) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Arc<str> {
        format!("w{number}").into()
    }

    /// A session of one share of a worker.
    fn visit(workers: &WorkerBooks, number: usize) {
        workers.book(&name(number), &mut HeldBooks::default()).book().sent();
    }

    fn sent(workers: &WorkerBooks, number: usize) -> Option<u64> {
        Some(workers.of(&name(number))?.totals().sent)
    }

    #[test]
    fn a_worker_that_comes_back_has_its_book_and_a_session_looks_it_up_once() {
        let workers = WorkerBooks::new(100);
        visit(&workers, 1);
        let (name, mut held) = (name(1), HeldBooks::default());
        for _ in 0..3 {
            workers.book(&name, &mut held).book().sent();
        }
        assert_eq!(sent(&workers, 1), Some(4));
        assert_eq!((held.0.len(), workers.time.load(Ordering::Relaxed)), (1, 2));
    }

    #[test]
    fn past_the_cap_the_names_that_were_used_longest_ago_are_forgotten() {
        let workers = WorkerBooks::new(100);
        (0..100).for_each(|number| visit(&workers, number));
        visit(&workers, 0);
        visit(&workers, 100);
        // A twentieth went: the five after the one that came back.
        assert_eq!(workers.all().len(), 96);
        for number in 0..=100 {
            let gone = (1..=5).contains(&number);
            assert_eq!(sent(&workers, number).is_none(), gone, "{number}");
        }
        assert_eq!(sent(&workers, 0), Some(2));
        // What used to share one book for ever has books again.
        (1000..2000).for_each(|number| visit(&workers, number));
        assert_eq!(sent(&workers, 1999), Some(1));
        assert_eq!(workers.others.totals().sent, 0);
        assert!(workers.all().len() <= 100);
    }

    #[test]
    fn names_that_never_worked_push_out_none_that_did() {
        let workers = WorkerBooks::new(100);
        for number in 0..50 {
            workers.book(&name(number), &mut HeldBooks::default()).book().found(1.0);
        }
        (1000..2000).for_each(|bot| visit(&workers, bot));
        assert!((0..50).all(|number| sent(&workers, number).is_some()));
        // They go where there are no others.
        for number in 50..200 {
            workers.book(&name(number), &mut HeldBooks::default()).book().found(1.0);
        }
        assert!(sent(&workers, 0).is_none() && sent(&workers, 199).is_some());
    }

    #[test]
    fn a_book_that_a_session_or_a_share_has_is_not_forgotten() {
        let workers = WorkerBooks::new(100);
        let mut held = HeldBooks::default();
        workers.book(&name(0), &mut held).book().sent();
        let waiting = workers.book(&name(1), &mut HeldBooks::default());
        (2..1000).for_each(|number| visit(&workers, number));
        workers.book(&held.0[0].0.clone(), &mut held).book().sent();
        waiting.book().sent();
        assert_eq!((sent(&workers, 0), sent(&workers, 1)), (Some(2), Some(1)));
        drop((held, waiting));
        (1000..2000).for_each(|number| visit(&workers, number));
        assert_eq!((sent(&workers, 0), sent(&workers, 1)), (None, None));
    }

    #[test]
    fn where_sessions_have_all_books_the_rest_is_booked_together_and_room_is_not_looked_for_each_time()
     {
        let workers = WorkerBooks::new(100);
        let mut held = HeldBooks::default();
        for number in 0..100 {
            workers.book(&name(number), &mut held).book().sent();
        }
        for number in 100..150 {
            visit(&workers, number);
        }
        assert_eq!((workers.all().len(), workers.others.totals().sent), (100, 50));
        let next = *workers.look_again.lock().unwrap();
        assert!(next > 140, "the last look was in vain, and the next is due after five more names");
        drop(held);
        // At the next look there is.
        (200..210).for_each(|number| visit(&workers, number));
        assert!(sent(&workers, 209).is_some());
    }

    #[test]
    fn many_at_once_do_not_pass_the_cap() {
        let workers = WorkerBooks::new(100);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let workers = &workers;
                scope.spawn(move || {
                    (0..2000).for_each(|number| visit(workers, thread * 10_000 + number));
                });
            }
        });
        let count = workers.count.load(Ordering::Relaxed);
        assert_eq!(workers.all().len(), count);
        assert!(count <= 100, "{count}");
    }
}
