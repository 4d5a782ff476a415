//! Which of several blocks is the newer, where they are known by their hashes alone, and which
//! pools are behind.

use std::collections::VecDeque;
use std::time::Duration;

use super::member::Member;
use super::{PoolIndex, Pools};
use orepass_stratum::time::Instant;

/// The most blocks that are remembered, to tell an old one from a new one; a pool further behind
/// has long been left for it.
const MAX_BLOCKS: usize = 64;
/// A pool that is behind another one's newer block for so long is down.
const LAG: Duration = Duration::from_secs(60);

/// The blocks that pools have told, in the order in which they were new.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The newest last.
    told: VecDeque<Block>,
}

/// A block, and since when any pool has told it.
#[derive(Debug, Clone, Copy)]
struct Block {
    key: u64,
    since: Instant,
}

impl Blocks {
    fn knows(&self, key: u64) -> bool {
        self.told.iter().any(|block| block.key == key)
    }

    /// A block that is newer than all others.
    fn push(&mut self, key: u64, now: Instant) {
        if self.told.len() >= MAX_BLOCKS {
            self.told.pop_front();
        }
        self.told.push_back(Block { key, since: now });
    }

    fn newest(&self) -> Option<u64> {
        self.told.back().map(|block| block.key)
    }

    /// The blocks that are newer than this one, which was known once; the oldest of them first.
    fn newer_than(&self, key: u64) -> impl ExactSizeIterator<Item = &Block> {
        let at = self.told.iter().position(|block| block.key == key);
        self.told.range(at.map_or(0, |at| at + 1)..)
    }
}

impl Pools {
    /// A pool has told a job on this block; `key` stands for the previous block's hash.
    ///
    /// A pool that is behind tells blocks that others told long ago, or that nobody told us. So an
    /// unknown block that a pool comes with counts as new only where another pool tells it too, or
    /// where no other pool's place is known; one that it goes on to counts as new.
    pub fn block(&mut self, pool: PoolIndex, key: u64, now: Instant) {
        let Some(state) = self.member(pool) else { return };
        let before = state.block.replace(key);
        if before == Some(key) {
            return;
        }
        state.is_placed = true;
        if self.blocks.knows(key) {
            return;
        }
        let others =
            self.pools.iter().enumerate().filter(|(at, other)| *at != pool && other.is_up());
        let told: Vec<&Member> = others.map(|(_, other)| other).collect();
        let lone = !told.iter().any(|other| other.is_placed);
        if before.is_some() || lone || told.iter().any(|other| other.block == Some(key)) {
            self.blocks.push(key, now);
        } else {
            self.pools[pool].is_placed = false;
        }
    }

    /// When a pool that serves counts as lagging, unless it catches up.
    pub(super) fn lags_at(&self, pool: PoolIndex) -> Option<Instant> {
        let up = self.pools.get(pool).is_some_and(Member::is_up);
        self.behind_since(pool).filter(|_| up).map(|since| since + LAG)
    }

    /// Whether a pool has been behind for so long that it should not be used.
    pub(super) fn lags(&self, pool: PoolIndex, now: Instant) -> bool {
        self.behind_since(pool).is_some_and(|since| now >= since + LAG)
    }

    /// Since when a pool that is up has told a newer block than this one, or two have that are
    /// connected: of those that are left alone, one may be wrong by itself, unless it is left alone
    /// for having been behind, and has gone on to the next block and the one after that.
    ///
    /// The first newer block counts: where blocks come fast, the newest is always new.
    fn behind_since(&self, pool: PoolIndex) -> Option<Instant> {
        let Member { block, is_placed, .. } = self.pools.get(pool)?;
        let own = block.filter(|&block| *is_placed || self.blocks.knows(block))?;
        let mut newer = self.blocks.newer_than(own);
        let steps = newer.len();
        let newest = self.blocks.newest();
        let at_newest = || self.pools.iter().filter(|other| other.block == newest);
        let leads = |other: &Member| other.is_up() || other.was_behind() && steps > 1;
        let led =
            at_newest().any(leads) || at_newest().filter(|other| other.links.serve()).count() > 1;
        newer.next().filter(|_| led).map(|block| block.since)
    }
}
