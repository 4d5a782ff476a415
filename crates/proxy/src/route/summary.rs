//! Looks at the books every few seconds, and says in one line a minute how it goes, and in one where many
//! rigs come or go.

use std::sync::Arc;
use std::time::Duration;

use orepass_farm::stats::Totals;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::verdict::Verdict;
use tracing::info;

use super::{Route, reports};
use crate::clock::now;
use crate::hash_rate::HashRate;
use crate::rig::crowd::CrowdCount;
use crate::rig::roster::OnlineRig;
use crate::watch::{LOOK_EVERY, Watched, WorkerState};

/// How often the line is written.
const EVERY: Duration = Duration::from_secs(60);

/// Looks, and writes the line, until the route ends.
pub(super) async fn report<D: Dialect>(route: Arc<Route<D>>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut last_look = now();
    let mut last_line = (now(), Totals::default(), (0, 0));
    let mut most_rigs = 0;
    loop {
        tokio::select! {
            biased;
            () = route.stopping().cancelled() => return,
            _ = ticks.tick() => {}
        }
        let at = now();
        route.look(at.saturating_duration_since(last_look), at);
        last_look = at;
        let totals = route.totals();
        route.warnings.write_due(route.name(), at);
        if let Some(count) = route.crowd.poll(at) {
            say_crowd(route.name(), &count);
        }
        let online = route.roster.online();
        most_rigs = most_rigs.max(online);
        let (since, before, traffic) = &last_line;
        if at.saturating_duration_since(*since) < EVERY {
            continue;
        }
        let traffic = say_summary(&route, &totals, before, *traffic, most_rigs);
        last_line = (at, totals, traffic);
    }
}

/// The line; gives how many rigs have come and gone so far.
fn say_summary<D: Dialect>(
    route: &Route<D>,
    totals: &Totals,
    before: &Totals,
    traffic: (u64, u64),
    most_rigs: usize,
) -> (u64, u64) {
    let rigs = RigCounts::of(&route.roster.rigs());
    let now_traffic = route.roster.traffic();
    let [minute, ..] = route.book.reading().rates();
    let rate = minute.accepted.per_second;
    let accepted = totals.count(Verdict::AcceptedByPool);
    let stale = totals.count(Verdict::Stale);
    let (mining, pool) = (rigs.mining, reports::serving_pools(route));
    info!(
        event = "summary",
        route = route.name(),
        pool,
        hashrate_hs = rate.round(),
        accepted,
        new_accepted = accepted - before.count(Verdict::AcceptedByPool),
        stale,
        refused = totals.lost() - stale,
        mining,
        silent = rigs.silent,
        quarantined = rigs.quarantined,
        not_logged_in = rigs.strangers,
        most_connections = most_rigs,
        came = now_traffic.0 - traffic.0,
        left = now_traffic.1 - traffic.1,
        channels = route.live_channels(),
        "{} at {pool}, {mining} rig{} mining",
        HashRate::new(rate),
        if mining == 1 { "" } else { "s" },
    );
    now_traffic
}

/// Connections of rigs, by what they do.
#[derive(Default)]
struct RigCounts {
    mining: usize,
    silent: usize,
    quarantined: usize,
    /// Those that have not said who they are.
    strangers: usize,
}

impl RigCounts {
    fn of(rigs: &[Arc<OnlineRig>]) -> Self {
        let mut counts = Self::default();
        for rig in rigs {
            let count = match WorkerState::now_of(rig) {
                _ if rig.shown().worker.is_none() => &mut counts.strangers,
                WorkerState::Silent => &mut counts.silent,
                WorkerState::Quarantined => &mut counts.quarantined,
                WorkerState::Online | WorkerState::Offline => &mut counts.mining,
            };
            *count += 1;
        }
        counts
    }
}

/// Rigs have come or gone that had no line of their own.
pub(super) fn say_crowd(route: &str, count: &CrowdCount) {
    let CrowdCount { came, left, first_shares, remarks } = *count;
    info!(event = "rigs", route, came, left, first_shares, remarks, "{count}");
}
