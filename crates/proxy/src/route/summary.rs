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
use crate::watch::{LOOK_EVERY, Watched};

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
        let accepted = totals.count(Verdict::AcceptedByPool);
        let refused = totals.lost();
        let new = accepted - before.count(Verdict::AcceptedByPool);
        let (came, went) = route.roster.traffic();
        let (up, down) = (came - traffic.0, went - traffic.1);
        let [minute, ..] = route.book.reading().rates();
        info!(
            event = "summary",
            route = route.name(),
            "{}, shares {accepted}/{refused} +{new}, upstreams {}, rigs {online} (max {most_rigs}) +{up}/-{down}, pool {}",
            HashRate::new(minute.accepted.per_second),
            route.live_channels(),
            reports::serving_pools(&route)
        );
        last_line = (at, totals, (came, went));
    }
}

/// Rigs have come or gone that had no line of their own.
pub(super) fn say_crowd(route: &str, count: &CrowdCount) {
    let CrowdCount { came, left, first_shares, remarks } = *count;
    info!(event = "rigs", route, came, left, first_shares, remarks, "{count}");
}
