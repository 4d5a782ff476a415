//! What a demo of a coin is made of.

use std::time::Duration;

use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;

/// What a demo of a coin is made of.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The pool.
    pub pool: PoolConfig,
    /// The habits of each rig, by its number.
    pub rig: fn(usize) -> RigConfig,
    /// Lines of the route's config.
    pub route: &'static str,
    /// How many rigs there are where nobody says how many.
    pub rigs: usize,
    /// What happens.
    pub story: Story,
}

/// What happens during the demo.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// The pool finds so many blocks, evenly spread.
    pub blocks: u64,
    /// So many shares come at least before each of them.
    pub shares_between: u64,
    /// Whether it makes a job each second between them.
    pub jobs_between: bool,
    /// How long so many rigs may take until each has its accepted share, past the demo's time.
    pub patience: fn(usize) -> Duration,
}
