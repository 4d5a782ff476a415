//! The new process, as the old one has it; and as it knows itself.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;

use tokio::process::{Child, Command};

use super::{HandoverMessage, Peer};
use crate::listeners::Listeners;

/// Tells a process that its standard input leads to the one before it.
const HANDOVER: &str = "OREPASS_HANDOVER";
/// What systemd says to one process alone.
const NOT_INHERITED: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// Where the program is, as it was called.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Notes where the program is. To be called before anything else: the file may be replaced later,
/// and a relative path start elsewhere.
pub(crate) fn note_program() {
    let called = std::env::args_os().next().map(PathBuf::from);
    let by_path = called.filter(|path| path.components().nth(1).is_some());
    let path = by_path.and_then(|path| std::path::absolute(path).ok());
    if let Some(path) = path.or_else(|| std::env::current_exe().ok()) {
        let _ = PROGRAM.set(path);
    }
}

/// The process that takes over.
#[derive(Debug)]
pub(crate) struct Successor {
    child: Child,
    peer: Peer,
    /// It has closed its end, or spoken nonsense; what is left is its exit status.
    silent: bool,
}

/// What the old process hears of it.
#[derive(Debug)]
pub(crate) enum SuccessorNews {
    Said(HandoverMessage),
    Nonsense(io::Error),
    Ended(ExitStatus),
}

impl Successor {
    /// Starts the program that stands where this one was started from, with the same arguments, and
    /// sends it the sockets.
    ///
    /// # Errors
    /// In words.
    pub(crate) async fn start(listeners: &Listeners) -> Result<Self, String> {
        let program = PROGRAM.get().ok_or("it is not known where this program was started from")?;
        if std::process::id() == 1 {
            let why =
                "this is the first process here, with which all others end: start anew instead";
            return Err(why.to_owned());
        }
        Self::spawn(program, std::env::args_os().skip(1), listeners)
            .await
            .map_err(|error| format!("cannot start {}: {error}", program.display()))
    }

    async fn spawn(
        program: &Path,
        arguments: impl Iterator<Item = OsString>,
        listeners: &Listeners,
    ) -> io::Result<Self> {
        let (own, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.args(arguments).env(HANDOVER, "1").stdin(Stdio::from(OwnedFd::from(theirs)));
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let child = command.spawn()?;
        // It is not to have its own end open here.
        drop(command);
        let peer = Peer::new(own)?;
        let successor = Self { child, peer, silent: false };
        let sockets: Vec<_> = listeners.iter().map(|(_, socket)| socket.as_fd()).collect();
        // Where it has ended, its status says more.
        let _ = successor.peer.send_sockets(&sockets).await;
        Ok(successor)
    }

    /// Says something. That it has ended is heard elsewhere.
    pub(crate) async fn send(&self, message: &HandoverMessage) {
        let _ = self.peer.send(message).await;
    }

    /// Ends it.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The next that is heard of it; nothing is lost when this is dropped.
    pub(crate) async fn news(&mut self) -> SuccessorNews {
        let Self { child, peer, silent } = self;
        loop {
            tokio::select! {
                biased;
                received = peer.receive(), if !*silent => match received {
                    Ok(Some(message)) => return SuccessorNews::Said(message),
                    Ok(None) => *silent = true,
                    Err(error) => {
                        *silent = true;
                        return SuccessorNews::Nonsense(error);
                    }
                },
                status = child.wait() => match status {
                    Ok(status) => return SuccessorNews::Ended(status),
                    Err(error) => return SuccessorNews::Nonsense(error),
                },
            }
        }
    }
}

/// The process before this one, where there is one that hands over.
///
/// # Errors
/// When there is none at the other end of the standard input.
pub(crate) fn predecessor() -> io::Result<Option<Peer>> {
    if std::env::var_os(HANDOVER).is_none() {
        return Ok(None);
    }
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Of a terminal or a file that says what is wrong.
    stream.peer_addr()?;
    Peer::new(stream).map(Some)
}
