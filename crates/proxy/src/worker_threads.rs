//! The threads on which rigs are served and pool connections live.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The most of them.
pub const MAX_WORKERS: usize = 16;

/// Threads, each with a runtime of its own. A channel and its rigs are on one of them, so that a
/// share, its verdict and a job pass between tasks of one thread: nobody is woken across threads,
/// and no lock is ever held by somebody else.
#[derive(Debug)]
pub struct WorkerThreads {
    runtimes: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    next: AtomicUsize,
}

/// One of the threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerThread(usize);

impl WorkerThreads {
    /// One worker: the runtime that calls.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn here() -> Self {
        Self::of(vec![Handle::current()])
    }

    /// So many threads, one at least and [`MAX_WORKERS`] at most. They end when this is dropped.
    ///
    /// # Errors
    /// When the system gives no thread or no poll descriptor.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut workers = Self::of(Vec::new());
        for number in 0..count.clamp(1, MAX_WORKERS) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            workers.runtimes.push(runtime.handle().clone());
            let stop = workers.stop.clone();
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            workers.threads.push(thread.spawn(move || {
                runtime.block_on(stop.cancelled());
                // A name lookup that hangs, and nobody waits for any more, must not hold the end up.
                runtime.shutdown_background();
            })?);
        }
        Ok(workers)
    }

    fn of(runtimes: Vec<Handle>) -> Self {
        let (stop, next) = (CancellationToken::new(), AtomicUsize::new(0));
        Self { runtimes, threads: Vec::new(), stop, next }
    }

    /// As many as the machine has cores.
    #[must_use]
    pub fn usual_count() -> usize {
        thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.runtimes.len()
    }

    /// One after the other.
    #[must_use]
    pub fn next(&self) -> WorkerThread {
        WorkerThread(self.next.fetch_add(1, Ordering::Relaxed) % self.runtimes.len())
    }

    /// Whether the calling task runs on a worker.
    pub(crate) fn is_here(&self, worker: WorkerThread) -> bool {
        Handle::try_current().is_ok_and(|here| here.id() == self.runtime(worker).id())
    }

    /// All their runtimes.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Handle> {
        self.runtimes.iter()
    }

    /// A worker's runtime.
    #[must_use]
    pub fn runtime(&self, worker: WorkerThread) -> &Handle {
        &self.runtimes[worker.0]
    }
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // A thread cannot wait for itself, and what a worker's own code did wrong was told.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_worker_is_a_thread_of_its_own() {
        let workers = WorkerThreads::start(2).unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            let name = || thread::current().name().map(str::to_owned);
            let task = workers.runtime(workers.next()).spawn(async move { name() });
            names.push(task.await.unwrap().unwrap());
        }
        assert_eq!(names, ["worker-0", "worker-1", "worker-0"]);
        drop(workers);
        assert_eq!(WorkerThreads::here().count(), 1);
    }
}
