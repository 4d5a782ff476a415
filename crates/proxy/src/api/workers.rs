//! Workers: page by page, sorted, filtered, as a table for spreadsheets.

mod columns;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::problem::{ApiProblem, ProblemKind};
use super::request::{PathName, QueryOf};
use super::{Api, Caller, csv};
use crate::config::nearest::unknown;
use crate::running::RunningRoute;
use crate::watch::views::WorkerView;
use crate::watch::{WatchedWorker, WorkerState};
use columns::{COLUMNS, Column};

/// The table's media type.
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// Which workers are asked for, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WorkersQuery {
    /// So many are passed over.
    #[param(maximum = 1000000000)]
    offset: Option<usize>,
    /// So many at most; 100 unless given, and all of them in a table.
    #[param(maximum = 1000)]
    limit: Option<usize>,
    /// A column of the table by which they are sorted, with `-` before it from the largest down; by name
    /// unless given.
    sort: Option<String>,
    /// Those that are so.
    state: Option<WorkerState>,
    /// Those of this route.
    route: Option<String>,
    /// Those whose name has this in it, in capitals or not.
    search: Option<String>,
    /// As a table for spreadsheets, instead of JSON.
    format: Option<WorkersFormat>,
}

/// How workers are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkersFormat {
    /// As objects.
    #[default]
    Json,
    /// As RFC 4180 has it.
    Csv,
}

/// A page of workers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkerList {
    /// How many there are on all pages.
    total: usize,
    /// How many were passed over.
    offset: usize,
    /// How many there are on a page.
    limit: usize,
    /// Those on this page.
    workers: Vec<WorkerView>,
}

/// A worker and its route.
pub(super) struct Row {
    route: Arc<dyn RunningRoute>,
    worker: WatchedWorker,
}

/// The workers of all routes.
#[utoipa::path(
    get, path = "/api/v1/workers", tag = "farm", operation_id = "workers", params(WorkersQuery),
    responses((
        status = 200, description = "A page of workers, or the table",
        content((WorkerList = "application/json"), (String = "text/csv"))
    ))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    QueryOf(query): QueryOf<WorkersQuery>,
) -> Result<Response, ApiProblem> {
    let page = Page::asked(query.offset, query.limit)?;
    let (column, descending) = sorting(query.sort.as_deref().unwrap_or("name"))?;
    let rows = sorted(rows(&api, &caller, &query)?, column, descending);
    if query.format.unwrap_or_default() == WorkersFormat::Csv {
        let page = Page { limit: query.limit.unwrap_or(usize::MAX), ..page };
        let head: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        let cells = page.of(rows).map(|row| {
            let facts = row.worker.facts();
            COLUMNS.iter().map(|column| (column.cell)(&row, &facts)).collect()
        });
        return Ok(([(CONTENT_TYPE, CSV)], csv::table(&head, cells)).into_response());
    }
    let total = rows.len();
    let workers = page.of(rows).map(|row| row.route.worker_view(&row.worker)).collect();
    let list = WorkerList { total, offset: page.offset, limit: page.limit, workers };
    Ok(Json(list).into_response())
}

/// On which route a worker is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OnRoute {
    /// On this route.
    pub(super) route: Option<String>,
}

/// A worker.
#[utoipa::path(
    get, path = "/api/v1/workers/{name}", tag = "farm", operation_id = "worker",
    params(("name" = String, Path, description = "Its name, percent-encoded"), OnRoute),
    responses((status = 200, description = "The worker", body = WorkerView))
)]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    PathName(name): PathName,
    QueryOf(on): QueryOf<OnRoute>,
) -> Result<Json<WorkerView>, ApiProblem> {
    let routes = api.routes(on.route.as_deref())?;
    let found = routes.iter().filter_map(|route| Some((route, route.worker(&name)?)));
    let found: Vec<_> = found.filter(|_| caller.sees(Some(&name))).collect();
    match &found[..] {
        [(route, worker)] => Ok(Json(route.worker_view(worker))),
        [] => Err(no_such(&name)),
        several => {
            let routes: Vec<&str> = several.iter().map(|(route, _)| route.name()).collect();
            let detail = format!("{name:?} is on {}", routes.join(", "));
            Err(ProblemKind::WorkerOnSeveralRoutes.problem(detail))
        }
    }
}

/// Nobody is called so, as far as whoever asks may see.
pub(super) fn no_such(worker: &str) -> ApiProblem {
    ProblemKind::NoSuchWorker.problem(format!("no worker is named {worker:?}"))
}

/// By which column, and whether from the largest down.
fn sorting(asked: &str) -> Result<(&'static Column, bool), ApiProblem> {
    let (name, descending) = match asked.strip_prefix('-') {
        Some(name) => (name, true),
        None => (asked, false),
    };
    let column = COLUMNS.iter().find(|column| column.name == name);
    let column = column.ok_or_else(|| {
        let known: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        ProblemKind::BadQuery.problem(unknown("column", name, &known))
    })?;
    Ok((column, descending))
}

fn rows(api: &Api, caller: &Caller, query: &WorkersQuery) -> Result<Vec<Row>, ApiProblem> {
    let search = query.search.as_deref().map(str::to_lowercase);
    let fits = |worker: &WatchedWorker| {
        caller.sees(Some(&worker.name))
            && search.as_ref().is_none_or(|wanted| worker.name.to_lowercase().contains(wanted))
            && query.state.is_none_or(|wanted| worker.state() == wanted)
    };
    let mut rows = Vec::new();
    for route in api.routes(query.route.as_deref())? {
        let workers = route.workers().into_iter().filter(fits);
        rows.extend(workers.map(|worker| Row { route: Arc::clone(&route), worker }));
    }
    Ok(rows)
}

/// Sorted by a column; equal ones by name, so that pages fit together.
fn sorted(mut rows: Vec<Row>, column: &Column, descending: bool) -> Vec<Row> {
    let by_name = |row: &Row, other: &Row| {
        let names = row.worker.name.cmp(&other.worker.name);
        names.then_with(|| row.route.name().cmp(other.route.name()))
    };
    // Nothing has to be looked up for that.
    if column.name == "name" {
        rows.sort_unstable_by(by_name);
        if descending {
            rows.reverse();
        }
        return rows;
    }
    let keyed = rows.into_iter().map(|row| ((column.cell)(&row, &row.worker.facts()), row));
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_unstable_by(|(key, row), (other_key, other)| {
        key.order(other_key, descending).then_with(|| by_name(row, other))
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// What may be sorted by.
pub(super) fn sort_words() -> Vec<String> {
    let names = COLUMNS.iter().map(|column| column.name);
    names.flat_map(|name| [name.to_owned(), format!("-{name}")]).collect()
}
