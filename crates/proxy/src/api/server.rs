//! Listens for HTTP: so many connections, each with so much time.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use orepass_stratum::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::warn;

use super::access::ApiAccess;
use super::problem::{PROBLEM_JSON, ProblemKind};
use crate::clock::{now, sleep_until};
use crate::repeated_warnings::{Fold, nonzero};

/// The most connections at a time; more are told so and closed.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may take to ask, or to ask again.
const HEADER_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take, until the last of it is read.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The longest request line and header, in bytes.
const MAX_HEADER: usize = 16 * 1024;
/// The wait after an accept that failed, for want of files most of the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often it is said that somebody is refused.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What is told where there are too many connections.
static TOO_MANY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let detail = format!("{MAX_CONNECTIONS} are open");
    let problem = ProblemKind::TooManyConnections.problem(detail);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
         Content-Type: {PROBLEM_JSON}\r\nContent-Length: {length}\r\n\r\n"
    );
    (head + &body).into_bytes()
});

/// The API on a TCP socket, until this is dropped; what has been asked by then is still answered.
#[derive(Debug)]
pub(crate) struct ApiServer {
    access: watch::Sender<Arc<ApiAccess>>,
    serving: JoinHandle<()>,
}

impl ApiServer {
    /// Answers at a socket that is bound.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn start(
        socket: std::net::TcpListener,
        access: ApiAccess,
        router: Router,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(socket)?;
        let (access, known) = watch::channel(Arc::new(access));
        let gate =
            Arc::new(Gatekeeper { access: known, refused: Mutex::new(Fold::new(SAY_EVERY)) });
        let router = router.layer(from_fn_with_state(gate, admit));
        let serving = tokio::spawn(serve(listener, router));
        Ok(Self { access, serving })
    }

    /// From now on these may do that.
    pub(crate) fn set_access(&self, access: ApiAccess) {
        self.access.send_replace(Arc::new(access));
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Lets requests in.
struct Gatekeeper {
    access: watch::Receiver<Arc<ApiAccess>>,
    refused: Mutex<Fold>,
}

async fn admit(State(gate): State<Arc<Gatekeeper>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let local = parts.extensions.get::<Connected>().map(|connected| connected.local);
    let Some(local) = local.flatten() else {
        return ProblemKind::Broken.problem("a connection without an address").into_response();
    };
    let access = Arc::clone(&gate.access.borrow());
    match access.admit(&parts, local) {
        Ok(caller) => {
            parts.extensions.insert(caller);
            parts.extensions.insert(TokensInForce(gate.access.clone()));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => {
            let refused = gate.refused.lock().unwrap_or_else(PoisonError::into_inner).say(now());
            if let Some(more) = refused {
                warn!(
                    event = "api.refused",
                    code = problem.code,
                    more_since_last = nonzero(more),
                    "a request to the API is refused: {}: {}",
                    problem.title,
                    problem.detail
                );
            }
            problem.into_response()
        }
    }
}

/// Tells a long answer when other tokens are in force, or the API has moved: whoever may not look any
/// more is to ask again.
#[derive(Clone)]
pub(super) struct TokensInForce(watch::Receiver<Arc<ApiAccess>>);

impl TokensInForce {
    pub(super) async fn changed(&mut self) {
        // Where nobody changes them any more, they have changed too.
        let _ = self.0.changed().await;
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let _ = stream.try_write(&TOO_MANY);
            continue;
        };
        let (router, local) = (router.clone(), stream.local_addr());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let local = local.ok().map(|address| address.ip());
            answer::<TcpStream>(stream, router, local, ANSWER_WITHIN).await;
            drop(place);
        });
    }
}

/// A connection, as those know it who answer on it.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    local: Option<IpAddr>,
    until: Arc<Mutex<Instant>>,
}

impl Connected {
    /// From now on it has this time at least.
    pub(super) fn extend(&self, by: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(now() + by);
    }

    /// Its time is up.
    async fn overdue(&self) {
        loop {
            let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
            if until <= now() {
                return;
            }
            sleep_until(Some(until)).await;
        }
    }
}

/// Answers what is asked on a connection, each request within a time: it costs whoever does not read
/// its own connection.
pub(crate) async fn answer<S>(stream: S, router: Router, local: Option<IpAddr>, within: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connected = Connected { local, until: Arc::new(Mutex::new(now() + within)) };
    let (router, known) = (TowerToHyperService::new(router), connected.clone());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        known.extend(within);
        request.extensions_mut().insert(known.clone());
        router.call(request)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Whoever does not speak HTTP, or hangs up, gets no answer.
        _ = serving => {}
        () = connected.overdue() => {}
    }
}
