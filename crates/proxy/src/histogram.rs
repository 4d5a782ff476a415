//! How long something takes, counted by those who do it: no lock, no allocation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most buckets.
const MAX_BUCKETS: usize = 16;

/// Counts of durations by their size.
#[derive(Debug)]
pub struct Histogram {
    /// The upper ends of all buckets but the last, which has none.
    ends: &'static [Duration],
    counts: [AtomicU64; MAX_BUCKETS],
    nanos: AtomicU64,
}

/// What a histogram holds at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Each bucket's upper end in seconds, and how many are in it; the last has no end.
    pub buckets: Vec<(f64, u64)>,
    /// How many in all.
    pub count: u64,
    /// Their sum, in seconds.
    pub seconds: f64,
}

impl Histogram {
    /// An empty one; of more than fifteen ends the rest is left out.
    #[must_use]
    pub const fn new(ends: &'static [Duration]) -> Self {
        let counts = [const { AtomicU64::new(0) }; MAX_BUCKETS];
        Self { ends, counts, nanos: AtomicU64::new(0) }
    }

    /// Something has taken so long.
    pub fn add(&self, took: Duration) {
        let at = self.ends.partition_point(|end| *end < took).min(MAX_BUCKETS - 1);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// What it holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let ends = self.ends.iter().take(MAX_BUCKETS - 1);
        let ends = ends.map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = ends.zip(counts).collect();
        Counts {
            count: buckets.iter().map(|(_, count)| count).sum(),
            seconds: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64(),
            buckets,
        }
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// From a share's writing to its verdict.
pub const SHARE_LATENCY: &[Duration] = &[
    millis(1),
    millis(2),
    millis(5),
    millis(10),
    millis(20),
    millis(50),
    millis(100),
    millis(200),
    millis(500),
    millis(1_000),
    millis(2_000),
    millis(5_000),
    millis(10_000),
    millis(30_000),
];

/// Reading and checking a share.
pub const SHARE_CHECK: &[Duration] = &[
    micros(2),
    micros(5),
    micros(10),
    micros(20),
    micros(50),
    micros(100),
    micros(200),
    micros(500),
    micros(1_000),
    micros(2_000),
    micros(5_000),
    micros(20_000),
];

/// From a pool's notify to a rig's.
pub const JOB_FANOUT: &[Duration] = &[
    micros(100),
    micros(200),
    micros(500),
    millis(1),
    millis(2),
    millis(5),
    millis(10),
    millis(20),
    millis(50),
    millis(100),
    millis(200),
    millis(500),
    millis(1_000),
    millis(5_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_where_it_belongs() {
        let histogram = Histogram::new(SHARE_LATENCY);
        for took in [millis(0), millis(1), millis(2), millis(30_000), millis(31_000)] {
            histogram.add(took);
        }
        let counts = histogram.counts();
        let at = |end: f64| counts.buckets.iter().find(|(of, _)| *of == end).unwrap().1;
        assert_eq!((at(0.001), at(0.002), at(30.0), at(f64::INFINITY)), (2, 1, 1, 1));
        assert_eq!((counts.count, counts.seconds), (5, 61.003));
        assert_eq!(counts.buckets.len(), SHARE_LATENCY.len() + 1);
    }
}
