//! The wishes of a route for its farm.

use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::habits::Habits;

use crate::knowledge::Profile;
use crate::pools::{Leaving, PoolsConfig, Standing};

/// The wishes of a route for its farm.
#[derive(Debug, Clone)]
pub struct FarmConfig {
    /// The pools by their slots: in the config's order at first, at least one.
    pub pools: Vec<PoolTerms>,
    /// How long a better pool must have been healthy before rigs go back to it.
    pub healthy_for: Duration,
    /// The part of the work that goes first.
    pub trial_share: f64,
    /// How long they are watched before the rest follows.
    pub trial_for: Duration,
    /// How long rigs are held without any pool; for ever when absent.
    pub hold_for: Option<Duration>,
    /// How many bytes tell rigs apart; the dialect's own choice when absent.
    pub prefix_bytes: Option<usize>,
    /// The most channels to each pool that rigs share.
    pub max_channels: usize,
    /// The most rigs on one of them.
    pub max_rigs_per_channel: usize,
    /// The most channels to each pool that serve one rig alone.
    pub max_dedicated: usize,
    /// What rigs of certain kinds need; the first that says something decides.
    pub profiles: Vec<Profile>,
}

/// One of the pools.
#[derive(Debug, Clone)]
pub struct PoolTerms {
    /// Its name, for whoever is told that it is full.
    pub name: Box<str>,
    /// Its server's host and port, by which its habits are remembered.
    pub server: Arc<str>,
    /// What the operator says of its habits.
    pub habits: Habits,
    /// Its rank and weight.
    pub standing: Standing,
    /// The route is to have it no more. It does not come back; its slot stays.
    pub leaving: Option<Leaving>,
}

impl FarmConfig {
    /// With the usual times and limits.
    #[must_use]
    pub fn new(pools: Vec<PoolTerms>) -> Self {
        let PoolsConfig { healthy_for, trial_share, trial_for, hold_for, .. } =
            PoolsConfig::in_order(0);
        Self {
            pools,
            healthy_for,
            trial_share,
            trial_for,
            hold_for,
            prefix_bytes: None,
            max_channels: 16,
            max_rigs_per_channel: 250,
            max_dedicated: 64,
            profiles: Vec::new(),
        }
    }

    pub(super) fn choice(&self) -> PoolsConfig {
        PoolsConfig {
            pools: self.pools.iter().map(|pool| pool.standing).collect(),
            healthy_for: self.healthy_for,
            trial_share: self.trial_share,
            trial_for: self.trial_for,
            hold_for: self.hold_for,
        }
    }
}

impl PoolTerms {
    /// A pool of that name and server, first and alone.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, server: impl Into<Arc<str>>) -> Self {
        let standing = Standing { rank: 0, weight: 1.0 };
        let (name, server, habits) = (name.into(), server.into(), Habits::default());
        Self { name, server, habits, standing, leaving: None }
    }
}
