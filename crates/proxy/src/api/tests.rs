use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use orepass_hstratum::{Hstratum, Options};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::verdict::Verdict;
use serde_json::Value;

use super::*;
use crate::config::{PoolAccount, RouteConfig};
use crate::history::History;
use crate::net::connect::Tcp;
use crate::route::{Route, Surroundings};

const WORKERS: usize = 10_000;

/// A route with so many workers, each with a rig that has sent something.
fn crowded() -> (Arc<Route<Hstratum>>, Vec<crate::rig::roster::RosterEntry>) {
    let url = "stratum+tcp://127.0.0.1:1".parse().unwrap();
    let pool = PoolAccount::new("pool".parse().unwrap(), url, "account".parse().unwrap());
    let config = RouteConfig::new("hns".parse().unwrap(), Hstratum::NAME, vec![pool]);
    let dialects = vec![Arc::new(Hstratum::new(Options::default()))];
    let route = Route::start(config, dialects, Surroundings::new(Arc::new(Tcp)), vec![]);
    let enter = |number: usize| {
        let entry = route.roster().enter(([10, 0, 0, 1], 1 + number as u16).into());
        let name: Arc<str> = format!("farm.r{number}").into();
        let worker = route.roster().expect(&name).unwrap();
        for book in [&worker, entry.rig().book()] {
            for _ in 0..number % 50 {
                book.book().sent();
                book.book().ended(Verdict::Stale, 1e9);
            }
        }
        entry.rig().show(|rig| rig.worker = Some(name));
        entry
    };
    let entries = (0..WORKERS).map(enter).collect();
    (route, entries)
}

async fn get(router: &Router, path: &str) -> (Value, Duration) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let begun = now();
    let response = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let body = to_bytes(response.into_body(), 1 << 26).await.unwrap();
    let took = now().saturating_duration_since(begun);
    (serde_json::from_slice(&body).unwrap_or_default(), took)
}

#[tokio::test]
async fn a_page_of_ten_thousand_workers_is_there_in_no_time() {
    let (route, _entries) = crowded();
    let at_work = AtWork::default();
    at_work.set([Arc::clone(&route) as Arc<dyn RunningRoute>]);
    let (asks, _requests) = mpsc::channel(1);
    let api = Api::new(at_work, asks, Process::default(), Diagnostics::default(), History::off());
    let router = api.router().layer(Extension(Caller::owner("test")));
    let mut times = Vec::new();
    for path in [
        "/api/v1/workers?limit=100",
        "/api/v1/workers?limit=100&sort=-stale&offset=5000",
        "/api/v1/workers?limit=100&sort=accepted_1h_hs&state=online",
        "/api/v1/rigs?limit=100",
        "/api/v1/workers?format=csv",
        "/metrics",
        "/metrics/workers",
        "/api/v1/summary",
    ] {
        let (page, took) = get(&router, path).await;
        times.push((path, took));
        if let Some(total) = page["total"].as_u64() {
            assert_eq!(total, WORKERS as u64, "{path}");
        }
        if path.contains("-stale") {
            assert_eq!(page["workers"][0]["shares"]["stale"], 24, "{path}");
        }
    }
    println!("{times:?}");
    // Generous: the machine may be busy, and this is no optimised build.
    assert!(times.iter().all(|(_, took)| *took < Duration::from_secs(5)), "{times:?}");
    route.stop().await;
}
