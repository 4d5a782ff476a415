//! Verification of Equihash solutions for any (n, k) and personalization.
//!
//! Equihash asks for 2^k distinct indices whose leaf hashes, joined pairwise
//! by exclusive or in a binary tree, lose n/(k+1) more leading bits at every
//! level and are zero at the root. The rules checked here are those of the
//! [Zcash protocol specification][zcash], which Aion took over with other
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
//! ```
//! use orepass_aion::equihash::{AION, EquihashError, Scratch};
//!
//! let mut scratch = Scratch::new(AION.params()); // once per session
//! let (header_hash, nonce, solution) = ([0; 32], [0; 32], [0; 1408]);
//! let verdict = AION.verify(&header_hash, &nonce, &solution, &mut scratch);
//! assert_eq!(verdict, Err(EquihashError::DuplicateIndex { index: 0 }));
//! ```

mod blake2b;
mod error;
mod indices;
mod lanes;
mod params;
mod tree;

use fearless_simd::Level;

pub(crate) use blake2b::LeafHasher;
pub use error::EquihashError;
use indices::Indices;
#[cfg(feature = "solver")]
pub(crate) use indices::encode;
use lanes::{Kernel, Lanes};
pub use params::{EquihashParams, ParamsError};
use tree::Tree;

/// Aion's Equihash: n = 210, k = 9, personalization
/// `"AION0PoW" || LE32(210) || LE32(9)`.
///
/// Its header is the 32-byte header hash, its nonce has 32 bytes, and a
/// solution is 512 indices of 22 bits in 1408 bytes.
pub const AION: Equihash = Equihash::tagged(constant(210, 9), *b"AION0PoW");

/// Zcash's Equihash: n = 200, k = 9, personalization
/// `"ZcashPoW" || LE32(200) || LE32(9)`.
///
/// Its header is the 108 bytes that precede the nonce in a block header, its
/// nonce has 32 bytes, and a solution is 512 indices of 21 bits in 1344 bytes.
pub const ZCASH: Equihash = Equihash::tagged(constant(200, 9), *b"ZcashPoW");

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
        if scratch.params != self.params {
            *scratch = Scratch::new(self.params);
        }
        let indices = &mut scratch.indices;
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
/// to the next: about 20 KB for [`AION`].
#[derive(Debug, Clone)]
pub struct Scratch {
    params: EquihashParams,
    indices: Indices,
}

impl Scratch {
    /// Working memory for solutions with these parameters.
    #[must_use]
    pub fn new(params: EquihashParams) -> Self {
        Self { params, indices: Indices::new(params) }
    }
}

impl Default for Scratch {
    /// Working memory for [`AION`].
    fn default() -> Self {
        Self::new(AION.params())
    }
}

/// Parameters known to be valid when the crate is compiled.
const fn constant(n: u32, k: u32) -> EquihashParams {
    match EquihashParams::new(n, k) {
        Ok(params) => params,
        Err(_) => panic!("invalid Equihash parameters"),
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
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/aion.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let share = &vectors["valid"][5];
        for level in lanes::levels() {
            let hex = |name: &str| const_hex::decode(share[name].as_str().unwrap()).unwrap();
            let (header, nonce, solution) = (hex("header_hash"), hex("nonce"), hex("solution"));
            let verified = thread::Builder::new().stack_size(STACK).spawn(move || {
                let mut scratch = Scratch::default();
                AION.verify_at(level, &header, &nonce, &solution, &mut scratch)
            });
            assert_eq!(verified.unwrap().join().unwrap(), Ok(()), "{level:?}");
        }
    }
}
