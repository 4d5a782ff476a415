//! What an operator has done: with pools, rigs and workers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use orepass_stratum::downstream::MAX_WORKER_NAME;
use orepass_stratum::ladder::Level;
use orepass_stratum::target::Difficulty;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use super::problem::{ApiProblem, ProblemKind};
use super::request::{JsonBody, Nothing, PathName, QueryOf};
use super::workers::{self, OnRoute};
use super::{Api, Caller, rigs};
use crate::config::nearest::unknown;

/// For which route a pool is preferred.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SwitchOf {
    /// Its name.
    route: String,
    /// `false` takes that back: the config's order holds again.
    #[serde(default = "yes")]
    #[schema(default = true)]
    preferred: bool,
}

const fn yes() -> bool {
    true
}

/// The pool that a route prefers now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Switched {
    /// The route's name.
    pub route: String,
    /// The pool's; none where the config's order holds.
    pub preferred_pool: Option<String>,
}

/// Has a route prefer a pool to all others, until the config is read again.
#[utoipa::path(
    post, path = "/api/v1/pools/{name}/switch", tag = "operate",
    params(("name" = String, Path, description = "The pool's name")), request_body = SwitchOf,
    responses((status = 200, description = "The pool that is preferred", body = Switched))
)]
pub(super) async fn switch(
    State(api): State<Api>,
    caller: Caller,
    PathName(pool): PathName,
    QueryOf(Nothing {}): QueryOf<Nothing>,
    JsonBody(SwitchOf { route, preferred }): JsonBody<SwitchOf>,
) -> Result<Json<Switched>, ApiProblem> {
    let at_work = api.route(&route)?;
    let pools = at_work.view().pools;
    let known: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
    let no_such = || ProblemKind::NoSuchPool.problem(unknown("pool", &pool, &known));
    if !known.contains(&pool.as_str()) {
        return Err(no_such());
    }
    let is_preferred = at_work.preferred().as_deref() == Some(&pool);
    if preferred != is_preferred {
        let wanted = preferred.then_some(pool.as_str());
        if !Arc::clone(&at_work).prefer(wanted) {
            return Err(no_such());
        }
        let what = if preferred { "preferred" } else { "preferred no more" };
        info!(event = "api.act", who = %caller.name, route, pool, "pool {pool} is {what}");
    }
    Ok(Json(Switched { route, preferred_pool: at_work.preferred() }))
}

/// A rig that something was done with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RigDone {
    /// Its id.
    pub id: String,
    /// The difficulty that it has until it leaves, the nearest power of two; none where its vardiff
    /// decides.
    pub difficulty: Option<f64>,
}

/// Closes a rig's connection; it may come back.
#[utoipa::path(
    post, path = "/api/v1/rigs/{id}/kick", tag = "operate",
    params(("id" = String, Path, description = "Its `id`, as it is shown")),
    responses((status = 200, description = "It is being closed", body = RigDone))
)]
pub(super) async fn kick(
    State(api): State<Api>,
    caller: Caller,
    PathName(id): PathName,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<RigDone>, ApiProblem> {
    let (route, rig) = rigs::find(&api, &caller, &id)?;
    if !route.kick(rig.serial) {
        return Err(ProblemKind::NoSuchRig.problem(format!("{id} leaves already")));
    }
    let worker = rig.shown().worker;
    info!(event = "api.act", who = %caller.name, rig = worker.as_deref(), id, "rig kicked");
    Ok(Json(RigDone { id, difficulty: None }))
}

/// The difficulty that a rig is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedDifficulty {
    /// On the scale that it is told; none gives it back to its vardiff.
    #[schema(exclusive_minimum = 0, required = true)]
    #[serde(deserialize_with = "Option::deserialize")]
    difficulty: Option<f64>,
}

/// Sets a rig's difficulty until it leaves. It is told with the next work, and never more than its
/// pool's own.
#[utoipa::path(
    post, path = "/api/v1/rigs/{id}/difficulty", tag = "operate",
    params(("id" = String, Path, description = "Its `id`, as it is shown")),
    request_body = WantedDifficulty,
    responses((status = 200, description = "It will be told", body = RigDone))
)]
pub(super) async fn difficulty(
    State(api): State<Api>,
    caller: Caller,
    PathName(id): PathName,
    QueryOf(Nothing {}): QueryOf<Nothing>,
    JsonBody(WantedDifficulty { difficulty }): JsonBody<WantedDifficulty>,
) -> Result<Json<RigDone>, ApiProblem> {
    let wrong = |wrong: f64| {
        ProblemKind::BadBody.problem(format!("a difficulty is a number above 0, found {wrong}"))
    };
    let wanted = difficulty.map(|wanted| Difficulty::new(wanted).ok_or_else(|| wrong(wanted)));
    let wanted = wanted.transpose()?;
    let (route, rig) = rigs::find(&api, &caller, &id)?;
    if !route.set_difficulty(rig.serial, wanted) {
        return Err(ProblemKind::NoSuchRig.problem(format!("{id} leaves already")));
    }
    let told = wanted.and_then(|wanted| Level::nearest(wanted).difficulty()).map(Difficulty::get);
    let worker = rig.shown().worker;
    info!(
        event = "api.act", who = %caller.name, rig = worker.as_deref(), id, difficulty = told,
        "rig's difficulty set"
    );
    Ok(Json(RigDone { id, difficulty: told }))
}

/// For how long a worker is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BanFor {
    /// In minutes, up to 30 days.
    #[schema(minimum = 1, maximum = 43200)]
    minutes: f64,
}

/// The longest time for which a worker can be refused, in minutes.
const LONGEST_BAN: f64 = 30.0 * 24.0 * 60.0;

/// A worker that something was done with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WorkerDone {
    /// Its name.
    pub worker: String,
    /// The routes on which something has changed.
    pub routes: Vec<String>,
    /// How many of its rigs are being closed.
    pub rigs_closed: usize,
}

impl WorkerDone {
    /// Nothing has been done yet.
    const fn nowhere(worker: String) -> Self {
        Self { worker, routes: Vec::new(), rigs_closed: 0 }
    }
}

/// Refuses a worker for a while, wherever it comes from, and closes its rigs. That outlasts a restart
/// where there is a state file.
#[utoipa::path(
    post, path = "/api/v1/workers/{name}/ban", tag = "operate",
    params(("name" = String, Path, description = "Its name, percent-encoded"), OnRoute),
    request_body = BanFor,
    responses((status = 200, description = "It is refused", body = WorkerDone))
)]
pub(super) async fn ban(
    State(api): State<Api>,
    caller: Caller,
    PathName(worker): PathName,
    QueryOf(on): QueryOf<OnRoute>,
    JsonBody(BanFor { minutes }): JsonBody<BanFor>,
) -> Result<Json<WorkerDone>, ApiProblem> {
    if !(1.0..=LONGEST_BAN).contains(&minutes) {
        let detail = format!("`minutes` is {minutes}, and from 1 to {LONGEST_BAN}");
        return Err(ProblemKind::BadBody.problem(detail));
    }
    sees(&caller, &worker)?;
    let mut done = WorkerDone::nowhere(worker);
    for route in api.routes(on.route.as_deref())? {
        done.routes.push(route.name().to_owned());
        done.rigs_closed += route.ban(&done.worker, Duration::from_secs_f64(60.0 * minutes));
    }
    let (worker, rigs) = (&done.worker, done.rigs_closed);
    info!(event = "api.act", who = %caller.name, worker, minutes, rigs, "worker banned");
    Ok(Json(done))
}

/// Lets a worker in again that is refused, by the operator or for what it sent.
#[utoipa::path(
    post, path = "/api/v1/workers/{name}/unban", tag = "operate",
    params(("name" = String, Path, description = "Its name, percent-encoded"), OnRoute),
    responses((status = 200, description = "It may come back", body = WorkerDone))
)]
pub(super) async fn unban(
    State(api): State<Api>,
    caller: Caller,
    PathName(worker): PathName,
    QueryOf(on): QueryOf<OnRoute>,
) -> Result<Json<WorkerDone>, ApiProblem> {
    sees(&caller, &worker)?;
    let mut done = WorkerDone::nowhere(worker);
    for route in api.routes(on.route.as_deref())? {
        if Arc::clone(&route).pardon(&done.worker) {
            done.routes.push(route.name().to_owned());
        }
    }
    info!(event = "api.act", who = %caller.name, worker = done.worker, "worker let in again");
    Ok(Json(done))
}

/// Forgets a worker of which no rig is connected: its books, and what was learnt of its rigs.
#[utoipa::path(
    delete, path = "/api/v1/workers/{name}", tag = "operate",
    params(("name" = String, Path, description = "Its name, percent-encoded"), OnRoute),
    responses((status = 200, description = "It is forgotten", body = WorkerDone))
)]
pub(super) async fn forget(
    State(api): State<Api>,
    caller: Caller,
    PathName(worker): PathName,
    QueryOf(on): QueryOf<OnRoute>,
) -> Result<Json<WorkerDone>, ApiProblem> {
    sees(&caller, &worker)?;
    let routes = api.routes(on.route.as_deref())?;
    for route in &routes {
        let rigs = route.worker(&worker).map_or(0, |worker| worker.rigs.len());
        if rigs > 0 {
            let detail = format!("{rigs} rigs of {worker:?} are on route {}", route.name());
            return Err(ProblemKind::WorkerOnline.problem(detail));
        }
    }
    let mut done = WorkerDone::nowhere(worker);
    for route in routes {
        let is_forgotten = Arc::clone(&route).forget(&done.worker);
        if !api.0.history.forget(route.name(), &done.worker) {
            let detail = "the history file cannot be written, and knows too much to forget more";
            return Err(ProblemKind::Busy.problem(detail));
        }
        if is_forgotten {
            done.routes.push(route.name().to_owned());
        }
    }
    if done.routes.is_empty() {
        let detail = format!("nothing is known of {:?}", done.worker);
        return Err(ProblemKind::NoSuchWorker.problem(detail));
    }
    info!(event = "api.act", who = %caller.name, worker = done.worker, "worker forgotten");
    Ok(Json(done))
}

fn sees(caller: &Caller, worker: &str) -> Result<(), ApiProblem> {
    if worker.len() > MAX_WORKER_NAME {
        let detail = format!("a worker's name has {MAX_WORKER_NAME} bytes at most");
        return Err(ProblemKind::BadPath.problem(detail));
    }
    if caller.sees(Some(worker)) { Ok(()) } else { Err(workers::no_such(worker)) }
}
