//! The farm's figures for Prometheus.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::request::{Nothing, QueryOf};
use crate::metrics::{self, Sources};

/// The figures of routes, pools and the process, for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics", operation_id = "metrics",
    responses((
        status = 200, description = "The figures",
        body = String, content_type = "text/plain"
    ))
)]
pub(super) async fn all(State(api): State<Api>, QueryOf(Nothing {}): QueryOf<Nothing>) -> Response {
    let sources = Sources {
        at_work: api.0.at_work.clone(),
        process: api.0.process.clone(),
        diagnostics: api.0.diagnostics.clone(),
    };
    page(metrics::all(sources))
}

/// The figures of workers, for Prometheus.
#[utoipa::path(
    get, path = "/metrics/workers", tag = "metrics", operation_id = "worker_metrics",
    responses((
        status = 200, description = "The figures",
        body = String, content_type = "text/plain"
    ))
)]
pub(super) async fn of_workers(
    State(api): State<Api>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Response {
    page(metrics::of_workers(&api.0.at_work))
}

fn page(text: String) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
