//! Forwarded shares that wait for the pool's verdict.

use std::collections::VecDeque;

use crate::rpc::Id;

/// The most shares of one rig that may wait for the pool's verdict. The last place is a block's.
pub const MAX_IN_FLIGHT: usize = 64;

/// A forwarded share that the rig has no answer for yet.
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) id: Id,
    /// Its proof of work was left to the pool.
    pub(super) unchecked: bool,
}

/// In the order in which they were sent, at most [`MAX_IN_FLIGHT`]. Its memory grows with a rig's
/// habits and is used again.
#[derive(Default)]
pub(super) struct InFlight(VecDeque<Pending>);

impl InFlight {
    /// Whether one more finds a place.
    pub(super) fn has_room(&self, is_block: bool) -> bool {
        self.0.len() + usize::from(!is_block) < MAX_IN_FLIGHT
    }

    pub(super) fn push(&mut self, pending: Pending) {
        debug_assert!(self.has_room(true), "a share past the cap");
        self.0.push_back(pending);
    }

    /// Takes out the share that has its verdict.
    pub(super) fn take(&mut self, number: u64) -> Option<Pending> {
        let at = self.0.iter().position(|pending| pending.number == number)?;
        self.0.remove(at)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
