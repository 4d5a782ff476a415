//! Runs one seed from its beginning to its balance.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orepass::clock::on_runtime;
use orepass::config::PoolUrl;
use orepass::net::connect::{ConnectError, Connector, PoolConnection, Reach};
use orepass::route::{Route, Surroundings};
use orepass_farm::stats::Totals;
use orepass_stratum::testing::{Coin, TestCoin};
use tokio::runtime::Builder;

use super::fates::{PoolFates, RigFates, imbalances};
use super::pipe::{End, Shared, halves, lock};
use super::plan::Plan;
use super::setting::{Setting, tell, violation};
use super::world::World;

/// How long after the last share every share must have its verdict: 30 s for the last pool, 5 s
/// for a connection that is being made meanwhile, and some.
const DRAIN: Duration = Duration::from_secs(40);
/// The local port that rigs come to.
const PORT: u16 = 3333;
/// How long a day is.
pub const DAY: Duration = Duration::from_secs(86_400);
/// How many of a story's last lines are kept, unless it is said otherwise.
const LINES: usize = 6000;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// Decides everything.
    pub seed: u64,
    /// How long it lasts, in virtual time.
    pub span: Duration,
    /// How many of the story's last lines are kept.
    pub lines: usize,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Stands for its whole story.
    pub digest: u64,
    /// The rules that were broken.
    pub violations: Vec<String>,
    /// The end of its story.
    pub story: Vec<String>,
    /// The route's books.
    pub books: Totals,
    /// What the pools saw.
    pub pools: PoolFates,
    /// What the rigs saw.
    pub rigs: RigFates,
    /// The longest time that a rig had no job without an excuse.
    pub longest_idle: Duration,
}

impl Storm {
    /// A day of a seed.
    #[must_use]
    pub const fn of_seed(seed: u64) -> Self {
        Self { seed, span: DAY, lines: LINES }
    }

    /// Runs it. `progress` is given the days that have passed.
    ///
    /// # Panics
    /// Where there is no runtime to be had.
    pub fn run(self, progress: impl FnMut(u64)) -> Report {
        // The proxy's own jitter.
        fastrand::seed(self.seed);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(story(self, progress))
    }
}

async fn story(storm: Storm, mut progress: impl FnMut(u64)) -> Report {
    let Storm { seed, span, lines } = storm;
    let mut setting = Setting::new(seed, lines);
    let plan = Plan::new(&mut setting);
    let world: Shared = Arc::new(Mutex::new(World::new(setting, &plan)));
    let coin = || Arc::new(Coin { linger: plan.linger, ..TestCoin::default() });
    let dialects = plan.route.pools.iter().map(|_| coin()).collect();
    let sea = Arc::new(Sea { world: Arc::clone(&world) });
    let route = Route::start(plan.route.clone(), dialects, Surroundings::new(sea), Vec::new());

    let mut days = 0;
    while let Some(now) = step(&world, &route, span).await {
        if now >= DAY * (days + 1) {
            days += 1;
            progress(days.into());
        }
    }
    finish(&world, &route, span).await;
    let world = lock(&world);
    let told = &world.setting.story;
    Report {
        seed,
        digest: told.digest(),
        violations: told.violations().to_vec(),
        story: told.lines().map(str::to_owned).collect(),
        books: route.totals(),
        pools: world.setting.pool_fates,
        rigs: world.setting.rig_fates,
        longest_idle: world.idle.iter().map(|idle| idle.longest).max().unwrap_or_default(),
    }
}

/// Has everything happen that is due, then waits for what comes next; `None` at the end, or when a
/// rule was broken.
async fn step(world: &Shared, route: &Arc<Route<TestCoin>>, until: Duration) -> Option<Duration> {
    let (looked, comers, hurry) = {
        let mut world = lock(world);
        let looked = world.go_on();
        (looked, std::mem::take(&mut world.comers), Arc::clone(&world.hurry))
    };
    for (rig, conn) in comers {
        let (reader, writer) = halves(world, End::Rig { rig, conn });
        let peer = SocketAddr::from(([10, 0, 0, rig as u8], 1024));
        if let Err(full) = route.admit(tokio::io::join(reader, writer), peer, PORT) {
            violation!(lock(world).setting, "rig {rig} was refused: {full}");
        }
    }
    let (now, wakes) = {
        let mut world = lock(world);
        let now = world.setting.now();
        let (sessions, online) = (world.sessions(), route.roster().online());
        // One that has just come has not been looked at yet.
        if looked && world.came != now && sessions != online {
            violation!(world.setting, "{online} rigs on the roster, {sessions} connected");
        }
        if now >= until || !world.setting.story.violations().is_empty() {
            return None;
        }
        (now, world.setting.instant(world.wakes.unwrap_or(until).min(until)))
    };
    tokio::select! {
        biased;
        () = hurry.notified() => {}
        () = tokio::time::sleep_until(on_runtime(wakes)) => {}
    }
    Some(now)
}

/// Lets every share get its verdict, ends the route, and strikes the balance.
async fn finish(world: &Shared, route: &Arc<Route<TestCoin>>, span: Duration) {
    if !lock(world).setting.story.violations().is_empty() {
        return;
    }
    lock(world).calm_down();
    while step(world, route, span + DRAIN).await.is_some() {}
    let open = route.totals();
    if open.sent != open.ended() {
        let mut world = lock(world);
        violation!(world.setting, "{} shares sent, {} ended", open.sent, open.ended());
    }
    route.stop().await;
    let mut world = lock(world);
    let Setting { pool_fates, rig_fates, .. } = &world.setting;
    let found = imbalances(&route.totals(), pool_fates, rig_fates);
    for what in found {
        violation!(world.setting, "{what}");
    }
    tell!(world.setting, "{:?}", route.totals());
    if route.roster().online() > 0 {
        violation!(world.setting, "{} rigs on the roster in the end", route.roster().online());
    }
}

/// The way to the simulated pools.
struct Sea {
    world: Shared,
}

#[async_trait]
impl Connector for Sea {
    async fn connect(&self, url: &PoolUrl, _: &Reach) -> Result<PoolConnection, ConnectError> {
        let pool = usize::from(url.port()) - 1;
        let (wait, _) = lock(&self.world).dial(pool);
        tokio::time::sleep(wait).await;
        // It may have changed meanwhile.
        lock(&self.world).dial(pool).1.map_err(io::Error::from)?;
        let conn = lock(&self.world).accept(pool);
        let (reader, writer) = halves(&self.world, End::Pool { pool, conn });
        let peer = SocketAddr::from(([10, 1, 0, pool as u8], url.port()));
        Ok(PoolConnection::new(Box::new(reader), Box::new(writer), peer))
    }
}
