//! Whether the process serves.

use axum::extract::State;

use super::problem::{ApiProblem, ProblemKind};
use super::request::{Nothing, QueryOf};
use super::{Api, Caller};
use crate::watch::views::{PoolHealthView, RouteView};

/// The process serves.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz(QueryOf(Nothing {}): QueryOf<Nothing>) -> &'static str {
    "ok\n"
}

/// A pool of each route serves.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, description = "So it is", body = String, content_type = "text/plain"))
)]
pub(super) async fn readyz(
    State(api): State<Api>,
    caller: Caller,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<&'static str, ApiProblem> {
    let routes = api.0.at_work.routes();
    let without: Vec<String> = routes
        .iter()
        .map(|route| route.view())
        .filter(|route| !has_pool(route))
        .map(|route| if caller.sees_all() { route.name } else { "one".to_owned() })
        .collect();
    if without.is_empty() && !routes.is_empty() {
        return Ok("ok\n");
    }
    Err(ProblemKind::NotReady.problem(format!("without a pool: {}", without.join(", "))))
}

fn has_pool(route: &RouteView) -> bool {
    route.pools.iter().any(|pool| pool.health == PoolHealthView::Serves)
}
