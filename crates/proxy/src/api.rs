//! The farm over HTTP: what there is to see, and what an operator may have done.
//!
//! The same paths answer at a TCP address (`server.rs`, with `access.rs` before it) and at the control
//! socket, where whoever may connect may do everything. Each file has paths of one kind; a path that is
//! not in the document (`openapi.rs`) cannot be asked for, since both are made of one list.
//!
//! Requests are served by the program's main threads, never by those that serve rigs. What they need of
//! books and rosters they read as it is at the moment; what is shown of many is sorted and paged first, and
//! made then.

#![allow(unused_qualifications, reason = "what is made of the descriptions of paths has them")]
#![allow(
    clippy::result_large_err,
    reason = "a problem is the answer itself, made once for a request"
)]

mod access;
mod csv;
mod diagnostics;
mod events;
mod health;
mod history;
mod metrics;
mod openapi;
mod operate;
mod page;
mod pools;
mod problem;
mod process;
mod request;
mod rigs;
mod routes;
mod server;
mod summary;
#[cfg(test)]
mod tests;
mod web;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::map_response;
use axum::response::Response;
use orepass_stratum::time::Instant;
use tokio::sync::{Semaphore, mpsc, oneshot};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use access::{ApiAccess, Caller};
pub use operate::{RigDone, Switched, WorkerDone};
use problem::ProblemKind;
pub use problem::{ApiProblem, ProblemAt};
pub use process::{ReloadChanges, RouteStatus, Status, Upgraded};
pub(crate) use server::{ApiServer, answer};

use crate::clock::{now, unix_millis};
use crate::config::nearest::unknown;
use crate::history::History;
use crate::process::Process;
use crate::running::RunningRoute;
use crate::supervisor::ControlRequest;
use crate::watch::{AtWork, Diagnostics};

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// The most live streams at a time.
const MAX_STREAMS: usize = 16;

/// How requests reach the one who does them.
pub type Asks = mpsc::Sender<ControlRequest>;

/// What there is to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Api(Arc<ApiParts>);

#[derive(Debug)]
struct ApiParts {
    at_work: AtWork,
    asks: Asks,
    process: Process,
    diagnostics: Diagnostics,
    history: History,
    began: Instant,
    began_ms: u64,
    streams: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(
        at_work: AtWork,
        asks: Asks,
        process: Process,
        diagnostics: Diagnostics,
        history: History,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(MAX_STREAMS));
        let (began, began_ms) = (now(), unix_millis());
        Self(Arc::new(ApiParts {
            at_work,
            asks,
            process,
            diagnostics,
            history,
            began,
            began_ms,
            streams,
        }))
    }

    /// The paths, for any listener that says who the [`Caller`] is.
    pub(crate) fn router(&self) -> Router {
        let (router, _) = paths().split_for_parts();
        router
            .fallback(|uri: Uri| async move {
                ProblemKind::NoSuchPath.problem(format!("nothing is at {}", uri.path()))
            })
            .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
                let detail = format!("{} does not take {method}", uri.path());
                ProblemKind::MethodNotAllowed.problem(detail)
            })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(map_response(|mut response: Response| async move {
                let headers = response.headers_mut();
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
                response
            }))
            .merge(web::router())
            .with_state(self.clone())
    }

    /// The routes that are asked for: all, or the one of this name.
    fn routes(&self, name: Option<&str>) -> Result<Vec<Arc<dyn RunningRoute>>, ApiProblem> {
        let routes = self.0.at_work.routes();
        let Some(name) = name else { return Ok(routes.to_vec()) };
        self.route(name).map(|route| vec![route])
    }

    /// The route of a name.
    fn route(&self, name: &str) -> Result<Arc<dyn RunningRoute>, ApiProblem> {
        self.0.at_work.route(name).ok_or_else(|| {
            let routes = self.0.at_work.routes();
            let known: Vec<&str> = routes.iter().map(|route| route.name()).collect();
            ProblemKind::NoSuchRoute.problem(unknown("route", name, &known))
        })
    }

    /// Has the one do something who does it all.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> ControlRequest,
    ) -> Result<T, ApiProblem> {
        let (answer, answered) = oneshot::channel();
        if self.0.asks.try_send(request(answer)).is_err() {
            let busy = "too much is asked at once, or the proxy stops";
            return Err(ProblemKind::Busy.problem(busy));
        }
        answered.await.map_err(|_| ProblemKind::Stopping.problem("it answers nothing more"))
    }
}

/// All paths, with what is said of each.
fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(summary::summary))
        .routes(routes!(routes::list))
        .routes(routes!(routes::one))
        .routes(routes!(pools::list))
        .routes(routes!(operate::switch))
        .routes(routes!(workers::list))
        .routes(routes!(workers::one, operate::forget))
        .routes(routes!(operate::ban))
        .routes(routes!(operate::unban))
        .routes(routes!(rigs::list))
        .routes(routes!(rigs::one))
        .routes(routes!(operate::kick))
        .routes(routes!(operate::difficulty))
        .routes(routes!(diagnostics::list))
        .routes(routes!(history::read))
        .routes(routes!(metrics::all))
        .routes(routes!(metrics::of_workers))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(process::config))
        .routes(routes!(process::status))
        .routes(routes!(process::reload))
        .routes(routes!(process::upgrade))
        .routes(routes!(openapi::document))
}
