//! Rows in buckets.

use crate::EquihashParams;

/// Bits of the rows in a bucket: its 2^12 rows of at most 36 bytes stay in the
/// second level cache while they are sorted.
const ROW_BITS: u32 = 12;

/// How the rows of a round lie in memory.
///
/// A row holds the bits that are not used up, as big-endian 32-bit words from
/// the first one that has such a bit on, and then one word that refers to its
/// parents.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowLayout {
    /// The first of the bits that collide in this round, counted from the first
    /// word of a row: they begin with the number of the bucket, the others are
    /// the key.
    bucket_start: u32,
    bucket_bits: u32,
    key_bits: u32,
    /// Words of a row.
    stride: usize,
    /// Rows for which a bucket has room.
    capacity: usize,
}

impl RowLayout {
    pub(super) fn new(params: EquihashParams, round: u32) -> Self {
        let words = params.n().div_ceil(32);
        let used_bits = round * params.collision_bits();
        let bucket_bits = params.index_bits().saturating_sub(ROW_BITS);
        let stride = (words - used_bits / 32 + 1) as usize;
        // Buckets overflow by chance, the more so in late rounds, as each
        // doubles the deviation of the one before. But rows get shorter, which
        // makes room.
        let (mean, start) = (Self::mean(params), Self::start_capacity(params));
        let capacity = (start * (words as usize + 1) / stride).min(start.max(2 * mean));
        Self {
            bucket_start: used_bits % 32,
            bucket_bits,
            key_bits: params.collision_bits() - bucket_bits,
            stride,
            capacity,
        }
    }

    /// Bits of the position of a row among all of a round.
    pub(super) fn position_bits(params: EquihashParams) -> u32 {
        let buckets = 1 << params.index_bits().saturating_sub(ROW_BITS);
        let rows: usize = buckets * Self::start_capacity(params).max(2 * Self::mean(params));
        rows.next_power_of_two().trailing_zeros()
    }

    /// Rows of a bucket on average.
    fn mean(params: EquihashParams) -> usize {
        1 << params.index_bits().min(ROW_BITS)
    }

    /// Rows for which a bucket has room in the first two rounds.
    fn start_capacity(params: EquihashParams) -> usize {
        let mean = Self::mean(params);
        match params.collision_bits() {
            20.. => mean + mean / 8, // eight standard deviations
            16.. => 2 * mean,
            _ => 4 * mean + 64, // the smaller a list, the more it varies
        }
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    pub(super) fn buckets(&self) -> usize {
        1 << self.bucket_bits
    }

    pub(super) fn keys(&self) -> usize {
        1 << self.key_bits
    }

    #[inline]
    pub(super) fn key(&self, row: &[u32]) -> usize {
        bits(row, self.bucket_start + self.bucket_bits, self.key_bits)
    }

    #[inline]
    fn bucket(&self, row: &[u32]) -> usize {
        bits(row, self.bucket_start, self.bucket_bits)
    }
}

/// The rows of a round.
#[derive(Debug)]
pub(super) struct Rows {
    words: Vec<u32>,
    /// Rows in each bucket.
    counts: Vec<u32>,
    layout: RowLayout,
}

impl Rows {
    /// Memory for every second round, from this one on.
    pub(super) fn new(layout: RowLayout) -> Self {
        Self {
            words: vec![0; layout.buckets() * layout.capacity * layout.stride],
            counts: vec![0; layout.buckets()],
            layout,
        }
    }

    pub(super) fn clear(&mut self, layout: RowLayout) {
        self.counts.fill(0);
        self.layout = layout;
    }

    pub(super) fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// Rows in all buckets.
    pub(super) fn len(&self) -> usize {
        self.counts.iter().map(|&count| count as usize).sum()
    }

    /// Puts a row into its bucket, if there is room.
    #[inline]
    pub(super) fn push(&mut self, row: &[u32]) {
        let bucket = self.layout.bucket(row);
        let count = &mut self.counts[bucket];
        if (*count as usize) < self.layout.capacity {
            let start = (bucket * self.layout.capacity + *count as usize) * row.len();
            self.words[start..][..row.len()].copy_from_slice(row);
            *count += 1;
        }
    }

    /// The rows of a bucket, whose stride must be `S`.
    pub(super) fn bucket<const S: usize>(&self, bucket: usize) -> &[[u32; S]] {
        let start = bucket * self.layout.capacity * S;
        let (rows, _) = self.words[start..].as_chunks();
        &rows[..self.counts[bucket] as usize]
    }
}

/// The `count` bits of a row from bit `start` on, at most 32 less those of the
/// first word that come before.
#[inline]
fn bits(row: &[u32], start: u32, count: u32) -> usize {
    let word = (start / 32) as usize;
    let next = row.get(word + 1).copied().unwrap_or_default();
    let window = (u64::from(row[word]) << 32 | u64::from(next)) << (start % 32);
    (window >> 32 >> (32 - count)) as usize
}
