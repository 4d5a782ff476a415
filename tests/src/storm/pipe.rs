//! A connection in memory, as the simulated side holds it, and the halves that the proxy gets.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::world::World;

/// How much may be written to a side that does not listen, like a socket's buffers.
const DEAF_CAPACITY: usize = 16 * 1024;

/// What the proxy has read when it has read a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// A call of a rig, by its id.
    Call(u64),
    /// A pool's job, told so many-th on the connection.
    Job(u64),
    /// A pool's difficulty, as a power of two.
    Difficulty(i32),
    /// A pool's answer to a share that came then; a lesson is that it missed the announced
    /// difficulty.
    Answer { came: Duration, taken: bool, lesson: bool },
    /// A name was refused.
    NameRefused,
}

/// The simulated side's end of a connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    said: BytesMut,
    marks: VecDeque<(u64, Mark)>,
    said_in_all: u64,
    read_in_all: u64,
    reader: Option<Waker>,
    heard: BytesMut,
    /// When what was heard was written, by its end in all that was.
    written: VecDeque<(u64, Duration)>,
    written_in_all: u64,
    heard_in_all: u64,
    writer: Option<Waker>,
    deaf: bool,
    /// When the proxy last could not write.
    pub(super) blocked: Option<Duration>,
    /// The simulated side has closed it: what was said may still be read.
    ended: bool,
    /// The proxy says nothing more.
    left: bool,
    /// How many of its two halves the proxy has dropped.
    dropped: u8,
}

impl Wire {
    /// Says a line to the proxy.
    pub(super) fn say(&mut self, line: &str, mark: Option<Mark>) {
        if self.ended || self.left {
            return;
        }
        self.said.extend_from_slice(line.as_bytes());
        self.said.extend_from_slice(b"\n");
        self.said_in_all += line.len() as u64 + 1;
        if let Some(mark) = mark {
            self.marks.push_back((self.said_in_all, mark));
        }
        wake(&mut self.reader);
    }

    /// Closes it.
    pub(super) fn end(&mut self) {
        self.ended = true;
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    /// Whether both sides may still speak.
    #[must_use]
    pub(super) const fn is_open(&self) -> bool {
        !self.ended && !self.left
    }

    /// Whether the simulated side has not closed it.
    #[must_use]
    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the proxy holds it still.
    #[must_use]
    pub(super) const fn is_held(&self) -> bool {
        self.dropped < 2
    }

    /// Whether this side listens.
    #[must_use]
    pub(super) const fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Stops to listen, or listens again.
    pub(super) fn set_deaf(&mut self, deaf: bool) {
        self.deaf = deaf;
        if !deaf {
            wake(&mut self.writer);
        }
    }

    /// The next line that was heard, and when its end was written.
    pub(super) fn hear(&mut self) -> Option<(Bytes, Duration)> {
        if self.deaf {
            return None;
        }
        let at = self.heard.iter().position(|&byte| byte == b'\n')?;
        let mut line = self.heard.split_to(at + 1).freeze();
        line.truncate(at);
        self.heard_in_all += at as u64 + 1;
        while self.written.get(1).is_some() && self.written[0].0 < self.heard_in_all {
            self.written.pop_front();
        }
        Some((line, self.written.front().map(|(_, at)| *at).unwrap_or_default()))
    }

    /// The next mark that the proxy has read past.
    pub(super) fn read_mark(&mut self) -> Option<Mark> {
        let passed = self.marks.front().is_some_and(|(at, _)| *at <= self.read_in_all);
        passed.then(|| self.marks.pop_front()).flatten().map(|(_, mark)| mark)
    }

    /// The proxy reads.
    pub(super) fn poll_read(
        &mut self,
        context: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.said.is_empty() && !self.ended {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = self.said.len().min(buffer.remaining());
        buffer.put_slice(&self.said.split_to(count));
        self.read_in_all += count as u64;
        Poll::Ready(Ok(()))
    }

    /// The proxy writes.
    pub(super) fn poll_write(
        &mut self,
        context: &Context<'_>,
        bytes: &[u8],
        now: Duration,
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room =
            if self.deaf { DEAF_CAPACITY.saturating_sub(self.heard.len()) } else { usize::MAX };
        let count = bytes.len().min(room);
        if count == 0 {
            self.blocked = Some(now);
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.heard.extend_from_slice(&bytes[..count]);
        self.written_in_all += count as u64;
        self.written.push_back((self.written_in_all, now));
        Poll::Ready(Ok(count))
    }

    /// The proxy says that it has no more to say.
    pub(super) fn shut(&mut self) {
        self.left = true;
    }

    /// The proxy drops a half.
    pub(super) fn drop_half(&mut self) {
        self.left = true;
        self.dropped += 1;
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A pool's.
    Pool { pool: usize, conn: u32 },
    /// A rig's.
    Rig { rig: usize, conn: u32 },
}

/// The world, as all that happens in it shares it.
pub(super) type Shared = Arc<Mutex<World>>;

/// Takes hold of the world.
pub(super) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The proxy's half of a connection; it gets one to read from and one to write to.
pub(super) struct Half {
    world: Shared,
    end: End,
}

/// The two halves of a connection.
#[must_use]
pub(super) fn halves(world: &Shared, end: End) -> (Half, Half) {
    let half = || Half { world: Arc::clone(world), end };
    (half(), half())
}

impl AsyncRead for Half {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        lock(&self.world).poll_read(self.end, context, buffer)
    }
}

impl AsyncWrite for Half {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        lock(&self.world).poll_write(self.end, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.world).shut(self.end);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        lock(&self.world).drop_half(self.end);
    }
}
