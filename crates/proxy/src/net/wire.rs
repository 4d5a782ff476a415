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

/// Writes what there is, in one call where the connection takes it; gives how many bytes were written.
/// A connection that keeps some of it to itself, as TLS does, is asked to let go of it.
pub(crate) fn poll_write_all<W: AsyncWrite + Unpin + ?Sized>(
    wire: &mut W,
    bytes: &mut impl Buf,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut written = 0;
    while bytes.has_remaining() {
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let filled = bytes.chunks_vectored(&mut pieces);
        let wire = Pin::new(&mut *wire);
        let wrote = match &pieces[..filled] {
            [piece] => wire.poll_write(context, piece),
            pieces => wire.poll_write_vectored(context, pieces),
        };
        let count = match wrote {
            Poll::Pending if written > 0 => return Poll::Ready(Ok(written)),
            wrote => ready!(wrote)?,
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(count);
        written += count;
    }
    match Pin::new(wire).poll_flush(context) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        // It wakes us when there is room again.
        Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(written)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::net::connect::{Connector, Reach, Tcp};
    use crate::net::tls::client::PoolTrust;
    use crate::net::tls::server::{CertificateSource, ServerTls};

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_tls_session_goes_on_in_another_runtime_with_what_it_had_decrypted() {
        let folder = std::env::temp_dir().join(format!("orepass-wire-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let source = CertificateSource::Own(Some(folder.clone()));
        let tls = ServerTls::start(source.clone());
        let pin = source.look().unwrap().unwrap().fingerprint;
        std::fs::remove_dir_all(folder).unwrap();

        let [clients, first, second] = [runtime(), runtime(), runtime()];
        let listener = clients.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("stratum+ssl://{}", listener.local_addr().unwrap()).parse().unwrap();
        let trust = PoolTrust::new(None, Some(pin), None);
        let reach = Reach { trust, proxy: None };
        let (stream, connected) = clients.block_on(async {
            let connecting = tokio::spawn(async move { Tcp.connect(&url, &reach).await });
            (listener.accept().await.unwrap().0.into_std().unwrap(), connecting)
        });
        let accepting = std::thread::spawn(move || {
            let wire = first.block_on(async {
                let wire = tls.accept(TcpStream::from_std(stream).unwrap()).await.unwrap();
                let mut wire: Box<dyn Wire> = Box::new(wire);
                assert_eq!(wire.read_u8().await.unwrap(), b'a');
                wire
            });
            // Its thread and its readiness are gone; the rest of the record was decrypted there.
            drop(first);
            second.block_on(async {
                let mut wire = wire.adopt().unwrap();
                let mut rest = [0; 3];
                wire.read_exact(&mut rest).await.unwrap();
                assert_eq!(&rest, b"bcd");
                let mut more = vec![0; 300_000];
                wire.read_exact(&mut more).await.unwrap();
                wire.write_all(&more).await.unwrap();
                wire.shutdown().await.unwrap();
            });
        });
        clients.block_on(async {
            let mut pool = connected.await.unwrap().unwrap();
            pool.writer.write_all(b"abcd").await.unwrap();
            pool.writer.flush().await.unwrap();
            let writing = async {
                pool.writer.write_all(&vec![7; 300_000]).await.unwrap();
                pool.writer.flush().await.unwrap();
            };
            let mut back = Vec::new();
            let (read, ()) = tokio::join!(pool.reader.read_to_end(&mut back), writing);
            assert_eq!((read.unwrap(), back.iter().all(|byte| *byte == 7)), (300_000, true));
        });
        accepting.join().unwrap();
    }

    #[tokio::test]
    async fn what_a_session_keeps_to_itself_is_let_go_of_once_there_is_room() {
        /// Takes anything, and lets go of it when asked for the third time.
        struct Keeps(usize);
        impl AsyncWrite for Keeps {
            fn poll_write(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Ok(bytes.len()))
            }
            fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0 += 1;
                if self.0 < 3 { Poll::Pending } else { Poll::Ready(Ok(())) }
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let (mut keeps, mut bytes) = (Keeps(0), &b"abc"[..]);
        let mut wrote = Vec::new();
        for _ in 0..3 {
            let once =
                std::future::poll_fn(|context| poll_write_all(&mut keeps, &mut bytes, context));
            wrote.push(once.await.unwrap());
        }
        assert_eq!((wrote, keeps.0), (vec![3, 0, 0], 3));
    }
}
