//! What all routes of the process share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::admission::Admission;
use crate::limits::{self, Door};
use crate::sinks::Sinks;
use crate::worker_threads::WorkerThreads;

/// The way in for all connections, and the threads that serve them.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The way in, for rigs and for connections to pools.
    pub door: Arc<Door>,
    /// Which rigs are let in.
    pub admission: Arc<Admission>,
    /// The threads; without them, the runtime in which a route is started.
    pub workers: Option<Arc<WorkerThreads>>,
    /// How often the config was read again with success.
    pub reloads: Arc<AtomicU64>,
    /// Where what happens is told.
    pub sinks: Sinks,
}

impl Process {
    /// Raises the limit on open files, which should be enough for `capacity` rigs, and starts the
    /// threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn prepare(capacity: usize, workers: usize) -> io::Result<Self> {
        let door = limits::raise_and_report(capacity);
        let workers = Some(Arc::new(WorkerThreads::start(workers)?));
        Ok(Self { door, workers, ..Self::default() })
    }
}
