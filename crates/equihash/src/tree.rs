//! The tree of a solution: leaves are hashed and joined, depth first.

use crate::blake2b::{Digest, LeafHasher};
use crate::lanes::{Lanes, MAX_LANES};
use crate::{EquihashError, EquihashParams};

/// Words of a row, with room for the largest n.
const WORDS: usize = (EquihashParams::MAX_N / 64) as usize;

/// The bits of a leaf or of a node, for each lane.
///
/// The words are little-endian as BLAKE2b gives them, so "the first bits" are
/// the high bits of the low bytes; nothing needs to be swapped, as rows are
/// only combined and compared with zero under a [`mask`]. Bits behind the n of
/// a leaf are arbitrary.
type Row<V> = [V; WORDS];

/// The tree over `indices`, which must be as many as the parameters say.
pub(crate) struct Tree<'a> {
    pub(crate) params: EquihashParams,
    pub(crate) hasher: &'a LeafHasher,
    pub(crate) indices: &'a [u32],
}

impl Tree<'_> {
    /// Hashes the leaves and checks all nodes.
    ///
    /// Each lane walks a subtree of its own, leaf by leaf; what remains above
    /// the lanes is joined at the end.
    ///
    /// At leaf number `step` of the lanes, a row waits in `pending[level]` for
    /// each set bit `level` of `step`: the left subtree that the next complete
    /// one of its level joins.
    #[inline(always)]
    pub(crate) fn check<V: Lanes>(&self, token: V::Token) -> Result<(), EquihashError> {
        let k = self.params.k() as usize;
        let steps = self.indices.len() / V::LANES;
        let lane_levels = steps.trailing_zeros() as usize;
        let mut masks = [[0; WORDS]; EquihashParams::MAX_K as usize + 1];
        for (level, mask) in masks.iter_mut().enumerate().take(k + 1) {
            *mask = self::mask(level as u32 * self.params.collision_bits());
        }

        let parts = LeafParts::new(self.params);
        let mut message = self.hasher.message::<V>(token);
        let mut pending = [[V::splat(token, 0); WORDS]; EquihashParams::MAX_K as usize + 1];
        for step in 0..steps {
            let (numbers, part) = parts.split::<V>(self.indices, step);
            let digest = self.hasher.digest(token, &mut message, V::load(token, &numbers));
            let mut row = parts.row(token, &digest, &part);
            let mut level = 0;
            while step >> level & 1 == 1 {
                row = xor(&pending[level], &row);
                level += 1;
                if !collides(token, &row, &masks[level]) {
                    return Err(self.collision_error(&lane_rows(&row), level, step >> level));
                }
            }
            pending[level] = row;
        }

        let mut rows = lane_rows(&pending[lane_levels]);
        let mut count = V::LANES;
        for (level, mask) in masks.iter().enumerate().take(k + 1).skip(lane_levels + 1) {
            count /= 2;
            for node in 0..count {
                rows[node] = xor(&rows[2 * node], &rows[2 * node + 1]);
                if !collides((), &rows[node], mask) {
                    return Err(self.collision_error(&[rows[node]], level, node));
                }
            }
        }
        let required = self.params.n();
        if collides((), &rows[0], &mask(required)) {
            Ok(())
        } else {
            Err(EquihashError::Root { zero_bits: zero_bits(&rows[0]), required })
        }
    }

    /// Tells about the first of `rows`, the nodes of a level that the lanes
    /// have come to, that lacks its collision. `node` is the position of the
    /// first one.
    #[cold]
    fn collision_error(&self, rows: &[Row<u64>], level: usize, node: usize) -> EquihashError {
        let required = level as u32 * self.params.collision_bits();
        let stride = (self.indices.len() / rows.len()) >> level;
        let lane = rows.iter().position(|row| zero_bits(row) < required).unwrap_or_default();
        EquihashError::Collision {
            level: level as u32,
            node: (lane * stride + node) as u32,
            zero_bits: zero_bits(&rows[lane]),
            required,
        }
    }
}

/// How leaves share digests.
struct LeafParts {
    per_digest: u32,
    leaf_len: usize,
    /// ceil(2^64 / `per_digest`): a division by multiplication, exact for
    /// indices of 32 bits.
    reciprocal: u64,
}

impl LeafParts {
    fn new(params: EquihashParams) -> Self {
        let per_digest = params.leaves_per_digest();
        Self {
            per_digest,
            leaf_len: params.leaf_len(),
            reciprocal: u64::MAX / u64::from(per_digest) + 1,
        }
    }

    /// The digest numbers of the indices at `step` of each lane, and which of
    /// the digest's leaves each of them is.
    #[inline(always)]
    fn split<V: Lanes>(
        &self,
        indices: &[u32],
        step: usize,
    ) -> ([u64; MAX_LANES], [u32; MAX_LANES]) {
        let (mut numbers, mut part) = ([0; MAX_LANES], [0; MAX_LANES]);
        for (lane, subtree) in indices.chunks_exact(indices.len() / V::LANES).enumerate() {
            let index = subtree[step];
            numbers[lane] = ((u128::from(self.reciprocal) * u128::from(index)) >> 64) as u64;
            part[lane] = index - numbers[lane] as u32 * self.per_digest;
        }
        (numbers, part)
    }

    /// The leaf of each lane, cut from its digest.
    #[inline(always)]
    fn row<V: Lanes>(
        &self,
        token: V::Token,
        digest: &Digest<V>,
        part: &[u32; MAX_LANES],
    ) -> Row<V> {
        let mut row = [digest[0], digest[1], digest[2], digest[3]];
        for candidate in 1..self.per_digest {
            let chosen = part.map(
                #[inline(always)]
                |part| if part == candidate { u64::MAX } else { 0 },
            );
            let chosen = V::load(token, &chosen);
            let leaf = bytes_from(token, digest, candidate as usize * self.leaf_len);
            for (word, leaf) in row.iter_mut().zip(leaf) {
                *word = word.xor(word.xor(leaf).and(chosen));
            }
        }
        row
    }
}

/// The words of `digest` from byte `start` on.
#[inline(always)]
fn bytes_from<V: Lanes>(token: V::Token, digest: &Digest<V>, start: usize) -> Row<V> {
    let (skip, shift) = (start / 8, 8 * (start as u32 % 8));
    let word = |i: usize| digest.get(i).copied().unwrap_or_else(|| V::splat(token, 0));
    std::array::from_fn(
        #[inline(always)]
        |i| {
            if shift == 0 {
                word(skip + i)
            } else {
                word(skip + i).shr(shift).or(word(skip + i + 1).shl(64 - shift))
            }
        },
    )
}

#[inline(always)]
fn xor<V: Lanes>(left: &Row<V>, right: &Row<V>) -> Row<V> {
    std::array::from_fn(
        #[inline(always)]
        |i| left[i].xor(right[i]),
    )
}

/// Whether the bits of every lane that are set in the mask are zero.
#[inline(always)]
fn collides<V: Lanes>(token: V::Token, row: &Row<V>, mask: &Row<u64>) -> bool {
    let mut bits = V::splat(token, 0);
    for (&word, &mask) in row.iter().zip(mask) {
        bits = bits.or(word.and(V::splat(token, mask)));
    }
    bits.is_zero()
}

/// The rows of the single lanes; those that do not exist are zero.
fn lane_rows<V: Lanes>(row: &Row<V>) -> [Row<u64>; MAX_LANES] {
    let mut rows = [[0; WORDS]; MAX_LANES];
    for (i, words) in row.iter().enumerate() {
        let mut lanes = [0; MAX_LANES];
        words.store(&mut lanes);
        for (row, lane) in rows.iter_mut().zip(lanes) {
            row[i] = lane;
        }
    }
    rows
}

/// A row whose first `bits` bits are set.
fn mask(bits: u32) -> Row<u64> {
    std::array::from_fn(|i| {
        let bits = bits.saturating_sub(64 * i as u32);
        u64::MAX.checked_shl(64 - bits.min(64)).unwrap_or(0).swap_bytes()
    })
}

/// The leading zero bits of a row.
fn zero_bits(row: &Row<u64>) -> u32 {
    let mut bits = 0;
    for word in row {
        bits += word.swap_bytes().leading_zeros();
        if *word != 0 {
            break;
        }
    }
    bits
}
