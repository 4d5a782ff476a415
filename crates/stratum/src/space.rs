//! The extranonce space of a channel and its division between rigs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrayvec::ArrayVec;
use thiserror::Error;

use crate::job::Serial;

/// The most bytes that tell rigs apart; four serve four thousand million.
pub const MAX_PREFIX: usize = 4;

/// The most prefixes that are passed over for one that is wished for.
const MAX_SKIPPED: u64 = 256;

/// A lease's distinguishing bytes.
pub type Prefix = ArrayVec<u8, MAX_PREFIX>;

/// All leases of one channel's generation.
///
/// Leases are disjoint, since each has a prefix of its own of the same length. A lease goes back
/// when it is dropped, also while a panic unwinds, and remembers the last work that was told under
/// it: a rig restarts its counters at every job, so a prefix is lent again only for newer work.
#[derive(Debug, Clone)]
pub struct Space(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    prefix_bytes: usize,
    /// How many prefixes there are.
    prefixes: u64,
    /// How many may be lent at a time.
    capacity: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Prefixes below this have been lent at least once.
    fresh: u64,
    lent: u64,
    /// Returned prefixes by the last work told under them. It holds at most as many as there are
    /// prefixes.
    rested: BTreeSet<(Option<Serial>, u64)>,
}

impl Space {
    /// A space whose leases are `prefix_bytes` long (at most [`MAX_PREFIX`]), with at most
    /// `max_rigs` of them lent at a time. Without a prefix there is one lease.
    #[must_use]
    pub fn new(prefix_bytes: usize, max_rigs: usize) -> Self {
        let prefix_bytes = prefix_bytes.min(MAX_PREFIX);
        let prefixes = 1_u64 << (8 * prefix_bytes);
        let capacity = prefixes.min(max_rigs.max(1) as u64);
        Self(Arc::new(Shared { prefix_bytes, prefixes, capacity, state: Mutex::default() }))
    }

    /// Lends a prefix under which `current` and later work was never told; the one that a rig
    /// `wishes` to have again, by its number, if that is free.
    ///
    /// # Errors
    /// [`NoLease`] when all are lent, or the free ones have to rest until newer work.
    pub fn lease(&self, wish: Option<u64>, current: Option<Serial>) -> Result<Lease, NoLease> {
        let mut state = self.state();
        if state.lent >= self.0.capacity {
            return Err(NoLease::Full);
        }
        let granted = wish.filter(|&number| state.take(number, self.0.prefixes, current));
        let number = if let Some(number) = granted {
            number
        } else if state.fresh < self.0.prefixes {
            state.fresh += 1;
            state.fresh - 1
        } else {
            let (told, number) = *state.rested.first().ok_or(NoLease::Full)?;
            if told.is_some() && told >= current {
                return Err(NoLease::Resting);
            }
            state.rested.pop_first();
            number
        };
        state.lent += 1;
        let be_bytes = number.to_be_bytes();
        let prefix = be_bytes[8 - self.0.prefix_bytes..].iter().copied().collect();
        Ok(Lease { number, prefix, told: None, space: self.clone() })
    }

    /// How many rigs fit.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// How many leases are out.
    #[must_use]
    pub fn lent(&self) -> u64 {
        self.state().lent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that a session panicked; the state is whole at every unlock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a certain prefix out, if it is free and rested.
    fn take(&mut self, number: u64, prefixes: u64, current: Option<Serial>) -> bool {
        if number >= prefixes.min(self.fresh + MAX_SKIPPED) {
            return false;
        }
        while self.fresh <= number {
            self.rested.insert((None, self.fresh));
            self.fresh += 1;
        }
        let rested = self.rested.iter().find(|(_, free)| *free == number).copied();
        let usable = rested.filter(|(told, _)| told.is_none() || *told < current);
        usable.is_some_and(|prefix| self.rested.remove(&prefix))
    }
}

/// A part of the space, lent to one rig until it is dropped.
#[derive(Debug)]
pub struct Lease {
    number: u64,
    prefix: Prefix,
    told: Option<Serial>,
    space: Space,
}

impl Lease {
    /// Its number within the space: the prefix as a number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The bytes behind the pool's extranonce1.
    #[must_use]
    pub const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Notes that a work is told under this lease; `false` when it, or a later one, was told
    /// already and must not be told again.
    #[must_use]
    pub fn tell(&mut self, work: Serial) -> bool {
        let newer = self.told < Some(work);
        if newer {
            self.told = Some(work);
        }
        newer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.space.state();
        state.lent -= 1;
        state.rested.insert((self.told, self.number));
    }
}

/// Why there is no lease to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoLease {
    /// All are lent.
    #[error("all leases are taken")]
    Full,
    /// The free ones were used for the present work.
    #[error("the free leases rest until the next job")]
    Resting,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_used_prefix_rests_until_newer_work() {
        let space = Space::new(0, 10);
        let mut lease = space.lease(None, Some(Serial(7))).unwrap();
        assert!(lease.prefix().is_empty());
        assert!(lease.tell(Serial(7)));
        assert!(!lease.tell(Serial(7)), "the same work must not be told twice");
        assert_eq!(space.lease(None, Some(Serial(7))).unwrap_err(), NoLease::Full);
        drop(lease);
        assert_eq!(space.lease(None, Some(Serial(7))).unwrap_err(), NoLease::Resting);
        assert_eq!(space.lease(None, None).unwrap_err(), NoLease::Resting);
        assert!(space.lease(None, Some(Serial(8))).is_ok());
    }

    #[test]
    fn a_rig_gets_its_former_prefix_again_if_it_is_free_and_rested() {
        let space = Space::new(1, 250);
        let current = Some(Serial(7));
        let mut former = space.lease(Some(5), current).unwrap();
        assert_eq!((former.number(), &former.prefix()[..]), (5, &[5][..]));
        assert_ne!(space.lease(Some(5), current).unwrap().number(), 5, "it is lent");
        assert!(former.tell(Serial(7)));
        drop(former);
        assert_ne!(space.lease(Some(5), current).unwrap().number(), 5, "it rests");
        assert_eq!(space.lease(Some(5), Some(Serial(8))).unwrap().number(), 5);
        assert!(space.lease(Some(256), current).unwrap().number() < 250, "there is no such");
        assert!((0..5).contains(&space.lease(Some(3), current).unwrap().number()));
    }

    #[test]
    fn a_lease_comes_back_from_a_panicking_thread() {
        let space = Space::new(1, 250);
        let inner = space.clone();
        let panicked = std::thread::spawn(move || {
            let _lease = inner.lease(None, None).unwrap();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(space.lent(), 0);
    }

    proptest! {
        /// Whatever the order of leasing, telling and releasing: no prefix is out twice, and none
        /// is told the same work twice.
        #[test]
        fn leases_are_disjoint(steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 1..400)) {
            let space = Space::new(1, 40);
            let mut current = Serial(1);
            let mut out: Vec<Lease> = Vec::new();
            let mut last_told: BTreeMap<Prefix, Serial> = BTreeMap::new();
            for (step, index) in steps {
                match step {
                    0 | 1 => if let Ok(lease) = space.lease(None, Some(current)) {
                        prop_assert!(out.iter().all(|other| other.prefix() != lease.prefix()));
                        out.push(lease);
                    } else {
                        prop_assert!(out.len() == 40 || last_told.len() == 256);
                    },
                    2 if !out.is_empty() => {
                        let at = index.index(out.len());
                        out.swap_remove(at);
                    }
                    _ => current.0 += 1,
                }
                for lease in &mut out {
                    if index.index(3) == 0 && lease.tell(current) {
                        let before = last_told.insert(lease.prefix().clone(), current);
                        prop_assert!(before < Some(current), "told twice");
                    }
                }
                prop_assert_eq!(space.lent(), out.len() as u64);
            }
        }
    }
}
