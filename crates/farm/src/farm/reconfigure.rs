//! Other wishes while rigs mine.

use std::sync::Arc;

use orepass_stratum::time::Instant;

use super::{Farm, FarmConfig};
use crate::knowledge::Remembered;

impl Farm {
    /// What the next farm of the route is to know: as it would from the state file, which may be behind.
    #[must_use]
    pub fn export(&self, now: Instant) -> Remembered {
        self.knowledge.export(self.habits.export(now), now)
    }

    /// The route has other wishes. Pools keep their slots: `config` has all that there were, those
    /// too that have [left](super::PoolTerms::leaving), and those that come at its end. A pool whose
    /// server or habits are others is another pool, in a slot of its own.
    ///
    /// Rigs move only where a pool has left or has another part of the work. What channels may hold,
    /// and what rigs of a kind need, holds for those that come; surplus channels end as rigs leave
    /// them. `prefix_bytes` stays as it was: another split is another farm.
    pub fn handle_wishes(&mut self, config: FarmConfig, now: Instant) {
        self.now = now;
        let known = self.config.pools.len();
        debug_assert!(config.pools.len() >= known, "slots stay");
        for pool in config.pools.iter().skip(known) {
            self.habits.add(Arc::clone(&pool.server), pool.habits);
        }
        self.assignment.grow(config.pools.len());
        self.shares.resize(config.pools.len(), 0.0);
        self.knowledge.set_profiles(config.profiles.clone());
        let leaving = |pool: usize| config.pools.get(pool)?.leaving;
        self.pools.reconfigure(config.choice(), leaving, now);
        self.config = FarmConfig { prefix_bytes: self.config.prefix_bytes, ..config };
        (self.directs, self.room) = (true, true);
    }
}
