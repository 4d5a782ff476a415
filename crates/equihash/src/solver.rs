//! Finds the solutions of a header and nonce: for tests and demonstrations,
//! not for mining.
//!
//! This is Wagner's algorithm for the generalised birthday problem, single
//! threaded, in plain Rust. All 2^(c+1) leaves are hashed, with c = n/(k+1).
//! Round by round, rows that agree in their next c bits are joined in pairs,
//! which leaves about as many rows as before with c bits less each, until k
//! rounds have made them zero. Only the way by which a row was made is kept, as
//! a reference to two neighbours of the round before in 32 bits; the indices
//! are read off it at the end.
//!
//! For (210, 9) that takes about 450 MB and, on a recent processor, one to
//! two seconds for the two solutions that a nonce has on average. Small parameters
//! such as (96, 5) or (48, 5) take milliseconds.
//!
//! ```
//! use orepass_equihash::solver::Solver;
//! use orepass_equihash::{Equihash, EquihashParams, Scratch};
//!
//! let equihash = Equihash::tagged(EquihashParams::of::<48, 5>(), *b"ZcashPoW");
//! for solution in Solver::new(equihash)?.solve(b"header", &[7; 32]) {
//!     equihash.verify(b"header", &[7; 32], &solution, &mut Scratch::default())?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod join;
mod pedigree;
mod rows;

use crate::Equihash;
use crate::blake2b::LeafHasher;
use crate::indices::encode;
use join::{Join, Sorter};
use pedigree::Pedigree;
use rows::{RowLayout, Rows};

/// Digests hashed between two questions whether to stop.
const BATCH: usize = 256;

/// Finds all solutions of one Equihash variant, and owns the memory for it.
#[derive(Debug)]
pub struct Solver {
    equihash: Equihash,
    /// The rows of a round and those that it makes, in turns.
    rows: [Rows; 2],
    pedigree: Pedigree,
    sorter: Sorter,
}

impl Solver {
    /// The largest n / (k + 1) for which solutions can be found.
    pub const MAX_COLLISION_BITS: u32 = 25;

    /// A solver with its memory, which the system provides as it is used.
    ///
    /// # Errors
    ///
    /// If n / (k + 1) is above [`Self::MAX_COLLISION_BITS`].
    pub fn new(equihash: Equihash) -> Result<Self, SolverError> {
        let params = equihash.params();
        if params.collision_bits() > Self::MAX_COLLISION_BITS {
            return Err(SolverError::CollisionBits { bits: params.collision_bits() });
        }
        Ok(Self {
            equihash,
            rows: [Rows::new(RowLayout::new(params, 0)), Rows::new(RowLayout::new(params, 1))],
            pedigree: Pedigree::new(params, RowLayout::position_bits(params)),
            sorter: Sorter::default(),
        })
    }

    /// The variant that is solved.
    #[must_use]
    pub fn equihash(&self) -> Equihash {
        self.equihash
    }

    /// All solutions of `(header, nonce)` in their minimal encoding, each once,
    /// in ascending order.
    ///
    /// Lists are cut off where they grow far beyond what chance makes of them;
    /// a solution lost by that is as good as impossible.
    pub fn solve(&mut self, header: &[u8], nonce: &[u8]) -> Vec<Vec<u8>> {
        self.solve_unless(header, nonce, &|| false).unwrap_or_default()
    }

    /// Like [`Self::solve`], but gives up with `None` as soon as `should_stop`
    /// returns true. It is asked about every hundred microseconds.
    pub fn solve_unless(
        &mut self,
        header: &[u8],
        nonce: &[u8],
        should_stop: &dyn Fn() -> bool,
    ) -> Option<Vec<Vec<u8>>> {
        let params = self.equihash.params();
        self.hash_leaves(&LeafHasher::new(&self.equihash, header, nonce), should_stop)?;

        let mut solutions = Vec::new();
        let [mut from, mut to] = self.rows.each_mut();
        for round in 0..params.k() {
            let is_last = round + 1 == params.k();
            self.pedigree.start(round, from.len());
            if !is_last {
                to.clear(RowLayout::new(params, round + 1));
            }
            let (pedigree, sorter) = (&mut self.pedigree, &mut self.sorter);
            let mut join = Join { round, from, pedigree, sorter };
            for bucket in 0..from.layout().buckets() {
                if should_stop() {
                    return None;
                }
                if is_last {
                    join.last_bucket(bucket, |indices| {
                        solutions.push(encode(params, &indices));
                    });
                } else {
                    join.bucket(bucket, to);
                }
            }
            std::mem::swap(&mut from, &mut to);
        }
        solutions.sort_unstable();
        solutions.dedup();
        Some(solutions)
    }

    /// Fills the rows of round 0 with the leaves, which refer to their index.
    fn hash_leaves(&mut self, hasher: &LeafHasher, should_stop: &dyn Fn() -> bool) -> Option<()> {
        let params = self.equihash.params();
        let per_digest = params.leaves_per_digest();
        let words = params.n().div_ceil(32) as usize;
        let unused_bits = 32 * words as u32 - params.n();
        let rows = &mut self.rows[0];
        rows.clear(RowLayout::new(params, 0));
        let mut digests = [[0; 8]; BATCH];
        let mut indices = 0..1_u32 << params.index_bits();
        while !indices.is_empty() {
            if should_stop() {
                return None;
            }
            hasher.digests(indices.start / per_digest, &mut digests);
            for digest in &digests {
                // Leaves are read in whole words, so beyond the end of the last.
                let mut bytes = [0; 64 + 4];
                for (bytes, word) in bytes.chunks_exact_mut(8).zip(digest) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
                let starts = (0..per_digest as usize).map(|part| part * params.leaf_len());
                for (start, index) in starts.zip(indices.by_ref()) {
                    let mut row = [0; 9];
                    let (leaf, _) = bytes[start..].as_chunks();
                    for (word, &bytes) in row.iter_mut().zip(&leaf[..words]) {
                        *word = u32::from_be_bytes(bytes);
                    }
                    row[words - 1] = row[words - 1] >> unused_bits << unused_bits;
                    row[words] = index;
                    rows.push(&row[..=words]);
                }
            }
        }
        Some(())
    }
}

/// Why a variant cannot be solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SolverError {
    /// The lists would be too long, more than 2^26 rows.
    #[error(
        "collisions of {bits} bits are more than the {} that can be found",
        Solver::MAX_COLLISION_BITS
    )]
    CollisionBits {
        /// Bits that must collide at each level, n / (k + 1).
        bits: u32,
    },
}
