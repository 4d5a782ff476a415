//! Reading a rig's lines without a buffer of its own.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use orepass_stratum::line::{LineError, LineReader};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// How much is read at once.
const READ_SIZE: usize = 16 * 1024;

thread_local! {
    /// What all rigs of a thread are read into, one after the other.
    static SHARED: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A rig's lines. Between two reads it holds what is left of the last one, and nothing as a rule.
pub(super) struct RigLines(LineReader);

impl RigLines {
    /// Lines have at most so many bytes.
    pub(super) fn new(line_bytes: usize) -> Self {
        Self(LineReader::new(line_bytes))
    }

    /// Reads once; gives how much has come.
    pub(super) fn poll_read<R: AsyncRead + Unpin + ?Sized>(
        &mut self,
        reader: &mut R,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let buffer = self.0.buffer();
        if buffer.is_empty() {
            SHARED.with_borrow_mut(|shared| std::mem::swap(buffer, shared));
        }
        buffer.reserve(READ_SIZE);
        let read = poll_read_buf(Pin::new(reader), context, buffer);
        if !matches!(read, Poll::Ready(Ok(1..))) {
            self.put_away();
        }
        read
    }

    /// Reads and forgets; tells whether that was all.
    pub(super) fn poll_end<R: AsyncRead + Unpin + ?Sized>(
        &mut self,
        reader: &mut R,
        context: &mut Context<'_>,
    ) -> bool {
        loop {
            self.0.buffer().clear();
            match self.poll_read(reader, context) {
                Poll::Pending => return false,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return true,
            }
        }
    }

    /// Whether nothing is left of the last read.
    pub(super) fn is_empty(&mut self) -> bool {
        self.0.buffer().is_empty()
    }

    /// The next whole line.
    pub(super) fn next(&mut self) -> Option<Result<&[u8], LineError>> {
        self.0.next_line()
    }

    /// Gives the thread its buffer back, after the lines were taken that can be now.
    pub(super) fn put_away(&mut self) {
        let buffer = self.0.buffer();
        if buffer.capacity() < READ_SIZE {
            return;
        }
        let rest = if buffer.is_empty() { BytesMut::new() } else { BytesMut::from(&buffer[..]) };
        let mut whole = std::mem::replace(buffer, rest);
        whole.clear();
        // The start of the memory may be out of reach for what was taken from it.
        if whole.try_reclaim(READ_SIZE) {
            SHARED.set(whole);
        }
    }
}
