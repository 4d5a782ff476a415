//! `orepass demo`: a farm, the proxy and a pool in one process, over loopback, hashing for real.
//!
//! The pool finds blocks, rigs drop and come back; at the end the rigs stop first, the verdicts
//! drain, and then the books must close.

mod report;
mod scene;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm, RigHandle};
use tokio::time::{Instant, sleep_until, timeout};

use self::report::{DemoReport, StageLine};
pub use self::scene::{Scene, Story};
use super::{CommandError, Outcome};
use crate::cli::Demo;
use crate::config::Config;
use crate::limits;
use crate::net::listen::listen;
use crate::process::Process;
use crate::registry::{DialectEntry, Registry};
use crate::running::RunningRoute;
use crate::store::Store;
use crate::supervisor;

/// How often the live view is written, and how often a pool may make a job.
const TICK: Duration = Duration::from_secs(1);
/// A demo lasts at least so long, so that what should happen has the time to.
const SHORTEST: u64 = 4;
/// So many rigs drop their connection and come back.
const DROPS: usize = 2;
/// How long answers may take once the rigs have stopped.
const DRAIN_FOR: Duration = Duration::from_secs(15);

/// Runs the demo; a failure when the books do not close.
///
/// # Errors
/// A [`CommandError`] when it cannot be set up.
pub async fn demo(demo: Demo, registry: &Registry) -> Result<Outcome, CommandError> {
    let scenes = chosen(demo.dialect.as_deref(), registry)?;
    let rigs = scenes.iter().map(|(_, scene)| demo.rigs.unwrap_or(scene.rigs)).sum();
    limits::raise_and_report(rigs);
    let mut stages = Vec::new();
    for (entry, scene) in scenes {
        stages.push(Stage::set(entry, scene, &demo, registry).await?);
    }
    let end = Instant::now() + Duration::from_secs(demo.seconds.max(SHORTEST));
    play(&mut stages, end, demo.json).await;
    let mut report = DemoReport::default();
    for stage in stages {
        report.add(stage.close().await);
    }
    report.print(demo.json);
    Ok(if report.is_good() { Outcome::Success } else { Outcome::Failure })
}

/// The scenes of the dialect of a name, or of all that have one.
fn chosen<'a>(
    name: Option<&str>,
    registry: &'a Registry,
) -> Result<Vec<(&'a DialectEntry, Scene)>, CommandError> {
    let scene = |entry: &'a DialectEntry| Some((entry, entry.scene?()));
    let name = name.or_else(|| registry.first()).unwrap_or("all");
    if name == "all" {
        return Ok(registry.entries().filter_map(scene).collect());
    }
    let entry = registry.get(name).map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
    let missing = || CommandError::Failed(format!("there is no demo for dialect `{name}`"));
    Ok(vec![scene(entry).ok_or_else(missing)?])
}

/// One coin's pool, proxy route and rigs.
struct Stage {
    dialect: &'static str,
    pool: PoolServer,
    route: Arc<dyn RunningRoute>,
    farm: RigFarm,
    story: Story,
    /// Blocks that there were.
    blocks: u64,
    /// Shares that there were at the last of them.
    shares_at_block: u64,
    most_pool_connections: u64,
}

impl Stage {
    async fn set(
        entry: &DialectEntry,
        scene: Scene,
        demo: &Demo,
        registry: &Registry,
    ) -> Result<Self, CommandError> {
        let (dialect, Scene { pool, rig, route, rigs, story }) = (entry.name, scene);
        let rigs = demo.rigs.unwrap_or(rigs);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |error| CommandError::Bind { address: loopback, error };
        let pool = PoolServer::new(pool);
        let pool_address = pool.listen(loopback).await.map_err(failed)?;
        let listener = listen(loopback).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let text = format!(
            "[[route]]\nname = \"{dialect}\"\ndialect = \"{dialect}\"\nlisten = [\"{address}\"]\n\
             {route}\n[[route.pool]]\nurl = \"stratum+tcp://{pool_address}\"\nuser = \"demo\"\n"
        );
        let config = Config::parse("demo", &text, registry)?;
        let memory = Store::fleeting().route(dialect);
        let route = (entry.prepare)(&config.routes[0])
            .map_err(|error| config.source().error(error.into_problems()))?
            .start(memory, Process::default(), vec![listener]);
        let farm = RigFarm::start(rigs, &address.to_string(), TICK, rig);
        Ok(Self {
            dialect,
            pool,
            route,
            farm,
            story,
            blocks: 0,
            shares_at_block: 0,
            most_pool_connections: 0,
        })
    }

    /// What happens at a moment of the demo; `progress` runs from 0 to 1.
    fn tick(&mut self, progress: f64) {
        let Story { blocks, shares_between, jobs_between, .. } = self.story;
        let due = (progress * (blocks + 1) as f64) as u64;
        let shares = self.route.totals().sent;
        let earned = shares >= self.shares_at_block + shares_between;
        if due > self.blocks && self.blocks < blocks && earned {
            self.blocks += 1;
            self.shares_at_block = shares;
            self.pool.new_block();
            // After the second block the rigs whose turn it is come back to other leases.
            if self.blocks == 2 {
                let dropped = self.farm.rigs().iter().take(DROPS);
                dropped.for_each(RigHandle::drop_connection);
            }
        } else if jobs_between {
            self.pool.new_job();
        }
        let open = self.pool.stats().connections_open;
        self.most_pool_connections = self.most_pool_connections.max(open);
    }

    /// How long its rigs may take past the demo's time.
    fn patience(&self) -> Duration {
        (self.story.patience)(self.farm.rigs().len())
    }

    /// Whether all that should happen has happened.
    fn is_complete(&self) -> bool {
        let rigs = self.farm.rigs();
        let back = rigs.iter().take(DROPS).all(|rig| rig.stats().connects >= 2);
        let blocks = self.blocks == self.story.blocks;
        back && blocks && self.rigs_with_accepted_share() == rigs.len()
    }

    /// Whether the books cannot close any more, so that there is nothing to wait for.
    fn is_lost(&self) -> bool {
        self.line().is_lost()
    }

    /// Rigs of which the pool itself has credited a share.
    fn rigs_with_accepted_share(&self) -> usize {
        let workers = self.route.roster().workers();
        workers.iter().filter(|(_, totals)| StageLine::credited(totals) > 0).count()
    }

    fn line(&self) -> StageLine {
        StageLine {
            dialect: self.dialect.to_owned(),
            rigs: self.farm.rigs().len(),
            rigs_online: self.route.roster().online(),
            pool_connections: self.most_pool_connections,
            duplicates_at_pool: self.pool.stats().duplicates,
            rigs_with_accepted_share: self.rigs_with_accepted_share(),
            blocks: self.blocks,
            totals: self.route.totals(),
            unanswered_by_proxy: 0,
            answered_twice: 0,
        }
    }

    /// The rigs stop, the verdicts drain, everything closes.
    async fn close(self) -> StageLine {
        // Whoever is not answered by then is counted below.
        let _ = self.farm.drain(DRAIN_FOR).await;
        let mut line = self.line();
        let rigs = self.farm.close().await;
        supervisor::stop(&[Arc::clone(&self.route)]).await;
        self.pool.close();
        line.totals = self.route.totals();
        line.unanswered_by_proxy = rigs.pending;
        line.answered_twice = rigs.double_answers + rigs.unknown_answers;
        line
    }
}

/// Lets time pass until the end, and then until all that should happen has happened.
async fn play(stages: &mut [Stage], end: Instant, json: bool) {
    let start = Instant::now();
    let whole = end - start;
    let patience = stages.iter().map(Stage::patience).max().unwrap_or_default();
    let acts = async {
        let mut next = start;
        loop {
            next += TICK;
            sleep_until(next).await;
            let progress = (next - start).as_secs_f64() / whole.as_secs_f64();
            for stage in &mut *stages {
                stage.tick(progress);
                if !json {
                    stage.line().show((next - start).as_secs());
                }
            }
            if next >= end && stages.iter().all(|stage| stage.is_complete() || stage.is_lost()) {
                return;
            }
        }
    };
    // Past its patience the demo ends as it is, and the report says what is missing.
    let _ = timeout(whole + patience, acts).await;
}
