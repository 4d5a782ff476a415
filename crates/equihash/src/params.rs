//! The parameters n and k and what follows from them.

use crate::blake2b::MAX_DIGEST;

/// Equihash parameters n and k, checked when made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EquihashParams {
    n: u32,
    k: u32,
}

impl EquihashParams {
    /// The largest n: two leaves to a digest. No coin uses more.
    pub const MAX_N: u32 = 256;
    /// The largest k: solutions of 65,536 indices.
    pub const MAX_K: u32 = 16;

    /// The parameters n (bits of a leaf) and k (levels of the tree).
    ///
    /// ```
    /// use orepass_equihash::{EquihashParams, ParamsError};
    ///
    /// assert_eq!(EquihashParams::new(210, 9)?.solution_len(), 1408);
    /// assert_eq!(EquihashParams::new(210, 8), Err(ParamsError::Indivisible { n: 210, k: 8 }));
    /// # Ok::<(), ParamsError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If n exceeds 256, if k is below 3 (a solution would not fill whole
    /// bytes) or above 16, if k + 1 does not divide n, if an index would not
    /// fit 32 bits, or if floor(512 / n) leaves, each rounded up to whole
    /// bytes, would not fit a digest.
    pub const fn new(n: u32, k: u32) -> Result<Self, ParamsError> {
        if n == 0 || n > Self::MAX_N {
            return Err(ParamsError::N { n });
        }
        if k < 3 || k > Self::MAX_K {
            return Err(ParamsError::K { k });
        }
        if !n.is_multiple_of(k + 1) {
            return Err(ParamsError::Indivisible { n, k });
        }
        let params = Self { n, k };
        if params.index_bits() > u32::BITS {
            return Err(ParamsError::IndexBits { bits: params.index_bits() });
        }
        if params.digest_len() > MAX_DIGEST {
            return Err(ParamsError::DigestLen { len: params.digest_len() });
        }
        Ok(params)
    }

    /// Parameters that are known when a program is compiled. With others than [`Self::new`] takes
    /// it does not compile.
    ///
    /// ```
    /// use orepass_equihash::EquihashParams;
    ///
    /// const PARAMS: EquihashParams = EquihashParams::of::<144, 5>();
    /// assert_eq!(PARAMS.solution_len(), 100);
    /// ```
    ///
    /// ```compile_fail,E0080
    /// orepass_equihash::EquihashParams::of::<144, 6>();
    /// ```
    #[must_use]
    pub const fn of<const N: u32, const K: u32>() -> Self {
        const {
            match Self::new(N, K) {
                Ok(params) => params,
                Err(_) => panic!("EquihashParams::new refuses this n and k"),
            }
        }
    }

    /// Bits of a leaf.
    #[must_use]
    pub const fn n(self) -> u32 {
        self.n
    }

    /// Levels of the tree.
    #[must_use]
    pub const fn k(self) -> u32 {
        self.k
    }

    /// Bits that must collide at each level: n / (k + 1).
    #[must_use]
    pub const fn collision_bits(self) -> u32 {
        self.n / (self.k + 1)
    }

    /// Bits of an index in the encoding, one more than collide at a level.
    #[must_use]
    pub const fn index_bits(self) -> u32 {
        self.collision_bits() + 1
    }

    /// Indices of a solution: 2^k.
    #[must_use]
    pub const fn solution_indices(self) -> usize {
        1 << self.k
    }

    /// Bytes of a solution in its minimal encoding.
    #[must_use]
    pub const fn solution_len(self) -> usize {
        self.solution_indices() / 8 * self.index_bits() as usize
    }

    /// Leaves that share a digest: floor(512 / n).
    #[must_use]
    pub const fn leaves_per_digest(self) -> u32 {
        512 / self.n
    }

    /// Bytes of a leaf, of which the last may count only in part.
    #[must_use]
    pub const fn leaf_len(self) -> usize {
        self.n.div_ceil(8) as usize
    }

    /// Bytes of a digest.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        self.leaves_per_digest() as usize * self.leaf_len()
    }
}

/// Why a pair of parameters is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// n is zero or too large.
    #[error("n = {n} is not between 1 and 256")]
    N {
        /// The n given.
        n: u32,
    },
    /// k is too small or too large.
    #[error("k = {k} is not between 3 and 16")]
    K {
        /// The k given.
        k: u32,
    },
    /// The bits of a leaf cannot be dealt out evenly to the levels.
    #[error("n = {n} is not a multiple of k + 1 with k = {k}")]
    Indivisible {
        /// The n given.
        n: u32,
        /// The k given.
        k: u32,
    },
    /// An index needs more than 32 bits.
    #[error("indices of {bits} bits do not fit 32")]
    IndexBits {
        /// Bits of an index.
        bits: u32,
    },
    /// A digest would be longer than BLAKE2b's 64 bytes.
    #[error("a digest of {len} bytes is longer than 64")]
    DigestLen {
        /// Bytes of a digest.
        len: usize,
    },
}
