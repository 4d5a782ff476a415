//! Rigs that have gone and may be back: most come back by themselves when they are closed for the
//! sake of another pool, under a serial that nobody knows.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::pools::PoolIndex;
use orepass_stratum::time::Instant;

/// How long a rig's place is kept.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// The most rigs that are remembered; past it all are forgotten.
const MAX_REMEMBERED: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct FormerRigs {
    former: BTreeMap<IpAddr, VecDeque<FormerRig>>,
    count: usize,
}

/// A rig as it was when it went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FormerRig {
    pub(super) pool: PoolIndex,
    pub(super) rate: Option<f64>,
    gone: Instant,
}

impl FormerRigs {
    pub(super) fn keep(
        &mut self,
        address: IpAddr,
        pool: PoolIndex,
        rate: Option<f64>,
        now: Instant,
    ) {
        if self.count >= MAX_REMEMBERED {
            self.former.clear();
            self.count = 0;
        }
        self.count += 1;
        self.former.entry(address).or_default().push_back(FormerRig { pool, rate, gone: now });
    }

    /// Takes out the rig that went from there; of several the first that may still be back.
    pub(super) fn recall(&mut self, address: IpAddr, now: Instant) -> Option<FormerRig> {
        let queue = self.former.get_mut(&address)?;
        let mut found = None;
        while found.is_none()
            && let Some(former) = queue.pop_front()
        {
            self.count -= 1;
            found = (now.saturating_duration_since(former.gone) < KEPT_FOR).then_some(former);
        }
        if queue.is_empty() {
            self.former.remove(&address);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    #[test]
    fn rigs_behind_one_address_come_back_in_the_order_of_their_going() {
        let now = start();
        let address = "10.0.0.1".parse().unwrap();
        let mut memory = FormerRigs::default();
        memory.keep(address, 0, Some(5.0), now);
        memory.keep(address, 1, None, now + KEPT_FOR);
        memory.keep(address, 2, None, now + KEPT_FOR);
        let mut recall = || memory.recall(address, now + KEPT_FOR).map(|former| former.pool);
        assert_eq!([recall(), recall(), recall()], [Some(1), Some(2), None], "0 is too long ago");
        assert_eq!((memory.count, memory.former.len()), (0, 0));
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut memory = FormerRigs::default();
        for number in 0..=MAX_REMEMBERED as u32 {
            memory.keep(IpAddr::V4(number.into()), 0, None, start());
        }
        assert_eq!((memory.count, memory.former.len()), (1, 1));
    }
}
