//! `orepass ctl`: asks a process at work for something.

mod tables;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;
use url::form_urlencoded;

use super::Outcome;
use crate::api::{ApiProblem, ReloadChanges};
use crate::cli::{Ctl, CtlCommand, ListArgs, WorkerArg};
use crate::config;

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
    let request = CtlRequest::of(ctl)?;
    let body = asked(ctl, &request)?;
    let outcome = match &ctl.command {
        CtlCommand::Reload if !body.read::<ReloadChanges>()?.faults.is_empty() => Outcome::Failure,
        _ => Outcome::Success,
    };
    let text = if ctl.json { body.text } else { tables::said(&ctl.command, &body)? };
    // Who hangs up early has seen enough.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    Ok(outcome)
}

/// What a process at work is asked.
struct CtlRequest {
    method: &'static str,
    /// Behind `/api/v1/`.
    path: String,
    body: Option<Value>,
}

impl CtlRequest {
    fn of(ctl: &Ctl) -> Result<Self, CtlError> {
        let get = |path: String| Self { method: "GET", path, body: None };
        let post = |path: String, body| Self { method: "POST", path, body };
        Ok(match &ctl.command {
            CtlCommand::Reload => post("reload".into(), None),
            CtlCommand::Upgrade => post("upgrade".into(), None),
            CtlCommand::Status => get("status".into()),
            CtlCommand::Summary => get("summary".into()),
            CtlCommand::Workers { list, sort, search } => {
                let more = [("sort", sort.clone()), ("search", search.clone())];
                get(format!("workers{}", query(list.pairs().into_iter().chain(more))))
            }
            CtlCommand::Rigs { list, worker } => {
                let more = [("worker", worker.clone())];
                get(format!("rigs{}", query(list.pairs().into_iter().chain(more))))
            }
            CtlCommand::Kick { rig } => post(format!("rigs/{}/kick", encoded(rig)), None),
            CtlCommand::Difficulty { rig, difficulty } => {
                let body = json!({"difficulty": difficulty.0});
                post(format!("rigs/{}/difficulty", encoded(rig)), Some(body))
            }
            CtlCommand::Ban { worker, minutes } => {
                let path = format!("workers/{}/ban{}", encoded(&worker.name), worker.query());
                post(path, Some(json!({"minutes": minutes})))
            }
            CtlCommand::Unban { worker } => {
                post(format!("workers/{}/unban{}", encoded(&worker.name), worker.query()), None)
            }
            CtlCommand::Forget { worker } => {
                let path = format!("workers/{}{}", encoded(&worker.name), worker.query());
                Self { method: "DELETE", path, body: None }
            }
            CtlCommand::Switch { pool, route, back } => {
                let route = match route {
                    Some(route) => route.clone(),
                    None => route_of(ctl, pool)?,
                };
                let body = json!({"route": route, "preferred": !back});
                post(format!("pools/{}/switch", encoded(pool)), Some(body))
            }
        })
    }
}

/// The one route that has a pool of this name.
fn route_of(ctl: &Ctl, pool: &str) -> Result<String, CtlError> {
    let all = CtlRequest { method: "GET", path: "pools".into(), body: None };
    let body: Value = asked(ctl, &all)?.read()?;
    let pools = body["pools"].as_array().into_iter().flatten();
    let mut routes: Vec<&str> = pools
        .filter(|known| known["name"] == pool)
        .filter_map(|known| known["route"].as_str())
        .collect();
    routes.dedup();
    match routes[..] {
        [route] => Ok(route.to_owned()),
        [] => Err(CtlError::Refused(format!("no route has a pool {pool:?}"))),
        _ => {
            let routes = routes.join(", ");
            Err(CtlError::Refused(format!(
                "several routes have a pool {pool:?}: say which with --route: {routes}"
            )))
        }
    }
}

impl ListArgs {
    fn pairs(&self) -> [(&'static str, Option<String>); 4] {
        [
            ("route", self.route.clone()),
            ("state", self.state.clone()),
            ("limit", Some(self.limit.to_string())),
            ("offset", Some(self.offset.to_string())),
        ]
    }
}

impl WorkerArg {
    fn query(&self) -> String {
        query([("route", self.route.clone())])
    }
}

/// The part of a path behind the name, `?` and all.
fn query(pairs: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        if let Some(value) = value {
            query.append_pair(key, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
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

fn asked(ctl: &Ctl, request: &CtlRequest) -> Result<Body, CtlError> {
    let (path, mut stream) = connect(ctl)?;
    let CtlRequest { method, path: what, body } = request;
    let body = body.as_ref().map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} /api/v1/{what} HTTP/1.1\r\nHost: orepass\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
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
    let said: ApiProblem =
        serde_json::from_str(text).map_err(|_| failed(format!("it answers {code}")))?;
    Err(if said.code == "busy" {
        CtlError::Busy(said.detail)
    } else {
        CtlError::Refused(said.detail)
    })
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
