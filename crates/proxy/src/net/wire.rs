//! Connections of rigs, and writing to any connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Join};
use tokio::net::TcpStream;

/// The most pieces that one write takes.
const MAX_PIECES: usize = 16;

/// A rig's connection: anything that reads and writes, and can be carried from one runtime to
/// another.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Has the runtime that calls it tell when there is something to read or room to write.
    ///
    /// # Errors
    /// What the system says; the connection is gone then.
    fn adopt(self: Box<Self>) -> io::Result<Box<dyn Wire>>;
}

impl Wire for TcpStream {
    fn adopt(self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(Self::from_std(self.into_std()?)?))
    }
}

/// A pipe in memory wakes whoever waits for it, wherever that is.
impl Wire for DuplexStream {
    fn adopt(self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        Ok(self)
    }
}

/// As a [`DuplexStream`].
impl<R, W> Wire for Join<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn adopt(self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        Ok(self)
    }
}

/// Writes what there is, in one call where the connection takes it; gives whether anything was
/// written.
pub(crate) fn poll_write_all<W: AsyncWrite + Unpin + ?Sized>(
    wire: &mut W,
    bytes: &mut impl Buf,
    context: &mut Context<'_>,
) -> Poll<io::Result<bool>> {
    let mut any = false;
    while bytes.has_remaining() {
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let filled = bytes.chunks_vectored(&mut pieces);
        let wire = Pin::new(&mut *wire);
        let wrote = match &pieces[..filled] {
            [piece] => wire.poll_write(context, piece),
            pieces => wire.poll_write_vectored(context, pieces),
        };
        let count = match wrote {
            Poll::Pending if any => return Poll::Ready(Ok(true)),
            wrote => ready!(wrote)?,
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(count);
        any = true;
    }
    Poll::Ready(Ok(any))
}
