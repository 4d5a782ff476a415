//! The process itself: its config, and what it can be told.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tracing::info;
use utoipa::ToSchema;

use super::problem::{ApiProblem, ProblemAt, ProblemKind};
use super::request::{Nothing, QueryOf};
use super::server::Connected;
use super::{Api, Caller};
use crate::supervisor::{ControlRequest, ReloadRefusal};

/// The most problems of a config that are told one by one.
const MAX_PROBLEMS: usize = 50;
/// How long an upgrade may take to be answered: its own limits are shorter.
const UPGRADED_WITHIN: Duration = Duration::from_secs(180);

/// What has changed.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ReloadChanges {
    /// Line by line.
    pub changed: Vec<String>,
    /// What is put off to the next start or upgrade.
    pub at_restart: Vec<String>,
    /// Which routes do not have their changes, since a fault in Orepass was in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// The new process.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Upgraded {
    /// Its id.
    pub pid: u32,
}

/// What is at work.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Serialize, Deserialize, ToSchema)]
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

/// Reads the config again, and changes what is different.
#[utoipa::path(
    post, path = "/api/v1/reload", tag = "process",
    responses((status = 200, description = "What has changed", body = ReloadChanges))
)]
pub(super) async fn reload(
    State(api): State<Api>,
    caller: Caller,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<ReloadChanges>, ApiProblem> {
    info!(event = "api.act", who = %caller.name, "reload");
    api.ask(ControlRequest::Reload).await?.map(Json).map_err(|refusal| not_reloaded(&refusal))
}

/// Hands over to a new process of the program.
#[utoipa::path(
    post, path = "/api/v1/upgrade", tag = "process",
    responses((status = 200, description = "The new process", body = Upgraded))
)]
pub(super) async fn upgrade(
    State(api): State<Api>,
    caller: Caller,
    Extension(connected): Extension<Connected>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<Upgraded>, ApiProblem> {
    info!(event = "api.act", who = %caller.name, "upgrade");
    connected.extend(UPGRADED_WITHIN);
    let upgraded = api.ask(ControlRequest::Upgrade).await?;
    let pid = upgraded.map_err(|why| ProblemKind::UpgradeFailed.problem(why))?;
    Ok(Json(Upgraded { pid }))
}

/// What is at work, in short.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "process",
    responses((status = 200, description = "What is at work", body = Status))
)]
pub(super) async fn status(
    State(api): State<Api>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<Status>, ApiProblem> {
    api.ask(ControlRequest::Status).await.map(Json)
}

/// The config in force, with the defaults and without secrets.
#[utoipa::path(
    get, path = "/api/v1/config", tag = "process",
    responses((status = 200, description = "The keys of the config file, as JSON", body = Object))
)]
pub(super) async fn config(
    State(api): State<Api>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Result<Json<serde_json::Value>, ApiProblem> {
    api.ask(ControlRequest::Config).await.map(Json)
}

fn not_reloaded(refusal: &ReloadRefusal) -> ApiProblem {
    let kind = match refusal {
        ReloadRefusal::Busy | ReloadRefusal::HandingOver => ProblemKind::Busy,
        _ => ProblemKind::ConfigRefused,
    };
    let problems = refusal.invalid().map(ProblemAt::all);
    let problems = problems.map(|problems| problems.take(MAX_PROBLEMS).collect());
    ApiProblem { problems: problems.unwrap_or_default(), ..kind.problem(refusal.to_string()) }
}
