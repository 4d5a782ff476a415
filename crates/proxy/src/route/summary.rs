//! Looks at the books every few seconds, and says in one line a minute how it goes.

use std::sync::Arc;
use std::time::Duration;

use orepass_farm::stats::Totals;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::verdict::Verdict;
use tracing::info;

use super::Route;
use crate::clock::now;
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
        let online = route.roster.online();
        most_rigs = most_rigs.max(online);
        let (since, before, traffic) = &last_line;
        if at.saturating_duration_since(*since) < EVERY {
            continue;
        }
        let accepted = totals.count(Verdict::AcceptedByPool);
        let refused = refused(&totals);
        let new = accepted - before.count(Verdict::AcceptedByPool);
        let (came, went) = route.roster.traffic();
        let (up, down) = (came - traffic.0, went - traffic.1);
        let [minute, ..] = route.book.reading().rates();
        info!(
            event = "summary",
            route = route.name(),
            "{}, shares {accepted}/{refused} +{new}, upstreams {}, rigs {online} (max {most_rigs}) +{up}/-{down}",
            hashrate(minute.accepted.per_second),
            route.live_channels()
        );
        last_line = (at, totals, (came, went));
    }
}

/// Shares that the pool or the proxy refused, stale ones included.
fn refused(totals: &Totals) -> u64 {
    let good = [Verdict::AcceptedByPool, Verdict::BelowPoolTarget];
    totals.ended() - good.iter().map(|&verdict| totals.count(verdict)).sum::<u64>()
}

/// A rate of hashes with the usual prefix.
pub(crate) fn hashrate(per_second: f64) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut value = per_second.max(0.0);
    let mut prefix = 0;
    while value >= 1000.0 && prefix + 1 < PREFIXES.len() {
        value /= 1000.0;
        prefix += 1;
    }
    format!("{value:.2} {}H/s", PREFIXES[prefix])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_usual_prefixes() {
        assert_eq!(hashrate(0.0), "0.00 H/s");
        assert_eq!(hashrate(1.93e15), "1.93 PH/s");
        assert_eq!(hashrate(999.9), "999.90 H/s");
        assert_eq!(hashrate(2.5e22), "25000.00 EH/s");
    }
}
