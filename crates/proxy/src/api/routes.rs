//! Routes.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::problem::ApiProblem;
use super::request::{Nothing, PathName, QueryOf};
use crate::watch::views::RouteView;

/// The routes in the config's order, then those that end.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RouteList {
    routes: Vec<RouteView>,
}

/// The routes.
#[utoipa::path(
    get, path = "/api/v1/routes", tag = "farm", operation_id = "routes",
    responses((status = 200, description = "The routes", body = RouteList))
)]
pub(super) async fn list(
    State(api): State<Api>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Json<RouteList> {
    let routes = api.0.at_work.routes().iter().map(|route| route.view()).collect();
    Json(RouteList { routes })
}

/// A route.
#[utoipa::path(
    get, path = "/api/v1/routes/{name}", tag = "farm", operation_id = "route",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The route", body = RouteView))
)]
pub(super) async fn one(
    State(api): State<Api>,
    PathName(name): PathName,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<RouteView>, ApiProblem> {
    Ok(Json(api.route(&name)?.view()))
}
