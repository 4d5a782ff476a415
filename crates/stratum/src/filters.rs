//! The duplicate filters of one lease, by work.
//!
//! They go with the lease: to the rig that has it, back to the space, and to the next rig. So what
//! was sent under a lease for a work is known as long as that work may come back.

use crate::dialect::Fingerprint;
use crate::seen::{Packed, Seen, Sighting};
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
    packed: Vec<(WorkNumber, Packed)>,
    /// One whose memory is used again.
    spare: Option<Box<Seen>>,
    /// How many fingerprints are packed.
    packed_len: usize,
}

impl Filters {
    /// A work is told, perhaps not for the first time. The filters of the last `open` works are
    /// ready to be looked into; works before `oldest` cannot come back.
    pub(crate) fn begin(&mut self, work: WorkNumber, open: usize, oldest: WorkNumber) {
        let seen = match self.ready.iter().position(|(of, _)| *of == work) {
            Some(at) => self.ready.remove(at).1,
            None => self.recall(work),
        };
        while self.ready.len() >= open.max(1) {
            let (of, seen) = self.ready.remove(0);
            let Some(mut seen) = seen else { continue };
            if of >= oldest {
                self.pack(of, &mut seen);
            } else {
                seen.clear();
            }
            self.spare = Some(seen);
        }
        self.ready.push((work, seen));
        self.forget_before(oldest);
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
            let Some(oldest) = self.packed.iter().map(|(of, _)| *of).chain(ready).min() else {
                break;
            };
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
        ready.map(|seen| seen.len()).sum::<usize>() + self.packed_len
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps what may be needed again, in the least memory.
    pub(crate) fn put_away(&mut self, oldest: WorkNumber) {
        for (of, seen) in std::mem::take(&mut self.ready) {
            if let Some(mut seen) = seen {
                self.pack(of, &mut seen);
            }
        }
        self.spare = None;
        self.forget_before(oldest);
        self.packed.shrink_to_fit();
    }

    fn pack(&mut self, work: WorkNumber, seen: &mut Seen) {
        if !seen.is_empty() {
            let packed = seen.pack();
            self.packed_len += packed.len();
            self.packed.push((work, packed));
        }
    }

    /// Takes a packed filter out.
    fn recall(&mut self, work: WorkNumber) -> Option<Box<Seen>> {
        let at = self.packed.iter().position(|(of, _)| *of == work)?;
        let (_, packed) = self.packed.remove(at);
        self.packed_len -= packed.len();
        let mut seen = self.spare.take().unwrap_or_default();
        seen.unpack(&packed);
        Some(seen)
    }

    fn forget_before(&mut self, oldest: WorkNumber) {
        let Self { packed, packed_len, .. } = self;
        packed.retain(|(of, packed)| {
            let stays = *of >= oldest;
            *packed_len -= if stays { 0 } else { packed.len() };
            stays
        });
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
    fn what_cannot_come_back_is_forgotten() {
        let mut filters = Filters::default();
        for number in 0..100 {
            let work = WorkNumber::new(number);
            filters.begin(work, 8, WorkNumber::new(number.saturating_sub(31)));
            sent(&mut filters, work, 7);
            sent(&mut filters, work, 8);
        }
        assert!(filters.packed.len() <= 32 && filters.len() <= 64, "{}", filters.len());
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
