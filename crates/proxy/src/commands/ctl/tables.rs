//! What a process at work has answered, for people.

use orepass_stratum::error::shown;
use serde_json::Value;

use super::AskError;
use crate::api::{ReloadChanges, RigDone, Status, Switched, Upgraded, WorkerDone};
use crate::cli::CtlCommand;
use crate::commands::asking::ApiAnswer;
use crate::hash_rate::HashRate;

/// An answer in words.
pub(super) fn said(command: &CtlCommand, body: &ApiAnswer) -> Result<String, AskError> {
    Ok(match command {
        CtlCommand::Reload => reloaded(&body.read()?),
        CtlCommand::Upgrade => format!("process {} serves now", body.read::<Upgraded>()?.pid),
        CtlCommand::Status => at_work(&body.read()?),
        CtlCommand::Summary => summary(&body.read()?),
        CtlCommand::Workers { .. } => workers(&body.read()?),
        CtlCommand::Rigs { .. } => rigs(&body.read()?),
        CtlCommand::Kick { .. } => format!("{} is closed", body.read::<RigDone>()?.id),
        CtlCommand::Difficulty { .. } => match body.read()? {
            RigDone { id, difficulty: Some(difficulty) } => {
                format!("{id} has difficulty {difficulty} with the next work")
            }
            RigDone { id, difficulty: None } => format!("{id} follows its hashrate again"),
        },
        CtlCommand::Ban { minutes, .. } => {
            let WorkerDone { worker, routes, rigs_closed } = body.read()?;
            let (worker, routes) = (shown(&worker), routes.join(", "));
            format!("{worker} is refused on {routes} for {minutes} min, rigs closed: {rigs_closed}")
        }
        CtlCommand::Unban { .. } => {
            let WorkerDone { worker, routes, .. } = body.read()?;
            let worker = shown(&worker);
            if routes.is_empty() {
                format!("{worker} was not refused")
            } else {
                format!("{worker} may come back on {}", routes.join(", "))
            }
        }
        CtlCommand::Forget { .. } => {
            let WorkerDone { worker, routes, .. } = body.read()?;
            format!("{} is forgotten on {}", shown(&worker), routes.join(", "))
        }
        CtlCommand::Switch { .. } => match body.read()? {
            Switched { route, preferred_pool: Some(pool) } => {
                format!("route {route} prefers pool {pool} until the config is read again")
            }
            Switched { route, preferred_pool: None } => {
                format!("route {route} has its pools in the config's order")
            }
        },
    })
}

fn reloaded(ReloadChanges { changed, at_restart, faults }: &ReloadChanges) -> String {
    let lines = [changed.as_slice(), at_restart, faults].concat();
    if lines.is_empty() { "nothing has changed".into() } else { lines.join("\n") }
}

fn at_work(status: &Status) -> String {
    let Status { version, pid, config, reloads, routes, draining } = status;
    let config = config.as_deref().unwrap_or("the command line");
    let mut text =
        format!("orepass {version}, process {pid}, config {config}, reloads {reloads}\n");
    for (routes, note) in [(routes, ""), (draining, ", ends")] {
        for route in routes {
            let (name, dialect) = (&route.name, &route.dialect);
            let (rigs, channels, shares) = (route.rigs, route.channels, route.shares);
            text += &format!(
                "route {name} ({dialect}){note}: rigs {rigs}, pool connections {channels}, shares \
                 {shares}\n"
            );
        }
    }
    text
}

fn summary(summary: &Value) -> String {
    let mut text = format!(
        "orepass {}, process {}, up {} s\n\n",
        cell(&summary["version"]),
        cell(&summary["pid"]),
        cell(&summary["uptime_s"].as_f64().map(f64::round).into()),
    );
    let head =
        ["route", "gate", "rigs", "waiting", "accepted 10m", "credited 10m", "sent", "job age"];
    let row = |route: &Value| {
        vec![
            cell(&route["name"]),
            cell(&route["gate"]),
            cell(&route["rigs"]),
            cell(&route["rigs_waiting"]),
            rate(&route["hashrate"][1]["accepted_hs"]),
            rate(&route["hashrate"][1]["credited_hs"]),
            cell(&route["shares"]["sent"]),
            age(&route["job_age_s"]),
        ]
    };
    text += &table(&head, items(&summary["routes"]).map(row));
    let head = ["route", "pool", "health", "rank", "rigs", "credited 10m", "job age"];
    let row = |pool: &Value| {
        vec![
            cell(&pool["route"]),
            cell(&pool["name"]),
            cell(&pool["health"]),
            cell(&pool["rank"]),
            cell(&pool["rigs"]),
            rate(&pool["hashrate"][1]["credited_hs"]),
            age(&pool["job_age_s"]),
        ]
    };
    let pools = items(&summary["routes"]).flat_map(|route| items(&route["pools"]));
    text + "\n" + &table(&head, pools.map(row))
}

fn workers(list: &Value) -> String {
    let head = [
        "worker",
        "route",
        "state",
        "rigs",
        "accepted 1h",
        "norm",
        "sent",
        "credited",
        "last share",
    ];
    let row = |worker: &Value| {
        vec![
            cell(&worker["name"]),
            cell(&worker["route"]),
            cell(&worker["state"]),
            cell(&worker["rigs"]),
            rate(&worker["hashrate"][2]["accepted_hs"]),
            rate(&worker["norm_hs"]),
            cell(&worker["shares"]["sent"]),
            cell(&worker["shares"]["accepted_by_pool"]),
            age(&worker["last_share_age_s"]),
        ]
    };
    table(&head, items(&list["workers"]).map(row)) + &more(list, "workers")
}

fn rigs(list: &Value) -> String {
    let head =
        ["rig", "worker", "address", "state", "pool", "difficulty", "accepted 10m", "last share"];
    let row = |rig: &Value| {
        vec![
            cell(&rig["id"]),
            cell(&rig["worker"]),
            cell(&rig["address"]),
            cell(&rig["state"]),
            cell(&rig["pool"]),
            cell(&rig["difficulty"]),
            rate(&rig["hashrate"][1]["accepted_hs"]),
            age(&rig["last_share_age_s"]),
        ]
    };
    table(&head, items(&list["rigs"]).map(row)) + &more(list, "rigs")
}

/// That there are others, where there are.
fn more(list: &Value, what: &str) -> String {
    let here = items(&list[what]).count() as u64;
    let (total, offset) = (list["total"].as_u64(), list["offset"].as_u64());
    match total.zip(offset) {
        Some((total, offset)) if here < total => {
            format!("{here} of {total} {what}, from {offset} on; see --limit and --offset\n")
        }
        _ => String::new(),
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => shown(text).to_string(),
        other => other.to_string(),
    }
}

fn rate(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |rate| HashRate::new(rate).to_string())
}

fn age(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |age| format!("{age:.0} s"))
}

/// Columns beside each other.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length =
        |row: &Vec<String>, column| row.get(column).map_or(0, |cell: &String| cell.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| length(row, column)).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_beside_each_other_and_names_are_harmless() {
        let list = json!({"total": 3, "offset": 0, "limit": 2, "rigs": [
            {"id": "hns-1", "worker": "a\u{1b}[31m", "address": "10.0.0.1:5", "state": "online",
             "pool": "p", "difficulty": 4.0, "hashrate": [{}, {"accepted_hs": 12_300.0}],
             "last_share_age_s": 1.4},
            {"id": "hns-12", "worker": null, "address": "10.0.0.2:5", "state": "silent",
             "pool": null, "difficulty": null, "hashrate": [], "last_share_age_s": null},
        ]});
        let text = rigs(&list);
        let lines: Vec<&str> = text.lines().collect();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(lines[1].starts_with("hns-1   a"), "{text}");
        assert!(lines[1].ends_with("12.30 kH/s    1 s"), "{text}");
        assert_eq!(lines[3], "2 of 3 rigs, from 0 on; see --limit and --offset");
    }
}
