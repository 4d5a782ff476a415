//! What needs somebody.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::request::{Nothing, QueryOf};
use crate::watch::DiagnosticView;

/// What needs somebody at the moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DiagnosticList {
    /// The worst first. Empty where nobody is needed.
    diagnostics: Vec<DiagnosticView>,
}

/// What needs somebody.
#[utoipa::path(
    get, path = "/api/v1/diagnostics", tag = "farm", operation_id = "diagnostics",
    responses((status = 200, description = "What needs somebody", body = DiagnosticList))
)]
pub(super) async fn list(
    State(api): State<Api>,
    QueryOf(Nothing {}): QueryOf<Nothing>,
) -> Json<DiagnosticList> {
    Json(DiagnosticList { diagnostics: api.0.diagnostics.all() })
}
