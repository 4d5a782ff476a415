//! The socket between the two processes.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::HandoverMessage;

/// The most sockets that go along with one write.
const BATCH: usize = 64;
/// The longest line.
const MAX_LINE: usize = 1 << 20;
/// The most sockets that are taken before the line that counts them.
const MAX_SOCKETS: usize = 4096;

/// The other process.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: UnixStream,
    received: Vec<u8>,
    sockets: VecDeque<OwnedFd>,
}

impl Peer {
    /// By a stream that leads to it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = UnixStream::from_std(stream)?;
        Ok(Self { stream, received: Vec::new(), sockets: VecDeque::new() })
    }

    /// Says something.
    ///
    /// # Errors
    /// What the system says; broken pipe when the other one is gone.
    pub(crate) async fn send(&self, message: &HandoverMessage) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.write(&line, &[]).await
    }

    /// Hands over these sockets, which stay open here.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) async fn send_sockets(&self, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        for batch in sockets.chunks(BATCH) {
            // They have to go along with a byte; an empty line is none.
            self.write(b"\n", batch).await?;
        }
        self.send(&HandoverMessage::Sockets(sockets.len())).await
    }

    async fn write(&self, mut bytes: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut sockets = sockets;
        while !bytes.is_empty() {
            let write = || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if !sockets.is_empty() {
                    ancillary.push(SendAncillaryMessage::ScmRights(sockets));
                }
                let data = [IoSlice::new(bytes)];
                Ok(sendmsg(self.stream.as_fd(), &data, &mut ancillary, SendFlags::NOSIGNAL)?)
            };
            let written = self.stream.async_io(Interest::WRITABLE, write).await?;
            (bytes, sockets) = (&bytes[written..], &[]);
        }
        Ok(())
    }

    /// The next thing that it says; none when it has ended. What was read of a line stays when this
    /// is dropped.
    ///
    /// # Errors
    /// What the system says, or that it makes no sense.
    pub(crate) async fn receive(&mut self) -> io::Result<Option<HandoverMessage>> {
        loop {
            while let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                if line.len() > 1 {
                    return Ok(Some(serde_json::from_slice(&line)?));
                }
            }
            if self.received.len() > MAX_LINE || self.sockets.len() > MAX_SOCKETS {
                return Err(io::Error::other("it says more than it should"));
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                // It ended with something unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    async fn read(&mut self) -> io::Result<bool> {
        let Self { stream, received, sockets } = self;
        let read = || {
            let mut bytes = [0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let data = &mut [IoSliceMut::new(&mut bytes)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            let count = recvmsg(stream.as_fd(), data, &mut ancillary, flags)?.bytes;
            Ok((bytes, count, taken(&mut ancillary)))
        };
        let (bytes, count, more) = stream.async_io(Interest::READABLE, read).await?;
        received.extend_from_slice(&bytes[..count]);
        sockets.extend(more);
        Ok(count > 0)
    }

    /// The sockets that have come.
    pub(crate) fn take_sockets(&mut self) -> Vec<TcpListener> {
        self.sockets.drain(..).map(TcpListener::from).collect()
    }
}

fn taken(ancillary: &mut RecvAncillaryBuffer<'_>) -> Vec<OwnedFd> {
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    rights.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover::State;

    #[tokio::test]
    async fn sockets_and_long_lines_come_as_they_went() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let (one, mut other) = (Peer::new(one).unwrap(), Peer::new(other).unwrap());
        let listeners: Vec<_> =
            (0..150).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let state = State {
            mark: 7,
            serving: vec!["hns".to_owned()],
            held: vec![("pool:1".to_owned(), "00".repeat(32)); 4000],
        };
        let sending = async {
            let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
            one.send_sockets(&sockets).await.unwrap();
            one.send(&HandoverMessage::State(state.clone())).await.unwrap();
            drop(one);
        };
        let receiving = async {
            assert_eq!(other.receive().await.unwrap(), Some(HandoverMessage::Sockets(150)));
            let taken = other.take_sockets();
            let ports = |of: &[TcpListener]| -> Vec<_> {
                of.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
            };
            assert_eq!(ports(&taken), ports(&listeners));
            assert_eq!(other.receive().await.unwrap(), Some(HandoverMessage::State(state.clone())));
            assert_eq!(other.receive().await.unwrap(), None);
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test]
    async fn nonsense_is_an_error() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let (one, mut other) = (Peer::new(one).unwrap(), Peer::new(other).unwrap());
        one.write(b"hello\n", &[]).await.unwrap();
        assert!(other.receive().await.is_err());
    }
}
