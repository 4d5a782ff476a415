//! How a route does, in one sentence: the page's (`web/js/views/now.js`).

use super::data::{RouteSeen, TEN_MINUTES, over};
use super::format::{count, many, rate};
use super::words::{STATES, Tone};

/// How a route does, by how many of its workers are in which state.
pub(super) fn sentence(route: &RouteSeen, counts: [u64; STATES.len()]) -> (Tone, String) {
    let name = &route.name;
    let known: u64 = counts.iter().sum();
    let rest = known - counts[0];
    if route.gate != "open" {
        let rigs = many(route.rigs, "rig");
        let what = if route.gate == "hold" { "held" } else { "let go to their own backup" };
        return (Tone::Bad, format!("✕ No pool serves {name}: {rigs} {what}."));
    }
    if known == 0 {
        return (Tone::Off, format!("○ No rig has come to {name} yet."));
    }
    let at = route.pools.iter().filter(|pool| pool.rigs > 0).map(|pool| &*pool.name);
    let at = at.collect::<Vec<_>>().join(" and ");
    let at = if at.is_empty() { at } else { format!(" at {at}") };
    let (online, known) = (count(counts[0]), count(known));
    let earned = rate(over(&route.hashrate, TEN_MINUTES).accepted_hs);
    let does = format!("{online} of {known} workers earn {earned}{at}");
    match rest {
        0 => (Tone::Good, format!("● {does}.")),
        1 => (Tone::Warn, format!("▲ {does}; 1 needs you.")),
        rest => (Tone::Warn, format!("▲ {does}; {} need you.", count(rest))),
    }
}
