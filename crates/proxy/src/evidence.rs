//! Refused shares in the log, each as a line that `orepass verify` takes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orepass_stratum::evidence::{EvidenceWish, ShareEvidence};
use serde_json::value::RawValue;
use tracing::info;

use crate::clock::now;
use crate::commands::verify::VerifyRequest;
use crate::config::{OptionTable, RouteConfig};
use crate::repeated_warnings::{Folds, nonzero};

/// The event by which such lines are known.
pub(crate) const EVENT: &str = "share.evidence";
/// How often a route shows a refusal of one kind, unless all are to be shown.
const SHOW_EVERY: Duration = Duration::from_secs(600);
/// More kinds than there are.
const MAX_KINDS: usize = 16;

/// What a route has shown lately.
#[derive(Debug)]
pub(crate) struct EvidenceLog(Mutex<Folds<&'static str>>);

impl Default for EvidenceLog {
    fn default() -> Self {
        Self(Mutex::new(Folds::new(SHOW_EVERY, MAX_KINDS)))
    }
}

/// A share that was refused, and by whom.
pub(crate) struct RefusedShare<'a> {
    /// The verdict's name, by which refusals are of a kind.
    pub(crate) kind: &'static str,
    pub(crate) rig: &'a str,
    pub(crate) pool: &'a str,
    /// Why, in the words of whoever refused it.
    pub(crate) reason: &'a str,
    /// The options of its pool.
    pub(crate) pool_options: &'a OptionTable,
    pub(crate) evidence: &'a ShareEvidence,
}

impl EvidenceLog {
    /// Writes a share into the log, unless one of its kind was written lately.
    pub(crate) fn write(&self, share: &RefusedShare<'_>, route: &RouteConfig) {
        let all = route.downstream.evidence == EvidenceWish::All;
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let more = if all { Some(0) } else { shown.say(share.kind, now()) };
        drop(shown);
        let Some(more) = more else { return };
        let Some(line) = line(share, route) else { return };
        let RefusedShare { kind, rig, pool, reason, .. } = share;
        let more_since_last = nonzero(more);
        info!(
            event = EVENT,
            route = route.name.as_str(),
            pool,
            rig,
            verdict = kind,
            reason,
            more_since_last,
            "{line}"
        );
    }
}

/// The share as `orepass verify` reads it.
fn line(share: &RefusedShare<'_>, route: &RouteConfig) -> Option<String> {
    let ShareEvidence {
        notify,
        extranonce1,
        extranonce2_size,
        submit,
        submit_job,
        target,
        version_mask,
    } = share.evidence;
    let request = VerifyRequest {
        dialect: route.dialect.as_str().into(),
        options: share.pool_options.over(&route.options),
        notify: raw(notify)?,
        extranonce1: extranonce1.to_string().into(),
        extranonce2_size: *extranonce2_size,
        submit: raw(submit)?,
        submit_job: submit_job.as_deref().map(Into::into),
        difficulty: None,
        target: None,
        share_target: Some(target.to_string().into()),
        version_mask: version_mask.map(|mask| format!("{mask:08x}").into()),
        transactions: None,
    };
    serde_json::to_string(&request).ok()
}

fn raw(json: &str) -> Option<&RawValue> {
    serde_json::from_str(json).ok()
}
