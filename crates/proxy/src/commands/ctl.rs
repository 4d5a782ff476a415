//! `orepass ctl`: asks a process at work for something.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use thiserror::Error;

use super::Outcome;
use crate::cli::{Ctl, CtlCommand};
use crate::config;
use crate::control::{NotDone, ReloadChanges, Status, Upgraded};

/// How long an answer may take: an upgrade has its own limits, which are shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(170);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// Why a process at work was not asked, or did not do it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CtlError {
    /// Nobody answers.
    #[error("no orepass answers at {}: {error}{}", places(.tried), permission(.error))]
    Nobody {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
        /// What the system says of the first of these that is there, or of the last.
        error: io::Error,
    },
    /// It has too much to do.
    #[error("{0}")]
    Busy(String),
    /// It does not do it.
    #[error("{0}")]
    Refused(String),
    /// What came is no answer.
    #[error("what answers at {} is no orepass: {what}", path.display())]
    Answer {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl CtlError {
    /// The exit code: 1 refused, 69 nobody there, 75 busy.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Nobody { .. } | Self::Answer { .. } => 69,
            Self::Busy(_) => 75,
            Self::Refused(_) => 1,
        }
    }
}

fn places(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn permission(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; ask as root, or as the user that it runs as",
        _ => "",
    }
}

/// Asks, and prints the answer.
///
/// # Errors
/// A [`CtlError`], which knows its exit code.
pub fn ctl(ctl: &Ctl) -> Result<Outcome, CtlError> {
    let mut outcome = Outcome::Success;
    let text = match &ctl.command {
        CtlCommand::Reload => {
            let body = asked(ctl, "POST", "reload")?;
            let changes = body.read::<ReloadChanges>()?;
            outcome = if changes.faults.is_empty() { Outcome::Success } else { Outcome::Failure };
            if ctl.json { body.text } else { reloaded(&changes) }
        }
        CtlCommand::Upgrade => {
            let body = asked(ctl, "POST", "upgrade")?;
            if ctl.json {
                body.text
            } else {
                format!("process {} serves now", body.read::<Upgraded>()?.pid)
            }
        }
        CtlCommand::Status => {
            let body = asked(ctl, "GET", "status")?;
            if ctl.json { body.text } else { at_work(&body.read::<Status>()?) }
        }
    };
    // Who hangs up early has seen enough.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    Ok(outcome)
}

fn reloaded(ReloadChanges { changed, at_restart, faults }: &ReloadChanges) -> String {
    let lines = [changed.as_slice(), at_restart, faults].concat();
    if lines.is_empty() { "nothing has changed".into() } else { lines.join("\n") }
}

fn at_work(status: &Status) -> String {
    let Status { version, pid, config, reloads, routes, draining } = status;
    let config = config.as_deref().unwrap_or("the command line");
    let mut text =
        format!("orepass {version}, process {pid}, config {config}, reloads {reloads}\n");
    for (routes, note) in [(routes, ""), (draining, ", ends")] {
        for route in routes {
            let (name, dialect) = (&route.name, &route.dialect);
            let (rigs, channels, shares) = (route.rigs, route.channels, route.shares);
            text += &format!(
                "route {name} ({dialect}){note}: rigs {rigs}, pool connections {channels}, shares \
                 {shares}\n"
            );
        }
    }
    text
}

/// An answer that says that it was done.
struct Body {
    path: PathBuf,
    text: String,
}

impl Body {
    fn read<T: DeserializeOwned>(&self) -> Result<T, CtlError> {
        serde_json::from_str(&self.text)
            .map_err(|error| CtlError::Answer { path: self.path.clone(), what: error.to_string() })
    }
}

fn asked(ctl: &Ctl, method: &str, what: &str) -> Result<Body, CtlError> {
    let (path, mut stream) = connect(ctl)?;
    let request = format!(
        "{method} /api/v1/{what} HTTP/1.1\r\nHost: orepass\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answer = Vec::new();
    let talked = stream
        .set_read_timeout(Some(ANSWER_WITHIN))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.take(MAX_ANSWER).read_to_end(&mut answer));
    let failed = |what: String| CtlError::Answer { path: path.clone(), what };
    talked.map_err(|error| failed(error.to_string()))?;
    let answer = String::from_utf8_lossy(&answer);
    let parts = answer.split_once("\r\n\r\n");
    let code = answer.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
    let (Some((_, text)), Some(code)) = (parts, code) else {
        return Err(failed("it does not speak HTTP".into()));
    };
    if code == 200 {
        return Ok(Body { path, text: text.to_owned() });
    }
    if ctl.json {
        let _ = writeln!(io::stdout(), "{text}");
    }
    let said: NotDone =
        serde_json::from_str(text).map_err(|_| failed(format!("it answers {code}")))?;
    Err(if code == 409 { CtlError::Busy(said.error) } else { CtlError::Refused(said.error) })
}

fn connect(ctl: &Ctl) -> Result<(PathBuf, UnixStream), CtlError> {
    let named = ctl.socket.as_ref().map(|socket| vec![socket.clone()]);
    let tried = named.unwrap_or_else(|| {
        let file = config::find(ctl.of.as_deref()).ok();
        config::sockets(file.as_deref())
    });
    let mut found = io::Error::from(io::ErrorKind::NotFound);
    for path in &tried {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok((path.clone(), stream)),
            Err(error) if is_there(path) => {
                return Err(CtlError::Nobody { tried: vec![path.clone()], error });
            }
            Err(error) => found = error,
        }
    }
    Err(CtlError::Nobody { tried, error: found })
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
