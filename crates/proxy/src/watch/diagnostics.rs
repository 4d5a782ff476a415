//! What needs somebody now, and since when: made of what the proxy knows, not of log lines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_farm::limits::Limit;
use orepass_stratum::time::Instant;
use serde::Serialize;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::AtWork;
use super::concern::{Concern, Severity};
use crate::clock::now;
use crate::process::Process;
use crate::telemetry;

/// How often it is looked whether somebody is needed.
const DIAGNOSE_EVERY: Duration = Duration::from_secs(15);
/// The most things that are remembered at a time; what comes past it is not shown.
const MAX_FINDINGS: usize = 512;
/// The most rigs or workers of a finding that are named.
pub(super) const MAX_NAMED: usize = 20;
/// For how long a limit that was met is shown.
const LIMIT_SHOWN: Duration = Duration::from_secs(600);

/// Something that needs somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Of which kind.
    pub concern: Concern,
    /// The route; none where it is about the whole process.
    pub route: Option<String>,
    /// What it is about, to tell it from others of its kind and route: a pool, a diagnosis, a limit.
    pub subject: String,
    /// What there is to say of this one.
    pub detail: String,
    /// How many rigs or workers it concerns; 0 where it is about none.
    pub count: usize,
    /// Their names, the first of them.
    pub named: Vec<String>,
}

impl Finding {
    /// One that concerns nobody in particular.
    #[must_use]
    pub fn new(concern: Concern, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        let (subject, detail) = (subject.into(), detail.into());
        Self { concern, route: None, subject, detail, count: 0, named: Vec::new() }
    }

    fn key(&self) -> FindingKey {
        (self.concern, self.route.clone(), self.subject.clone())
    }
}

type FindingKey = (Concern, Option<String>, String);

/// A finding as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DiagnosticView {
    /// The kind of it, which does not change.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// For how long it has been so.
    pub age_s: f64,
    /// The route; none where it is about the whole process.
    pub route: Option<String>,
    /// What it is about: a pool, a diagnosis, a limit.
    pub subject: String,
    /// What it means.
    pub meaning: &'static str,
    /// What there is to say of this one.
    pub detail: String,
    /// How many rigs or workers it concerns.
    pub count: usize,
    /// Their names, at most twenty; text from outside.
    pub named: Vec<String>,
    /// What to do.
    pub remedy: &'static str,
    /// Where the documentation tells more.
    pub link: String,
}

/// What needs somebody, looked for now and then.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    findings: BTreeMap<FindingKey, (Instant, Finding)>,
    limits: BTreeMap<Limit, MetLimit>,
}

/// How often a limit had been met, and when that last grew.
#[derive(Debug, Clone, Copy)]
struct MetLimit {
    count: u64,
    grew: Option<Instant>,
}

impl Diagnostics {
    /// Looks until it is dropped.
    pub async fn watch(self, at_work: AtWork, process: Process) {
        let mut ticks = tokio::time::interval(DIAGNOSE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(&at_work, &process);
        }
    }

    /// Looks now.
    pub fn look(&self, at_work: &AtWork, process: &Process) {
        let mut found = troubles();
        for route in at_work.routes().iter() {
            let of_route = route.findings().into_iter();
            found.extend(
                of_route.map(|finding| Finding { route: Some(route.name().to_owned()), ..finding }),
            );
        }
        let at = now();
        let mut known = self.known();
        found.extend(known.limits_met(&process.admission.counts(), at));
        known.replace(found, at);
    }

    /// What needs somebody, the worst first.
    #[must_use]
    pub fn all(&self) -> Vec<DiagnosticView> {
        let at = now();
        let known = self.known();
        let mut all: Vec<_> =
            known.findings.values().map(|(since, finding)| shown(finding, *since, at)).collect();
        all.sort_by_key(|view| std::cmp::Reverse(view.severity));
        all
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn replace(&mut self, found: Vec<Finding>, at: Instant) {
        let mut before = std::mem::take(&mut self.findings);
        for finding in found.into_iter().take(MAX_FINDINGS) {
            let key = finding.key();
            let since = before.remove(&key).map(|(since, _)| since);
            if since.is_none() {
                say(&finding, true);
            }
            self.findings.insert(key, (since.unwrap_or(at), finding));
        }
        before.values().for_each(|(_, finding)| say(finding, false));
    }

    fn limits_met(&mut self, counts: &[(Limit, u64)], at: Instant) -> Vec<Finding> {
        let mut met = Vec::new();
        for &(limit, count) in counts {
            let first = MetLimit { count: 0, grew: None };
            let known = self.limits.entry(limit).or_insert(first);
            if count > known.count {
                *known = MetLimit { count, grew: Some(at) };
            }
            let lately = |grew| at.saturating_duration_since(grew) < LIMIT_SHOWN;
            if known.grew.is_some_and(lately) {
                let detail = format!("{count} times since the start; {}", limit.remedy());
                met.push(Finding::new(Concern::LimitMet, limit.name(), detail));
            }
        }
        met
    }
}

/// Says that something begins or has ended, where that is news to whoever reads the log: what is said
/// there already as it happens is not repeated.
fn say(finding: &Finding, begins: bool) {
    let Finding { concern, route, subject, detail, count, .. } = finding;
    let (code, route) = (concern.code(), route.as_deref());
    match concern {
        Concern::RigsSilent
        | Concern::WorkersOffline
        | Concern::RateLow
        | Concern::OldJob
        | Concern::ClockOff
        | Concern::PlacesShort
        | Concern::CertificateEnds => {}
        _ => return,
    }
    if begins {
        let (meaning, remedy) = (concern.meaning(), concern.remedy());
        warn!(
            event = "diagnostic.raised",
            code, route, subject, count, detail, "{meaning}; {remedy}"
        );
    } else {
        info!(event = "diagnostic.cleared", code, route, subject, "that is over: {code}");
    }
}

fn shown(finding: &Finding, since: Instant, at: Instant) -> DiagnosticView {
    let Finding { concern, route, subject, detail, count, named } = finding.clone();
    DiagnosticView {
        code: concern.code(),
        severity: concern.severity(),
        age_s: at.saturating_duration_since(since).as_secs_f64(),
        route,
        subject,
        meaning: concern.meaning(),
        detail,
        count,
        named,
        remedy: concern.remedy(),
        link: format!("docs/monitoring.md#{}", concern.code()),
    }
}

/// Troubles of the whole process, each until it is over.
static TROUBLES: Mutex<BTreeMap<(Concern, String), String>> = Mutex::new(BTreeMap::new());

/// The process has a trouble, until it is [over](settle).
pub fn raise(concern: Concern, subject: impl Into<String>, detail: impl Into<String>) {
    let mut troubles = TROUBLES.lock().unwrap_or_else(PoisonError::into_inner);
    if troubles.len() < MAX_FINDINGS {
        troubles.insert((concern, subject.into()), detail.into());
    }
}

/// A trouble is over.
pub fn settle(concern: Concern, subject: &str) {
    let mut troubles = TROUBLES.lock().unwrap_or_else(PoisonError::into_inner);
    troubles.retain(|(known, of), _| (*known, of.as_str()) != (concern, subject));
}

/// Whether the process has such a trouble.
#[must_use]
pub fn is_raised(concern: Concern) -> bool {
    let troubles = TROUBLES.lock().unwrap_or_else(PoisonError::into_inner);
    troubles.keys().any(|(known, _)| *known == concern)
}

fn troubles() -> Vec<Finding> {
    let troubles = TROUBLES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = troubles.iter();
    let mut found: Vec<_> =
        known.map(|((concern, subject), detail)| Finding::new(*concern, subject, detail)).collect();
    let panics = telemetry::panics();
    if panics > 0 {
        let detail = format!("{panics} times since the start");
        found.push(Finding::new(Concern::Panicked, "", detail));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_keeps_its_beginning_and_what_is_over_is_gone() {
        let (start, diagnostics) = (now(), Diagnostics::default());
        let down = |pool: &str| Finding::new(Concern::PoolDown, pool, "connection");
        let at = |seconds| start + Duration::from_secs(seconds);
        diagnostics.known().replace(vec![down("a")], at(0));
        diagnostics.known().replace(vec![down("a"), down("b")], at(15));
        let since: Vec<_> = diagnostics.known().findings.values().map(|(at, _)| *at).collect();
        assert_eq!(since, [at(0), at(15)]);
        let none = Finding { route: Some("hns".into()), ..Finding::new(Concern::NoPool, "", "") };
        diagnostics.known().replace(vec![down("b"), none], at(30));
        let codes: Vec<_> = diagnostics.all().iter().map(|view| view.code).collect();
        assert_eq!(codes, ["no_pool", "pool_down"], "the worst first");
    }

    #[test]
    fn a_limit_is_shown_for_ten_minutes_after_it_was_met_last() {
        let (start, mut known) = (now(), Known::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut met =
            |count, seconds| known.limits_met(&[(Limit::BadLines, count)], at(seconds)).len();
        assert_eq!((met(0, 0), met(3, 15), met(3, 600), met(3, 616)), (0, 1, 1, 0));
        assert_eq!((met(4, 700), met(4, 1299), met(4, 1300)), (1, 1, 0));
    }

    #[test]
    fn troubles_last_until_they_are_settled() {
        let has = || troubles().iter().any(|finding| finding.subject == "/t/history.db");
        raise(Concern::HistoryFile, "/t/history.db", "the disk is full");
        assert!(has());
        settle(Concern::HistoryFile, "/t/other.db");
        assert!(has());
        settle(Concern::HistoryFile, "/t/history.db");
        assert!(!has());
    }
}
