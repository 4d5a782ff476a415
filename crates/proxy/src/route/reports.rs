//! What the log says of the farm's decisions.

use std::sync::Arc;

use orepass_farm::farm::Report;
use orepass_farm::pools::{Cause, Evidence, PoolsEvent};
use orepass_stratum::dialect::Dialect;
use tracing::{info, warn};

use super::Route;
use super::now::PoolNow;

pub(super) fn log<D: Dialect>(route: &Route<D>, report: Report) {
    let name = route.name();
    match report {
        Report::Pools(event) => decision(route, event),
        Report::Rebalance { rigs, before, wanted } => {
            let (before, wanted) = (percents(route, &before), percents(route, &wanted));
            info!(
                event = "pool.rebalance",
                route = name,
                rigs,
                before,
                wanted,
                "rigs move, so that each pool gets its part of the work"
            );
        }
        Report::Barred { rigs } => {
            info!(
                event = "rig.barred",
                route = name,
                rigs,
                "{rigs} rigs may not connect any more, as the config is now: closed one after the other"
            );
        }
        Report::Unused { pool, channel } => {
            let at = route.now();
            let (pool, channel) = (at.name_of(pool), channel.0);
            info!(event = "pool.unused", route = name, pool, channel, "closed: no rig uses it");
        }
    }
}

/// The parts of the pools, by name.
fn percents<D: Dialect>(route: &Route<D>, parts: &[f64]) -> String {
    let now = route.now();
    let named = now.pools.iter().zip(parts);
    // Those that have left are left out.
    let named = named.filter(|(pool, part)| pool.leaving.is_none() || **part > 0.0);
    let percent = |(pool, part): (&Arc<PoolNow<D>>, &f64)| {
        format!("{} {:.1} %", pool.account.name, part * 100.0)
    };
    named.map(percent).collect::<Vec<_>>().join(", ")
}

/// The names of the pools that rigs mine at.
pub(super) fn serving_pools<D: Dialect>(route: &Route<D>) -> String {
    let (now, parts) = (route.now(), route.parts());
    let serving = now.pools.iter().zip(parts).filter(|(_, part)| *part > 0.0);
    let names: Vec<_> = serving.map(|(pool, _)| pool.account.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" + ") }
}

fn decision<D: Dialect>(route: &Route<D>, event: PoolsEvent) {
    let name = route.name();
    let rigs = route.roster.online();
    let now = route.now();
    let of_rank = |rank: usize| now.names_of_rank(rank);
    match event {
        PoolsEvent::Down { pool, cause, evidence } => {
            let pool = now.name_of(pool);
            let shares = matches!(cause, Cause::Rejects | Cause::Losses).then_some(&evidence);
            warn!(
                event = "pool.failed",
                route = name,
                pool,
                cause = cause.name(),
                refused = shares.map(|shares| shares.refused),
                lost = shares.map(|shares| shares.lost),
                of = shares.map(|shares| shares.of),
                words = shares.map(Evidence::words),
                "pool is of no use"
            );
        }
        PoolsEvent::Kept { pool, cause, evidence } => {
            let pool = now.name_of(pool);
            warn!(
                event = "pool.kept",
                route = name,
                pool,
                cause = cause.name(),
                refused = evidence.refused,
                lost = evidence.lost,
                of = evidence.of,
                words = evidence.words(),
                "the pool does badly and is kept: no other one does better"
            );
        }
        PoolsEvent::Alike { pool, first, evidence } => {
            let (pool, first) = (now.name_of(pool), now.name_of(first));
            warn!(
                event = "pool.alike",
                route = name,
                pool,
                first,
                refused = evidence.refused,
                of = evidence.of,
                words = evidence.words(),
                "this pool refuses shares too, so the cause is probably here: look at `user`, \
                 `difficulty_scale` and the rigs; they go back to the first pool, and refusals \
                 move them no more for half an hour"
            );
        }
        PoolsEvent::Up(pool) => {
            let pool = now.name_of(pool);
            info!(event = "pool.serves", route = name, pool, "pool serves");
        }
        PoolsEvent::Switched { from: None, to } => {
            info!(event = "pool.active", route = name, pool = of_rank(to), "rigs mine here");
        }
        PoolsEvent::Switched { from: Some(from), to } => {
            let (from, to) = (of_rank(from), of_rank(to));
            route.times.switched(from.clone(), to.clone());
            warn!(event = "pool.switch", route = name, from, to, rigs, "rigs move to another pool");
        }
        PoolsEvent::Trial { to } => {
            let (to, part) = (of_rank(to), 100.0 * now.config.failover.trial_share);
            info!(
                event = "pool.trial",
                route = name,
                to,
                "the better pool gets {part:.0} % of the work back, the rest follows"
            );
        }
        PoolsEvent::TrialFailed { rank } => {
            let pool = of_rank(rank);
            warn!(event = "pool.trial_failed", route = name, pool, "the better pool failed again");
        }
        PoolsEvent::Left(pool) => {
            let pool = now.name_of(pool);
            info!(event = "pool.left", route = name, pool, "the route has this pool no more");
        }
        PoolsEvent::Outage => {
            warn!(event = "pool.outage", route = name, rigs, "no pool serves; the rigs are held");
        }
        PoolsEvent::Closing => {
            warn!(
                event = "pool.outage",
                route = name,
                rigs,
                "no pool serves for too long; the rigs are let go to their own backup"
            );
        }
    }
}
