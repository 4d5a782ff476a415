//! Connected rigs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::problem::{ApiProblem, ProblemKind};
use super::request::{Nothing, PathName, QueryOf};
use super::{Api, Caller};
use crate::rig::roster::OnlineRig;
use crate::running::RunningRoute;
use crate::watch::WorkerState;
use crate::watch::views::RigView;

/// Which rigs are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RigsQuery {
    /// So many are passed over.
    #[param(maximum = 1000000000)]
    offset: Option<usize>,
    /// So many at most; 100 unless given.
    #[param(maximum = 1000)]
    limit: Option<usize>,
    /// Those of this route.
    route: Option<String>,
    /// Those of this worker.
    worker: Option<String>,
    /// Those that are so.
    state: Option<WorkerState>,
}

/// A page of rigs, in the order of their coming.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RigList {
    /// How many there are on all pages.
    total: usize,
    /// How many were passed over.
    offset: usize,
    /// How many there are on a page.
    limit: usize,
    /// Those on this page.
    rigs: Vec<RigView>,
}

/// The rigs that are connected.
#[utoipa::path(
    get, path = "/api/v1/rigs", tag = "farm", operation_id = "rigs", params(RigsQuery),
    responses((status = 200, description = "A page of rigs", body = RigList))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    QueryOf(query): QueryOf<RigsQuery>,
) -> Result<Json<RigList>, ApiProblem> {
    let page = Page::asked(query.offset, query.limit)?;
    let mut rigs = Vec::new();
    for route in api.routes(query.route.as_deref())? {
        let fits = |rig: &Arc<OnlineRig>| {
            let worker = rig.shown().worker;
            caller.sees(worker.as_deref())
                && query.worker.as_ref().is_none_or(|wanted| worker.as_deref() == Some(wanted))
                && query.state.is_none_or(|wanted| WorkerState::now_of(rig) == wanted)
        };
        let of_route = route.roster().rigs().into_iter().filter(fits);
        rigs.extend(of_route.map(|rig| (Arc::clone(&route), rig)));
    }
    let total = rigs.len();
    let rigs = page.of(rigs).map(|(route, rig)| route.rig_view(&rig)).collect();
    Ok(Json(RigList { total, offset: page.offset, limit: page.limit, rigs }))
}

/// A rig.
#[utoipa::path(
    get, path = "/api/v1/rigs/{id}", tag = "farm", operation_id = "rig",
    params(("id" = String, Path, description = "Its `id`, as it is shown")),
    responses((status = 200, description = "The rig", body = RigView))
)]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    PathName(id): PathName,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<RigView>, ApiProblem> {
    let (route, rig) = find(&api, &caller, &id)?;
    Ok(Json(route.rig_view(&rig)))
}

/// A rig that the caller sees, by its id.
pub(super) fn find(
    api: &Api,
    caller: &Caller,
    id: &str,
) -> Result<(Arc<dyn RunningRoute>, Arc<OnlineRig>), ApiProblem> {
    let parts = id.rsplit_once('-');
    let parts = parts.and_then(|(route, serial)| Some((route, serial.parse().ok()?)));
    // A route that ends has its rigs still, and may have given its name away.
    let found = parts.and_then(|(name, serial)| {
        let routes = api.0.at_work.routes();
        let mut of_name = routes.iter().filter(|route| route.name() == name);
        of_name.find_map(|route| Some((Arc::clone(route), route.roster().rig(serial)?)))
    });
    let seen = found.filter(|(_, rig)| caller.sees(rig.shown().worker.as_deref()));
    seen.ok_or_else(|| {
        let detail =
            format!("no rig {id:?} is connected; an id is the route's name, `-` and a number");
        ProblemKind::NoSuchRig.problem(detail)
    })
}
