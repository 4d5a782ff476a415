//! The indices of a solution: their encoding, order and uniqueness.

use crate::{EquihashError, EquihashParams};

/// Slots of the table that finds duplicates, a power of two: enough that few
/// of 512 indices share one, and at 16 KB no more than a part of the first
/// level cache.
const SLOTS: usize = 8192;

/// Working memory for the indices of a solution.
#[derive(Debug, Clone)]
pub(crate) struct Indices {
    params: EquihashParams,
    decoded: Vec<u32>,
    /// The last position whose index falls on a slot. Left as the verification
    /// before left it, since a slot is written before it is read.
    slots: Box<[u16; SLOTS]>,
    /// Indices that lost their slot to another.
    displaced: Vec<u32>,
}

impl Indices {
    pub(crate) fn new(params: EquihashParams) -> Self {
        Self {
            params,
            decoded: vec![0; params.solution_indices()],
            slots: Box::new([0; SLOTS]),
            displaced: Vec::with_capacity(params.solution_indices()),
        }
    }

    /// The parameters that it is for.
    pub(crate) fn params(&self) -> EquihashParams {
        self.params
    }

    /// Decodes a solution of the right length and checks order, then
    /// uniqueness of its indices.
    #[inline(always)]
    pub(crate) fn load(&mut self, solution: &[u8]) -> Result<&[u32], EquihashError> {
        let Self { params, decoded, slots, displaced } = self;
        // With the width known to the compiler the loop costs half as much.
        match params.index_bits() {
            21 => decode(solution, 21, decoded, slots),
            22 => decode(solution, 22, decoded, slots),
            bits => decode(solution, bits as usize, decoded, slots),
        }
        check_order(decoded)?;
        check_uniqueness(decoded, slots, displaced)?;
        Ok(decoded)
    }
}

/// The minimal encoding of the indices of a solution, which lie below
/// 2^`index_bits`.
#[cfg(any(test, feature = "solver"))]
pub(crate) fn encode(params: EquihashParams, indices: &[u32]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(params.solution_len());
    let (mut bits, mut pending) = (0_u64, 0);
    for &index in indices {
        bits = bits << params.index_bits() | u64::from(index);
        pending += params.index_bits();
        while pending >= 8 {
            pending -= 8;
            encoded.push((bits >> pending) as u8);
        }
    }
    encoded
}

/// Decodes indices of `bits` bits, each of which claims its slot.
#[inline(always)]
fn decode(encoded: &[u8], bits: usize, indices: &mut [u32], slots: &mut [u16; SLOTS]) {
    let (groups, _) = indices.as_chunks_mut::<8>();
    for (i, group) in groups.iter_mut().enumerate() {
        // Eight indices are as many bytes as an index has bits; the windows
        // reach up to seven bytes further.
        let start = i * bits;
        let mut end = [0; 32 + 7];
        let bytes = encoded.get(start..start + bits + 7).unwrap_or_else(|| {
            end[..encoded.len() - start].copy_from_slice(&encoded[start..]);
            &end[..bits + 7]
        });
        for (j, index) in group.iter_mut().enumerate() {
            let mut window = [0; 8];
            window.copy_from_slice(&bytes[j * bits / 8..][..8]);
            let window = u64::from_be_bytes(window) << (j * bits % 8);
            *index = (window >> (64 - bits)) as u32;
            // Positions fit: k is at most 16.
            slots[slot(*index)] = (8 * i + j) as u16;
        }
    }
}

/// Checks that the first index of each right subtree is not below that of the
/// left one. (Equal ones are duplicates.)
#[inline(always)]
fn check_order(indices: &[u32]) -> Result<(), EquihashError> {
    // Three levels at a time, in groups of eight positions and then of the
    // groups' first ones.
    let (groups, _) = indices.as_chunks();
    let ordered = groups.iter().fold(true, |ordered, &[a, b, c, d, e, f, g, h]| {
        ordered & (a <= b) & (c <= d) & (e <= f) & (g <= h) & (a <= c) & (e <= g) & (a <= e)
    });
    let heads = 1..groups.len();
    let ordered =
        heads.fold(ordered, |ordered, i| ordered & (groups[i & (i - 1)][0] <= groups[i][0]));
    if ordered { Ok(()) } else { Err(order_error(indices)) }
}

/// The first node out of order, from the left by its right subtree.
#[cold]
fn order_error(indices: &[u32]) -> EquihashError {
    // Every position but the first starts the right subtree of one node: the
    // node whose left subtree starts where the lowest set bit of the position
    // is cleared.
    let mut nodes = (1..indices.len()).map(|position| (position, position & (position - 1)));
    let (position, start) =
        nodes.find(|&(position, start)| indices[position] < indices[start]).unwrap_or_default();
    let level = position.trailing_zeros() + 1;
    EquihashError::Order {
        level,
        node: (start >> level) as u32,
        left: indices[start],
        right: indices[position],
    }
}

/// Checks that no index occurs twice, once all have claimed their slots.
///
/// The last claim holds. A position that finds another one in its slot either
/// has the same index or is set aside; those are few and sorted. Of two equal
/// indices at least one is displaced: it meets the other in the slot, or among
/// the displaced.
#[inline(always)]
fn check_uniqueness(
    indices: &[u32],
    slots: &[u16; SLOTS],
    displaced: &mut Vec<u32>,
) -> Result<(), EquihashError> {
    displaced.clear();
    let (groups, _) = indices.as_chunks::<8>();
    for (i, group) in groups.iter().enumerate() {
        let first = (8 * i) as u16;
        let mut lost = 0_u32;
        for (j, &index) in group.iter().enumerate() {
            lost |= u32::from(slots[slot(index)] != first + j as u16) << j;
        }
        while lost != 0 {
            let index = group[lost.trailing_zeros() as usize];
            if indices[usize::from(slots[slot(index)])] == index {
                return Err(EquihashError::DuplicateIndex { index });
            }
            displaced.push(index);
            lost &= lost - 1;
        }
    }
    displaced.sort_unstable();
    match displaced.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(EquihashError::DuplicateIndex { index: pair[0] }),
        None => Ok(()),
    }
}

#[inline(always)]
fn slot(index: u32) -> usize {
    index as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(params: EquihashParams, indices: &[u32]) -> Result<Vec<u32>, EquihashError> {
        Indices::new(params).load(&encode(params, indices)).map(<[u32]>::to_vec)
    }

    #[test]
    fn encoding_is_a_big_endian_bit_stream() {
        let params = EquihashParams::new(80, 3).unwrap(); // 21 bits
        let indices = [68, 2_097_151, 1_048_576, 1_048_577, 665, 1023, 1000, 1_048_575];
        let encoded = encode(params, &indices);
        assert_eq!(encoded.len(), params.solution_len());
        assert_eq!(encoded[..6], [0x00, 0x02, 0x27, 0xff, 0xff, 0xe0]);
        assert_eq!(load(params, &indices), Ok(indices.to_vec()));
    }

    #[test]
    fn full_width_indices_survive() {
        let params = EquihashParams::new(124, 3).unwrap(); // 32 bits
        let indices = [0, 1, 2, 3, 4, 5, u32::MAX - 1, u32::MAX];
        assert_eq!(load(params, &indices), Ok(indices.to_vec()));
    }

    #[test]
    fn order_is_checked_at_every_node() {
        let params = EquihashParams::new(96, 5).unwrap();
        let sorted: Vec<u32> = (100..132).collect();
        assert_eq!(load(params, &sorted), Ok(sorted.clone()));
        // Only first indices are compared.
        let mut loose = sorted.clone();
        loose[1] = 9000;
        assert_eq!(load(params, &loose), Ok(loose));
        for position in 1..32_usize {
            let mut indices = sorted.clone();
            let lowest = 1 << position.trailing_zeros();
            indices[position] = indices[position - lowest] - 1;
            let level = position.trailing_zeros() + 1;
            assert_eq!(
                load(params, &indices),
                Err(EquihashError::Order {
                    level,
                    node: (position >> level) as u32,
                    left: indices[position - lowest],
                    right: indices[position],
                })
            );
        }
    }

    #[test]
    fn every_pair_of_equal_indices_is_found() {
        let params = EquihashParams::new(96, 5).unwrap();
        let sorted: Vec<u32> = (100..132).collect();
        for left in 0..32 {
            for right in left + 1..32 {
                let mut indices = sorted.clone();
                indices[right] = indices[left];
                match load(params, &indices) {
                    Err(EquihashError::DuplicateIndex { index }) => assert_eq!(index, sorted[left]),
                    Err(EquihashError::Order { .. }) => {} // by a later subtree
                    verdict => panic!("{verdict:?}"),
                }
            }
        }
    }

    #[test]
    fn equal_slots_are_no_duplicates() {
        // 16 indices on each of two slots, all different.
        let params = EquihashParams::new(96, 5).unwrap();
        let mut indices: Vec<u32> =
            (0..32).map(|i| 5 + (i / 2) * SLOTS as u32 + i % 2).map(|i| i % 131_072).collect();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 32);
        assert_eq!(load(params, &indices), Ok(indices.clone()));
        // Two displaced ones that are equal, the holder of their slot differs.
        indices[9] = indices[7];
        indices.swap(9, 31);
        indices.sort_unstable();
        assert!(matches!(load(params, &indices), Err(EquihashError::DuplicateIndex { .. })));
    }
}
