//! The queue in front of a sink: bounded by what it takes of memory, and the one place where is counted
//! and said what was dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_stratum::time::Instant;
use tokio::sync::Notify;
use tracing::warn;

use super::record::SinkRecord;
use crate::repeated_warnings::Fold;

/// How often it is said of one sink that records were dropped, with how many there were.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Records on their way to one sink. Who puts one there waits for nobody: where there is no room, the
/// oldest make some.
#[derive(Debug)]
pub(crate) struct SinkQueue {
    name: Arc<str>,
    /// The most bytes of records, by their [size](SinkRecord::size).
    most: AtomicUsize,
    waiting: Mutex<QueuedRecords>,
    filled: Notify,
    delivered: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct QueuedRecords {
    records: VecDeque<Arc<SinkRecord>>,
    /// Those that are being delivered are in it.
    bytes: usize,
    /// Those are so many, of so many bytes.
    taken: (u64, usize),
    /// Dropped, and not said.
    unsaid: u64,
    fold: Fold,
}

/// What can be told of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkCounts {
    /// Its name.
    pub name: Arc<str>,
    /// How many records it has delivered.
    pub delivered: u64,
    /// How many it has lost: for want of room, or since its receiver does not take them.
    pub dropped: u64,
    /// How many wait, in records.
    pub waiting: usize,
}

impl SinkQueue {
    /// An empty one for so many bytes.
    pub(crate) fn new(name: Arc<str>, most: usize) -> Self {
        let fold = Fold::new(SAY_EVERY);
        let waiting =
            QueuedRecords { records: VecDeque::new(), bytes: 0, taken: (0, 0), unsaid: 0, fold };
        let (delivered, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        let (most, filled) = (AtomicUsize::new(most), Notify::new());
        Self { name, most, waiting: Mutex::new(waiting), filled, delivered, dropped }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// So many bytes may wait from the next record on.
    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Puts a record at its end.
    pub(crate) fn put(&self, record: Arc<SinkRecord>) {
        let (mut waiting, mut dropped) = (self.lock(), 0);
        waiting.bytes += record.size();
        waiting.records.push_back(record);
        while waiting.bytes > self.most.load(Ordering::Relaxed) {
            let Some(oldest) = waiting.records.pop_front() else { break };
            waiting.bytes -= oldest.size();
            dropped += 1;
        }
        self.lost(&mut waiting, dropped);
        drop(waiting);
        self.filled.notify_one();
    }

    /// So many were lost elsewhere on their way to the sink.
    pub(crate) fn drop_more(&self, count: u64) {
        self.lost(&mut self.lock(), count);
    }

    /// Waits until there are records, and takes at most so many. They count as waiting until they are
    /// [settled](Self::settle).
    pub(crate) async fn take(&self, most: usize) -> Vec<Arc<SinkRecord>> {
        loop {
            let taken = self.take_now(most);
            if !taken.is_empty() {
                return taken;
            }
            self.filled.notified().await;
        }
    }

    /// Those that are there, at most so many.
    pub(crate) fn take_now(&self, most: usize) -> Vec<Arc<SinkRecord>> {
        let mut waiting = self.lock();
        let count = most.min(waiting.records.len());
        let taken: Vec<_> = waiting.records.drain(..count).collect();
        waiting.taken.0 += taken.len() as u64;
        waiting.taken.1 += size_of_all(&taken);
        taken
    }

    /// Records that were taken are done with: delivered, or lost.
    pub(crate) fn settle(&self, records: &[Arc<SinkRecord>], delivered: bool) {
        let mut waiting = self.lock();
        waiting.bytes -= waiting.give_back(records);
        if delivered {
            self.delivered.fetch_add(records.len() as u64, Ordering::Relaxed);
        } else {
            self.lost(&mut waiting, records.len() as u64);
        }
    }

    /// Records that were taken are to be delivered by somebody else.
    pub(crate) fn put_back(&self, records: Vec<Arc<SinkRecord>>) {
        let mut waiting = self.lock();
        waiting.give_back(&records);
        records.into_iter().rev().for_each(|record| waiting.records.push_front(record));
        drop(waiting);
        self.filled.notify_one();
    }

    /// All that wait are lost.
    pub(crate) fn clear(&self) {
        let rest = self.take_now(usize::MAX);
        self.settle(&rest, false);
    }

    /// Those are lost that somebody has taken who is no more.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.lock();
        let (count, bytes) = std::mem::take(&mut waiting.taken);
        waiting.bytes -= bytes;
        self.lost(&mut waiting, count);
    }

    /// Says how many were dropped since that was said, if any, and it may be said now.
    pub(crate) fn say_dropped(&self, now: Instant) {
        let mut waiting = self.lock();
        if waiting.unsaid == 0 || !waiting.fold.may_say(now) {
            return;
        }
        waiting.fold.say(now);
        let dropped = std::mem::take(&mut waiting.unsaid);
        // Nobody who logs it may come back here under the lock.
        drop(waiting);
        let sink = &*self.name;
        warn!(
            event = "sink.dropped",
            sink,
            dropped,
            "{dropped} records for the sink {sink} were dropped: its receiver does not keep up, or does \
             not take them"
        );
    }

    /// Says it whatever was said before, at the end.
    pub(crate) fn say_last(&self, now: Instant) {
        self.lock().fold = Fold::new(SAY_EVERY);
        self.say_dropped(now);
    }

    pub(crate) fn counts(&self) -> SinkCounts {
        SinkCounts {
            name: Arc::clone(&self.name),
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            waiting: self.lock().records.len(),
        }
    }

    fn lost(&self, waiting: &mut QueuedRecords, count: u64) {
        waiting.unsaid += count;
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, QueuedRecords> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedRecords {
    /// Records are no longer being delivered; gives how many bytes they have.
    fn give_back(&mut self, records: &[Arc<SinkRecord>]) -> usize {
        let bytes = size_of_all(records);
        self.taken.0 -= records.len() as u64;
        self.taken.1 -= bytes;
        bytes
    }
}

fn size_of_all(records: &[Arc<SinkRecord>]) -> usize {
    records.iter().map(|record| record.size()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::record::stale_share;

    fn record(number: u64) -> Arc<SinkRecord> {
        Arc::new(stale_share("hns", number))
    }

    fn numbers(records: &[Arc<SinkRecord>]) -> Vec<u64> {
        records.iter().map(|record| record.id.number).collect()
    }

    #[test]
    fn a_full_queue_drops_the_oldest_counts_them_and_takes_no_more_memory() {
        let size = record(0).size();
        let queue = SinkQueue::new("q".into(), 10 * size);
        (0..1000).for_each(|number| queue.put(record(number)));
        let counts = queue.counts();
        assert_eq!((counts.waiting, counts.dropped, counts.delivered), (10, 990, 0));
        let taken = queue.take_now(4);
        assert_eq!(numbers(&taken), [990, 991, 992, 993]);
        // What is being delivered still takes its room.
        queue.put(record(1000));
        assert_eq!((queue.counts().waiting, queue.counts().dropped), (6, 991));
        queue.settle(&taken[..3], true);
        queue.put_back(taken[3..].to_vec());
        assert_eq!(numbers(&queue.take_now(2)), [993, 995]);
        assert_eq!(queue.counts().delivered, 3);
    }

    #[test]
    fn what_ends_with_it_is_counted() {
        let queue = SinkQueue::new("q".into(), 1 << 20);
        (0..5).for_each(|number| queue.put(record(number)));
        let taken = queue.take_now(2);
        queue.settle(&taken, false);
        queue.take_now(1);
        queue.abandon();
        queue.clear();
        queue.drop_more(3);
        assert_eq!((queue.counts().dropped, queue.counts().waiting), (8, 0));
        assert_eq!(queue.lock().bytes, 0);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let queue = Arc::new(SinkQueue::new("q".into(), 1 << 20));
        let taking = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { numbers(&queue.take(8).await) }
        });
        tokio::task::yield_now().await;
        queue.put(record(7));
        assert_eq!(taking.await.unwrap(), [7]);
    }
}
