//! What decides what happens in a night.

use std::ops::{Bound, RangeBounds};

use fastrand::Rng;

/// Random, or as bytes from outside have it.
pub(super) enum Dice {
    Seeded(Rng),
    /// The next last.
    Given(Vec<u8>),
}

impl Dice {
    pub(super) fn seeded(seed: u64) -> Self {
        Self::Seeded(Rng::with_seed(seed))
    }

    /// Each throw takes a byte, or two where a range has more than 256 numbers. When there are none left
    /// all are low.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::Given(bytes.iter().rev().copied().collect())
    }

    /// Whether there are no bytes left.
    pub(super) fn is_spent(&self) -> bool {
        matches!(self, Self::Given(bytes) if bytes.is_empty())
    }

    pub(super) fn u8(&mut self, range: impl RangeBounds<u8>) -> u8 {
        match self {
            Self::Seeded(rng) => rng.u8(range),
            Self::Given(bytes) => given(bytes, &range, u8::MAX.into(), u64::from) as u8,
        }
    }

    pub(super) fn u64(&mut self, range: impl RangeBounds<u64>) -> u64 {
        match self {
            Self::Seeded(rng) => rng.u64(range),
            Self::Given(bytes) => given(bytes, &range, u64::MAX, |number| number),
        }
    }

    pub(super) fn usize(&mut self, range: impl RangeBounds<usize>) -> usize {
        match self {
            Self::Seeded(rng) => rng.usize(range),
            Self::Given(bytes) => given(bytes, &range, u64::MAX, |number| number as u64) as usize,
        }
    }

    pub(super) fn bool(&mut self) -> bool {
        match self {
            Self::Seeded(rng) => rng.bool(),
            Self::Given(bytes) => bytes.pop().unwrap_or_default() & 1 == 1,
        }
    }

    /// From 0 to 1.
    pub(super) fn f64(&mut self) -> f64 {
        match self {
            Self::Seeded(rng) => rng.f64(),
            Self::Given(bytes) => f64::from(bytes.pop().unwrap_or_default()) / 256.0,
        }
    }

    pub(super) fn choice<T>(&mut self, of: impl IntoIterator<Item = T>) -> Option<T> {
        let of: Vec<T> = of.into_iter().collect();
        match self {
            Self::Seeded(rng) => rng.choice(of),
            Self::Given(_) if of.is_empty() => None,
            Self::Given(_) => {
                let at = self.usize(0..of.len());
                of.into_iter().nth(at)
            }
        }
    }
}

/// A number of a range that is not empty.
fn given<T: Copy>(
    bytes: &mut Vec<u8>,
    range: &impl RangeBounds<T>,
    most: u64,
    wide: impl Fn(T) -> u64,
) -> u64 {
    let first = match range.start_bound() {
        Bound::Included(first) => wide(*first),
        Bound::Excluded(before) => wide(*before) + 1,
        Bound::Unbounded => 0,
    };
    let last = match range.end_bound() {
        Bound::Included(last) => wide(*last),
        Bound::Excluded(end) => wide(*end) - 1,
        Bound::Unbounded => most,
    };
    let mut next = || u64::from(bytes.pop().unwrap_or_default());
    let span = (last - first).saturating_add(1);
    let thrown = if span > 256 { next() << 8 | next() } else { next() };
    first + thrown % span
}
