//! Connections of rigs, and writing to any connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Join, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

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

/// A rig's connection over TLS.
pub struct TlsWire(TlsStream<Carried>);

impl TlsWire {
    pub(super) const fn new(stream: TlsStream<Carried>) -> Self {
        Self(stream)
    }
}

impl Wire for TlsWire {
    /// What was decrypted and not taken yet needs no readiness of the socket to be read: whoever
    /// adopts it reads first.
    fn adopt(mut self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        self.0.get_mut().0.move_here()?;
        Ok(self)
    }
}

impl AsyncRead for TlsWire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsWire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A socket that can be moved to another runtime where it is, under a session that keeps hold of it.
#[derive(Debug)]
pub(super) struct Carried(Option<TcpStream>);

impl From<TcpStream> for Carried {
    fn from(stream: TcpStream) -> Self {
        Self(Some(stream))
    }
}

impl Carried {
    fn move_here(&mut self) -> io::Result<()> {
        let stream = self.0.take().ok_or(io::ErrorKind::NotConnected)?.into_std()?;
        self.0 = Some(TcpStream::from_std(stream)?);
        Ok(())
    }

    /// None only after a move that failed.
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        let stream = self.get_mut().0.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(stream))
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

/// Writes what there is, in one call where the connection takes it; gives whether anything was
/// written. A connection that keeps some of it to itself, as TLS does, is asked to let go of it.
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
    match Pin::new(wire).poll_flush(context) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        // It wakes us when there is room again.
        Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(any)),
    }
}
