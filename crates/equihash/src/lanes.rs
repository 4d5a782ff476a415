//! Several 64-bit words side by side: what BLAKE2b and the tree are written in.
//!
//! The code that uses [`Lanes`] is compiled once for each kind of them, and the
//! best one that the processor has is taken at run time. Eight lanes are one
//! AVX-512 register or two of AVX2, whose two halves keep the execution units
//! busy. Anything less gains nothing over plain 64-bit arithmetic, as vectors
//! of two words pay for their rotations what they save elsewhere.

use fearless_simd::Level;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::{Simd, prelude::*, u64x8};

/// The most lanes of any implementation.
pub(crate) const MAX_LANES: usize = 8;

/// One or more 64-bit words on which the same is done.
pub(crate) trait Lanes: Copy {
    /// Proof that the processor has the instructions.
    type Token: Copy;
    /// Number of lanes, a power of two.
    const LANES: usize;

    /// The same word in every lane.
    fn splat(token: Self::Token, word: u64) -> Self;
    /// The first `LANES` words.
    fn load(token: Self::Token, words: &[u64; MAX_LANES]) -> Self;
    /// Writes the first `LANES` words.
    fn store(self, words: &mut [u64; MAX_LANES]);
    /// Sum modulo 2^64.
    fn add(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    /// `bits` is below 64.
    fn shl(self, bits: u32) -> Self;
    /// `bits` is below 64.
    fn shr(self, bits: u32) -> Self;
    /// Whether every lane is zero.
    fn is_zero(self) -> bool;

    /// `bits` is between 1 and 63.
    #[inline(always)]
    fn rotate_right(self, bits: u32) -> Self {
        self.shr(bits).or(self.shl(64 - bits))
    }
}

/// A computation that is generic over its lanes.
pub(crate) trait Kernel {
    type Output;

    /// Must be `#[inline(always)]`, with all that it calls, to be compiled
    /// with the instructions that the lanes stand for.
    fn run<V: Lanes>(self, token: V::Token) -> Self::Output;
}

/// Runs `kernel` on the best lanes at `level`.
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(avx512) = level.as_avx512() {
            return avx512.vectorize(
                #[inline(always)]
                || kernel.run::<u64x8<_>>(avx512),
            );
        }
        if let Some(avx2) = level.as_avx2() {
            return avx2.vectorize(
                #[inline(always)]
                || kernel.run::<u64x8<_>>(avx2),
            );
        }
    }
    let _ = level;
    kernel.run::<u64>(())
}

impl Lanes for u64 {
    type Token = ();
    const LANES: usize = 1;

    #[inline(always)]
    fn splat((): (), word: u64) -> Self {
        word
    }

    #[inline(always)]
    fn load((): (), words: &[u64; MAX_LANES]) -> Self {
        words[0]
    }

    #[inline(always)]
    fn store(self, words: &mut [u64; MAX_LANES]) {
        words[0] = self;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn shl(self, bits: u32) -> Self {
        self << bits
    }

    #[inline(always)]
    fn shr(self, bits: u32) -> Self {
        self >> bits
    }

    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl<S: Simd> Lanes for u64x8<S> {
    type Token = S;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(token: S, word: u64) -> Self {
        SimdBase::splat(token, word)
    }

    #[inline(always)]
    fn load(token: S, words: &[u64; MAX_LANES]) -> Self {
        Self::from_slice(token, words)
    }

    #[inline(always)]
    fn store(self, words: &mut [u64; MAX_LANES]) {
        self.store_slice(words);
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn shl(self, bits: u32) -> Self {
        self << bits
    }

    #[inline(always)]
    fn shr(self, bits: u32) -> Self {
        self >> bits
    }

    #[inline(always)]
    fn is_zero(self) -> bool {
        self.simd_eq(0).all_true()
    }
}

/// Every kind of lanes that this processor can run.
#[cfg(test)]
pub(crate) fn levels() -> Vec<Level> {
    let mut levels = vec![Level::baseline(), Level::new()];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    levels.extend(Level::new().as_avx2().map(Level::Avx2));
    levels
}
