//! Which of several blocks is the newer, where they are known by their hashes alone.

use std::collections::VecDeque;
use std::time::Instant;

/// The most blocks that are remembered, to tell an old one from a new one; a pool further behind
/// has long been left for it.
const MAX_BLOCKS: usize = 64;

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
    pub(super) fn knows(&self, key: u64) -> bool {
        self.told.iter().any(|block| block.key == key)
    }

    /// A block that is newer than all others.
    pub(super) fn push(&mut self, key: u64, now: Instant) {
        if self.told.len() >= MAX_BLOCKS {
            self.told.pop_front();
        }
        self.told.push_back(Block { key, since: now });
    }

    pub(super) fn newest(&self) -> Option<u64> {
        self.told.back().map(|block| block.key)
    }

    /// Since when there is a newer block than this one, which was known once; none where it is the
    /// newest. The first newer one counts: where blocks come fast, the newest is always new.
    pub(super) fn overtaken(&self, key: u64) -> Option<Instant> {
        let at = self.told.iter().position(|block| block.key == key);
        self.told.get(at.map_or(0, |at| at + 1)).map(|block| block.since)
    }
}
