//! `orepass ctl`: asks a process at work for something.

mod tables;

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::asking::{ApiClient, ApiRequest, AskError, encoded, query};
use crate::api::ReloadChanges;
use crate::cli::{Ctl, CtlCommand, ListArgs, WorkerArg};

/// How long an answer may take: an upgrade has its own limits, which are shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(170);

/// Asks, and prints the answer.
///
/// # Errors
/// An [`AskError`], which knows its exit code.
pub fn ctl(ctl: &Ctl) -> Result<Outcome, AskError> {
    let asker = ApiClient::new(&ctl.ask, ANSWER_WITHIN)?;
    let request = request(&ctl.command, &asker)?;
    let answer = asker.ask(&request);
    if let (true, Err(AskError::Refused(problem))) = (ctl.json, &answer) {
        // Plain texts and numbers always serialize.
        let _ = writeln!(io::stdout(), "{}", serde_json::to_string(problem).unwrap_or_default());
    }
    let answer = answer?;
    let outcome = match &ctl.command {
        CtlCommand::Reload if !answer.read::<ReloadChanges>()?.faults.is_empty() => {
            Outcome::Failure
        }
        _ => Outcome::Success,
    };
    let text = if ctl.json { answer.text } else { tables::said(&ctl.command, &answer)? };
    // Who hangs up early has seen enough.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    Ok(outcome)
}

/// What a process at work is asked.
fn request(command: &CtlCommand, asker: &ApiClient) -> Result<ApiRequest, AskError> {
    let get = |path: String| ApiRequest::get(path);
    let post = |path: String, body| ApiRequest::post(path, body);
    Ok(match command {
        CtlCommand::Reload => post("reload".into(), None),
        CtlCommand::Upgrade => post("upgrade".into(), None),
        CtlCommand::Status => get("status".into()),
        CtlCommand::Summary => get("summary".into()),
        CtlCommand::Workers { list, sort, search } => {
            let more = [("sort", sort.clone()), ("search", search.clone())];
            get(format!("workers{}", query(list.pairs().into_iter().chain(more))))
        }
        CtlCommand::Rigs { list, worker } => {
            let more = [("worker", worker.clone())];
            get(format!("rigs{}", query(list.pairs().into_iter().chain(more))))
        }
        CtlCommand::Kick { rig } => post(format!("rigs/{}/kick", encoded(rig)), None),
        CtlCommand::Difficulty { rig, difficulty } => {
            let body = json!({"difficulty": difficulty.0});
            post(format!("rigs/{}/difficulty", encoded(rig)), Some(body))
        }
        CtlCommand::Ban { worker, minutes } => {
            let path = format!("workers/{}/ban{}", encoded(&worker.name), worker.query());
            post(path, Some(json!({"minutes": minutes})))
        }
        CtlCommand::Unban { worker } => {
            post(format!("workers/{}/unban{}", encoded(&worker.name), worker.query()), None)
        }
        CtlCommand::Forget { worker } => {
            let path = format!("workers/{}{}", encoded(&worker.name), worker.query());
            ApiRequest::delete(path)
        }
        CtlCommand::Switch { pool, route, back } => {
            let route = match route {
                Some(route) => route.clone(),
                None => route_of(asker, pool)?,
            };
            let body = json!({"route": route, "preferred": !back});
            post(format!("pools/{}/switch", encoded(pool)), Some(body))
        }
    })
}

/// The one route that has a pool of this name.
fn route_of(asker: &ApiClient, pool: &str) -> Result<String, AskError> {
    let body: Value = asker.ask(&ApiRequest::get("pools"))?.read()?;
    let pools = body["pools"].as_array().into_iter().flatten();
    let mut routes: Vec<&str> = pools
        .filter(|known| known["name"] == pool)
        .filter_map(|known| known["route"].as_str())
        .collect();
    routes.dedup();
    match routes[..] {
        [route] => Ok(route.to_owned()),
        [] => Err(AskError::Unclear(format!("no route has a pool {pool:?}"))),
        _ => {
            let routes = routes.join(", ");
            Err(AskError::Unclear(format!(
                "several routes have a pool {pool:?}: say which with --route: {routes}"
            )))
        }
    }
}

impl ListArgs {
    fn pairs(&self) -> [(&'static str, Option<String>); 4] {
        [
            ("route", self.route.clone()),
            ("state", self.state.clone()),
            ("limit", Some(self.limit.to_string())),
            ("offset", Some(self.offset.to_string())),
        ]
    }
}

impl WorkerArg {
    fn query(&self) -> String {
        query([("route", self.route.clone())])
    }
}
