//! Draws the consequences of the choice of pools: which connections there should be, and which
//! rigs should be where.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orepass_farm::assignment::Rebalance;
use orepass_farm::pools::{Cause, Evidence, Gate, PoolIndex, PoolsEvent};
use orepass_stratum::dialect::Dialect;
use tracing::{info, warn};

use super::Route;
use super::mailbox::SEATS;
use crate::clock::{now, sleep_until};
use crate::config::PoolAccount;

/// How often unused connections are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a connection without rigs stays, unless it is its pool's only one and kept warm.
const UNUSED_FOR: Duration = Duration::from_secs(60);

/// Directs the route until it stops.
pub(super) async fn direct<D: Dialect>(route: Arc<Route<D>>) {
    let mut unused: HashMap<u64, Instant> = HashMap::new();
    let mut shares = Vec::new();
    let mut gate = Gate::Hold;
    let mut look_at = now();
    loop {
        // Once in `LOOK_EVERY` at least, which is often: a rig that comes takes one or two ids.
        route.around.memory.reserve(route.ids.peek().get());
        let wake = {
            let mut choice = route.choice();
            choice.handle_timeout(now());
            choice.poll_timeout()
        };
        while let Some(event) = next_event(&route) {
            // That connections are closed at the end is no outage.
            if !route.ending().is_cancelled() {
                log(&route, event);
            }
        }
        keep_warm(&route);
        let (wanted, opened) = {
            let choice = route.choice();
            (choice.shares(), choice.gate())
        };
        let moved = wanted != shares;
        if moved {
            shares = wanted;
            let work = proven_work(&route);
            route.assignment().set_shares(&shares, work, now());
        }
        // Rigs that are held have to hear of it too when they are let go.
        if moved || opened != gate {
            gate = opened;
            replan(&route);
        }
        route.urgent.send_if_modified(|urgent| {
            let before = std::mem::replace(urgent, gate != Gate::Open);
            before != *urgent
        });
        let rebalance_at = rebalance(&route, &shares);
        for (pool, _) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let rigs = route.assignment().rigs_at(pool);
            route.grow(pool, rigs.saturating_sub(route.alone(pool)));
        }
        if now() >= look_at {
            look_at = now() + LOOK_EVERY;
            close_unused(&route, &mut unused);
        }
        tokio::select! {
            biased;
            () = route.ending().cancelled() => return,
            () = route.happened.notified() => {}
            () = sleep_until(wake) => {}
            () = sleep_until(rebalance_at) => {}
            () = sleep_until(Some(look_at)) => {}
        }
    }
}

fn next_event<D: Dialect>(route: &Route<D>) -> Option<PoolsEvent> {
    route.choice().poll_event()
}

/// Evens the work of the pools out if it is time for it; tells when that will be again.
fn rebalance<D: Dialect>(route: &Route<D>, shares: &[f64]) -> Option<Instant> {
    let due = route.assignment().poll_timeout()?;
    if due > now() {
        return Some(due);
    }
    let work = proven_work(route);
    let (rebalance, due) = {
        let mut assignment = route.assignment();
        (assignment.handle_timeout(now(), work), assignment.poll_timeout())
    };
    if let Some(Rebalance { rigs, parts }) = rebalance {
        let (name, before, wanted) =
            (route.name(), percents(route, &parts), percents(route, shares));
        info!(
            event = "pool.rebalance",
            route = name,
            rigs,
            before,
            wanted,
            "rigs move, so that each pool gets its part of the work"
        );
        replan(route);
    }
    due
}

/// The work that each rig has proven so far.
fn proven_work<D: Dialect>(route: &Route<D>) -> impl Iterator<Item = (u64, f64)> + use<D> {
    route.roster.rigs().into_iter().map(|rig| (rig.serial, rig.work.get()))
}

/// Has all rigs look whether they belong elsewhere now, those too that wait for a pool.
fn replan<D: Dialect>(route: &Route<D>) {
    route.rigs.ring(SEATS);
}

/// The parts of the pools, by name.
fn percents<D: Dialect>(route: &Route<D>, parts: &[f64]) -> String {
    let named = route.config.pools.iter().zip(parts);
    let percent =
        |(pool, part): (&PoolAccount, &f64)| format!("{} {:.1} %", pool.name, part * 100.0);
    named.map(percent).collect::<Vec<_>>().join(", ")
}

/// Opens a connection to each pool that should have one and has none.
fn keep_warm<D: Dialect>(route: &Arc<Route<D>>) {
    let warm = route.choice().warm();
    for pool in warm {
        let open = route
            .channels()
            .iter()
            .any(|channel| channel.pool == pool && !channel.dedicated && !channel.is_gone());
        if !open {
            route.open_channel(pool, false);
        }
    }
}

fn close_unused<D: Dialect>(route: &Route<D>, unused: &mut HashMap<u64, Instant>) {
    let warm = route.choice().warm();
    let mut channels = route.channels();
    channels.retain(|channel| !channel.is_gone());
    let mut count: HashMap<PoolIndex, usize> = HashMap::new();
    for channel in channels.iter().filter(|channel| !channel.dedicated) {
        *count.entry(channel.pool).or_default() += 1;
    }
    unused.retain(|number, _| channels.iter().any(|channel| channel.number == *number));
    for channel in channels.iter() {
        let rigs = channel.view().ground.as_ref().map_or(0, |ground| ground.space.lent());
        // A shared one that is away is to come back; the next rig that needs its own opens its own.
        if rigs > 0 || !channel.is_live() && !channel.dedicated {
            unused.remove(&channel.number);
            continue;
        }
        let since = *unused.entry(channel.number).or_insert_with(now);
        let kept = usize::from(warm.contains(&channel.pool));
        let left = count.entry(channel.pool).or_default();
        let spare = channel.dedicated || *left > kept;
        if now().saturating_duration_since(since) >= UNUSED_FOR && spare {
            *left -= usize::from(!channel.dedicated);
            channel.close();
            let (name, pool, channel) =
                (route.name(), route.pool(channel.pool).name.as_str(), channel.number);
            info!(event = "pool.unused", route = name, pool, channel, "closed: no rig uses it");
        }
    }
}

fn log<D: Dialect>(route: &Route<D>, event: PoolsEvent) {
    let name = route.name();
    let rigs = route.roster.online();
    let of_rank = |rank: usize| {
        let pools = route.config.pools.iter().filter(|pool| pool.standing.rank == rank);
        pools.map(|pool| pool.name.as_str()).collect::<Vec<_>>().join(" + ")
    };
    match event {
        PoolsEvent::Down { pool, cause, evidence } => {
            let pool = route.pool(pool).name.as_str();
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
            let pool = route.pool(pool).name.as_str();
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
            let (pool, first) = (route.pool(pool).name.as_str(), route.pool(first).name.as_str());
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
            let pool = route.pool(pool).name.as_str();
            info!(event = "pool.serves", route = name, pool, "pool serves");
        }
        PoolsEvent::Switched { from: None, to } => {
            info!(event = "pool.active", route = name, pool = of_rank(to), "rigs mine here");
        }
        PoolsEvent::Switched { from: Some(from), to } => {
            let (from, to) = (of_rank(from), of_rank(to));
            warn!(event = "pool.switch", route = name, from, to, rigs, "rigs move to another pool");
        }
        PoolsEvent::Trial { to } => {
            let (to, part) = (of_rank(to), 100.0 * route.config.failover.trial_share);
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

#[cfg(test)]
mod tests {
    use orepass_hstratum::{Hstratum, Options};

    use super::*;
    use crate::config::RouteConfig;
    use crate::net::connect::Tcp;
    use crate::route::Surroundings;
    use crate::store::{RESERVED_IDS, Store};

    /// A route without rigs, whose pool is dead.
    fn start(memory: &Store) -> Arc<Route<Hstratum>> {
        let url = "stratum+tcp://127.0.0.1:1".parse().unwrap();
        let pool = PoolAccount::new("pool".parse().unwrap(), url, "account".parse().unwrap());
        let config = RouteConfig::new("hns".parse().unwrap(), Hstratum::NAME, vec![pool]);
        let around =
            Surroundings { memory: memory.route("hns"), ..Surroundings::new(Arc::new(Tcp)) };
        let dialects = vec![Arc::new(Hstratum::new(Options::default()))];
        Route::start(config, dialects, around, vec![])
    }

    #[tokio::test]
    async fn job_ids_are_reserved_as_they_are_used_and_counted_on_after_a_restart() {
        let now = 1_800_000_000;
        let path = std::env::temp_dir().join(format!("orepass-ids-{}.db", std::process::id()));
        let memory = Store::open_at(&path, now);
        let route = start(&memory);
        assert_eq!(u64::from(route.ids.peek().get()), now);
        for _ in 0..200_000 {
            route.ids.next();
        }
        let used = route.ids.peek().get();
        route.happened.notify_one();
        tokio::task::yield_now().await;
        route.stop().await;
        memory.close().await;

        let memory = Store::open_at(&path, now);
        let route = start(&memory);
        assert_eq!(route.ids.peek().get(), used + RESERVED_IDS);
        route.stop().await;
        memory.close().await;
        std::fs::remove_file(&path).unwrap();
    }
}
