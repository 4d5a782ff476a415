//! Why a bench cannot go on.

use std::io;
use std::path::PathBuf;

use super::limits::NoRoom;

/// Why a bench cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The proxy's program is not where it was looked for.
    #[error(
        "there is no {}: build it with `cargo build --release -p orepass`, or say where it is with \
         --orepass PATH",
        .0.display()
    )]
    NoProgram(PathBuf),
    /// The process between pool and rigs has ended.
    #[error("the {party} ended before its time ({status}){}", said(.log))]
    Ended {
        /// Which of them.
        party: &'static str,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{what}: {reached} of {wanted} in {seconds} s{}", said(.refusals))]
    Stuck {
        /// What was waited for.
        what: &'static str,
        /// How far it came.
        reached: u64,
        /// How far it should have come.
        wanted: u64,
        /// How long it was waited for.
        seconds: u64,
        /// What the rigs were told, if they were refused.
        refusals: String,
    },
    /// Too few files may be open.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The kernel tells too little of a process.
    #[error("{path}: {error}; the bench needs Linux with schedstat")]
    Proc {
        /// What was read.
        path: String,
        /// Why that failed.
        error: io::Error,
    },
    /// A part of the bench itself has ended.
    #[error("the bench's {0} ended before its time")]
    Gone(&'static str),
    /// The bench was told to stop.
    #[error("stopped by a signal")]
    Interrupted,
    /// The operating system refused something.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: io::Error,
    },
}

impl LoadError {
    /// For `map_err`: what was tried.
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { what, error }
    }
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(":\n{}", text.trim_end()) }
}
