//! The extranonce space of a channel and its division between rigs.
//!
//! A rig restarts its counters at every job, so what was hashed once under a lease for a work would
//! be hashed again if that work were told there again. A space knows works by their content, and
//! under which of its leases each was told:
//!
//! * A lease is lent for a work that was never told under it.
//! * While more than a quarter of the leases are free of the present work, that is what every rig
//!   gets. Below that a rig that had a lease gets its own again, with its duplicate filters: what it
//!   repeats is refused before it reaches the pool. A rig is known by its worker or its address; with no
//!   lease of its own, or where its filters were forgotten, it gets one of the rest.
//! * What another rig was told under a lease is never told there again: where a pool goes back to such a
//!   work, the rig has to have another lease.
//! * A lease that was told the present work, and whose filters could not be kept, rests until the
//!   next.

mod ledger;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrayvec::ArrayVec;
use thiserror::Error;

use crate::dialect::WorkKey;
use crate::filters::Filters;
use ledger::{SpaceLedger, Tenant, ToldSpan};

/// The most bytes that tell rigs apart; four serve four thousand million.
pub const MAX_PREFIX: usize = 4;
/// The most works that a space remembers; one that comes back when so many others have come since it
/// came first counts as new.
pub const MAX_WORKS: usize = 32;
/// The most fingerprints that are kept of leases that nobody has.
pub const MAX_KEPT: usize = 65_536;
/// So many prefixes are enough for any space, unless it holds more rigs than a quarter of it: each
/// that was lent once costs memory.
const PLENTY: u64 = 65_536;

/// A lease's distinguishing bytes.
pub type Prefix = ArrayVec<u8, MAX_PREFIX>;

/// Which work of a space: they are numbered in the order in which they came up, and one that comes
/// back has its former number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkNumber(u64);

impl WorkNumber {
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
impl WorkNumber {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// All leases of one extranonce1, divided in one way.
///
/// Leases are disjoint, since each has a prefix of its own of the same length. A lease goes back
/// when it is dropped, also while a panic unwinds.
#[derive(Debug, Clone)]
pub struct Space(Arc<SharedSpace>);

#[derive(Debug)]
struct SharedSpace {
    prefix_bytes: usize,
    /// How many may be lent at a time.
    capacity: u64,
    ledger: Mutex<SpaceLedger>,
}

/// What a rig wishes for, and who it is, as far as that is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// The lease that it had before, by its number.
    pub slot: Option<u64>,
    /// Where it connects from.
    pub address: Option<IpAddr>,
    /// Its worker's name.
    pub worker: Option<&'a str>,
}

/// Whether a work may be told under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It was never told there.
    First,
    /// It was, and what was sent for it is known.
    Again,
    /// It was, and to another rig, or what was sent for it is not known any more.
    Never,
}

impl Space {
    /// A space whose leases are `prefix_bytes` long (at most [`MAX_PREFIX`]), with at most
    /// `max_rigs` of them lent at a time. Without a prefix there is one lease.
    #[must_use]
    pub fn new(prefix_bytes: usize, max_rigs: usize) -> Self {
        let prefix_bytes = prefix_bytes.min(MAX_PREFIX);
        let all = 1_u64 << (8 * prefix_bytes);
        let capacity = all.min(max_rigs.max(1) as u64);
        let prefixes = all.min(PLENTY.max(4 * capacity));
        let ledger = Mutex::new(SpaceLedger::new(prefixes));
        Self(Arc::new(SharedSpace { prefix_bytes, capacity, ledger }))
    }

    /// The number of a work in this space.
    #[must_use]
    pub fn number(&self, work: WorkKey) -> WorkNumber {
        self.ledger().number(work)
    }

    /// Lends a prefix for the `current` work: see the [module](self) for which. The one that a rig
    /// wishes for is preferred where it is free of that work.
    ///
    /// # Errors
    /// [`NoLease`] when all are lent, or the free ones have to rest until newer work.
    pub fn lease(&self, wish: &Wish<'_>, current: Option<WorkNumber>) -> Result<Lease, NoLease> {
        self.lend(|ledger| ledger.choose(wish, current))
    }

    /// Whether the two are one space.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many rigs fit.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// How many leases are out.
    #[must_use]
    pub fn lent(&self) -> u64 {
        self.ledger().lent
    }

    fn lend(
        &self,
        choose: impl FnOnce(&mut SpaceLedger) -> Option<ledger::Chosen>,
    ) -> Result<Lease, NoLease> {
        let mut ledger = self.ledger();
        if ledger.lent >= self.0.capacity {
            return Err(NoLease::Full);
        }
        let ledger::Chosen { number, returned, is_own } =
            choose(&mut ledger).ok_or(NoLease::Resting)?;
        ledger.lent += 1;
        let be_bytes = number.to_be_bytes();
        let prefix = be_bytes[8 - self.0.prefix_bytes..].iter().copied().collect();
        let ledger::Returned { told, others, filters, tenant } = returned;
        let (tenant, former) = if is_own { (tenant, None) } else { (None, tenant.map(Box::new)) };
        let is_new = !is_own;
        Ok(Lease {
            number,
            prefix,
            told,
            others,
            filters,
            tenant,
            former,
            is_new,
            space: self.clone(),
        })
    }

    fn ledger(&self) -> MutexGuard<'_, SpaceLedger> {
        // A poisoned lock means that a session panicked; the state is whole at every unlock.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the space, lent to one rig until it is dropped.
#[derive(Debug)]
pub struct Lease {
    number: u64,
    prefix: Prefix,
    told: Option<ToldSpan>,
    /// Those of them that other rigs were told.
    others: Option<ToldSpan>,
    filters: Filters,
    tenant: Option<Tenant>,
    /// Who had it before, as long as nothing was told to whoever has it now.
    former: Option<Box<Tenant>>,
    is_new: bool,
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

    /// Whether a work may be told under this lease.
    #[must_use]
    pub fn may_tell(&self, work: WorkNumber) -> Permission {
        if self.told_to_others().is_some_and(|span| span.has(work)) {
            return Permission::Never;
        }
        self.told.map_or(Permission::First, |span| span.permits(work))
    }

    /// What other rigs were told under it. Who had it last is another rig than the one that has it now
    /// unless it is known to be the same worker, or one of an address where neither has said who it is.
    fn told_to_others(&self) -> Option<ToldSpan> {
        let is_same = |former: &Tenant| {
            self.tenant.as_ref().is_some_and(|tenant| match (&former.worker, &tenant.worker) {
                (None, None) => former.address == tenant.address,
                (former, worker) => former == worker,
            })
        };
        let is_own = !self.is_new || self.former.as_deref().is_some_and(is_same);
        if is_own { self.others } else { self.told }
    }

    /// Notes that a work is told under this lease, and makes its duplicate filter ready; with those
    /// of so many works that are still `open`. `false` when it must not be told.
    #[must_use]
    pub fn tell(&mut self, work: WorkNumber, open: usize) -> bool {
        if self.may_tell(work) == Permission::Never {
            return false;
        }
        self.others = self.told_to_others();
        (self.former, self.is_new) = (None, false);
        self.told = Some(self.told.map_or_else(|| ToldSpan::of(work), |span| span.with(work)));
        let oldest = self.space.ledger().oldest();
        self.filters.begin(work, open, oldest);
        true
    }

    /// Another lease of the space, under which the work was never told; only while more than a
    /// quarter of them are free of it.
    #[must_use]
    pub fn exchange(&self, work: WorkNumber) -> Option<Self> {
        let other = self.space.lend(|ledger| ledger.choose_plentiful(work)).ok();
        other.map(|mut other| {
            other.tenant.clone_from(&self.tenant);
            other
        })
    }

    /// Who has it, so that it can be had again.
    pub fn belongs_to(&mut self, address: IpAddr, worker: Option<&Arc<str>>) {
        self.tenant = Some(Tenant { address, worker: worker.cloned() });
    }

    /// Its rig has said who works, which is known beside its address.
    pub(crate) fn belongs_to_worker(&mut self, worker: &Arc<str>) {
        if let Some(tenant) = &mut self.tenant {
            tenant.worker.get_or_insert_with(|| Arc::clone(worker));
        }
    }

    /// Makes room to remember another share, by forgetting the oldest works.
    pub(crate) fn make_room(&mut self) {
        if let Some(forgotten) = self.filters.make_room() {
            self.told = self.told.map(|span| span.forgotten_to(forgotten));
        }
    }

    /// What was sent under it.
    pub(crate) const fn filters(&self) -> &Filters {
        &self.filters
    }

    /// The same, to remember a share.
    pub(crate) const fn filters_mut(&mut self) -> &mut Filters {
        &mut self.filters
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let returned = ledger::Returned {
            told: self.told,
            others: self.others,
            filters: std::mem::take(&mut self.filters),
            // Nothing was told to whoever leaves it as it was.
            tenant: if self.is_new {
                self.former.take().map(|former| *former)
            } else {
                self.tenant.take()
            },
        };
        self.space.ledger().take_back(self.number, returned);
    }
}

/// Why there is no lease to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoLease {
    /// All are lent.
    #[error("all leases are taken")]
    Full,
    /// The free ones were used for the present work.
    #[error("the free leases were used for the present job and rest until the next")]
    Resting,
}

#[cfg(test)]
mod tests;
