//! Which job ids may have been told. Plain data, for all routes together.

use std::collections::HashSet;
use std::sync::Arc;

/// The file says of so many more job ids than are in use that they may have been told.
pub const RESERVED_IDS: u32 = 65_536;
/// With fewer ids left than this, more are reserved; the rest lasts until that is written.
const RESERVE_AT: u32 = RESERVED_IDS / 4 * 3;

/// The job ids that this run may tell, and those that are safe from the next one.
pub(super) struct Reservation {
    /// The first id that no earlier run can have told.
    first: u32,
    /// The first id that is not reserved; past 32 bits when they are used up.
    mark: u64,
    /// The routes for which ids were given out.
    counting: HashSet<Arc<str>>,
    /// Rigs may come to a new route that another one has told ids.
    all_started: bool,
}

impl Reservation {
    /// The first ids of a run that starts `now`, in Unix seconds, after those before the `mark` of
    /// earlier runs.
    ///
    /// It counts from the greater of the mark and the clock. When 32 bits are nearly used up it is
    /// the clock again, whose ids are long forgotten by then.
    pub(super) fn new(mark: Option<u64>, now: u64) -> Self {
        let clock = now as u32;
        let room = u64::from(u32::MAX - 2 * RESERVED_IDS);
        let mark = mark.filter(|&mark| mark <= room).map_or(0, |mark| mark as u32);
        let first = clock.max(mark);
        let mark = u64::from(first) + u64::from(RESERVED_IDS);
        Self { first, mark, counting: HashSet::new(), all_started: false }
    }

    pub(super) const fn mark(&self) -> u64 {
        self.mark
    }

    pub(super) const fn all_started(&mut self) {
        self.all_started = true;
    }

    /// The id from which a route counts; past all ids when it counted before in this run, or comes when
    /// the others have begun.
    pub(super) fn first(&mut self, route: &Arc<str>) -> u32 {
        if self.counting.insert(Arc::clone(route)) && !self.all_started {
            return self.first;
        }
        let first = self.mark;
        self.mark += u64::from(RESERVED_IDS);
        first as u32
    }

    /// Reserves what may still be told while another process takes over; gives the mark.
    pub(super) fn leave(&mut self) -> u64 {
        self.mark += u64::from(RESERVED_IDS);
        self.mark
    }

    /// Another process may have told ids up to its mark.
    pub(super) fn not_before(&mut self, mark: u64) {
        self.mark = self.mark.max(mark);
    }

    /// Another process tells ids up to its mark, before this one has told any. When 32 bits are nearly
    /// used up, those of the clock are its own: it began there.
    pub(super) fn begin_at(&mut self, mark: u64) {
        let room = u64::from(u32::MAX - 2 * RESERVED_IDS);
        if mark <= room && mark > u64::from(self.first) {
            self.first = mark as u32;
            self.mark = mark + u64::from(RESERVED_IDS);
        }
    }

    /// Reserves more when too few are left after `next`, the first that was not told.
    pub(super) fn reserve(&mut self, next: u32) {
        let wanted = u64::from(next) + u64::from(RESERVED_IDS);
        if wanted.saturating_sub(self.mark) > u64::from(RESERVED_IDS - RESERVE_AT) {
            self.mark = wanted;
        }
    }
}
