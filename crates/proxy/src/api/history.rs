//! What became of shares in earlier hours and days.

use axum::Json;
use axum::extract::State;
use orepass_stratum::verdict::Verdict;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{ApiProblem, ProblemKind};
use super::request::QueryOf;
use super::{Api, Caller, workers};
use crate::clock::{rfc3339, unix_seconds};
use crate::history::{HistoryPoint, HistoryUnread, Resolution, SeriesKey};
use crate::watch::views::ByVerdict;

/// How far back is shown unless asked otherwise, in parts of time.
const USUAL_PARTS: u64 = 60;
/// The most parts of time that are shown at once, the newest: a day of minutes, ten days of ten minutes.
const MAX_PARTS: u64 = 1500;

/// Whose history is asked for, and which part of it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Of what.
    kind: HistoryKind,
    /// The route's name.
    route: String,
    /// The worker's or pool's name; none for a route.
    name: Option<String>,
    /// From this time on, in Unix seconds; some sixty parts before `to` unless given, 1,500 at most.
    #[param(maximum = 1099511627776_u64)]
    from: Option<u64>,
    /// Up to this time, in Unix seconds; now unless given.
    #[param(maximum = 1099511627776_u64)]
    to: Option<u64>,
    /// How long each part of time is; a minute unless given. Minutes are kept for a day, ten minutes for
    /// 30 days, hours for two years.
    resolution: Option<HistoryStep>,
}

/// What has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HistoryKind {
    /// A worker of a route.
    Worker,
    /// A route.
    Route,
    /// A pool of a route.
    Pool,
}

/// How long a part of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HistoryStep {
    /// A minute.
    Minute,
    /// Ten minutes.
    TenMinutes,
    /// An hour.
    Hour,
}

/// A history: parts of time in which something was, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryView {
    /// How long each part is.
    step_s: u64,
    /// The parts. Those in which nothing was are left out.
    points: Vec<HistoryPointView>,
}

/// What became of shares in a part of time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryPointView {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// For how much of it the worker had a rig, the route a pool, or the pool served.
    online_s: u16,
    /// How many shares ended in which way.
    shares: ByVerdict<u64>,
    /// The work that they stand for, at the targets that rigs were told.
    work_hashes: ByVerdict<f64>,
    /// The work that pools credited, at their own targets.
    credited_hashes: f64,
}

/// What became of the shares of a worker, route or pool over time.
#[utoipa::path(
    get, path = "/api/v1/history", tag = "farm", operation_id = "history", params(HistoryQuery),
    responses((status = 200, description = "The history", body = HistoryView))
)]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    QueryOf(query): QueryOf<HistoryQuery>,
) -> Result<Json<HistoryView>, ApiProblem> {
    let HistoryQuery { kind, route, name, from, to, resolution } = query;
    // Nobody is called so, and there is nothing to show then.
    let name = name.unwrap_or_default();
    let key = match kind {
        HistoryKind::Worker => {
            if !caller.sees(Some(&name)) {
                return Err(workers::no_such(&name));
            }
            SeriesKey::worker(&route, &name)
        }
        _ if !caller.sees_all() => {
            let detail = "the history of a route or pool is for those who see all workers";
            return Err(ProblemKind::TokenForWorkers.problem(detail));
        }
        HistoryKind::Route => SeriesKey::route(&route),
        HistoryKind::Pool => SeriesKey::pool(&route, &name),
    };
    let resolution = match resolution.unwrap_or(HistoryStep::Minute) {
        HistoryStep::Minute => Resolution::Minute,
        HistoryStep::TenMinutes => Resolution::TenMinutes,
        HistoryStep::Hour => Resolution::Hour,
    };
    let step = resolution.seconds();
    let to = to.unwrap_or_else(unix_seconds);
    let from = from.unwrap_or_else(|| to.saturating_sub(USUAL_PARTS * step));
    let from = from.max(to.saturating_sub(MAX_PARTS * step));
    let points = match api.0.history.read(key, from, to, resolution).await {
        Ok(points) => points,
        Err(HistoryUnread::NotKept) => Vec::new(),
        Err(error @ HistoryUnread::Busy) => {
            return Err(ProblemKind::Busy.problem(error.to_string()));
        }
        Err(error @ HistoryUnread::Unreadable(_)) => {
            return Err(ProblemKind::Broken.problem(error.to_string()));
        }
    };
    Ok(Json(HistoryView { step_s: step, points: points.iter().map(Into::into).collect() }))
}

impl From<&HistoryPoint> for HistoryPointView {
    fn from(point: &HistoryPoint) -> Self {
        let part = &point.part;
        Self {
            at: rfc3339(1000 * point.start),
            online_s: part.seconds_online,
            shares: ByVerdict::of(|verdict: Verdict| part.count(verdict)),
            work_hashes: ByVerdict::of(|verdict: Verdict| part.work(verdict)),
            credited_hashes: part.credited(),
        }
    }
}
