//! The thread that writes behind: every few seconds, when asked to, and at the end.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use super::lock;

/// How often what has changed is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Said by a thread that has let go of the file.
const ENDED: u64 = u64::MAX;

/// The thread's handle; to drop it ends the thread after a last round, which nobody waits for.
pub(super) struct Writer {
    desk: Arc<Desk>,
    /// Up to which round everything was tried.
    done: watch::Receiver<u64>,
}

#[derive(Default)]
struct Desk {
    wish: Mutex<Wish>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Wish {
    /// How many rounds were asked for.
    rounds: u64,
    /// How many of them were done.
    done: u64,
    end: bool,
}

impl Writer {
    /// Starts a thread that calls `write` for each round. It says once when that fails, and once
    /// when it works again. None when the system gives no thread, which is said too.
    pub(super) fn start<E: std::fmt::Display>(
        file: String,
        write: impl FnMut() -> Result<(), E> + Send + 'static,
    ) -> Option<Self> {
        let desk = Arc::new(Desk::default());
        let (sender, done) = watch::channel(0);
        let thread = thread::Builder::new().name("state".to_owned());
        let own = Arc::clone(&desk);
        match thread.spawn(move || work(&file, &own, &sender, write)) {
            Ok(_) => Some(Self { desk, done }),
            Err(error) => {
                warn!(
                    event = "state.unusable",
                    "cannot start the thread that writes the state file: {error}; what is learnt \
                     of rigs is forgotten at the end of this run"
                );
                None
            }
        }
    }

    /// Asks for a round now.
    pub(super) fn hurry(&self) -> u64 {
        let mut wish = lock(&self.desk.wish);
        wish.rounds += 1;
        self.desk.changed.notify_one();
        wish.rounds
    }

    /// A round now; whether it ended in time.
    pub(super) async fn flush(&self, within: Duration) -> bool {
        let round = self.hurry();
        self.is_done(round, within).await
    }

    /// A last round; whether the file was let go of in time.
    pub(super) async fn close(&self, within: Duration) -> bool {
        self.end();
        self.is_done(ENDED, within).await
    }

    async fn is_done(&self, round: u64, within: Duration) -> bool {
        let mut done = self.done.clone();
        let waited = timeout(within, done.wait_for(|&done| done >= round)).await;
        matches!(waited, Ok(Ok(_)))
    }

    fn end(&self) {
        lock(&self.desk.wish).end = true;
        self.desk.changed.notify_one();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

impl Desk {
    /// Waits for the next round.
    fn next(&self) -> Wish {
        let idle = |wish: &mut Wish| !wish.end && wish.rounds == wish.done;
        let waited = self.changed.wait_timeout_while(lock(&self.wish), WRITE_EVERY, idle);
        let (mut wish, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        wish.done = wish.rounds;
        *wish
    }
}

fn work<E: std::fmt::Display>(
    file: &str,
    desk: &Desk,
    done: &watch::Sender<u64>,
    mut write: impl FnMut() -> Result<(), E>,
) {
    let mut failing = false;
    loop {
        let wish = desk.next();
        match write() {
            Ok(()) if failing => {
                info!(event = "state.written", file, "the state file is written again");
                failing = false;
            }
            Err(error) if !failing => {
                warn!(
                    event = "state.unwritten",
                    file,
                    "cannot write the state file: {error}; tried again every {WRITE_EVERY:?}, and \
                     meanwhile a crash costs what was learnt of rigs: is the disk full?"
                );
                failing = true;
            }
            _ => {}
        }
        done.send_replace(wish.rounds);
        if wish.end {
            break;
        }
    }
    // With it goes the connection to the file.
    drop(write);
    done.send_replace(ENDED);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_a_disk_that_hangs() {
        let (free, hang) = mpsc::sync_channel::<()>(1);
        let (begun, begins) = mpsc::sync_channel(8);
        let writer = Writer::start("t".to_owned(), move || {
            begun.send(()).map_err(|_| "gone")?;
            hang.recv().map_err(|_| "gone")
        })
        .unwrap();
        writer.hurry();
        begins.recv().unwrap();
        // The thread hangs in its round from here on.
        assert_eq!((writer.hurry(), writer.hurry()), (2, 3));
        assert!(!writer.flush(Duration::from_millis(1)).await);
        assert!(!writer.close(Duration::from_millis(1)).await);
        drop(free);
        assert!(writer.close(Duration::from_secs(60)).await);
    }

    #[tokio::test]
    async fn a_failed_round_is_tried_again_by_the_next() {
        let mut rounds = 0;
        let (tried, tries) = mpsc::sync_channel(8);
        let writer = Writer::start("t".to_owned(), move || {
            rounds += 1;
            let _ = tried.send(rounds);
            if rounds == 1 { Err("the disk is full") } else { Ok(()) }
        })
        .unwrap();
        assert!(writer.flush(Duration::from_secs(60)).await);
        assert!(writer.close(Duration::from_secs(60)).await);
        assert_eq!(tries.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
