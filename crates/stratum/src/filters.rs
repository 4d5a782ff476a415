//! The duplicate filters of one lease, by work.
//!
//! They go with the lease: to the rig that has it, back to the space, and to the next rig. So what
//! was sent under a lease for a work is known as long as that work may come back.

use crate::dialect::Fingerprint;
use crate::seen::{Seen, Sighting};
use crate::space::WorkNumber;

/// The most shares and nonces remembered of one lease, over all its works. At the cap the oldest works
/// are forgotten; a share for which there is still no room is refused, never let through.
pub const MAX_PER_LEASE: usize = 16_384;

/// The filters of one lease.
#[derive(Debug, Default)]
pub struct Filters {
    /// Those of the works told last, the newest last; nothing for one of which nothing was sent.
    ready: Vec<(WorkNumber, Option<Box<Seen>>)>,
    /// Those of works before, at most as many as the space remembers works.
    packed: Option<Box<PackedFilters>>,
    /// One whose memory is used again.
    spare: Option<Box<Seen>>,
}

/// Filters that nobody looks into, of works that may come back: one behind the other, since most have a
/// few shares and there are many.
#[derive(Debug, Default)]
struct PackedFilters {
    works: Vec<PackedFilter>,
    /// The shares of the first work, its nonces, the shares of the second one and so on.
    prints: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct PackedFilter {
    work: WorkNumber,
    shares: u32,
    nonces: u32,
}

impl Filters {
    /// A work is told, perhaps not for the first time. The filters of the last `open` works are
    /// ready to be looked into; works before `oldest` cannot come back.
    pub(crate) fn begin(&mut self, work: WorkNumber, open: usize, oldest: WorkNumber) {
        self.forget_before(oldest);
        let seen = match self.ready.iter().position(|(of, _)| *of == work) {
            Some(at) => self.ready.remove(at).1,
            None => self.recall(work),
        };
        while self.ready.len() >= open.max(1) {
            let (of, seen) = self.ready.remove(0);
            let Some(mut seen) = seen else { continue };
            if of >= oldest {
                self.pack(of, &seen);
            }
            seen.clear();
            self.spare = Some(seen);
        }
        self.ready.push((work, seen));
    }

    /// What the filter of a work that was told under the lease says of a share; none where there is
    /// no filter.
    #[must_use]
    pub(crate) fn look_up(&self, work: WorkNumber, share: Fingerprint) -> Option<Sighting> {
        let (_, seen) = self.ready.iter().rev().find(|(of, _)| *of == work)?;
        Some(seen.as_ref().map_or(Sighting::New, |seen| seen.look_up(share)))
    }

    /// The same filter, to remember a share.
    #[must_use]
    pub(crate) fn of_mut(&mut self, work: WorkNumber) -> Option<&mut Seen> {
        let (_, seen) = self.ready.iter_mut().rev().find(|(of, _)| *of == work)?;
        Some(seen.get_or_insert_with(|| self.spare.take().unwrap_or_default()))
    }

    /// Forgets the oldest works, but for the one told last, until there is room for another share;
    /// gives the newest that it forgot.
    pub(crate) fn make_room(&mut self) -> Option<WorkNumber> {
        let mut forgotten = None;
        while self.is_full() {
            let former = self.ready.len().saturating_sub(1);
            let ready = self.ready.iter().take(former).map(|(of, _)| *of);
            let packed = self.packed.iter().flat_map(|packed| &packed.works).map(|of| of.work);
            let Some(oldest) = packed.chain(ready).min() else { break };
            self.ready.retain(|(of, _)| *of != oldest);
            self.forget_before(oldest.next());
            forgotten = forgotten.max(Some(oldest));
        }
        forgotten
    }

    /// Whether there is no room for another share.
    #[must_use]
    pub fn is_full(&self) -> bool {
        // A share may need two places.
        self.len() + 2 > MAX_PER_LEASE
    }

    /// How many fingerprints are held.
    #[must_use]
    pub fn len(&self) -> usize {
        let ready = self.ready.iter().filter_map(|(_, seen)| seen.as_ref());
        let packed = self.packed.as_ref().map_or(0, |packed| packed.prints.len());
        ready.map(|seen| seen.len()).sum::<usize>() + packed
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps what may be needed again, in the least memory.
    pub(crate) fn put_away(&mut self, oldest: WorkNumber) {
        self.forget_before(oldest);
        for (of, seen) in std::mem::take(&mut self.ready) {
            if let Some(seen) = seen.filter(|_| of >= oldest) {
                self.pack(of, &seen);
            }
        }
        self.spare = None;
        self.packed = self.packed.take().filter(|packed| !packed.works.is_empty());
        if let Some(packed) = &mut self.packed {
            packed.works.shrink_to_fit();
            packed.prints.shrink_to_fit();
        }
    }

    fn pack(&mut self, work: WorkNumber, seen: &Seen) {
        if !seen.is_empty() {
            self.packed.get_or_insert_default().put(work, seen);
        }
    }

    /// Takes a packed filter out.
    fn recall(&mut self, work: WorkNumber) -> Option<Box<Seen>> {
        let packed = self.packed.as_mut()?;
        let at = packed.works.iter().position(|of| of.work == work)?;
        let mut seen = self.spare.take().unwrap_or_default();
        packed.take(at, &mut seen);
        Some(seen)
    }

    fn forget_before(&mut self, oldest: WorkNumber) {
        if let Some(packed) = &mut self.packed {
            packed.forget_before(oldest);
        }
    }
}

impl PackedFilters {
    fn put(&mut self, work: WorkNumber, seen: &Seen) {
        let [shares, nonces] = seen.sets().map(|set| set.len() as u32);
        self.works.push(PackedFilter { work, shares, nonces });
        // No more than it has: works come, and others are forgotten for them.
        self.prints.reserve_exact(seen.len());
        self.prints.extend(seen.sets().into_iter().flatten());
    }

    /// Takes the one at a place out, into a filter.
    fn take(&mut self, at: usize, seen: &mut Seen) {
        let first = self.works[..at].iter().map(PackedFilter::len).sum::<usize>();
        let packed = self.works.remove(at);
        let (shares, nonces) =
            self.prints[first..first + packed.len()].split_at(packed.shares as usize);
        seen.extend([shares, nonces]);
        self.prints.drain(first..first + packed.len());
    }

    fn forget_before(&mut self, oldest: WorkNumber) {
        if self.works.iter().all(|of| of.work >= oldest) {
            return;
        }
        let (mut from, mut to) = (0, 0);
        self.works.retain(|of| {
            let prints = from..from + of.len();
            from = prints.end;
            let stays = of.work >= oldest;
            if stays {
                self.prints.copy_within(prints, to);
                to += of.len();
            }
            stays
        });
        self.prints.truncate(to);
    }
}

impl PackedFilter {
    /// How many fingerprints it has.
    const fn len(&self) -> usize {
        self.shares as usize + self.nonces as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: WorkNumber = WorkNumber::new(0);

    fn print(share: u64) -> Fingerprint {
        Fingerprint { share, nonce: None }
    }

    fn sent(filters: &mut Filters, work: WorkNumber, share: u64) -> Sighting {
        let sighting = filters.look_up(work, print(share)).unwrap();
        filters.of_mut(work).unwrap().insert(print(share));
        sighting
    }

    #[test]
    fn a_work_that_comes_back_finds_its_filter_however_long_it_was_away() {
        let mut filters = Filters::default();
        let works: Vec<_> = (0..20).map(WorkNumber::new).collect();
        for &work in &works {
            filters.begin(work, 8, FIRST);
            assert_eq!(sent(&mut filters, work, 7), Sighting::New, "each work has its own");
        }
        assert_eq!(filters.len(), 20);
        for &work in &works {
            filters.begin(work, 8, FIRST);
            assert_eq!(sent(&mut filters, work, 7), Sighting::Duplicate, "{work:?}");
            assert_eq!(sent(&mut filters, work, 8), Sighting::New);
        }
        filters.put_away(FIRST);
        assert_eq!((filters.len(), filters.ready.len()), (40, 0));
        filters.begin(works[3], 8, FIRST);
        assert_eq!(sent(&mut filters, works[3], 8), Sighting::Duplicate);
    }

    #[test]
    fn shares_and_nonces_of_many_works_stay_apart() {
        let of = |number: u64, share: u64| Fingerprint {
            share: 1000 * number + share,
            nonce: Some(1000 * number + 900 + share),
        };
        let mut filters = Filters::default();
        let works: Vec<_> = (0..10).map(WorkNumber::new).collect();
        for (number, &work) in (0..).zip(&works) {
            filters.begin(work, 2, FIRST);
            for share in 0..number {
                filters.of_mut(work).unwrap().insert(of(number, share));
            }
            // The last one was not forwarded.
            for share in 1..number {
                filters.of_mut(work).unwrap().insert_forwarded(of(number, share - 1));
            }
        }
        filters.put_away(works[3]);
        assert_eq!(filters.len(), (3..10).map(|number| 2 * number - 1).sum::<usize>());
        for number in [7, 3, 9, 2] {
            filters.begin(works[number as usize], 2, works[3]);
            let look_up = |print| filters.look_up(works[number as usize], print).unwrap();
            let another = |nonce| Fingerprint { share: u64::MAX, ..nonce };
            let known = number >= 3;
            let seen = [
                look_up(of(number, 0)),
                look_up(of(number, number - 1)),
                look_up(another(of(number, 0))),
                look_up(another(of(number, number - 1))),
                look_up(of(number + 1, 0)),
            ];
            use Sighting::{Duplicate, New, SecondSolution};
            let expected = [Duplicate, Duplicate, SecondSolution, New, New];
            assert_eq!(seen, if known { expected } else { [New; 5] }, "{number}");
        }
    }

    #[test]
    fn what_cannot_come_back_is_forgotten() {
        let mut filters = Filters::default();
        for number in 0..100 {
            let work = WorkNumber::new(number);
            filters.begin(work, 8, WorkNumber::new(number.saturating_sub(31)));
            sent(&mut filters, work, 7);
            sent(&mut filters, work, 8);
        }
        assert!(filters.len() <= 64, "{}", filters.len());
        filters.put_away(WorkNumber::new(98));
        assert_eq!(filters.len(), 4);
    }

    #[test]
    fn a_lease_remembers_no_more_than_so_many_shares() {
        let mut filters = Filters::default();
        filters.begin(FIRST, 8, FIRST);
        let mut share = 0;
        while !filters.is_full() {
            sent(&mut filters, FIRST, share);
            share += 1;
        }
        assert_eq!(share, MAX_PER_LEASE as u64 - 1);
        assert_eq!(filters.make_room(), None, "not of the present work");
        filters.begin(WorkNumber::new(1), 8, FIRST);
        assert!(filters.is_full(), "they count over all works");
        assert_eq!(filters.make_room(), Some(FIRST));
        assert_eq!((filters.len(), filters.look_up(FIRST, print(0)).is_some()), (0, false));
    }
}
