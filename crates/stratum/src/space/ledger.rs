//! Which leases nobody has, what was told under them, and which of them is lent next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::{MAX_KEPT, MAX_WORKS, Permission, Wish, WorkNumber};
use crate::dialect::WorkKey;
use crate::filters::Filters;

/// The most prefixes that are passed over for one that is wished for.
const MAX_SKIPPED: u64 = 256;
/// The most prefixes of which at each new work that is forgotten which nobody can need any more; the rest
/// is at the next ones.
const MAX_CLEARED: usize = 256;

/// What stands behind a space's lock.
#[derive(Debug)]
pub(super) struct SpaceLedger {
    pub(super) lent: u64,
    /// How many prefixes there are.
    prefixes: u64,
    /// Prefixes below this have been lent at least once, or passed over.
    fresh: u64,
    /// Prefixes that came back, at most as many as there are.
    returned: BTreeMap<u64, Returned>,
    /// The same by the last work told under them.
    by_last: BTreeSet<(Option<WorkNumber>, u64)>,
    /// How many fingerprints they hold.
    kept: usize,
    /// The last works, the newest last.
    works: VecDeque<WorkKey>,
    /// How many works there have been.
    count: u64,
}

/// A prefix that nobody has.
#[derive(Debug, Default)]
pub(super) struct Returned {
    pub(super) told: Option<ToldSpan>,
    /// Those of them that others than the last tenant were told.
    pub(super) others: Option<ToldSpan>,
    pub(super) filters: Filters,
    pub(super) tenant: Option<Tenant>,
}

/// A prefix that is lent now.
pub(super) struct Chosen {
    pub(super) number: u64,
    pub(super) returned: Returned,
    /// The rig that gets it is taken for the one that had it last.
    pub(super) is_own: bool,
}

/// Who had a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) address: IpAddr,
    pub(super) worker: Option<Arc<str>>,
}

/// The works that were told under a lease: those from one to another, as if none between them had
/// been left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ToldSpan {
    first: WorkNumber,
    last: WorkNumber,
    /// What was sent for this work and later ones is known.
    known_from: WorkNumber,
}

impl ToldSpan {
    pub(super) const fn of(work: WorkNumber) -> Self {
        Self { first: work, last: work, known_from: work }
    }

    pub(super) fn with(self, work: WorkNumber) -> Self {
        // Nothing was sent for the works between that were not told, so all of it is known.
        let whole = self.known_from <= self.first;
        Self {
            first: self.first.min(work),
            last: self.last.max(work),
            known_from: if whole { self.known_from.min(work) } else { self.known_from },
        }
    }

    pub(super) fn has(self, work: WorkNumber) -> bool {
        (self.first..=self.last).contains(&work)
    }

    pub(super) fn permits(self, work: WorkNumber) -> Permission {
        if !self.has(work) {
            Permission::First
        } else if work >= self.known_from {
            Permission::Again
        } else {
            Permission::Never
        }
    }

    /// What was sent is not known any more.
    const fn forgotten(self) -> Self {
        Self { known_from: WorkNumber(self.last.0 + 1), ..self }
    }

    /// What was sent for works up to this one is not known any more.
    pub(super) fn forgotten_to(self, work: WorkNumber) -> Self {
        Self { known_from: self.known_from.max(work.next()), ..self }
    }
}

impl SpaceLedger {
    pub(super) const fn new(prefixes: u64) -> Self {
        Self {
            lent: 0,
            prefixes,
            fresh: 0,
            returned: BTreeMap::new(),
            by_last: BTreeSet::new(),
            kept: 0,
            works: VecDeque::new(),
            count: 0,
        }
    }

    pub(super) fn number(&mut self, work: WorkKey) -> WorkNumber {
        if let Some(at) = self.works.iter().position(|known| *known == work) {
            return WorkNumber(self.oldest().0 + at as u64);
        }
        if self.works.len() == MAX_WORKS {
            self.works.pop_front();
        }
        self.works.push_back(work);
        self.count += 1;
        self.clear_stale();
        WorkNumber(self.count - 1)
    }

    /// Forgets what was told and sent under prefixes to which no work that is remembered was told.
    fn clear_stale(&mut self) {
        let stale = (Some(WorkNumber(0)), 0)..(Some(self.oldest()), 0);
        for _ in 0..MAX_CLEARED {
            let Some(&(_, number)) = self.by_last.range(stale.clone()).next() else { return };
            self.take(number, false);
            self.insert(number, Returned::default());
        }
    }

    /// The oldest work that is remembered.
    pub(super) fn oldest(&self) -> WorkNumber {
        WorkNumber(self.count - self.works.len() as u64)
    }

    /// The prefix that a rig gets for a work.
    pub(super) fn choose(
        &mut self,
        wish: &Wish<'_>,
        current: Option<WorkNumber>,
    ) -> Option<Chosen> {
        if let Some(slot) = wish.slot.filter(|&slot| self.is_free(slot, current)) {
            return self.take(slot, false);
        }
        let scarce = current.filter(|current| !self.has_plenty(*current));
        let own = scarce.and_then(|current| self.own(wish, current));
        match own {
            Some(own) => self.take(own, true),
            None => self.take(self.free_of(current)?, false),
        }
    }

    /// A prefix that is free of a work, while there are plenty.
    pub(super) fn choose_plentiful(&mut self, work: WorkNumber) -> Option<Chosen> {
        let number = self.free_of(Some(work)).filter(|_| self.has_plenty(work))?;
        self.take(number, false)
    }

    pub(super) fn take_back(&mut self, number: u64, mut returned: Returned) {
        self.lent -= 1;
        returned.filters.put_away(self.oldest());
        if self.kept + returned.filters.len() > MAX_KEPT {
            returned.filters = Filters::default();
            returned.told = returned.told.map(ToldSpan::forgotten);
        }
        self.insert(number, returned);
    }

    /// Whether a certain prefix can be had for a work that was never told under it.
    fn is_free(&self, number: u64, work: Option<WorkNumber>) -> bool {
        if number >= self.fresh {
            return number < self.prefixes.min(self.fresh + MAX_SKIPPED);
        }
        self.returned.get(&number).is_some_and(|returned| returned.is_free_of(work))
    }

    /// A prefix under which a work was never told. One that was used before goes first, so that no
    /// more of them are kept than rigs come within one work.
    fn free_of(&self, work: Option<WorkNumber>) -> Option<u64> {
        let (last, number) = self.by_last.first().copied().unzip();
        if last.is_some_and(|last| last.is_none() || last < work) {
            return number;
        }
        if self.fresh < self.prefixes {
            return Some(self.fresh);
        }
        // A work that comes back may be older than all that was told under some.
        let newest = work.is_none_or(|work| work.0 + 1 == self.count);
        let is_free = |(_, returned): &(&u64, &Returned)| returned.is_free_of(work);
        self.returned.iter().filter(|_| !newest).find(is_free).map(|(number, _)| *number)
    }

    /// Whether more than a quarter of the prefixes are free of a work and can be had.
    fn has_plenty(&self, work: WorkNumber) -> bool {
        let quarter = self.prefixes / 4;
        let mut free = self.prefixes - self.fresh;
        let mut returned = self.returned.values();
        while free <= quarter {
            let Some(next) = returned.next() else { return false };
            free += u64::from(next.is_free_of(Some(work)));
        }
        true
    }

    /// The prefix under which a rig was told this work before: the one of its worker at its address
    /// if it can be told apart, else one of its address or of its worker.
    fn own(&self, wish: &Wish<'_>, work: WorkNumber) -> Option<u64> {
        let told = |returned: &Returned| {
            returned.told.is_some_and(|span| span.permits(work) == Permission::Again)
                && !returned.others.is_some_and(|span| span.has(work))
        };
        let likeness = |(number, returned): (&u64, &Returned)| {
            let tenant = returned.tenant.as_ref().filter(|_| told(returned))?;
            let there = wish.address == Some(tenant.address);
            let same = wish.worker.is_some_and(|worker| tenant.worker.as_deref() == Some(worker));
            (there || same).then_some((there && same, there, *number))
        };
        self.returned.iter().filter_map(likeness).max().map(|(.., number)| number)
    }

    /// Takes a prefix out.
    fn take(&mut self, number: u64, is_own: bool) -> Option<Chosen> {
        while self.fresh <= number {
            self.insert(self.fresh, Returned::default());
            self.fresh += 1;
        }
        let returned = self.returned.remove(&number)?;
        self.by_last.remove(&(returned.last(), number));
        self.kept -= returned.filters.len();
        Some(Chosen { number, returned, is_own })
    }

    #[cfg(test)]
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    /// How many prefixes are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.returned.len()
    }

    fn insert(&mut self, number: u64, returned: Returned) {
        self.kept += returned.filters.len();
        self.by_last.insert((returned.last(), number));
        self.returned.insert(number, returned);
    }
}

impl Returned {
    fn last(&self) -> Option<WorkNumber> {
        self.told.map(|span| span.last)
    }

    /// Whether a work was never told under it. Where there is no work yet, nothing may have been.
    fn is_free_of(&self, work: Option<WorkNumber>) -> bool {
        self.told
            .is_none_or(|span| work.is_some_and(|work| span.permits(work) == Permission::First))
    }
}
