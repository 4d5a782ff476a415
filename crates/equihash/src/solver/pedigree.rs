//! How rows came about.

use crate::EquihashParams;

/// The parents of all rows, round by round.
///
/// Rows that are joined are neighbours in the sorted list of their round, so
/// the position of the first and the distance to the second are enough, in one
/// word. In round 0 the word is the index of the leaf.
#[derive(Debug)]
pub(super) struct Pedigree {
    rounds: Vec<Vec<u32>>,
    distance_bits: u32,
}

impl Pedigree {
    pub(super) fn new(params: EquihashParams, position_bits: u32) -> Self {
        Self {
            rounds: vec![Vec::new(); params.k() as usize],
            distance_bits: u32::BITS - position_bits,
        }
    }

    /// Forgets the rows of a round and makes room for as many as `rows`.
    pub(super) fn start(&mut self, round: u32, rows: usize) {
        let round = &mut self.rounds[round as usize];
        round.clear();
        round.reserve_exact(rows);
    }

    /// Adds the next row of a round in sorted order.
    #[inline]
    pub(super) fn push(&mut self, round: u32, parents: u32) {
        self.rounds[round as usize].push(parents);
    }

    /// Rows of a round that are known so far.
    pub(super) fn len(&self, round: u32) -> usize {
        self.rounds[round as usize].len()
    }

    /// The word for the rows at `position` and `distance` further, unless that
    /// is too far to be a matter of chance.
    #[inline]
    pub(super) fn parents(&self, position: usize, distance: usize) -> Option<u32> {
        (distance >> self.distance_bits == 0)
            .then_some((position << self.distance_bits | distance) as u32)
    }

    /// Whether the rows at two positions of a round have no leaf in common.
    pub(super) fn are_disjoint(&self, round: u32, first: usize, second: usize) -> bool {
        let mut indices = Vec::with_capacity(2 << round);
        self.collect(round, first, &mut indices);
        self.collect(round, second, &mut indices);
        are_distinct(&mut indices)
    }

    /// The solution that joins the rows at two positions of the last round, its
    /// indices in canonical order, unless one of them occurs twice.
    pub(super) fn solution(&self, first: usize, second: usize) -> Option<Vec<u32>> {
        let last = self.rounds.len() as u32 - 1;
        let mut indices = Vec::with_capacity(2 << last);
        self.collect(last, first, &mut indices);
        self.collect(last, second, &mut indices);
        if !are_distinct(&mut indices.clone()) {
            return None;
        }
        for level in 0..=last {
            for node in indices.chunks_exact_mut(2 << level) {
                let (left, right) = node.split_at_mut(1 << level);
                if left[0] > right[0] {
                    left.swap_with_slice(right);
                }
            }
        }
        Some(indices)
    }

    /// Appends the leaves of a row.
    fn collect(&self, round: u32, position: usize, indices: &mut Vec<u32>) {
        let word = self.rounds[round as usize][position];
        if round == 0 {
            indices.push(word);
        } else {
            let first = (word >> self.distance_bits) as usize;
            let distance = word as usize & ((1 << self.distance_bits) - 1);
            self.collect(round - 1, first, indices);
            self.collect(round - 1, first + distance, indices);
        }
    }
}

fn are_distinct(indices: &mut [u32]) -> bool {
    indices.sort_unstable();
    indices.windows(2).all(|pair| pair[0] != pair[1])
}
