//! How many shares came of late, and what work they stand for.

use std::time::Duration;

use crate::time::Instant;

/// How finely shares are counted.
const SLICE: Duration = Duration::from_millis(250);
/// So many slices are the time over which they are counted: 5 s.
const SLICES: usize = 20;
/// So many are what has come of late: 1 s.
const LATE_SLICES: usize = 4;

/// What came over the last seconds, in slices of time.
#[derive(Default)]
pub(super) struct Flow {
    slices: [Slice; SLICES],
    /// The present slice, and when it began.
    present: usize,
    since: Option<Instant>,
    seen: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Slice {
    shares: u32,
    hashes: f64,
}

/// What came over some time.
pub(super) struct Sum {
    pub(super) shares: u32,
    pub(super) hashes: f64,
    pub(super) over: Duration,
}

impl Sum {
    pub(super) fn shares_per_second(&self) -> f64 {
        f64::from(self.shares) / self.over.as_secs_f64()
    }
}

impl Flow {
    pub(super) fn add(&mut self, hashes: f64, now: Instant) {
        self.advance(now);
        let slice = &mut self.slices[self.present];
        slice.shares = slice.shares.saturating_add(1);
        slice.hashes += hashes;
    }

    /// Begins the slices that have come since.
    pub(super) fn advance(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        self.seen = Some(now);
        let passed = now.saturating_duration_since(since).as_millis() / SLICE.as_millis();
        if passed >= SLICES as u128 {
            self.slices = Default::default();
            self.since = Some(now);
            return;
        }
        for _ in 0..passed {
            self.present = (self.present + 1) % SLICES;
            self.slices[self.present] = Slice::default();
        }
        // Fewer than there are slices.
        self.since = Some(since + SLICE * passed as u32);
    }

    pub(super) const fn seen(&self) -> Option<Instant> {
        self.seen
    }

    /// All of it, as if the present slice were over.
    pub(super) fn whole(&self) -> Sum {
        self.sum(SLICES, SLICE)
    }

    /// The newest of it, up to now.
    pub(super) fn of_late(&self) -> Sum {
        let present =
            self.seen.zip(self.since).map(|(now, since)| now.saturating_duration_since(since));
        self.sum(LATE_SLICES, present.unwrap_or_default())
    }

    fn sum(&self, slices: usize, present: Duration) -> Sum {
        let newest = (0..slices).map(|back| self.slices[(self.present + SLICES - back) % SLICES]);
        let (mut shares, mut hashes) = (0_u32, 0.0);
        for slice in newest {
            shares = shares.saturating_add(slice.shares);
            hashes += slice.hashes;
        }
        Sum { shares, hashes, over: SLICE * (slices as u32 - 1) + present }
    }
}
