//! Other wishes for a farm at work.

use super::*;
use crate::pools::Leaving;

impl Story {
    /// The config is another one from now on.
    pub(super) fn wishes(&mut self, edit: impl FnOnce(&mut FarmConfig)) {
        let mut config = self.farm.config.clone();
        edit(&mut config);
        self.most_channels = self.most_channels.max(config.max_channels);
        self.most_dedicated = self.most_dedicated.max(config.max_dedicated);
        self.max_rigs = config.max_rigs_per_channel;
        self.farm.handle_wishes(config, self.now);
        self.run();
    }
}

/// A pool in the next slot, with that rank.
pub(super) fn add(config: &mut FarmConfig, rank: usize) -> PoolIndex {
    let slot = config.pools.len();
    let name = letter(slot);
    let standing = Standing { rank, weight: 1.0 };
    let terms = PoolTerms::new(name.to_string(), format!("{name}:3008"));
    config.pools.push(PoolTerms { standing, ..terms });
    slot
}

pub(super) fn remove(config: &mut FarmConfig, pool: PoolIndex, successor: Option<PoolIndex>) {
    config.pools[pool].leaving.get_or_insert(Leaving { successor });
}
