//! What the API tells, as far as it is shown. It is read as it comes from whatever version is at work: what
//! is missing is not known, and what is new is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Something for each kind in which a share ends, by its name.
pub(in crate::commands) type KindsSeen = BTreeMap<String, Option<f64>>;

/// The process and its routes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct SummarySeen {
    pub(super) version: String,
    pub(super) uptime_s: Option<f64>,
    pub(super) routes: Vec<RouteSeen>,
}

/// A route.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RouteSeen {
    pub(super) name: String,
    pub(super) dialect: String,
    pub(super) gate: String,
    pub(super) rigs: u64,
    pub(super) rigs_waiting: u64,
    pub(super) pools: Vec<PoolSeen>,
    pub(super) channels: Vec<ChannelSeen>,
    pub(super) hashrate: Vec<RatesSeen>,
    pub(super) preferred_pool: Option<String>,
}

/// A pool.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PoolSeen {
    pub(super) name: String,
    pub(super) health: String,
    pub(super) cause: Option<String>,
    pub(super) rigs: u64,
    pub(super) job_age_s: Option<f64>,
    pub(super) hashrate: Vec<RatesSeen>,
}

/// A connection to a pool.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelSeen {
    pub(super) pool: String,
    pub(super) leases_used: u64,
    pub(super) leases_total: u64,
    pub(super) dedicated: bool,
}

/// Rates over a window.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::commands) struct RatesSeen {
    window_s: u64,
    pub(super) claimed_hs: Option<f64>,
    pub(super) accepted_hs: Option<f64>,
    pub(super) accepted_error_hs: Option<f64>,
    pub(super) credited_hs: Option<f64>,
    pub(super) credited_error_hs: Option<f64>,
    pub(super) kinds_hs: KindsSeen,
}

/// A minute, in seconds.
pub(super) const MINUTE: u64 = 60;
/// Ten of them.
pub(super) const TEN_MINUTES: u64 = 600;
/// An hour.
pub(super) const HOUR: u64 = 3600;
/// A day.
pub(super) const DAY: u64 = 86_400;

/// The rates over a window, of a list of them; none that are known where it is not among them.
pub(super) fn over(rates: &[RatesSeen], window: u64) -> RatesSeen {
    rates.iter().find(|rates| rates.window_s == window).cloned().unwrap_or_default()
}

/// A page of workers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkersSeen {
    pub(super) total: usize,
    pub(super) offset: usize,
    pub(super) workers: Vec<WorkerRow>,
}

/// A worker.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkerRow {
    pub(super) route: String,
    /// Text from outside.
    pub(super) name: String,
    pub(super) state: String,
    pub(super) rigs: u64,
    /// Text from outside.
    pub(super) agents: Vec<String>,
    pub(super) last_share_age_s: Option<f64>,
    pub(super) shares: KindsSeen,
    pub(super) hashrate: Vec<RatesSeen>,
    pub(super) norm_hs: Option<f64>,
    pub(super) against_norm: String,
}

/// Connections of a worker.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RigsSeen {
    pub(super) total: usize,
    pub(super) rigs: Vec<RigSeen>,
}

/// A connected rig.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RigSeen {
    pub(super) id: String,
    pub(super) address: String,
    /// Text from outside.
    pub(super) agent: Option<String>,
    pub(super) state: String,
    pub(super) pool: Option<String>,
    pub(super) difficulty: Option<f64>,
    pub(super) last_share_age_s: Option<f64>,
    pub(super) hashrate: Vec<RatesSeen>,
    pub(super) diagnosis: Option<String>,
    pub(super) advice: Option<String>,
}

/// Events of one run, the oldest first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventsSeen {
    pub(super) started_at: String,
    pub(super) events: Vec<EventSeen>,
}

/// An event. Its texts may come from outside.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventSeen {
    pub(super) sequence: u64,
    pub(super) at: String,
    pub(super) level: String,
    pub(super) id: String,
    pub(super) message: String,
    pub(super) route: Option<String>,
    pub(super) pool: Option<String>,
    pub(super) worker: Option<String>,
    pub(super) rig: Option<String>,
    pub(super) fields: BTreeMap<String, String>,
}

/// What needs somebody.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NeedsSeen {
    pub(super) diagnostics: Vec<NeedSeen>,
}

/// Something that needs somebody.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NeedSeen {
    pub(super) severity: String,
    pub(super) age_s: Option<f64>,
    pub(super) route: Option<String>,
    pub(super) subject: String,
    pub(super) meaning: String,
    pub(super) detail: String,
    pub(super) count: u64,
    /// Text from outside.
    pub(super) named: Vec<String>,
    pub(super) remedy: String,
}

/// Parts of time in which something was, the oldest first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct HistorySeen {
    pub(super) step_s: u64,
    pub(super) points: Vec<PointSeen>,
}

/// A part of time.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PointSeen {
    pub(super) at: String,
    pub(super) work_hashes: KindsSeen,
}
