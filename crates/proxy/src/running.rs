//! A route at work, whatever its dialect.

use std::sync::Arc;

use async_trait::async_trait;
use orepass_farm::pools::Standing;
use orepass_farm::stats::Totals;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::habits::Habits;
use orepass_stratum::{downstream, downstream::DownstreamConfig};
use tokio::net::TcpListener;
use wildmatch::WildMatch;

use crate::config::{self, OptionError};
use crate::limits::Door;
use crate::memory::RouteMemory;
use crate::net::connect::Tcp;
use crate::registry::{FromConfig, configured};
use crate::rig::roster::Roster;
use crate::route::{PoolConfig, Profile, Route, RouteConfig};

/// What can be asked of a route without knowing its dialect.
#[async_trait]
pub trait RunningRoute: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;
    /// Its dialect's name.
    fn dialect(&self) -> &'static str;
    /// The figures of all shares so far.
    fn totals(&self) -> Totals;
    /// How many pool connections take shares.
    fn live_channels(&self) -> usize;
    /// The rigs that are connected.
    fn roster(&self) -> &Arc<Roster>;
    /// Stops accepting, lets shares in flight get their verdicts, closes everything.
    async fn stop(&self);
}

#[async_trait]
impl<D: Dialect> RunningRoute for Route<D> {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn dialect(&self) -> &'static str {
        D::NAME
    }

    fn totals(&self) -> Totals {
        Self::totals(self)
    }

    fn live_channels(&self) -> usize {
        Self::live_channels(self)
    }

    fn roster(&self) -> &Arc<Roster> {
        Self::roster(self)
    }

    async fn stop(&self) {
        Self::stop(self).await;
    }
}

/// Starts a configured route on listeners that are bound already. `door` is the way in for the
/// connections of all routes.
///
/// # Errors
/// What is wrong with the dialect's options.
pub fn start<D: FromConfig>(
    route: &config::Route,
    memory: RouteMemory,
    door: Arc<Door>,
    listeners: Vec<TcpListener>,
) -> Result<Arc<dyn RunningRoute>, OptionError> {
    let configured = route
        .pools
        .iter()
        .map(|pool| configured::<D>(&route.options, &pool.options))
        .collect::<Result<Vec<_>, _>>()?;
    let habits = configured.iter().map(|configured| configured.habits);
    let pools = pools(route).into_iter().zip(habits);
    let pools = pools.map(|(pool, habits)| PoolConfig { habits, ..pool }).collect();
    let dialects = configured.into_iter().map(|pool| Arc::new(pool.dialect)).collect();
    let config = RouteConfig {
        name: route.name.to_string(),
        downstream: DownstreamConfig::default()
            .with_verify(match route.verify {
                config::Verify::Full => downstream::Verify::Full,
                config::Verify::Off => downstream::Verify::Off,
            })
            .with_reply(match route.reply {
                config::Reply::Pool => downstream::Reply::Pool,
                config::Reply::Local => downstream::Reply::Local,
            })
            .with_quarantine(route.quarantine)
            .with_vardiff(route.vardiff),
        prefix_bytes: route.prefix_bytes,
        max_channels: route.max_channels,
        max_rigs_per_channel: route.max_rigs_per_channel,
        max_dedicated: route.max_dedicated,
        profiles: route.profiles.iter().map(profile).collect(),
        max_pool_shares_per_second: route.max_pool_shares_per_second,
        pools,
        hold_for: route.hold_for,
        failover: route.failover,
        memory,
        door,
    };
    Ok(Route::start(config, dialects, Arc::new(Tcp), listeners))
}

fn profile(profile: &config::Profile) -> Profile {
    let pattern = |text: &Option<String>| text.as_deref().map(WildMatch::new);
    Profile {
        agent: pattern(&profile.agent),
        worker: pattern(&profile.worker),
        firmware: profile.firmware,
    }
}

/// The pools with their ranks: those that follow each other with a weight share one.
fn pools(route: &config::Route) -> Vec<PoolConfig> {
    let mut rank = 0;
    let mut former_weight: Option<f64> = None;
    let mut pools: Vec<PoolConfig> = Vec::new();
    for pool in &route.pools {
        if !pools.is_empty() && (former_weight.is_none() || pool.weight.is_none()) {
            rank += 1;
        }
        former_weight = pool.weight;
        pools.push(PoolConfig {
            name: pool.name.to_string(),
            url: pool.url.clone(),
            user: pool.user.clone(),
            password: pool.password.reveal().to_owned(),
            pass_password: pool.pass_password,
            start_difficulty: pool.start_difficulty,
            resubmit: pool.resubmit,
            habits: Habits::default(),
            standing: Standing { rank, weight: pool.weight.unwrap_or(1.0) },
        });
    }
    pools
}
