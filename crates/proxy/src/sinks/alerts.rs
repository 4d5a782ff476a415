//! When somebody is told that something needs them, and that it is over.
//!
//! It is made of the same list that the page and the API show ([`Diagnostics`](crate::watch::Diagnostics)):
//! what is on it for long enough is raised, and what has been off it for long enough has recovered. So
//! something that comes and goes is told once, and is over when it stays away.

use std::collections::BTreeMap;
use std::time::Duration;

use orepass_stratum::time::Instant;
use serde::Serialize;
use serde::ser::SerializeMap;

use crate::telemetry::events::KeptEvent;
use crate::watch::{DiagnosticView, Severity};

/// The code of a block that was found: no diagnosis, since nobody is needed.
pub const BLOCK_FOUND: &str = "block_found";
/// The event that tells of one.
const BLOCK_EVENT: &str = "share.block";
/// Where more rigs or workers are concerned than was told, that is told so often at most.
const TELL_AGAIN: Duration = Duration::from_secs(900);
/// Of blocks that are found in this time after one was told, there is one alert in all.
const BLOCKS_EVERY: Duration = Duration::from_secs(60);
/// The most things that are remembered at a time.
const MAX_KNOWN: usize = 1024;
/// So many names stand in a sentence.
const NAMES_IN_TEXT: usize = 5;

/// What is told of something.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The code of its kind: one of docs/monitoring.md, or [`BLOCK_FOUND`].
    pub code: &'static str,
    /// Whether it begins or is over.
    pub state: AlertState,
    /// How much it matters.
    pub severity: Severity,
    /// The route; none where it is about the whole process.
    pub route: Option<String>,
    /// What it is about: a pool, a diagnosis, a limit.
    pub subject: String,
    /// What it means.
    pub meaning: &'static str,
    /// What there is to say of this one; text from outside.
    pub detail: String,
    /// How many rigs, workers or blocks it concerns.
    pub count: usize,
    /// Their names, the first of them; text from outside.
    pub named: Vec<String>,
    /// What to do.
    pub remedy: &'static str,
    /// For how long it has been so.
    pub lasted: Duration,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It has begun, or concerns more than was told.
    Raised,
    /// It is over.
    Recovered,
    /// It has happened, and does not last.
    Happened,
}

impl Alert {
    /// It in a sentence for people.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { state, severity, route, subject, meaning, detail, named, remedy, .. } = self;
        let place = route.as_ref().map_or_else(String::new, |route| format!(" on {route}"));
        let mut about: Vec<&str> = [&**subject, &**detail].into();
        about.retain(|text| !text.is_empty());
        let mut names: Vec<&str> = named.iter().take(NAMES_IN_TEXT).map(String::as_str).collect();
        if named.len() > NAMES_IN_TEXT {
            names.push("…");
        }
        // One alone is the detail.
        let names =
            if named.len() > 1 { format!(" ({})", names.join(", ")) } else { String::new() };
        let about = format!("{meaning}: {}{names}", about.join(", "));
        let about = about.trim_end_matches(": ");
        match state {
            AlertState::Raised => {
                format!("{}{place}: {about}. Do: {remedy}", severity.name())
            }
            AlertState::Recovered => {
                let minutes = self.lasted.as_secs().div_ceil(60);
                format!("over{place} after {minutes} min: {about}")
            }
            AlertState::Happened => format!("{}{place}: {about}", severity.name()),
        }
    }

    /// How many bytes its texts take.
    pub(super) fn size(&self) -> usize {
        let named: usize = self.named.iter().map(|name| size_of::<String>() + name.len()).sum();
        let route = self.route.as_ref().map_or(0, String::len);
        size_of::<Self>() + route + self.subject.len() + self.detail.len() + named
    }

    /// Writes its keys.
    pub(super) fn put<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("alert", self.code)?;
        map.serialize_entry("state", &self.state)?;
        map.serialize_entry("severity", &self.severity)?;
        map.serialize_entry("route", &self.route)?;
        map.serialize_entry("subject", &self.subject)?;
        map.serialize_entry("meaning", self.meaning)?;
        map.serialize_entry("detail", &self.detail)?;
        map.serialize_entry("count", &self.count)?;
        map.serialize_entry("named", &self.named)?;
        map.serialize_entry("remedy", self.remedy)?;
        map.serialize_entry("lasted_s", &self.lasted.as_secs())?;
        map.serialize_entry("text", &self.text())
    }
}

/// For how long something must be so, and must be over, before it is told.
struct AlertPatience {
    raise: Duration,
    recover: Duration,
}

impl AlertPatience {
    fn of(code: &str) -> Self {
        let (raise, recover) = match code {
            // It does not come and go.
            "reload_refused" | "panicked" | "certificate_unusable" => (0, 0),
            // Rigs restart, and after a start of ours they come back in turn.
            "rigs_silent" | "workers_offline" | "rate_low" | "rigs_wait" | "rigs_quarantined"
            | "rigs_misfit" => (300, 120),
            _ => (30, 60),
        };
        Self { raise: Duration::from_secs(raise), recover: Duration::from_secs(recover) }
    }
}

type AlertKey = (&'static str, Option<String>, String);

/// Something that is on the list, or was a while ago.
#[derive(Debug)]
struct WatchedTrouble {
    since: Instant,
    /// Since when it has not been on the list.
    gone: Option<Instant>,
    /// When it was told last, and of how many.
    told: Option<(Instant, usize)>,
    last: DiagnosticView,
}

/// What has been seen, and what of it was told.
#[derive(Debug, Default)]
pub struct Alerts {
    known: BTreeMap<AlertKey, WatchedTrouble>,
    /// When a block was told last.
    block_told: Option<Instant>,
    /// Blocks that were not told yet.
    blocks: Option<Alert>,
}

impl Alerts {
    /// What is on the list now; gives what is to be told.
    pub fn see(&mut self, found: Vec<DiagnosticView>, now: Instant) -> Vec<Alert> {
        for watched in self.known.values_mut() {
            watched.gone.get_or_insert(now);
        }
        for view in found {
            let has_room = self.known.len() < MAX_KNOWN;
            let key = (view.code, view.route.clone(), view.subject.clone());
            match self.known.get_mut(&key) {
                Some(watched) => (watched.gone, watched.last) = (None, view),
                None if has_room => {
                    let watched = WatchedTrouble { since: now, gone: None, told: None, last: view };
                    self.known.insert(key, watched);
                }
                None => {}
            }
        }
        let mut alerts = Vec::new();
        self.known.retain(|_, watched| watched.tell(now, &mut alerts));
        alerts.extend(self.due_blocks(now));
        alerts
    }

    /// An event was logged; gives what is to be told at once.
    pub fn hear(&mut self, event: &KeptEvent, now: Instant) -> Option<Alert> {
        if &*event.id != BLOCK_EVENT {
            return None;
        }
        let rig = event.rig.as_deref().unwrap_or_default();
        let hash = event.fields.iter().find(|(name, _)| *name == "hash");
        let route = event.route.as_deref().map(str::to_owned);
        match &mut self.blocks {
            Some(waiting) => {
                waiting.count += 1;
                waiting.detail = format!("{} blocks", waiting.count);
                if waiting.route != route {
                    waiting.route = None;
                }
            }
            None => {
                self.blocks = Some(Alert {
                    code: BLOCK_FOUND,
                    state: AlertState::Happened,
                    severity: Severity::Info,
                    route,
                    subject: rig.to_owned(),
                    meaning: "a block was found, and the pool took it",
                    detail: hash.map_or_else(String::new, |(_, hash)| hash.to_string()),
                    count: 1,
                    named: Vec::new(),
                    remedy: "",
                    lasted: Duration::ZERO,
                });
            }
        }
        self.due_blocks(now)
    }

    fn due_blocks(&mut self, now: Instant) -> Option<Alert> {
        let waits = |told| now.saturating_duration_since(told) < BLOCKS_EVERY;
        if self.blocks.is_none() || self.block_told.is_some_and(waits) {
            return None;
        }
        self.block_told = Some(now);
        self.blocks.take()
    }
}

impl WatchedTrouble {
    /// Tells what is due; whether it is to be remembered.
    fn tell(&mut self, now: Instant, alerts: &mut Vec<Alert>) -> bool {
        let AlertPatience { raise, recover } = AlertPatience::of(self.last.code);
        let over_for = self.gone.map(|gone| now.saturating_duration_since(gone));
        match (over_for, self.told) {
            (Some(over_for), told) if over_for >= recover => {
                if told.is_some() {
                    alerts.push(self.alert(AlertState::Recovered, now));
                }
                return false;
            }
            (None, None) if now.saturating_duration_since(self.since) >= raise => {
                self.told = Some((now, self.last.count));
                alerts.push(self.alert(AlertState::Raised, now));
            }
            (None, Some((at, count)))
                if self.last.count > count && now.saturating_duration_since(at) >= TELL_AGAIN =>
            {
                self.told = Some((now, self.last.count));
                alerts.push(self.alert(AlertState::Raised, now));
            }
            _ => {}
        }
        true
    }

    fn alert(&self, state: AlertState, now: Instant) -> Alert {
        let DiagnosticView { code, severity, route, subject, meaning, detail, count, .. } =
            self.last.clone();
        let lasted = self.gone.unwrap_or(now).saturating_duration_since(self.since);
        let (named, remedy) = (self.last.named.clone(), self.last.remedy);
        Alert {
            code,
            state,
            severity,
            route,
            subject,
            meaning,
            detail,
            count,
            named,
            remedy,
            lasted,
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;
    use crate::watch::Concern;

    fn view(concern: Concern, subject: &str, count: usize) -> DiagnosticView {
        DiagnosticView {
            code: concern.code(),
            severity: concern.severity(),
            age_s: 0.0,
            route: Some("hns".into()),
            subject: subject.into(),
            meaning: concern.meaning(),
            detail: format!("{count} of them"),
            count,
            named: (0..count).map(|number| format!("w{number}")).collect(),
            remedy: concern.remedy(),
            link: String::new(),
        }
    }

    /// Looks at these seconds; gives what was told when.
    fn told(looks: &[(u64, &[DiagnosticView])]) -> Vec<(u64, &'static str, AlertState, usize)> {
        let (start, mut alerts) = (crate::clock::now(), Alerts::default());
        let mut all = Vec::new();
        for (second, found) in looks {
            let told = alerts.see(found.to_vec(), start + Duration::from_secs(*second));
            all.extend(told.iter().map(|one| (*second, one.code, one.state, one.count)));
        }
        all
    }

    use AlertState::{Raised, Recovered};

    #[test]
    fn what_lasts_is_raised_once_and_recovers_once() {
        let down = [view(Concern::PoolDown, "a", 0)];
        let told = told(&[
            (0, &down),
            (15, &down),
            (30, &down),
            (45, &down),
            (4000, &down),
            (4015, &[]),
            (4060, &[]),
            (4075, &[]),
            (4090, &[]),
        ]);
        assert_eq!(told, [(30, "pool_down", Raised, 0), (4075, "pool_down", Recovered, 0)]);
    }

    #[test]
    fn what_is_short_is_not_told_and_what_comes_and_goes_is_told_once() {
        let down = [view(Concern::PoolDown, "a", 0)];
        assert_eq!(told(&[(0, &down), (15, &down), (20, &[]), (90, &[]), (91, &down)]), []);
        let mut looks: Vec<(u64, &[DiagnosticView])> = Vec::new();
        for minute in 0..60 {
            looks.push((60 * minute, &down));
            looks.push((60 * minute + 20, &[]));
        }
        looks.push((60 * 60 + 30, &[]));
        let told = told(&looks);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!((told[0].0, told[0].2, told[1].2), (60, Raised, Recovered));
    }

    #[test]
    fn more_of_the_same_are_told_after_a_while() {
        let offline = |count| [view(Concern::WorkersOffline, "", count)];
        let (one, two, three) = (offline(1), offline(2), offline(3));
        let told = told(&[(0, &one), (300, &two), (400, &three), (1199, &three), (1200, &three)]);
        let code = "workers_offline";
        assert_eq!(told, [(300, code, Raised, 2), (1200, code, Raised, 3)]);
    }

    #[test]
    fn what_does_not_come_and_go_is_told_at_once() {
        let refused = [view(Concern::ReloadRefused, "", 0)];
        let told = told(&[(0, &refused), (1, &[])]);
        let code = "reload_refused";
        assert_eq!(told, [(0, code, Raised, 0), (1, code, Recovered, 0)]);
    }

    #[test]
    fn blocks_that_come_close_together_are_one_alert() {
        let (start, mut alerts) = (crate::clock::now(), Alerts::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let event = |id: &str| KeptEvent {
            sequence: 1,
            at_ms: 0,
            level: Level::INFO,
            id: id.into(),
            message: "".into(),
            route: Some("hns".into()),
            pool: None,
            worker: None,
            rig: Some("w".into()),
            fields: [("hash", "00ff".into())].into(),
        };
        assert_eq!(alerts.hear(&event("rig.up"), at(0)), None);
        let first = alerts.hear(&event("share.block"), at(0)).unwrap();
        assert_eq!((first.count, &*first.subject, &*first.detail), (1, "w", "00ff"));
        assert!(first.text().contains("on hns: a block was found"), "{}", first.text());
        assert_eq!(alerts.hear(&event("share.block"), at(5)), None);
        assert_eq!(alerts.hear(&event("share.block"), at(6)), None);
        assert_eq!(alerts.see(Vec::new(), at(59)), []);
        assert_eq!(alerts.see(Vec::new(), at(60))[0].count, 2);
        assert_eq!(alerts.see(Vec::new(), at(600)), []);
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let (mut alerts, now) = (Alerts::default(), crate::clock::now());
        let many: Vec<_> =
            (0..2 * MAX_KNOWN).map(|n| view(Concern::PoolDown, &n.to_string(), 0)).collect();
        alerts.see(many, now);
        assert_eq!(alerts.known.len(), MAX_KNOWN);
    }
}
