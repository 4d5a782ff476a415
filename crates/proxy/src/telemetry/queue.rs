//! Lines on their way to a stderr that may not take them.
//!
//! Tasks put their lines into a queue and go on; a thread of its own writes them. A pipe that nobody
//! reads, a stopped terminal, a stalled journal or a full disk so costs lines and nothing else: what
//! finds no room, or cannot be written, is dropped and counted.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes of lines that wait. Not a count of lines: a pool's own lines may be long.
pub(super) const MAX_WAITING: usize = 4 << 20;
/// How long the last lines may take to be written.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);
/// The wait before a stderr that does not block, and takes nothing at present, is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What waits to be written. Its lines come and go whole.
#[derive(Debug)]
pub(super) struct LogQueue {
    most: usize,
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines that found no room since this was told last.
    dropped: u64,
    closing: bool,
}

/// Keeps the log going. When it is dropped, what is logged by then is written, within a second.
#[derive(Debug)]
#[must_use = "without it nothing is logged"]
pub struct LogGuard {
    queue: Arc<LogQueue>,
    /// Hangs up when the thread ends.
    written: Receiver<()>,
}

impl LogQueue {
    /// A queue for so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, waiting: Mutex::default(), wake: Condvar::new() }
    }

    /// Starts a thread that writes the lines. `dropped` is told how many lines found no room or could
    /// not be written, and may put one into the queue that says so: it stands where they are missing,
    /// or as soon as anything can be written again.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        self: &Arc<Self>,
        mut out: impl Write + Send + 'static,
        dropped: impl Fn(u64) + Send + 'static,
    ) -> io::Result<LogGuard> {
        let (writing, written) = mpsc::sync_channel(0);
        let queue = Arc::clone(self);
        let thread = thread::Builder::new().name("log".to_owned());
        thread.spawn(move || {
            // Held until the thread ends, also if it panics.
            let _writing: mpsc::SyncSender<()> = writing;
            let (mut lines, mut losses) = (Vec::new(), Losses::default());
            while let Some(count) = queue.take(&mut lines) {
                // The queue has just been emptied: there is room for a line each time.
                if count > 0 {
                    dropped(count);
                }
                if let Some(count) = losses.write(&mut out, &lines) {
                    dropped(count);
                }
            }
        })?;
        Ok(LogGuard { queue: Arc::clone(self), written })
    }

    /// Waits for lines and takes them, in place of those that were taken before; gives how many
    /// are missing behind them. `None` at the end.
    fn take(&self, lines: &mut Vec<u8>) -> Option<u64> {
        lines.clear();
        let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.closing;
        let waited = self.wake.wait_while(self.lock(), idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(lines, &mut waiting.lines);
        let dropped = std::mem::take(&mut waiting.dropped);
        (!lines.is_empty() || dropped > 0).then_some(dropped)
    }

    fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &LogQueue {
    /// Takes a line whole, or drops it. Never waits for more than another line's copying.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        // Once a line is missing all are, up to the one that says so.
        if waiting.dropped > 0 || waiting.lines.len() + line.len() > self.most {
            waiting.dropped += 1;
        } else {
            waiting.lines.extend_from_slice(line);
            self.wake.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.queue.close();
        // Nothing is ever sent: it ends when the thread does, or when time is up.
        let _ = self.written.recv_timeout(LAST_WORDS_WITHIN);
    }
}

/// What could not be written: what is wrong with stderr cannot be said there before it is well again.
#[derive(Debug, Default)]
struct Losses {
    /// Lines that are gone, and that nothing was said of.
    lines: u64,
    /// Those of which a line in the next batch tells.
    told: u64,
    /// The last line that was written has no end.
    is_cut: bool,
}

impl Losses {
    /// Writes lines as far as they can be written; gives how many are gone, when that can be said.
    fn write(&mut self, out: &mut impl Write, lines: &[u8]) -> Option<u64> {
        if self.is_cut {
            self.is_cut = !write_whole(out, b"\n").is_empty();
        }
        let rest = if self.is_cut { lines } else { write_whole(out, lines) };
        if rest.is_empty() {
            self.told = std::mem::take(&mut self.lines);
            return Some(self.told).filter(|lines| *lines > 0);
        }
        self.is_cut |= rest.len() < lines.len() && lines[lines.len() - rest.len() - 1] != b'\n';
        let ends = rest.iter().filter(|byte| **byte == b'\n').count();
        self.lines += std::mem::take(&mut self.told) + ends as u64;
        None
    }
}

/// Writes as far as it can be written; gives what is left.
fn write_whole<'a>(out: &mut impl Write, mut lines: &'a [u8]) -> &'a [u8] {
    while !lines.is_empty() {
        match out.write(lines) {
            Ok(0) => break,
            Ok(count) => lines = &lines[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Whoever shares the terminal or pipe may have made it so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(TRY_AGAIN_AFTER);
            }
            Err(_) => break,
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stderr that takes nothing but when the test lets it, and then a whole batch.
    struct Pipe {
        writes: Receiver<()>,
        begun: mpsc::SyncSender<()>,
        text: mpsc::SyncSender<String>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            let _ = self.writes.recv();
            self.text.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Story {
        queue: Arc<LogQueue>,
        guard: LogGuard,
        read: mpsc::SyncSender<()>,
        begun: Receiver<()>,
        text: Receiver<String>,
    }

    /// More than any story sends: nobody waits for room.
    const BOUND: usize = 64;

    fn stuck(most: usize) -> Story {
        let (read, writes) = mpsc::sync_channel(BOUND);
        let (begin, begun) = mpsc::sync_channel(BOUND);
        let (say, text) = mpsc::sync_channel(BOUND);
        let queue = Arc::new(LogQueue::new(most));
        let own = Arc::clone(&queue);
        let dropped = move |count| log(&own, &format!("{count} dropped\n"));
        let pipe = Pipe { writes, begun: begin, text: say };
        let guard = queue.start(pipe, dropped).unwrap();
        Story { queue, guard, read, begun, text }
    }

    fn log(mut queue: &LogQueue, line: &str) {
        queue.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn lines_that_find_no_room_are_counted_where_they_are_missing() {
        let Story { queue, guard, read, begun, text } = stuck(20);
        log(&queue, "first\n");
        begun.recv().unwrap();
        // The thread hangs in a write from here on, and nobody else does.
        for line in ["second\n", "third\n", "too long for it\n", "fourth\n", "x\n"] {
            log(&queue, line);
        }
        drop(read);
        let mut said: String = text.recv().unwrap();
        while !said.ends_with("dropped\n") {
            said.push_str(&text.recv().unwrap());
        }
        assert_eq!(said, "first\nsecond\nthird\n3 dropped\n");
        log(&queue, "and on\n");
        assert_eq!(text.recv().unwrap(), "and on\n");
        drop(guard);
        assert!(text.recv().is_err(), "the thread has ended");
    }

    #[test]
    fn what_was_logged_is_written_before_the_end() {
        let Story { queue, guard, read, text, .. } = stuck(1000);
        drop(read);
        for number in 0..50 {
            log(&queue, &format!("{number}\n"));
        }
        drop(guard);
        let said: String = text.try_iter().collect();
        assert_eq!(said, (0..50).map(|number| format!("{number}\n")).collect::<String>());
    }

    #[test]
    fn a_stderr_that_takes_nothing_does_not_hold_the_end_up() {
        let Story { queue, guard, read, begun, .. } = stuck(1000);
        log(&queue, "never read\n");
        begun.recv().unwrap();
        drop(guard);
        drop(read);
    }

    #[test]
    fn a_broken_or_unready_stderr_is_borne() {
        let (again, broken) = (io::ErrorKind::WouldBlock, io::ErrorKind::BrokenPipe);
        let mut odd = Odd(vec![Err(broken.into()), Ok(2), Err(again.into()), Ok(1)], Vec::new());
        assert_eq!(write_whole(&mut odd, b"abcdef\n"), b"def\n");
        assert_eq!(odd.1, b"abc");
    }

    /// Takes what it is told to, and nothing when it is told nothing.
    struct Odd(Vec<io::Result<usize>>, Vec<u8>);

    impl Write for Odd {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = self.0.pop().unwrap_or(Ok(0))?.min(bytes.len());
            self.1.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_and_they_are_counted_when_there_is_room_again() {
        let full = || Err(io::ErrorKind::StorageFull.into());
        // The newest first: room for half a line, none twice, room, none, room.
        let mut disk =
            Odd(vec![Ok(99), Ok(99), full(), Ok(99), Ok(99), full(), full(), Ok(3)], vec![]);
        let mut losses = Losses::default();
        assert_eq!(losses.write(&mut disk, b"one\ntwo\n"), None);
        assert_eq!(losses.write(&mut disk, b"three\n"), None, "the end of the line is missing");
        assert_eq!(
            losses.write(&mut disk, b"four\n"),
            Some(3),
            "two of which one was cut, and three"
        );
        // The line that says so is lost too, and is said for once more.
        assert_eq!(losses.write(&mut disk, b"3 dropped\n"), None);
        assert_eq!(losses.write(&mut disk, b"five\n"), Some(4));
        assert_eq!(losses.write(&mut disk, b"4 dropped\n"), None);
        assert_eq!(String::from_utf8(disk.1).unwrap(), "one\nfour\nfive\n4 dropped\n");
    }
}
