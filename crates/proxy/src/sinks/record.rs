//! What sinks are given: records of one schema, as JSON.
//!
//! docs/sinks.md has the schema. A key may come; none changes its meaning or goes without a new
//! [`SCHEMA`].

use std::sync::Arc;

use orepass_stratum::verdict::Verdict;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::alerts::Alert;
use crate::clock::rfc3339;
use crate::history::HistoryPart;
use crate::telemetry::events::KeptEvent;

/// The version of the schema: `v` of each record.
pub const SCHEMA: u32 = 1;

/// For how long the work of a [`RecordBody::WorkerMinute`] was added up, in seconds.
const MINUTE_S: f64 = 60.0;

/// Something that happened, for those who keep it elsewhere.
#[derive(Debug, Clone)]
pub struct SinkRecord {
    /// What no other record has, of this process or any other: who gets it twice knows it by this.
    pub id: RecordId,
    /// When it was, in Unix milliseconds; of a minute, when that began.
    pub at_ms: u64,
    /// What it was.
    pub body: RecordBody,
}

/// A record's id: that of the run, and a number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordId {
    /// Random, of this run of the program.
    pub run: u64,
    /// From 1.
    pub number: u64,
}

impl std::fmt::Display for RecordId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.run, self.number)
    }
}

/// What a record is about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordBody {
    /// An event of the log, whether that shows it or not.
    Event(Arc<KeptEvent>),
    /// What became of a worker's shares in a minute.
    WorkerMinute(WorkerMinute),
    /// A share that has ended.
    Share(EndedShare),
    /// Something that needs somebody, or needs nobody any more.
    Alert(Arc<Alert>),
}

/// What became of a worker's shares in a minute. What is told twice of one, as at an upgrade by both
/// processes, is to be added.
#[derive(Debug, Clone)]
pub struct WorkerMinute {
    /// The route.
    pub route: Arc<str>,
    /// The worker.
    pub worker: Arc<str>,
    /// What became of them.
    pub part: HistoryPart,
}

/// A share that has ended.
#[derive(Debug, Clone)]
pub struct EndedShare {
    /// The route.
    pub route: Arc<str>,
    /// The pool whose job it was for; none where it was for none that is known.
    pub pool: Option<Arc<str>>,
    /// The worker; none where it had not said who it is.
    pub worker: Option<Arc<str>>,
    /// How.
    pub verdict: Verdict,
    /// The work that its rig was asked for by it, in hashes.
    pub hashes: f64,
    /// The work that the pool credited for it, in hashes; 0 where it did not.
    pub credited_hashes: f64,
    /// A block by its hash.
    pub block: bool,
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// [`RecordBody::Event`].
    Event,
    /// [`RecordBody::WorkerMinute`].
    WorkerMinute,
    /// [`RecordBody::Share`].
    Share,
    /// [`RecordBody::Alert`].
    Alert,
}

impl RecordKind {
    /// `kind` of a record, and the last part of its subject.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::WorkerMinute => "worker_minute",
            Self::Share => "share",
            Self::Alert => "alert",
        }
    }
}

impl SinkRecord {
    /// Of which kind it is.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match &self.body {
            RecordBody::Event(_) => RecordKind::Event,
            RecordBody::WorkerMinute(_) => RecordKind::WorkerMinute,
            RecordBody::Share(_) => RecordKind::Share,
            RecordBody::Alert(_) => RecordKind::Alert,
        }
    }

    /// The route that it is about; none where it is about the whole process.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        match &self.body {
            RecordBody::Event(event) => event.route.as_deref(),
            RecordBody::WorkerMinute(minute) => Some(&minute.route),
            RecordBody::Share(share) => Some(&share.route),
            RecordBody::Alert(alert) => alert.route.as_deref(),
        }
    }

    /// How many bytes of memory it takes at most, by which queues are bounded.
    pub(super) fn size(&self) -> usize {
        let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let behind = match &self.body {
            RecordBody::Event(event) => event.size(),
            RecordBody::WorkerMinute(WorkerMinute { route, worker, part }) => {
                route.len() + worker.len() + size_of_val(part.ended())
            }
            RecordBody::Share(EndedShare { route, pool, worker, .. }) => {
                route.len() + length(pool) + length(worker)
            }
            RecordBody::Alert(alert) => alert.size(),
        };
        // With its place in the queue.
        size_of::<Self>() + size_of::<usize>() + behind
    }

    /// It as one line of JSON without its end.
    #[must_use]
    pub fn to_json(&self, site: Option<&str>) -> String {
        // A map with keys of text cannot fail.
        serde_json::to_string(&SitedRecord { record: self, site }).unwrap_or_default()
    }
}

impl Serialize for SinkRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SitedRecord { record: self, site: None }.serialize(serializer)
    }
}

/// A record of a site.
struct SitedRecord<'a> {
    record: &'a SinkRecord,
    site: Option<&'a str>,
}

impl Serialize for SitedRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let SinkRecord { id, at_ms, body } = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &SCHEMA)?;
        map.serialize_entry("kind", self.record.kind().name())?;
        map.serialize_entry("id", &id.to_string())?;
        if let Some(site) = self.site {
            map.serialize_entry("site", site)?;
        }
        map.serialize_entry("at", &rfc3339(*at_ms))?;
        match body {
            RecordBody::Event(event) => put_event(&mut map, event)?,
            RecordBody::WorkerMinute(minute) => put_minute(&mut map, minute)?,
            RecordBody::Share(share) => put_share(&mut map, share)?,
            RecordBody::Alert(alert) => alert.put(&mut map)?,
        }
        map.end()
    }
}

/// Its id is `event`, as in the log.
fn put_event<M: SerializeMap>(map: &mut M, event: &KeptEvent) -> Result<(), M::Error> {
    let KeptEvent { level, id, message, route, pool, worker, rig, fields, .. } = event;
    map.serialize_entry("event", &**id)?;
    map.serialize_entry("level", &level.as_str().to_ascii_lowercase())?;
    map.serialize_entry("message", &**message)?;
    for (name, value) in [("route", route), ("pool", pool), ("worker", worker), ("rig", rig)] {
        if let Some(value) = value {
            map.serialize_entry(name, &**value)?;
        }
    }
    map.serialize_entry("fields", &Pairs(fields.iter().map(|(name, value)| (*name, &**value))))
}

fn put_minute<M: SerializeMap>(map: &mut M, minute: &WorkerMinute) -> Result<(), M::Error> {
    let WorkerMinute { route, worker, part } = minute;
    let ended = part.ended().iter();
    let accepted = ended.clone().filter(|ended| ended.verdict.passed_checks());
    let accepted: f64 = accepted.map(|ended| ended.work).sum();
    map.serialize_entry("route", &**route)?;
    map.serialize_entry("worker", &**worker)?;
    map.serialize_entry("online_s", &part.seconds_online)?;
    map.serialize_entry("hashrate_hs", &(accepted / MINUTE_S))?;
    let counts = ended.clone().map(|ended| (ended.verdict.name(), ended.count));
    map.serialize_entry("shares", &Pairs(counts))?;
    let work = ended.map(|ended| (ended.verdict.name(), ended.work));
    map.serialize_entry("work_hashes", &Pairs(work))?;
    map.serialize_entry("credited_hashes", &part.credited())
}

fn put_share<M: SerializeMap>(map: &mut M, share: &EndedShare) -> Result<(), M::Error> {
    let EndedShare { route, pool, worker, verdict, hashes, credited_hashes, block } = share;
    map.serialize_entry("route", &**route)?;
    map.serialize_entry("pool", &pool.as_deref())?;
    map.serialize_entry("worker", &worker.as_deref())?;
    map.serialize_entry("result", verdict.name())?;
    map.serialize_entry("hashes", hashes)?;
    map.serialize_entry("credited_hashes", credited_hashes)?;
    map.serialize_entry("block", block)
}

/// A map of what an iterator gives.
struct Pairs<I>(I);

impl<I, V> Serialize for Pairs<I>
where
    I: Iterator<Item = (&'static str, V)> + Clone,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

/// A share that came too late, for tests of sinks.
#[cfg(test)]
pub(super) fn stale_share(route: &str, number: u64) -> SinkRecord {
    let share = EndedShare {
        route: route.into(),
        pool: None,
        worker: Some("worker".into()),
        verdict: Verdict::Stale,
        hashes: 1.0,
        credited_hashes: 0.0,
        block: false,
    };
    SinkRecord { id: RecordId { run: 1, number }, at_ms: 0, body: RecordBody::Share(share) }
}

#[cfg(test)]
mod tests {
    use orepass_farm::stats::Minute;
    use serde_json::{Value, json};
    use tracing::Level;

    use super::*;

    fn said(body: RecordBody, site: Option<&str>) -> Value {
        let id = RecordId { run: 0xab, number: 7 };
        let record = SinkRecord { id, at_ms: 1_795_230_727_123, body };
        assert!(record.size() > size_of::<SinkRecord>());
        serde_json::from_str(&record.to_json(site)).unwrap()
    }

    #[test]
    fn each_kind_is_said_as_the_manual_has_it() {
        let head = |kind: &str| json!({"v": 1, "kind": kind, "id": "00000000000000ab-7", "at": "2026-11-21T03:12:07.123Z"});
        let with = |mut head: Value, rest: Value| {
            head.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            head
        };
        let share = EndedShare {
            route: "hns".into(),
            pool: Some("a".into()),
            worker: Some("w\"1".into()),
            verdict: Verdict::AcceptedByPool,
            hashes: 4096.0,
            credited_hashes: 8192.0,
            block: false,
        };
        let rest = json!({
            "route": "hns", "pool": "a", "worker": "w\"1", "result": "accepted_by_pool",
            "hashes": 4096.0, "credited_hashes": 8192.0, "block": false, "site": "north",
        });
        assert_eq!(said(RecordBody::Share(share), Some("north")), with(head("share"), rest));

        let mut minute = Minute::default();
        minute.counts[Verdict::BelowPoolTarget as usize] = 2;
        minute.work[Verdict::BelowPoolTarget as usize] = 600.0;
        minute.counts[Verdict::Stale as usize] = 1;
        minute.work[Verdict::Stale as usize] = 300.0;
        minute.credited = 800.0;
        let part = HistoryPart::new(&minute, 60);
        let minute = WorkerMinute { route: "hns".into(), worker: "w".into(), part };
        let rest = json!({
            "route": "hns", "worker": "w", "online_s": 60, "hashrate_hs": 10.0,
            "shares": {"below_pool_target": 2, "stale": 1},
            "work_hashes": {"below_pool_target": 600.0, "stale": 300.0},
            "credited_hashes": 800.0,
        });
        let expected = with(head("worker_minute"), rest);
        assert_eq!(said(RecordBody::WorkerMinute(minute), None), expected);

        let event = KeptEvent {
            sequence: 3,
            at_ms: 5,
            level: Level::WARN,
            id: "pool.down".into(),
            message: "down".into(),
            route: Some("hns".into()),
            pool: Some("a".into()),
            worker: None,
            rig: None,
            fields: [("why", "it\nis".into())].into(),
        };
        let rest = json!({
            "event": "pool.down", "level": "warn", "message": "down", "route": "hns", "pool": "a",
            "fields": {"why": "it\nis"},
        });
        assert_eq!(said(RecordBody::Event(Arc::new(event)), None), with(head("event"), rest));
    }
}
