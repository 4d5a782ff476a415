//! The socket through which a process at work is asked for things: HTTP over a Unix socket, for
//! `orepass ctl` and whatever else speaks HTTP.
//!
//! | | |
//! |---|---|
//! | `POST /api/v1/reload` | reads the config again: 200 with what changed, 422 with what is wrong with it, 409 while too much is asked |
//! | `POST /api/v1/upgrade` | hands over to a new process of the program: 200 with its id, 502 with why not |
//! | `GET /api/v1/status` | what is at work |
//! | `GET /api/v1/healthz` | 200 |

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::supervisor::{ControlRequest, ReloadRefusal};

/// The most connections at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may take to ask, and how long it may last with the longest answer.
const HEADER_WITHIN: Duration = Duration::from_secs(5);
const LASTS: Duration = Duration::from_secs(180);
/// The longest request line and header, in bytes.
const MAX_HEADER: usize = 16 * 1024;

/// How requests reach the one who does them.
pub type Asks = mpsc::Sender<ControlRequest>;

/// What has changed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReloadChanges {
    /// Line by line.
    pub changed: Vec<String>,
    /// What is put off to the next start or upgrade.
    pub at_restart: Vec<String>,
    /// Which routes do not have their changes, since a fault in Orepass was in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// Why something was not done.
#[derive(Debug, Serialize, Deserialize)]
pub struct NotDone {
    /// In words, as they stand in the log.
    pub error: String,
    /// What is wrong with a config, each at its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemAt>,
}

/// Something that is wrong with a config.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProblemAt {
    /// The file.
    pub file: String,
    /// From 1; none where it stands nowhere in the file.
    pub line: Option<usize>,
    /// From 1.
    pub column: Option<usize>,
    /// What, with the nearest key that there is, where that is the remedy.
    pub message: String,
}

/// The new process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Upgraded {
    /// Its id.
    pub pid: u32,
}

/// What is at work.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's.
    pub version: String,
    /// The process's id.
    pub pid: u32,
    /// The config file, where there is one.
    pub config: Option<String>,
    /// How often that was read again with success.
    pub reloads: u64,
    /// The routes, in the config's order.
    pub routes: Vec<RouteStatus>,
    /// Routes that the config has no more, and whose rigs are still there.
    pub draining: Vec<RouteStatus>,
}

/// A route at work.
#[derive(Debug, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its name.
    pub name: String,
    /// Its dialect's name.
    pub dialect: String,
    /// Rigs that are connected.
    pub rigs: usize,
    /// Connections to pools that take shares.
    pub channels: usize,
    /// Shares that were sent to pools so far.
    pub shares: u64,
}

/// The paths, for any listener. Whoever asks may hang up: it is done all the same.
pub fn router(asks: Asks) -> Router {
    Router::new()
        .route("/api/v1/reload", post(reload))
        .route("/api/v1/upgrade", post(upgrade))
        .route("/api/v1/status", get(status))
        .route("/api/v1/healthz", get(|| async { "ok\n" }))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is no such path") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
        })
        .with_state(asks)
}

async fn reload(State(asks): State<Asks>) -> Response {
    match ask(&asks, ControlRequest::Reload).await {
        Ok(Ok(changed)) => Json(changed).into_response(),
        Ok(Err(refusal)) => not_reloaded(&refusal),
        Err(gone) => gone,
    }
}

async fn upgrade(State(asks): State<Asks>) -> Response {
    match ask(&asks, ControlRequest::Upgrade).await {
        Ok(Ok(pid)) => Json(Upgraded { pid }).into_response(),
        Ok(Err(why)) => refuse(StatusCode::BAD_GATEWAY, why),
        Err(gone) => gone,
    }
}

async fn status(State(asks): State<Asks>) -> Response {
    match ask(&asks, ControlRequest::Status).await {
        Ok(status) => Json(status).into_response(),
        Err(gone) => gone,
    }
}

async fn ask<T>(
    asks: &Asks,
    request: impl FnOnce(oneshot::Sender<T>) -> ControlRequest,
) -> Result<T, Response> {
    let (answer, answered) = oneshot::channel();
    if asks.try_send(request(answer)).is_err() {
        let busy = "too much is asked at once, or the proxy stops; ask again";
        return Err(refuse(StatusCode::CONFLICT, busy));
    }
    let stops = |_| refuse(StatusCode::SERVICE_UNAVAILABLE, "the proxy stops");
    answered.await.map_err(stops)
}

fn refuse(code: StatusCode, error: impl Into<String>) -> Response {
    (code, Json(NotDone { error: error.into(), problems: Vec::new() })).into_response()
}

fn not_reloaded(refusal: &ReloadRefusal) -> Response {
    let code = match refusal {
        ReloadRefusal::Busy | ReloadRefusal::HandingOver => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let problems = refusal.invalid().map(|invalid| {
        let at = |problem| {
            let place = invalid.place(problem);
            ProblemAt {
                file: invalid.file().to_owned(),
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                message: problem.message.clone(),
            }
        };
        invalid.problems().iter().take(MAX_PROBLEMS).map(at).collect()
    });
    let problems = problems.unwrap_or_default();
    (code, Json(NotDone { error: refusal.to_string(), problems })).into_response()
}

/// The most problems of a config that are told one by one.
const MAX_PROBLEMS: usize = 50;

/// The socket, at work until this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    /// Device and inode: another process may have taken the path since.
    made: (u64, u64),
    serving: tokio::task::JoinHandle<()>,
}

impl ControlSocket {
    /// Takes the path over from whoever had it, and answers there. The socket is complete before it
    /// has its name, so that nobody finds it half made.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, asks: Asks) -> io::Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&beside)?;
        let named = fs::set_permissions(&beside, Permissions::from_mode(0o660))
            .and_then(|()| fs::metadata(&beside))
            .and_then(|made| fs::rename(&beside, path).map(|()| (made.dev(), made.ino())));
        let made = named.inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })?;
        let serving = tokio::spawn(serve(listener, router(asks)));
        Ok(Self { path: path.to_owned(), made, serving })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.serving.abort();
        let ours =
            fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.made);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn serve(listener: UnixListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For want of files, mostly.
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(LASTS, answer(stream, router)).await;
            drop(place);
        });
    }
}

async fn answer(stream: UnixStream, router: Router) {
    // Whoever does not speak HTTP, or hangs up, gets no answer.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}
