//! The API's description, as OpenAPI 3.1 has it: made of the paths themselves, and what holds for all of
//! them.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    OpenApiVersion, PathItem, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::events::EventLevel;
use super::history::{HistoryKind, HistoryStep};
use super::paths;
use super::problem::{ApiProblem, PROBLEM_JSON, ProblemAt, ProblemKind};
use super::request::{Nothing, QueryOf};
use super::workers::{WorkersFormat, sort_words};

/// How tokens are called in it.
const TOKEN: &str = "token";

/// It as text; it never changes.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string(&whole()).unwrap_or_default());

/// This description.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "process", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(super) async fn document(QueryOf(Nothing {}): QueryOf<Nothing>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// What is above the paths.
pub(super) fn head() -> OpenApi {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let scheme = scheme.description(Some("The token of an [[api.token]] in the config."));
    let license = LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build();
    let info = InfoBuilder::new()
        .title("Orepass")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Rates end in `_hs`, in hashes per second; times in `_s`, in seconds; work in `_hashes`. \
             What fails is told as `application/problem+json` (RFC 9457) with a stable `code`.",
        ))
        .license(Some(license));
    let components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(scheme.build()))
        .schema(ApiProblem::name(), ApiProblem::schema())
        .schema(ProblemAt::name(), ProblemAt::schema())
        // What stands only behind the `?` is not found by itself.
        .schema(EventLevel::name(), EventLevel::schema())
        .schema(HistoryKind::name(), HistoryKind::schema())
        .schema(HistoryStep::name(), HistoryStep::schema())
        .schema(WorkersFormat::name(), WorkersFormat::schema());
    let mut document =
        OpenApiBuilder::new().info(info.build()).components(Some(components.build())).build();
    document.openapi = OpenApiVersion::Version31;
    document
}

/// All of it.
fn whole() -> OpenApi {
    let mut document = paths().into_openapi();
    for (path, item) in &mut document.paths.paths {
        for (writes, operation) in operations(item) {
            finish(path, writes, operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let reads = item.get.as_mut().map(|operation| (false, operation));
    let writes = [item.post.as_mut(), item.delete.as_mut()].into_iter().flatten();
    reads.into_iter().chain(writes.map(|operation| (true, operation)))
}

/// Adds what holds for many paths: who may ask, and what may be wrong.
fn finish(path: &str, writes: bool, operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let names_something = path.contains('{');
    let is_farm = path.starts_with("/api/");
    let mut kinds = vec![
        ProblemKind::BadQuery,
        ProblemKind::MethodNotAllowed,
        ProblemKind::HostNotAllowed,
        ProblemKind::Stopping,
        ProblemKind::Broken,
    ];
    if is_farm {
        kinds.extend([ProblemKind::TokenMissing, ProblemKind::TokenForWorkers]);
        let token = SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, []);
        let nobody = (!writes).then(SecurityRequirement::default);
        operation.security = Some(nobody.into_iter().chain([token]).collect());
    }
    let asks_by_route = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => {
            parameter.parameter_in == ParameterIn::Query && parameter.name == "route"
        }
        RefOr::Ref(_) => false,
    });
    if names_something || asks_by_route {
        kinds.push(ProblemKind::NoSuchPath);
    }
    if writes || names_something {
        kinds.push(ProblemKind::Busy);
    }
    if has_body {
        kinds.extend([ProblemKind::BodyTooLarge, ProblemKind::NotJson]);
    }
    if path.ends_with("/reload") {
        kinds.push(ProblemKind::ConfigRefused);
    }
    if path.ends_with("/upgrade") {
        kinds.push(ProblemKind::UpgradeFailed);
    }
    for kind in kinds {
        let (status, _, title, _) = kind.words();
        let schema = RefOr::Ref(Ref::from_schema_name(ApiProblem::name()));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let title = if kind == ProblemKind::NoSuchPath { "There is no such thing" } else { title };
        let response =
            ResponseBuilder::new().description(title).content(PROBLEM_JSON, content).build();
        let status = status.as_u16().to_string();
        operation.responses.responses.entry(status).or_insert(RefOr::T(response));
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "sort"
        {
            let words = ObjectBuilder::new().schema_type(Type::String);
            parameter.schema = Some(words.enum_values(Some(sort_words())).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_version_3_1_and_has_each_path_with_its_problems() {
        let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let ban = &document["paths"]["/api/v1/workers/{name}/ban"]["post"];
        for status in ["200", "400", "401", "403", "404", "409", "413", "415", "421"] {
            assert!(ban["responses"][status].is_object(), "{status}: {ban}");
        }
        assert_eq!(ban["security"], serde_json::json!([{"token": []}]));
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() > 15, "{paths:?}");
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            }
        }
    }
}
