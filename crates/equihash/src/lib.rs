#![doc = include_str!("../README.md")]
//!
//! ## What is checked
//!
//! Equihash asks for 2^k distinct indices whose leaf hashes, joined pairwise
//! by exclusive or in a binary tree, lose n/(k+1) more leading bits at every
//! level and are zero at the root. The rules checked here are those of the
//! [Zcash protocol specification][zcash], which other coins took over with other
//! parameters:
//!
//! * **Leaves.** BLAKE2b with a personalization of 16 bytes hashes
//!   `header || nonce || LE32(index / m)`, where m = floor(512 / n) leaves
//!   share one digest of m * ceil(n/8) bytes. A leaf is the first n bits
//!   (big-endian) of its ceil(n/8) bytes.
//! * **Collisions.** The node that joins 2^r leaves is zero in its first
//!   r * n/(k+1) bits, and the root in all n.
//! * **Order.** At every node the first index of the left subtree is below the
//!   first index of the right one.
//! * **Uniqueness.** All 2^k indices differ.
//! * **Encoding.** The indices in tree order as a big-endian bit stream,
//!   n/(k+1) + 1 bits each, without padding: see [`EquihashParams::solution_len`].
//!
//! [zcash]: https://zips.z.cash/protocol/protocol.pdf#equihash
//!
//! Coins differ in n, k and the personalization, and in what they hash as the header, which is
//! theirs to lay out. A coin says its variant once, as a constant:
//!
//! | coin | n, k | tag | header, nonce | indices of a solution | its bytes |
//! |---|---|---|---|---|---|
//! | Aion | 210, 9 | `AION0PoW` | 32, 32 bytes | 512 of 22 bits | 1408 |
//! | Zcash | 200, 9 | `ZcashPoW` | 108, 32 bytes | 512 of 21 bits | 1344 |
//! | others | 192, 7 | their own | their own | 128 of 25 bits | 400 |
//! | others | 144, 5 | their own | their own | 32 of 25 bits | 100 |

mod blake2b;
mod error;
mod indices;
mod lanes;
mod params;
#[cfg(feature = "solver")]
pub mod solver;
mod tree;

use fearless_simd::Level;

use blake2b::LeafHasher;
pub use error::EquihashError;
use indices::Indices;
use lanes::{Kernel, Lanes};
pub use params::{EquihashParams, ParamsError};
use tree::Tree;

/// An Equihash variant: its parameters and its personalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Equihash {
    params: EquihashParams,
    personalization: [u8; 16],
}

impl Equihash {
    /// The variant with these parameters and all 16 bytes of the BLAKE2b
    /// personalization.
    #[must_use]
    pub const fn new(params: EquihashParams, personalization: [u8; 16]) -> Self {
        Self { params, personalization }
    }

    /// The variant whose personalization is `tag || LE32(n) || LE32(k)`, the
    /// form that Zcash introduced.
    #[must_use]
    pub const fn tagged(params: EquihashParams, tag: [u8; 8]) -> Self {
        let [n0, n1, n2, n3] = params.n().to_le_bytes();
        let [k0, k1, k2, k3] = params.k().to_le_bytes();
        let [a, b, c, d, e, f, g, h] = tag;
        Self::new(params, [a, b, c, d, e, f, g, h, n0, n1, n2, n3, k0, k1, k2, k3])
    }

    /// The parameters n and k.
    #[must_use]
    pub const fn params(&self) -> EquihashParams {
        self.params
    }

    /// The BLAKE2b personalization.
    #[must_use]
    pub const fn personalization(&self) -> [u8; 16] {
        self.personalization
    }

    /// Checks that `solution` solves `(header, nonce)`.
    ///
    /// `header` and `nonce` may have any length: the hash sees only their
    /// concatenation. `solution` is the minimal encoding without a length
    /// prefix. Nothing is allocated if `scratch` was made for these
    /// parameters; otherwise it is made anew first.
    ///
    /// The cheap checks come first: nothing is hashed before length, order and
    /// uniqueness have passed, and hashing stops at the first node without its
    /// collision.
    ///
    /// # Errors
    ///
    /// The first rule found broken, in the order length, order, uniqueness,
    /// collisions, root.
    pub fn verify(
        &self,
        header: &[u8],
        nonce: &[u8],
        solution: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), EquihashError> {
        self.verify_at(Level::new(), header, nonce, solution, scratch)
    }

    fn verify_at(
        &self,
        level: Level,
        header: &[u8],
        nonce: &[u8],
        solution: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), EquihashError> {
        let expected = self.params.solution_len();
        if solution.len() != expected {
            return Err(EquihashError::Length { expected, actual: solution.len() });
        }
        let indices = scratch.indices(self.params);
        lanes::dispatch(level, Verification { equihash: self, header, nonce, solution, indices })
    }
}

/// A verification whose solution has the right length.
struct Verification<'a> {
    equihash: &'a Equihash,
    header: &'a [u8],
    nonce: &'a [u8],
    solution: &'a [u8],
    indices: &'a mut Indices,
}

impl Kernel for Verification<'_> {
    type Output = Result<(), EquihashError>;

    #[inline(always)]
    fn run<V: Lanes>(self, token: V::Token) -> Self::Output {
        let indices = self.indices.load(self.solution)?;
        let hasher = &LeafHasher::new(self.equihash, self.header, self.nonce);
        Tree { params: self.equihash.params, hasher, indices }.check::<V>(token)
    }
}

/// Working memory of [`Equihash::verify`], to be reused from one verification
/// to the next: 16 KB and eight bytes for each index, so 20 KB for 512 of them.
///
/// By default it is none; the first verification makes what it needs.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    indices: Option<Indices>,
}

impl Scratch {
    /// Working memory for solutions with these parameters.
    #[must_use]
    pub fn new(params: EquihashParams) -> Self {
        Self { indices: Some(Indices::new(params)) }
    }

    /// The memory, made anew unless it is there for these parameters.
    fn indices(&mut self, params: EquihashParams) -> &mut Indices {
        self.indices.take_if(|indices| indices.params() != params);
        self.indices.get_or_insert_with(|| Indices::new(params))
    }
}

#[cfg(all(test, feature = "solver"))]
mod tests {
    use super::*;
    use crate::solver::Solver;

    /// The verdict of one kind of lanes, without what others may report
    /// differently because they look at nodes in another order.
    fn verdict(
        level: Level,
        equihash: &Equihash,
        nonce: &[u8],
        solution: &[u8],
    ) -> Result<(), &'static str> {
        let mut scratch = Scratch::new(equihash.params());
        equihash.verify_at(level, HEADER, nonce, solution, &mut scratch).map_err(
            |error| match error {
                EquihashError::Length { .. } => "length",
                EquihashError::Order { .. } => "order",
                EquihashError::DuplicateIndex { .. } => "uniqueness",
                EquihashError::Collision { .. } | EquihashError::Root { .. } => "hashes",
            },
        )
    }

    const HEADER: &[u8] = b"header";

    #[test]
    fn all_lanes_agree_on_solutions() {
        for (n, k) in [(48, 3), (48, 5), (60, 4), (70, 6), (90, 5), (96, 5)] {
            let equihash = Equihash::tagged(EquihashParams::new(n, k).unwrap(), *b"solution");
            let mut solver = Solver::new(equihash).unwrap();
            let (nonce, solution) = (0_u32..)
                .find_map(|nonce| {
                    let nonce = nonce.to_le_bytes();
                    solver.solve(HEADER, &nonce).pop().map(|solution| (nonce, solution))
                })
                .unwrap();
            for level in lanes::levels() {
                assert_eq!(verdict(level, &equihash, &nonce, &solution), Ok(()));
                for bit in 0..8 * solution.len() {
                    let mut flipped = solution.clone();
                    flipped[bit / 8] ^= 0x80 >> (bit % 8);
                    let expected = verdict(Level::baseline(), &equihash, &nonce, &flipped);
                    assert!(expected.is_err());
                    assert_eq!(verdict(level, &equihash, &nonce, &flipped), expected);
                }
            }
        }
    }
}

#[cfg(test)]
mod stack {
    use std::thread;

    use serde_json::Value;

    use super::*;

    /// An eighth of what a thread has by default: the rest is for those who call.
    const STACK: usize = 256 * 1024;

    /// A build without optimisation is what this is about; `.ci/run` makes one.
    #[test]
    fn a_verification_leaves_most_of_a_threads_stack_to_its_caller() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/aion.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let share = &vectors["valid"][5];
        for level in lanes::levels() {
            let hex = |name: &str| const_hex::decode(share[name].as_str().unwrap()).unwrap();
            let (header, nonce, solution) = (hex("header_hash"), hex("nonce"), hex("solution"));
            let verified = thread::Builder::new().stack_size(STACK).spawn(move || {
                let mut scratch = Scratch::default();
                let aion = Equihash::tagged(EquihashParams::of::<210, 9>(), *b"AION0PoW");
                aion.verify_at(level, &header, &nonce, &solution, &mut scratch)
            });
            assert_eq!(verified.unwrap().join().unwrap(), Ok(()), "{level:?}");
        }
    }
}
