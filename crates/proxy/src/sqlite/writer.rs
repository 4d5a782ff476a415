//! The thread that writes behind: every so often, when asked to, and at the end.
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

use super::lock;
use crate::clock::now;

/// So many wishes may wait for the thread; of more, those to be told of the end are told at once
/// that it was not reached.
const MAX_WISHES: usize = 8;
/// How long the thread rests between two steps of tidying.
const TIDY_PAUSE: Duration = Duration::from_millis(20);

/// What the file does not have yet. However long nothing can be written, it takes no more memory
/// than what it is about.
pub(crate) trait Batch: Default + Send + 'static {
    /// Takes over what came later.
    fn merge(&mut self, newer: Self);
}

/// A file to which batches are written.
pub(crate) trait BatchFile: Send + 'static {
    /// What is written.
    type Batch: Batch;
    /// Why it is not.
    type Error: Display;
    /// The thread's name.
    const THREAD: &'static str;
    /// How often what has changed is written.
    const WRITE_EVERY: Duration;

    /// Writes a batch, or is given it again in the next round, together with what came later.
    ///
    /// # Errors
    /// When it is not written.
    fn write(&mut self, batch: &mut Self::Batch) -> Result<(), Self::Error>;

    /// One step of what has to be done besides, and does not take long; whether there is more.
    ///
    /// # Errors
    /// When it cannot be done now.
    fn tidy(&mut self) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Tells the log why a round failed where the one before did not.
    fn say_unwritten(&self, error: &Self::Error);

    /// Tells the log that this is over.
    fn say_written(&self);
}

/// The thread's handle; to drop it ends the thread after a last round, which nobody waits for. After a
/// [`close`](Self::close) what is noted waits at the desk for a thread that is started anew.
pub(crate) struct BatchWriter<F: BatchFile> {
    desk: Arc<Mutex<F::Batch>>,
    wishes: Mutex<SyncSender<WriterWish<F>>>,
}

/// What the thread is asked for.
enum WriterWish<F> {
    /// A round now.
    Hurry,
    /// The same; whether everything was written is to be told.
    Flush(oneshot::Sender<bool>),
    /// The same, of the last round, when the file was let go of.
    Close(oneshot::Sender<bool>),
    /// A look at the file as it is.
    Look(Box<dyn FnOnce(&F) + Send>),
}

impl<F: BatchFile> BatchWriter<F> {
    /// Starts a thread that writes to a file in each round. The log hears once that this fails, and
    /// once that it is over.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(file: F) -> io::Result<Self> {
        let desk = Arc::default();
        let wishes = Mutex::new(spawn(file, &desk)?);
        Ok(Self { desk, wishes })
    }

    /// Starts another thread in place of one that was [closed](Self::close), with all that was noted
    /// since.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(crate) fn restart(&self, file: F) -> io::Result<()> {
        *lock(&self.wishes) = spawn(file, &self.desk)?;
        Ok(())
    }

    /// Adds to what is written next.
    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut F::Batch) -> T) -> T {
        note(&mut lock(&self.desk))
    }

    /// Asks for a round now. When that does not go, there are some to come.
    pub(crate) fn hurry(&self) {
        let _ = lock(&self.wishes).try_send(WriterWish::Hurry);
    }

    /// A round now; whether everything was written in time.
    pub(crate) async fn flush(&self, within: Duration) -> bool {
        self.ask(WriterWish::Flush, within).await == Some(true)
    }

    /// A last round; whether everything was written, and the file let go of, in time.
    pub(crate) async fn close(&self, within: Duration) -> bool {
        self.ask(WriterWish::Close, within).await == Some(true)
    }

    /// What the thread finds in the file; none where it does not come to that in time.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&F) -> T + Send + 'static,
        within: Duration,
    ) -> Option<T> {
        let wish = |answer: oneshot::Sender<T>| {
            WriterWish::Look(Box::new(move |file: &F| {
                // Nobody waits any more for one that comes too late.
                if !answer.is_closed() {
                    let _ = answer.send(look(file));
                }
            }))
        };
        self.ask(wish, within).await
    }

    async fn ask<T>(
        &self,
        wish: impl FnOnce(oneshot::Sender<T>) -> WriterWish<F>,
        within: Duration,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let asked = lock(&self.wishes).try_send(wish(answer));
        asked.ok()?;
        timeout(within, answered).await.ok()?.ok()
    }
}

fn spawn<F: BatchFile>(
    file: F,
    desk: &Arc<Mutex<F::Batch>>,
) -> io::Result<SyncSender<WriterWish<F>>> {
    let (wishes, received) = sync_channel(MAX_WISHES);
    let desk = Arc::clone(desk);
    let thread = thread::Builder::new().name(F::THREAD.to_owned());
    thread.spawn(move || WriterRounds::new(file, &desk).work(&received))?;
    Ok(wishes)
}

/// The thread's own.
struct WriterRounds<'d, F: BatchFile> {
    file: F,
    desk: &'d Mutex<F::Batch>,
    /// What was taken from the desk and is not written.
    batch: F::Batch,
    failing: bool,
    untidy: bool,
}

impl<'d, F: BatchFile> WriterRounds<'d, F> {
    fn new(file: F, desk: &'d Mutex<F::Batch>) -> Self {
        Self { file, desk, batch: F::Batch::default(), failing: false, untidy: false }
    }

    fn work(mut self, wishes: &Receiver<WriterWish<F>>) {
        let mut next_round = now() + F::WRITE_EVERY;
        loop {
            let until_round = next_round.saturating_duration_since(now());
            let wait = if self.untidy { TIDY_PAUSE.min(until_round) } else { until_round };
            let wish = wishes.recv_timeout(wait);
            let is_asked = match &wish {
                Ok(WriterWish::Look(_)) | Err(RecvTimeoutError::Timeout) => false,
                Ok(_) | Err(RecvTimeoutError::Disconnected) => true,
            };
            // However many looks are asked for.
            if is_asked || next_round <= now() {
                self.round();
                next_round = now() + F::WRITE_EVERY;
            } else if wish.is_err() {
                let tidied = self.tidy();
                self.tell(tidied.err());
            }
            match wish {
                Ok(WriterWish::Look(look)) => look(&self.file),
                Ok(WriterWish::Flush(answer)) => _ = answer.send(!self.failing),
                Ok(WriterWish::Close(answer)) => return self.close(answer),
                Ok(WriterWish::Hurry) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn round(&mut self) {
        let newer = mem::take(&mut *lock(self.desk));
        self.batch.merge(newer);
        let written = self.file.write(&mut self.batch);
        let done = written.and_then(|()| {
            self.batch = F::Batch::default();
            self.tidy()
        });
        let is_done = done.is_ok();
        self.tell(done.err());
        if is_done && mem::take(&mut self.failing) {
            self.file.say_written();
        }
    }

    fn tidy(&mut self) -> Result<(), F::Error> {
        // After an error it waits for the next round.
        self.untidy = false;
        self.untidy = self.file.tidy()?;
        Ok(())
    }

    fn tell(&mut self, error: Option<F::Error>) {
        if let Some(error) = error
            && !mem::replace(&mut self.failing, true)
        {
            self.file.say_unwritten(&error);
        }
    }

    fn close(self, answer: oneshot::Sender<bool>) {
        // With it goes the connection to the file.
        drop(self.file);
        if self.failing {
            // A thread that is started anew has it to write.
            let (mut desk, mut batch) = (lock(self.desk), self.batch);
            batch.merge(mem::take(&mut *desk));
            *desk = batch;
        }
        let _ = answer.send(!self.failing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rounds = Box<dyn FnMut(&mut Vec<u32>) -> Result<(), &'static str> + Send>;

    impl BatchFile for Rounds {
        type Batch = Vec<u32>;
        type Error = &'static str;
        const THREAD: &'static str = "t";
        const WRITE_EVERY: Duration = Duration::from_secs(5);

        fn write(&mut self, batch: &mut Vec<u32>) -> Result<(), &'static str> {
            self(batch)
        }
        fn say_unwritten(&self, _: &&'static str) {}
        fn say_written(&self) {}
    }

    fn writing(
        write: impl FnMut(&mut Vec<u32>) -> Result<(), &'static str> + Send + 'static,
    ) -> BatchWriter<Rounds> {
        BatchWriter::start(Box::new(write) as Rounds).unwrap()
    }

    impl Batch for Vec<u32> {
        fn merge(&mut self, newer: Self) {
            self.extend(newer);
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_disk_that_hangs() {
        let (free, hang) = sync_channel::<()>(0);
        let (begun, begins) = sync_channel(64);
        let writer = writing(move |batch| {
            begun.send(batch.clone()).map_err(|_| "gone")?;
            hang.recv().map_err(|_| "gone")
        });
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
        let writer = writing(move |batch| {
            let _ = tried.send(batch.clone());
            if batch.len() == 1 { Err("the disk is full") } else { Ok(()) }
        });
        writer.note(|batch| batch.push(1));
        assert!(!writer.flush(Duration::from_secs(60)).await);
        writer.note(|batch| batch.push(2));
        assert!(writer.close(Duration::from_secs(60)).await);
        assert_eq!(tries.iter().collect::<Vec<_>>(), [vec![1], vec![1, 2]]);
    }

    #[tokio::test]
    async fn what_was_noted_while_no_thread_wrote_is_written_by_the_next() {
        let writer = writing(|_| Err("full"));
        writer.note(|batch| batch.push(1));
        assert!(!writer.close(Duration::from_secs(60)).await);
        writer.note(|batch| batch.push(2));
        assert!(!writer.flush(Duration::from_secs(60)).await, "there is no thread");
        let (tried, tries) = sync_channel(8);
        let write = move |batch: &mut Vec<u32>| tried.send(batch.clone()).map_err(|_| "gone");
        writer.restart(Box::new(write)).unwrap();
        assert!(writer.close(Duration::from_secs(60)).await);
        assert_eq!(tries.iter().collect::<Vec<_>>(), [vec![1, 2]]);
    }

    #[tokio::test]
    async fn a_look_is_no_round_and_does_not_put_one_off() {
        let (tried, tries) = sync_channel(8);
        let writer = writing(move |batch| tried.send(batch.clone()).map_err(|_| "gone"));
        writer.note(|batch| batch.push(1));
        let within = Duration::from_secs(60);
        assert_eq!(writer.look(|_| 7, within).await, Some(7));
        assert!(tries.try_recv().is_err());
        assert!(writer.close(within).await);
        assert_eq!(tries.iter().collect::<Vec<_>>(), [vec![1]]);
        assert_eq!(writer.look(|_| 7, within).await, None, "there is no thread");
    }
}
