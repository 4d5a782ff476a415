//! Reading requests: what stands in the path, behind the `?` and in the body, or the problem with it.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::IntoParams;

use super::access::Caller;
use super::problem::{ApiProblem, ProblemKind};
use crate::config::nearest;

/// A name in the path.
pub(super) struct PathName(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) =
            path.map_err(|rejection| ProblemKind::BadPath.problem(rejection.body_text()))?;
        Ok(Self(name))
    }
}

/// What stands behind the `?`: keys that the path knows, each once.
pub(super) struct QueryOf<T>(pub(super) T);

/// What a path takes behind the `?` that takes nothing.
#[derive(serde::Deserialize, IntoParams)]
pub(super) struct Nothing {}

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        let wrong = |what: String| ProblemKind::BadQuery.problem(what);
        let known: Vec<String> =
            T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let mut seen = HashSet::new();
        let query = parts.uri.query().unwrap_or_default();
        for (key, _) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*key) {
                return Err(wrong(nearest::unknown("parameter", &key, &known)));
            }
            if !seen.insert(key.clone()) {
                return Err(wrong(format!("the parameter `{key}` is there twice")));
            }
        }
        let read = Query::<T>::try_from_uri(&parts.uri);
        let Query(asked) = read.map_err(|rejection| wrong(rejection.body_text()))?;
        Ok(Self(asked))
    }
}

/// A body of JSON.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(ProblemKind::NotJson.problem(format!("its Content-Type is {kind:?}")));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        let read = serde_json::from_slice(&bytes);
        let told = read.map_err(|error| ProblemKind::BadBody.problem(error.to_string()))?;
        Ok(Self(told))
    }
}

fn unread(rejection: BytesRejection) -> ApiProblem {
    let what = rejection.body_text();
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge.problem(what),
        _ => ProblemKind::BadBody.problem(what),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ProblemKind::Broken.problem("nobody has let this request in"))
    }
}
