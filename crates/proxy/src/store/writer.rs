//! The thread that writes behind: every few seconds, when asked to, and at the end.
//!
//! It knows nothing of what it writes. That is gathered at a desk, from which it takes all at once:
//! nobody waits there for the disk.

use std::fmt::Display;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{io, mem, thread};

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::lock;

/// How often what has changed is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// So many wishes may wait for the thread; of more, those to be told of the end are told at once
/// that it was not reached.
const MAX_WISHES: usize = 8;

/// What the file does not have yet. However long nothing can be written, it takes no more memory
/// than what it is about.
pub(super) trait Batch: Default + Send + 'static {
    /// Takes over what came later.
    fn merge(&mut self, newer: Self);
}

/// The thread's handle; to drop it ends the thread after a last round, which nobody waits for. After a
/// [`close`](Self::close) what is noted waits at the desk for a thread that is started anew.
pub(super) struct StoreWriter<B> {
    desk: Arc<Mutex<B>>,
    wishes: Mutex<SyncSender<RoundRequest>>,
}

/// A round now.
enum RoundRequest {
    Hurry,
    /// Whether everything was written is to be told.
    Flush(oneshot::Sender<bool>),
    /// The same, of the last round, when the file was let go of.
    Close(oneshot::Sender<bool>),
}

impl<B: Batch> StoreWriter<B> {
    /// Starts a thread that calls `write` for each round. What could not be written is given to it
    /// again in the next one, together with what came later. The log hears once that this is so, and
    /// once that it is over.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start<E: Display>(
        file: String,
        write: impl FnMut(&mut B) -> Result<(), E> + Send + 'static,
    ) -> io::Result<Self> {
        let desk = Arc::new(Mutex::new(B::default()));
        let wishes = Mutex::new(spawn(file, &desk, write)?);
        Ok(Self { desk, wishes })
    }

    /// Starts another thread in place of one that was [closed](Self::close), with all that was noted
    /// since.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(super) fn restart<E: Display>(
        &self,
        file: String,
        write: impl FnMut(&mut B) -> Result<(), E> + Send + 'static,
    ) -> io::Result<()> {
        *lock(&self.wishes) = spawn(file, &self.desk, write)?;
        Ok(())
    }

    /// Adds to what is written next.
    pub(super) fn note(&self, note: impl FnOnce(&mut B)) {
        note(&mut lock(&self.desk));
    }

    /// Asks for a round now. When that does not go, there are some to come.
    pub(super) fn hurry(&self) {
        let _ = lock(&self.wishes).try_send(RoundRequest::Hurry);
    }

    /// A round now; whether everything was written in time.
    pub(super) async fn flush(&self, within: Duration) -> bool {
        self.ask(RoundRequest::Flush, within).await
    }

    /// A last round; whether everything was written, and the file let go of, in time.
    pub(super) async fn close(&self, within: Duration) -> bool {
        self.ask(RoundRequest::Close, within).await
    }

    async fn ask(
        &self,
        wish: impl FnOnce(oneshot::Sender<bool>) -> RoundRequest,
        within: Duration,
    ) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = lock(&self.wishes).try_send(wish(answer));
        asked.is_ok() && matches!(timeout(within, answered).await, Ok(Ok(true)))
    }
}

fn spawn<B: Batch, E: Display>(
    file: String,
    desk: &Arc<Mutex<B>>,
    write: impl FnMut(&mut B) -> Result<(), E> + Send + 'static,
) -> io::Result<SyncSender<RoundRequest>> {
    let (wishes, received) = sync_channel(MAX_WISHES);
    let desk = Arc::clone(desk);
    let thread = thread::Builder::new().name("state".to_owned());
    thread.spawn(move || work(&file, &desk, &received, write))?;
    Ok(wishes)
}

fn work<B: Batch, E: Display>(
    file: &str,
    desk: &Mutex<B>,
    wishes: &Receiver<RoundRequest>,
    mut write: impl FnMut(&mut B) -> Result<(), E>,
) {
    let mut batch = B::default();
    let mut failing = false;
    loop {
        let wish = wishes.recv_timeout(WRITE_EVERY);
        let newer = mem::take(&mut *lock(desk));
        batch.merge(newer);
        let result = write(&mut batch);
        if result.is_ok() {
            batch = B::default();
        }
        match (&result, mem::replace(&mut failing, result.is_err())) {
            (Ok(()), true) => {
                info!(event = "state.written", file, "the state file is written again");
            }
            (Err(error), false) => warn!(
                event = "state.unwritten",
                file,
                "cannot write the state file: {error}; tried again every {WRITE_EVERY:?}, and \
                 meanwhile a crash costs what was learnt of rigs: is the disk full?"
            ),
            _ => {}
        }
        match wish {
            Ok(RoundRequest::Hurry) | Err(RecvTimeoutError::Timeout) => {}
            Ok(RoundRequest::Flush(answer)) => _ = answer.send(!failing),
            Ok(RoundRequest::Close(answer)) => {
                // With it goes the connection to the file.
                drop(write);
                if failing {
                    // A thread that is started anew has it to write.
                    let mut desk = lock(desk);
                    batch.merge(mem::take(&mut *desk));
                    *desk = batch;
                }
                let _ = answer.send(!failing);
                return;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Batch for Vec<u32> {
        fn merge(&mut self, newer: Self) {
            self.extend(newer);
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_disk_that_hangs() {
        let (free, hang) = sync_channel::<()>(0);
        let (begun, begins) = sync_channel(64);
        let writer = StoreWriter::start("t".to_owned(), move |batch: &mut Vec<u32>| {
            begun.send(batch.clone()).map_err(|_| "gone")?;
            hang.recv().map_err(|_| "gone")
        })
        .unwrap();
        writer.hurry();
        assert!(begins.recv().unwrap().is_empty());
        // The thread hangs in its round from here on.
        for number in 0..100 {
            writer.note(|batch| batch.push(number));
            writer.hurry();
        }
        assert!(!writer.flush(Duration::from_secs(60)).await, "it is not even asked");
        (0..=MAX_WISHES).for_each(|_| free.send(()).unwrap());
        assert_eq!(begins.recv().unwrap(), (0..100).collect::<Vec<_>>());
        assert!(!writer.flush(Duration::from_millis(1)).await);
        assert!(!writer.close(Duration::from_millis(1)).await);
        drop(free);
        assert!(begins.iter().all(|batch| batch.is_empty()), "the thread has ended");
    }

    #[tokio::test]
    async fn a_failed_round_is_tried_again_by_the_next() {
        let (tried, tries) = sync_channel(8);
        let writer = StoreWriter::start("t".to_owned(), move |batch: &mut Vec<u32>| {
            let _ = tried.send(batch.clone());
            if batch.len() == 1 { Err("the disk is full") } else { Ok(()) }
        })
        .unwrap();
        writer.note(|batch| batch.push(1));
        assert!(!writer.flush(Duration::from_secs(60)).await);
        writer.note(|batch| batch.push(2));
        assert!(writer.close(Duration::from_secs(60)).await);
        assert_eq!(tries.iter().collect::<Vec<_>>(), [vec![1], vec![1, 2]]);
    }

    #[tokio::test]
    async fn what_was_noted_while_no_thread_wrote_is_written_by_the_next() {
        let writer = StoreWriter::start("t".to_owned(), |_: &mut Vec<u32>| Err("full")).unwrap();
        writer.note(|batch| batch.push(1));
        assert!(!writer.close(Duration::from_secs(60)).await);
        writer.note(|batch| batch.push(2));
        assert!(!writer.flush(Duration::from_secs(60)).await, "there is no thread");
        let (tried, tries) = sync_channel(8);
        let write = move |batch: &mut Vec<u32>| tried.send(batch.clone());
        writer.restart("t".to_owned(), write).unwrap();
        assert!(writer.close(Duration::from_secs(60)).await);
        assert_eq!(tries.iter().collect::<Vec<_>>(), [vec![1, 2]]);
    }
}
