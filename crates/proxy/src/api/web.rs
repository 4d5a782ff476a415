//! The page for operators: files that are part of the program. They tell nothing of the farm, which the page
//! asks the API for, so everybody may have them who may connect.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What a browser may do with it: names and agents come from rigs, and must never be more than text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file's path, and what is in it.
type WebFile = (&'static str, &'static [u8]);

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../web/", $path)))),*]
    };
}

const FILES: &[WebFile] = files![
    "app.css",
    "icon.svg",
    "index.html",
    "js/api.js",
    "js/chart.js",
    "js/dialog.js",
    "js/farm.js",
    "js/figure.js",
    "js/format.js",
    "js/history.js",
    "js/main.js",
    "js/marks.js",
    "js/memory.js",
    "js/pace.js",
    "js/parts.js",
    "js/route.js",
    "js/theme.js",
    "js/vendors.js",
    "js/views/about.js",
    "js/views/connect.js",
    "js/views/events.js",
    "js/views/now.js",
    "js/views/pools.js",
    "js/views/rigs.js",
    "js/views/worker.js",
    "js/words.js",
    "vendor/lit-html.LICENSE",
    "vendor/lit-html.js",
    "vendor/uPlot.LICENSE",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
];

/// The page at `/`, and its files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let index = FILES.iter().find(|(path, _)| *path == "index.html");
    let router = index.map_or_else(Router::new, |file| Router::new().route("/", served(*file)));
    FILES.iter().fold(router, |router, file| router.route(&format!("/{}", file.0), served(*file)))
}

/// Whether a path is one of the page's.
pub(super) fn is_file(path: &str) -> bool {
    path == "/"
        || path.strip_prefix('/').is_some_and(|path| FILES.iter().any(|(of, _)| *of == path))
}

fn served<S: Clone + Send + Sync + 'static>(
    (path, bytes): WebFile,
) -> axum::routing::MethodRouter<S> {
    get(move || async move { file(path, bytes) })
}

fn file(path: &str, bytes: &'static [u8]) -> Response {
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Another version of the program has other files under the same names.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn collect(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, found);
            } else if path.extension().is_none_or(|kind| kind != "md") {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn each_file_of_the_page_is_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut found = BTreeSet::new();
        collect(&root, &root, &mut found);
        let served: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(served, found);
        assert!(is_file("/") && is_file("/js/views/now.js") && !is_file("/api/v1/summary"));
    }

    #[tokio::test]
    async fn a_file_comes_with_its_kind_and_with_what_a_browser_may_do() {
        let (path, bytes) = FILES.iter().find(|(path, _)| *path == "js/main.js").unwrap();
        let response = file(path, bytes);
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header(CONTENT_TYPE), "text/javascript; charset=utf-8");
        assert!(header(CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"));
    }
}
