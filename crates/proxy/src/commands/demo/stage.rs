//! One coin's pools, proxy route and rigs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::stats::Totals;
use orepass_sim::net::{PoolServer, RigFarm, RigHandle};
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_stratum::verdict::Verdict;

use super::TICK;
use super::failover::{FailoverStory, PoolAtPlay, StoryTurn};
use super::report::StageLine;
use super::scene::{Scene, Story};
use crate::cli::Demo;
use crate::commands::CommandError;
use crate::config::Config;
use crate::net::listen::{BACKLOG, listen};
use crate::process::Process;
use crate::registry::{DialectEntry, Registry};
use crate::running::RunningRoute;
use crate::store::Store;
use crate::supervisor;
use crate::watch::views::PoolView;

/// So many rigs drop their connection and come back.
const DROPS: usize = 2;
/// How long answers may take once the rigs have stopped.
const DRAIN_FOR: Duration = Duration::from_secs(15);
/// The pools' names, in their order.
const NAMES: [&str; 2] = ["first", "second"];
/// A demo is short: a pool that is back is trusted soon.
const SOON_BACK: &str = "[route.failover]\nhealthy_seconds = 1\ntrial_seconds = 1\n";

/// One coin's pools, proxy route and rigs.
pub(super) struct Stage {
    pub(super) dialect: &'static str,
    /// One, or two between which rigs fail over.
    pools: Vec<PoolServer>,
    route: Arc<dyn RunningRoute>,
    farm: RigFarm,
    story: Story,
    failover: Option<FailoverStory>,
    /// Blocks that there were.
    blocks: u64,
    /// Shares that there were at the last of them.
    shares_at_block: u64,
    most_pool_connections: u64,
}

impl Stage {
    pub(super) async fn set(
        entry: &DialectEntry,
        scene: Scene,
        demo: &Demo,
        registry: &Registry,
    ) -> Result<Self, CommandError> {
        let (dialect, Scene { pool, rig, route, rigs, story }) = (entry.name, scene);
        let rigs = demo.rigs.unwrap_or(rigs);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |error| CommandError::Bind { address: loopback, error };
        let listener = listen(loopback, BACKLOG).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut text = format!(
            "[[route]]\nname = \"{dialect}\"\ndialect = \"{dialect}\"\nlisten = [\"{address}\"]\n\
             {route}\n"
        );
        let fails_over = !demo.json;
        if fails_over {
            text += SOON_BACK;
        }
        let mut pools = Vec::new();
        for (seed, name) in NAMES.iter().enumerate().take(1 + usize::from(fails_over)) {
            let pool =
                PoolServer::new(if fails_over { with_seed(&pool, seed) } else { pool.clone() });
            let address = pool.listen(loopback).await.map_err(failed)?;
            text += &format!(
                "[[route.pool]]\nname = \"{name}\"\nurl = \"stratum+tcp://{address}\"\n\
                 user = \"demo\"\n"
            );
            pools.push(pool);
        }
        let config = Config::parse("demo", &text, registry)?;
        let memory = Store::fleeting().route(dialect);
        let route = (entry.prepare)(&config.routes[0])
            .map_err(|error| config.source().error(error.into_problems()))?
            .start(memory, Process::default(), vec![listener]);
        let farm = RigFarm::start(rigs, &address.to_string(), TICK, rig);
        let stage = Self {
            dialect,
            pools,
            route,
            farm,
            story,
            failover: fails_over.then(FailoverStory::default),
            blocks: 0,
            shares_at_block: 0,
            most_pool_connections: 0,
        };
        if fails_over {
            stage.begin_block();
        }
        Ok(stage)
    }

    /// What happens at a moment of the demo, in words; `progress` runs from 0 to 1.
    pub(super) fn tick(&mut self, progress: f64) -> Option<String> {
        let Story { blocks, shares_between, jobs_between, .. } = self.story;
        let due = (progress * (blocks + 1) as f64) as u64;
        let shares = self.route.totals().sent;
        let earned = shares >= self.shares_at_block + shares_between;
        if due > self.blocks && self.blocks < blocks && earned {
            self.blocks += 1;
            self.shares_at_block = shares;
            self.begin_block();
            // After the second block the rigs whose turn it is come back to other leases.
            if self.blocks == 2 {
                let dropped = self.farm.rigs().iter().take(DROPS);
                dropped.for_each(RigHandle::drop_connection);
            }
        } else if jobs_between {
            self.pools.iter().for_each(PoolServer::new_job);
        }
        let open = self.pools.iter().map(|pool| pool.stats().connections_open).max();
        self.most_pool_connections = self.most_pool_connections.max(open.unwrap_or(0));
        self.fail_over(progress)
    }

    /// Pools between which rigs fail over mine on one chain: else each would seem behind the other.
    fn begin_block(&self) {
        if let [pool] = &self.pools[..] {
            return pool.new_block();
        }
        let mut tip = [0; 32];
        tip[24..].copy_from_slice(&(self.blocks + 1).to_be_bytes());
        self.pools.iter().for_each(|pool| pool.hear_of_block(tip));
    }

    fn fail_over(&mut self, progress: f64) -> Option<String> {
        let views = self.pool_views();
        let at_play = |at: usize| {
            views.get(at).map_or_else(PoolAtPlay::default, |pool| PoolAtPlay {
                rigs: pool.rigs,
                credited: pool.shares.kinds.accepted_by_pool,
            })
        };
        let both = [at_play(0), at_play(1)];
        let turn = self.failover.as_mut()?.turn(progress, self.farm.rigs().len(), both)?;
        let rigs = match turn {
            StoryTurn::Kill => {
                self.pools[0].fault(PoolFault::RefuseConnections);
                both[0].rigs
            }
            StoryTurn::Heal => {
                self.pools[0].heal();
                0
            }
            StoryTurn::SecondServes => both[1].rigs,
            StoryTurn::FirstServesAgain => both[0].rigs,
        };
        Some(turn.said(rigs))
    }

    /// How its pools are, in their order.
    pub(super) fn pool_views(&self) -> Vec<PoolView> {
        self.route.view().pools
    }

    /// How long its rigs may take past the demo's time.
    pub(super) fn patience(&self) -> Duration {
        (self.story.patience)(self.farm.rigs().len())
    }

    /// Whether all that should happen has happened.
    pub(super) fn is_complete(&self) -> bool {
        let rigs = self.farm.rigs();
        let back = rigs.iter().take(DROPS).all(|rig| rig.stats().connects >= 2);
        let blocks = self.blocks == self.story.blocks;
        let is_over = self.failover.is_none_or(FailoverStory::is_over);
        back && blocks && is_over && self.rigs_with_accepted_share() == rigs.len()
    }

    /// Whether the books cannot close any more, so that there is nothing to wait for.
    pub(super) fn is_lost(&self) -> bool {
        self.line().is_lost()
    }

    /// Rigs of which the pools themselves have credited a share.
    fn rigs_with_accepted_share(&self) -> usize {
        let workers = self.route.roster().workers();
        workers.iter().filter(|(_, totals)| StageLine::credited(totals) > 0).count()
    }

    pub(super) fn line(&self) -> StageLine {
        StageLine {
            dialect: self.dialect.to_owned(),
            rigs: self.farm.rigs().len(),
            rigs_online: self.route.roster().online(),
            pool_connections: self.most_pool_connections,
            duplicates_at_pool: self.pools.iter().map(|pool| pool.stats().duplicates).sum(),
            rigs_with_accepted_share: self.rigs_with_accepted_share(),
            blocks: self.blocks,
            totals: self.route.totals(),
            failover: self.failover,
            was_cut_short: false,
            unanswered_by_proxy: 0,
            answered_twice: 0,
        }
    }

    /// The rigs stop, the verdicts drain, everything closes.
    pub(super) async fn close(self) -> StageLine {
        // Whoever is not answered by then is counted below.
        let _ = self.farm.drain(DRAIN_FOR).await;
        let mut line = self.line();
        let rigs = self.farm.close().await;
        supervisor::stop(&[Arc::clone(&self.route)]).await;
        self.pools.iter().for_each(PoolServer::close);
        line.totals = self.route.totals();
        line.unanswered_by_proxy = rigs.pending;
        line.answered_twice = rigs.double_answers + rigs.unknown_answers;
        line
    }
}

/// A pool whose jobs are its own, and that learns of blocks from the demo alone.
fn with_seed(pool: &PoolConfig, seed: usize) -> PoolConfig {
    PoolConfig { seed: pool.seed + seed as u64, real_blocks: false, ..pool.clone() }
}

impl StageLine {
    pub(super) const fn credited(totals: &Totals) -> u64 {
        totals.count(Verdict::AcceptedByPool)
    }
}
