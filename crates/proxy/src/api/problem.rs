//! What is wrong with a request, or with what it asks for, as RFC 9457 has it.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Invalid;

/// Where each problem is explained, by its code.
const EXPLAINED_AT: &str = "https://github.com/orepass/orepass/blob/main/docs/api.md#";

/// Its media type.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request is not answered as it was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiProblem {
    /// Where it is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What it is this time.
    pub detail: String,
    /// The kind of problem, for programs: it stays what it is.
    pub code: String,
    /// What to do about it.
    pub remedy: String,
    /// What is wrong with a config, each at its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemAt>,
}

/// Something that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemAt {
    /// The file.
    pub file: String,
    /// From 1; none where it stands nowhere in the file.
    pub line: Option<usize>,
    /// From 1.
    pub column: Option<usize>,
    /// What, with the nearest key that there is, where that is the remedy.
    pub message: String,
}

impl ProblemAt {
    /// All that is wrong with a config.
    pub(crate) fn all(invalid: &Invalid) -> impl Iterator<Item = Self> {
        invalid.problems().iter().map(|problem| {
            let place = invalid.place(problem);
            Self {
                file: invalid.file().to_owned(),
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                message: problem.message.clone(),
            }
        })
    }
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    NoSuchPath,
    MethodNotAllowed,
    BadPath,
    BadQuery,
    BadBody,
    NotJson,
    BodyTooLarge,
    HostNotAllowed,
    TokenMissing,
    TokenUnknown,
    TokenOnlyReads,
    TokenForWorkers,
    NoSuchRoute,
    NoSuchPool,
    NoSuchWorker,
    NoSuchRig,
    WorkerOnSeveralRoutes,
    WorkerOnline,
    ConfigRefused,
    UpgradeFailed,
    NotReady,
    Busy,
    Stopping,
    TooManyStreams,
    TooManyConnections,
    Broken,
}

impl ProblemKind {
    #[cfg(test)]
    pub(super) const ALL: [Self; 26] = [
        Self::NoSuchPath,
        Self::MethodNotAllowed,
        Self::BadPath,
        Self::BadQuery,
        Self::BadBody,
        Self::NotJson,
        Self::BodyTooLarge,
        Self::HostNotAllowed,
        Self::TokenMissing,
        Self::TokenUnknown,
        Self::TokenOnlyReads,
        Self::TokenForWorkers,
        Self::NoSuchRoute,
        Self::NoSuchPool,
        Self::NoSuchWorker,
        Self::NoSuchRig,
        Self::WorkerOnSeveralRoutes,
        Self::WorkerOnline,
        Self::ConfigRefused,
        Self::UpgradeFailed,
        Self::NotReady,
        Self::Busy,
        Self::Stopping,
        Self::TooManyStreams,
        Self::TooManyConnections,
        Self::Broken,
    ];

    /// Its status, code, title and remedy.
    pub(super) const fn words(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::NoSuchPath => (
                StatusCode::NOT_FOUND,
                "no_such_path",
                "There is no such path",
                "look at /api/v1/openapi.json for those that there are",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The path takes another method",
                "use a method of the `Allow` header",
            ),
            Self::BadPath => (
                StatusCode::BAD_REQUEST,
                "bad_path",
                "The path makes no sense",
                "percent-encode names as UTF-8",
            ),
            Self::BadQuery => (
                StatusCode::BAD_REQUEST,
                "bad_query",
                "The query makes no sense",
                "look at /api/v1/openapi.json for what the path takes behind the `?`",
            ),
            Self::BadBody => (
                StatusCode::BAD_REQUEST,
                "bad_body",
                "The body makes no sense",
                "look at /api/v1/openapi.json for what the path takes as its body",
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "The body is not said to be JSON",
                "send JSON with the header `Content-Type: application/json`",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body is too large",
                "send 64 KiB at most",
            ),
            Self::HostNotAllowed => (
                StatusCode::MISDIRECTED_REQUEST,
                "host_not_allowed",
                "The API is not known by this name",
                "call it by its address, or add the name to `hosts` in [api]",
            ),
            Self::TokenMissing => (
                StatusCode::UNAUTHORIZED,
                "token_missing",
                "A token is needed",
                "send `Authorization: Bearer …` with the token of an [[api.token]] in the config",
            ),
            Self::TokenUnknown => (
                StatusCode::UNAUTHORIZED,
                "token_unknown",
                "The token is unknown",
                "send the token of an [[api.token]] in the config; a reload makes new ones known",
            ),
            Self::TokenOnlyReads => (
                StatusCode::FORBIDDEN,
                "token_only_reads",
                "The token is for looking only",
                "use one of an [[api.token]] with may = \"act\"",
            ),
            Self::TokenForWorkers => (
                StatusCode::FORBIDDEN,
                "token_for_workers",
                "The token is for some workers only",
                "use one of an [[api.token]] without `workers`",
            ),
            Self::NoSuchRoute => (
                StatusCode::NOT_FOUND,
                "no_such_route",
                "There is no such route",
                "look at /api/v1/routes for those that there are",
            ),
            Self::NoSuchPool => (
                StatusCode::NOT_FOUND,
                "no_such_pool",
                "There is no such pool",
                "look at /api/v1/pools for those that there are",
            ),
            Self::NoSuchWorker => (
                StatusCode::NOT_FOUND,
                "no_such_worker",
                "There is no such worker",
                "look at /api/v1/workers for those that there are; a name is percent-encoded",
            ),
            Self::NoSuchRig => (
                StatusCode::NOT_FOUND,
                "no_such_rig",
                "There is no such rig",
                "look at /api/v1/rigs for those that are connected; one that comes back is another",
            ),
            Self::WorkerOnSeveralRoutes => (
                StatusCode::CONFLICT,
                "worker_on_several_routes",
                "Workers of several routes have this name",
                "say which route: `?route=`",
            ),
            Self::WorkerOnline => (
                StatusCode::CONFLICT,
                "worker_online",
                "The worker has rigs that are connected",
                "have them leave first, or ban it",
            ),
            Self::ConfigRefused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "config_refused",
                "The config is not taken, nothing has changed",
                "mend the config and ask again; `orepass check` says the same",
            ),
            Self::UpgradeFailed => (
                StatusCode::BAD_GATEWAY,
                "upgrade_failed",
                "The new process did not take over, this one serves on",
                "see what the log of the new process says",
            ),
            Self::NotReady => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not_ready",
                "A route has no pool that serves",
                "see /api/v1/pools for what is wrong with its pools",
            ),
            Self::Busy => (
                StatusCode::CONFLICT,
                "busy",
                "Something like that is being done",
                "ask again in a moment",
            ),
            Self::Stopping => (
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "The proxy stops",
                "ask again when it has started",
            ),
            Self::TooManyStreams => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_streams",
                "There are as many live streams as may be",
                "close one, or ask for /api/v1/events now and then",
            ),
            Self::TooManyConnections => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_connections",
                "As many connections to the API are open as may be",
                "close one, or ask again in a moment",
            ),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "broken",
                "A fault in orepass",
                "please report it; the log has more",
            ),
        }
    }

    /// One of this kind.
    pub(super) fn problem(self, detail: impl Into<String>) -> ApiProblem {
        let (status, code, title, remedy) = self.words();
        ApiProblem {
            kind: format!("{EXPLAINED_AT}{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            remedy: remedy.to_owned(),
            problems: Vec::new(),
        }
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_one_of_a_kind_and_explained() {
        let docs = include_str!("../../tests/docs/api.md");
        let mut codes: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.words().1).collect();
        for code in &codes {
            assert!(docs.contains(&format!("\n#### {code}\n")), "{code} is not explained");
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
    }
}
