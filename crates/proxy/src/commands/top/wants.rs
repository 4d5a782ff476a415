//! What the screen needs to know, as requests to the API.

use orepass_stratum::error::{shown, shown_to};
use serde_json::json;

use crate::commands::asking::{ApiRequest, encoded, query};

/// How many connections of a worker are asked for.
const RIGS: usize = 50;
/// How many events of a worker.
const ITS_EVENTS: usize = 20;
/// How much of a name stands in a sentence.
const NAME: usize = 32;
/// How many events at a time.
const EVENTS: usize = 200;

/// Something to be known, or to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Want {
    Summary,
    Needs,
    /// How many workers are so.
    Count {
        route: Option<String>,
        search: String,
        state: &'static str,
    },
    History {
        route: String,
    },
    Workers {
        filter: WorkersFilter,
        offset: usize,
        limit: usize,
    },
    Worker(WorkerId),
    Rigs(WorkerId),
    ItsEvents(WorkerId),
    Events {
        filter: EventsFilter,
        after: Option<u64>,
    },
    Done(Deed),
}

/// Which workers, in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WorkersFilter {
    pub(super) state: Option<&'static str>,
    pub(super) route: Option<String>,
    pub(super) search: String,
    pub(super) sort: String,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EventsFilter {
    pub(super) level: Option<&'static str>,
    pub(super) route: Option<String>,
    pub(super) text: String,
}

/// A worker: several routes may have one of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WorkerId {
    pub(super) route: String,
    pub(super) name: String,
}

/// Something that changes what is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Kick { rig: String },
    Ban { worker: WorkerId, minutes: u32 },
    Unban { worker: WorkerId },
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl Want {
    /// How it is asked for.
    pub(super) fn request(&self) -> ApiRequest {
        match self {
            Self::Summary => ApiRequest::get("summary"),
            Self::Needs => ApiRequest::get("diagnostics"),
            Self::Count { route, search, state } => {
                let pairs = [
                    ("state", Some((*state).to_owned())),
                    ("route", route.clone()),
                    ("search", given(search)),
                    ("limit", Some("0".to_owned())),
                ];
                ApiRequest::get(format!("workers{}", query(pairs)))
            }
            Self::History { route } => {
                let pairs = [("kind", Some("route".to_owned())), ("route", Some(route.clone()))];
                ApiRequest::get(format!("history{}", query(pairs)))
            }
            Self::Workers { filter, offset, limit } => {
                let WorkersFilter { state, route, search, sort } = filter;
                let pairs = [
                    ("state", state.map(str::to_owned)),
                    ("route", route.clone()),
                    ("search", given(search)),
                    ("sort", Some(sort.clone())),
                    ("offset", Some(offset.to_string())),
                    ("limit", Some(limit.to_string())),
                ];
                ApiRequest::get(format!("workers{}", query(pairs)))
            }
            Self::Worker(WorkerId { route, name }) => {
                let of = query([("route", Some(route.clone()))]);
                ApiRequest::get(format!("workers/{}{of}", encoded(name)))
            }
            Self::Rigs(WorkerId { route, name }) => {
                let pairs = [
                    ("worker", Some(name.clone())),
                    ("route", Some(route.clone())),
                    ("limit", Some(RIGS.to_string())),
                ];
                ApiRequest::get(format!("rigs{}", query(pairs)))
            }
            Self::ItsEvents(WorkerId { route, name }) => {
                let pairs = [
                    ("text", Some(name.clone())),
                    ("route", Some(route.clone())),
                    ("limit", Some(ITS_EVENTS.to_string())),
                ];
                ApiRequest::get(format!("events{}", query(pairs)))
            }
            Self::Events { filter, after } => {
                let EventsFilter { level, route, text } = filter;
                let pairs = [
                    ("level", level.map(str::to_owned)),
                    ("route", route.clone()),
                    ("text", given(text)),
                    ("after", after.map(|after| after.to_string())),
                    ("limit", Some(EVENTS.to_string())),
                ];
                ApiRequest::get(format!("events{}", query(pairs)))
            }
            Self::Done(deed) => deed.request(),
        }
    }
}

impl Deed {
    fn request(&self) -> ApiRequest {
        let of = |worker: &WorkerId, what: &str| {
            let of = query([("route", Some(worker.route.clone()))]);
            format!("workers/{}/{what}{of}", encoded(&worker.name))
        };
        match self {
            Self::Kick { rig } => ApiRequest::post(format!("rigs/{}/kick", encoded(rig)), None),
            Self::Ban { worker, minutes } => {
                ApiRequest::post(of(worker, "ban"), Some(json!({"minutes": minutes})))
            }
            Self::Unban { worker } => ApiRequest::post(of(worker, "unban"), None),
        }
    }

    /// What is asked back before it is done.
    pub(super) fn question(&self) -> String {
        match self {
            Self::Kick { rig } => {
                format!("Close the connection of {}? It may come back.", shown(rig))
            }
            Self::Ban { worker, minutes } => {
                let name = shown_to(&worker.name, NAME);
                format!("Ban {name} for {minutes} minutes, and close its rigs?")
            }
            Self::Unban { worker } => format!("Let {} in again?", shown_to(&worker.name, NAME)),
        }
    }

    /// What is said when it is done.
    pub(super) fn done(&self) -> String {
        match self {
            Self::Kick { rig } => format!("{} is being closed.", shown(rig)),
            Self::Ban { worker, minutes } => {
                format!("{} is refused for {minutes} minutes.", shown_to(&worker.name, NAME))
            }
            Self::Unban { worker } => {
                format!("{} may come back.", shown_to(&worker.name, NAME))
            }
        }
    }
}
