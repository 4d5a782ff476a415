//! A connection of the bench: lines in, bytes out, as few system calls as there can be.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::tls::Tls;

/// What is read at once, by all wires of a thread into the same place.
const READ: usize = 64 * 1024;
/// More than any line here.
const MAX_LINE: usize = 16 * 1024;
/// Past so many unsent bytes the other end is taken to be stuck.
const MAX_UNSENT: usize = 8 * 1024 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// One connection, used by one thread.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
    unsent: RefCell<Vec<u8>>,
    due: Notify,
    overrun: Cell<bool>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (unsent, due, overrun) = (RefCell::default(), Notify::new(), Cell::new(false));
        Ok(Self { stream, tls: None, unsent, due, overrun })
    }

    /// The same over TLS, as its client.
    pub(super) fn over_tls(stream: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        Ok(Self { tls: Some(Box::new(Tls::new(config)?)), ..Self::new(stream)? })
    }

    /// Puts bytes behind those that wait.
    pub(super) fn queue(&self, bytes: &[u8]) {
        self.write(|unsent| unsent.extend_from_slice(bytes));
    }

    /// As [`queue`](Self::queue), for bytes that are yet to be made.
    pub(super) fn write(&self, make: impl FnOnce(&mut Vec<u8>)) {
        let mut unsent = self.unsent.borrow_mut();
        if unsent.len() > MAX_UNSENT {
            self.overrun.set(true);
            self.due.notify_one();
            return;
        }
        make(&mut unsent);
    }

    /// Sends what waits, as far as the system takes it; the rest goes when it takes more. An error
    /// is left for the reading side to find.
    pub(super) fn flush(&self) {
        if !self.try_flush() {
            self.flush_soon();
        }
    }

    /// Lets [`run`](Self::run) send what waits when its turn comes, with what is queued until then.
    pub(super) fn flush_soon(&self) {
        self.due.notify_one();
    }

    /// Reads lines until the other end closes, without their ends, and sends what is due.
    /// `over` comes after the lines of each read.
    pub(super) async fn run(&self, heard: impl FnMut(&[u8]), over: impl FnMut()) -> io::Result<()> {
        tokio::select! {
            read = self.read_lines(heard, over) => read,
            sent = self.send_when_due() => sent,
        }
    }

    async fn read_lines(
        &self,
        mut heard: impl FnMut(&[u8]),
        mut over: impl FnMut(),
    ) -> io::Result<()> {
        let mut rest = Vec::new();
        loop {
            self.stream.readable().await?;
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let read = self.stream.try_read(scratch)?;
                match &self.tls {
                    None => cut(&mut rest, &scratch[..read], &mut heard),
                    Some(tls) => {
                        tls.open(&scratch[..read], |plain| cut(&mut rest, plain, &mut heard))?;
                        if tls.has_unsent() {
                            self.flush_soon();
                        }
                    }
                }
                Ok::<_, io::Error>(read)
            });
            match read {
                Ok(0) => return Ok(()),
                Ok(_) if rest.len() > MAX_LINE => {
                    return Err(io::Error::other("a line is too long"));
                }
                Ok(_) => over(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn send_when_due(&self) -> io::Result<()> {
        loop {
            self.due.notified().await;
            if self.overrun.get() {
                return Err(io::Error::other("the other end does not read"));
            }
            while !self.try_flush() {
                self.stream.writable().await?;
            }
        }
    }

    /// Whether nothing is left that could be sent later.
    fn try_flush(&self) -> bool {
        let mut unsent = self.unsent.borrow_mut();
        if let Some(tls) = &self.tls {
            return tls.send(&mut unsent, &mut Trying(&self.stream));
        }
        let mut sent = 0;
        while sent < unsent.len() {
            match self.stream.try_write(&unsent[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => sent = unsent.len(),
            }
        }
        unsent.drain(..sent);
        unsent.is_empty()
    }
}

/// Writes as much as the system takes at once.
struct Trying<'a>(&'a TcpStream);

impl Write for Trying<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the lines in `rest` and `bytes`, and leaves the begun one in `rest`.
fn cut(rest: &mut Vec<u8>, mut bytes: &[u8], heard: &mut impl FnMut(&[u8])) {
    while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
        let line = &bytes[..end];
        if rest.is_empty() {
            heard(line);
        } else {
            rest.extend_from_slice(line);
            heard(rest);
            rest.clear();
        }
        bytes = &bytes[end + 1..];
    }
    rest.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let (mut rest, mut lines) = (Vec::new(), Vec::new());
        for part in ["on", "e\ntwo\n\nth", "", "ree\n", "four"] {
            cut(&mut rest, part.as_bytes(), &mut |line| {
                lines.push(String::from_utf8(line.to_vec()).unwrap());
            });
        }
        assert_eq!(lines, ["one", "two", "", "three"]);
        assert_eq!(rest, b"four");
    }
}
