//! Pools.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::problem::ApiProblem;
use super::request::QueryOf;
use crate::watch::views::PoolView;

/// Which pools are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PoolsQuery {
    /// Those of this route.
    route: Option<String>,
}

/// The pools of each route, in the config's order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PoolList {
    pools: Vec<PoolView>,
}

/// The pools of all routes.
#[utoipa::path(
    get, path = "/api/v1/pools", tag = "farm", operation_id = "pools", params(PoolsQuery),
    responses((status = 200, description = "The pools", body = PoolList))
)]
pub(super) async fn list(
    State(api): State<Api>,
    QueryOf(query): QueryOf<PoolsQuery>,
) -> Result<Json<PoolList>, ApiProblem> {
    let routes = api.routes(query.route.as_deref())?;
    Ok(Json(PoolList { pools: routes.iter().flat_map(|route| route.view().pools).collect() }))
}
