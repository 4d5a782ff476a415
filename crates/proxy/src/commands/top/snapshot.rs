//! All of it once, as JSON.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::data::RouteSeen;
use super::sentence::sentence;
use super::words::STATES;
use crate::commands::asking::{ApiClient, ApiRequest, AskError, query};

/// The most workers in it, those first that have sent nothing for the longest time.
const WORKERS: usize = 100;
/// The most events in it.
const EVENTS: usize = 50;

/// Asks for all of it, and prints it as one line.
pub(super) fn print(asker: &ApiClient) -> Result<(), AskError> {
    let workers = format!("workers?sort=-last_share_age_s&limit={WORKERS}");
    let workers: Value = asker.ask(&ApiRequest::get(workers))?.read()?;
    let summary = seen(asker, "summary")?;
    let mut routes = Vec::new();
    for route in summary["routes"].as_array().into_iter().flatten() {
        // What cannot be read as a route is none.
        let known = serde_json::from_value(route.clone()).unwrap_or_default();
        routes.push(in_short(asker, &known)?);
    }
    let events = seen(asker, &format!("events?limit={EVENTS}"))?;
    let all = json!({
        "asked": asker.place(),
        "routes": routes,
        "summary": summary,
        "diagnostics": seen(asker, "diagnostics")?["diagnostics"],
        "workers": workers,
        "events": events["events"],
    });
    // Who hangs up early has seen enough.
    let _ = writeln!(io::stdout(), "{all}");
    Ok(())
}

/// What is at a path; nothing for whoever may see some workers alone.
fn seen(asker: &ApiClient, path: &str) -> Result<Value, AskError> {
    match asker.ask(&ApiRequest::get(path)) {
        Ok(answer) => answer.read(),
        Err(AskError::Refused(problem)) if problem.code == "token_for_workers" => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

/// A route in one sentence, and how many of its workers are how.
fn in_short(asker: &ApiClient, route: &RouteSeen) -> Result<Value, AskError> {
    let mut counts = [0; STATES.len()];
    let mut workers = Map::new();
    for (word, count) in STATES.iter().zip(&mut counts) {
        let pairs = [
            ("route", Some(route.name.clone())),
            ("state", Some(word.word.to_owned())),
            ("limit", Some("0".to_owned())),
        ];
        let list: Value =
            asker.ask(&ApiRequest::get(format!("workers{}", query(pairs))))?.read()?;
        *count = list["total"].as_u64().unwrap_or(0);
        workers.insert(word.word.to_owned(), (*count).into());
    }
    let (_, text) = sentence(route, counts);
    Ok(json!({"name": route.name, "sentence": text, "workers": workers}))
}
