//! All of it at a glance.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::request::{Nothing, QueryOf};
use crate::clock::{now, rfc3339, unix_millis};
use crate::metrics::process;
use crate::telemetry;
use crate::watch::views::RouteView;

/// The process and its routes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Summary {
    /// The program's.
    version: &'static str,
    /// The process's id.
    pid: u32,
    /// Now.
    #[schema(format = DateTime)]
    at: String,
    /// When the process began.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long ago that is.
    uptime_s: f64,
    /// Faults that ended a rig's or a pool connection's task each.
    panics: u64,
    /// The files that it has open, connections too; none where the system does not tell.
    open_files: Option<usize>,
    /// How many it may have open; none where that is not known.
    open_files_limit: Option<u64>,
    /// How often each limit was met, by its key.
    limits_met: BTreeMap<&'static str, u64>,
    /// The routes in the config's order, then those that end.
    routes: Vec<RouteView>,
}

/// The process and its routes.
#[utoipa::path(
    get, path = "/api/v1/summary", tag = "farm",
    responses((status = 200, description = "All at a glance", body = Summary))
)]
pub(super) async fn summary(
    State(api): State<Api>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Json<Summary> {
    // Thousands of names are read.
    let open_files = tokio::task::spawn_blocking(process::open_files).await.ok().flatten();
    let met = api.0.process.admission.counts();
    Json(Summary {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        at: rfc3339(unix_millis()),
        started_at: rfc3339(api.0.began_ms),
        uptime_s: now().saturating_duration_since(api.0.began).as_secs_f64(),
        panics: telemetry::panics(),
        open_files,
        open_files_limit: process::most_files(),
        limits_met: met.into_iter().map(|(limit, count)| (limit.name(), count)).collect(),
        routes: api.0.at_work.routes().iter().map(|route| route.view()).collect(),
    })
}
