//! BLAKE2b of many inputs that differ only in their last four bytes.
//!
//! All leaves of a solution hash `header || nonce || LE32(block)`. What comes
//! before the number is compressed once as far as it fills blocks, and the rest
//! is hashed for several numbers at a time, one to a lane. The general
//! interfaces for many inputs cannot start from such a common state, nor do
//! they use registers of eight words.
//!
//! Source: [RFC 7693](https://www.rfc-editor.org/rfc/rfc7693), sections 2.5 to
//! 3.2, and for the personalization the parameter block in the
//! [BLAKE2 paper](https://www.blake2.net/blake2.pdf).

#[cfg(feature = "solver")]
use fearless_simd::Level;

use crate::Equihash;
use crate::lanes::Lanes;
#[cfg(feature = "solver")]
use crate::lanes::{self, Kernel, MAX_LANES};

/// Message words that remain after the common state: at most two blocks, as
/// the number may straddle the end of one.
pub(crate) type MessageWords<V> = [V; 32];

/// A digest as eight little-endian words, for each lane.
pub(crate) type Digest<V> = [V; 8];

/// The longest digest, in bytes.
pub(crate) const MAX_DIGEST: usize = 64;

/// Bytes of a block.
const BLOCK: usize = 128;

const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The order of the message words in the rounds, of which the last two repeat
/// the first two.
const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Hashes the numbers of one `(header, nonce)`.
#[derive(Clone)]
pub(crate) struct LeafHasher {
    /// State after the full blocks of `header || nonce`.
    state: [u64; 8],
    /// Bytes in those blocks.
    compressed: u64,
    /// What follows them, padded with zeros; the number's place is zero too.
    rest: MessageWords<u64>,
    /// Bytes that follow them, the number of four bytes included.
    rest_len: usize,
}

impl LeafHasher {
    pub(crate) fn new(equihash: &Equihash, header: &[u8], nonce: &[u8]) -> Self {
        let mut hasher =
            Self { state: initial_state(equihash), compressed: 0, rest: [0; 32], rest_len: 0 };
        let mut block = [0; BLOCK];
        let mut filled = 0;
        for mut part in [header, nonce] {
            while !part.is_empty() {
                let taken = part.len().min(BLOCK - filled);
                block[filled..][..taken].copy_from_slice(&part[..taken]);
                part = &part[taken..];
                filled += taken;
                // Never the last block, as a number is still to come.
                if filled == BLOCK {
                    hasher.compressed += BLOCK as u64;
                    let words = message_words(&block);
                    compress::<u64>((), &mut hasher.state, &words, hasher.compressed, false);
                    block = [0; BLOCK];
                    filled = 0;
                }
            }
        }
        hasher.rest[..16].copy_from_slice(&message_words(&block));
        hasher.rest_len = filled + 4;
        hasher
    }

    /// The message that [`Self::digest`] completes.
    #[inline(always)]
    pub(crate) fn message<V: Lanes>(&self, token: V::Token) -> MessageWords<V> {
        self.rest.map(
            #[inline(always)]
            |word| V::splat(token, word),
        )
    }

    /// The digests of the numbers in `numbers`, each below 2^32.
    #[inline(always)]
    pub(crate) fn digest<V: Lanes>(
        &self,
        token: V::Token,
        message: &mut MessageWords<V>,
        numbers: V,
    ) -> Digest<V> {
        let start = self.rest_len - 4;
        let (word, shift) = (start / 8, 8 * (start as u32 % 8));
        message[word] = V::splat(token, self.rest[word]).or(numbers.shl(shift));
        if shift > 32 {
            message[word + 1] = numbers.shr(64 - shift);
        }

        let mut state = self.state.map(
            #[inline(always)]
            |word| V::splat(token, word),
        );
        let blocks = self.rest_len.div_ceil(BLOCK);
        for (i, block) in message.as_chunks().0.iter().enumerate().take(blocks) {
            let end = self.rest_len.min(BLOCK * (i + 1)) as u64;
            compress(token, &mut state, block, self.compressed + end, i + 1 == blocks);
        }
        state
    }

    /// Writes the digests of `first`, `first + 1`, … to `out`, as many as it
    /// holds.
    #[cfg(feature = "solver")]
    pub(crate) fn digests(&self, first: u32, out: &mut [[u64; 8]]) {
        lanes::dispatch(Level::new(), Digests { hasher: self, first, out });
    }
}

#[cfg(feature = "solver")]
struct Digests<'a> {
    hasher: &'a LeafHasher,
    first: u32,
    out: &'a mut [[u64; 8]],
}

#[cfg(feature = "solver")]
impl Kernel for Digests<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self, token: V::Token) {
        let mut message = self.hasher.message::<V>(token);
        let mut number = self.first;
        for group in self.out.chunks_mut(V::LANES) {
            let numbers = std::array::from_fn(
                #[inline(always)]
                |lane| u64::from(number.wrapping_add(lane as u32)),
            );
            let digest = self.hasher.digest(token, &mut message, V::load(token, &numbers));
            for (i, words) in digest.into_iter().enumerate() {
                let mut lanes = [0; MAX_LANES];
                words.store(&mut lanes);
                for (digest, lane) in group.iter_mut().zip(lanes) {
                    digest[i] = lane;
                }
            }
            number = number.wrapping_add(V::LANES as u32);
        }
    }
}

/// The state that the parameter block gives: digest length, no key, fanout and
/// depth 1, no salt.
fn initial_state(equihash: &Equihash) -> [u64; 8] {
    let mut state = IV;
    state[0] ^= 0x0101_0000 | equihash.params().digest_len() as u64;
    let (halves, _) = equihash.personalization.as_chunks();
    state[6] ^= u64::from_le_bytes(halves[0]);
    state[7] ^= u64::from_le_bytes(halves[1]);
    state
}

fn message_words(block: &[u8; BLOCK]) -> [u64; 16] {
    let (words, _) = block.as_chunks();
    std::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

/// Compresses a block into the state; `total` counts the bytes up to its end.
#[inline(always)]
fn compress<V: Lanes>(
    token: V::Token,
    state: &mut [V; 8],
    message: &[V; 16],
    total: u64,
    last: bool,
) {
    let splat = |word| V::splat(token, word);
    let mut v = [splat(0); 16];
    for i in 0..8 {
        v[i] = state[i];
        v[i + 8] = splat(IV[i]);
    }
    v[12] = splat(IV[4] ^ total);
    v[14] = splat(if last { !IV[6] } else { IV[6] });
    // Written out, so that every word of the state keeps its register.
    round(&mut v, message, &SIGMA[0]);
    round(&mut v, message, &SIGMA[1]);
    round(&mut v, message, &SIGMA[2]);
    round(&mut v, message, &SIGMA[3]);
    round(&mut v, message, &SIGMA[4]);
    round(&mut v, message, &SIGMA[5]);
    round(&mut v, message, &SIGMA[6]);
    round(&mut v, message, &SIGMA[7]);
    round(&mut v, message, &SIGMA[8]);
    round(&mut v, message, &SIGMA[9]);
    round(&mut v, message, &SIGMA[0]);
    round(&mut v, message, &SIGMA[1]);
    for i in 0..8 {
        state[i] = state[i].xor(v[i]).xor(v[i + 8]);
    }
}

#[inline(always)]
fn round<V: Lanes>(v: &mut [V; 16], m: &[V; 16], s: &[usize; 16]) {
    mix(v, [0, 4, 8, 12], m[s[0]], m[s[1]]);
    mix(v, [1, 5, 9, 13], m[s[2]], m[s[3]]);
    mix(v, [2, 6, 10, 14], m[s[4]], m[s[5]]);
    mix(v, [3, 7, 11, 15], m[s[6]], m[s[7]]);
    mix(v, [0, 5, 10, 15], m[s[8]], m[s[9]]);
    mix(v, [1, 6, 11, 12], m[s[10]], m[s[11]]);
    mix(v, [2, 7, 8, 13], m[s[12]], m[s[13]]);
    mix(v, [3, 4, 9, 14], m[s[14]], m[s[15]]);
}

/// The function G.
///
/// Without optimisation each of the values in between has a place of its own on the stack, and the
/// 96 calls of a compression would have 3 MiB of them in one frame: more than a thread has. So
/// they are calls then (`build.rs` says when), which costs nothing that such a build has.
#[cfg_attr(not(unoptimised), inline(always))]
#[cfg_attr(unoptimised, inline(never))]
fn mix<V: Lanes>(v: &mut [V; 16], [a, b, c, d]: [usize; 4], x: V, y: V) {
    v[a] = v[a].add(v[b]).add(x);
    v[d] = v[d].xor(v[a]).rotate_right(32);
    v[c] = v[c].add(v[d]);
    v[b] = v[b].xor(v[c]).rotate_right(24);
    v[a] = v[a].add(v[b]).add(y);
    v[d] = v[d].xor(v[a]).rotate_right(16);
    v[c] = v[c].add(v[d]);
    v[b] = v[b].xor(v[c]).rotate_right(63);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EquihashParams;
    use crate::lanes::{self, Kernel, MAX_LANES};

    /// The digest of every lane, one for each number.
    struct Digests<'a>(&'a LeafHasher, &'a [u32; MAX_LANES]);

    impl Kernel for Digests<'_> {
        type Output = Vec<[u64; 8]>;

        #[inline(always)]
        fn run<V: Lanes>(self, token: V::Token) -> Self::Output {
            let Self(hasher, numbers) = self;
            let mut message = hasher.message::<V>(token);
            let mut digests = Vec::new();
            for group in numbers.chunks_exact(V::LANES) {
                let mut lanes = [0; MAX_LANES];
                for (lane, &number) in lanes.iter_mut().zip(group) {
                    *lane = u64::from(number);
                }
                let digest = hasher.digest(token, &mut message, V::load(token, &lanes));
                let words = digest.map(|word| {
                    let mut lanes = [0; MAX_LANES];
                    word.store(&mut lanes);
                    lanes
                });
                digests.extend((0..V::LANES).map(|lane| words.map(|lanes| lanes[lane])));
            }
            digests
        }
    }

    #[test]
    fn digests_are_those_of_blake2b() {
        let numbers = [0, 1, 255, 256, 0x0102_0304, 0x8000_0000, 0x00ff_ff00, u32::MAX];
        let input: Vec<u8> = (0..300).map(|i| (i * 7 + 3) as u8).collect();
        let variants = [
            Equihash::tagged(EquihashParams::of::<210, 9>(), *b"AION0PoW"),
            Equihash::tagged(EquihashParams::of::<200, 9>(), *b"ZcashPoW"),
            Equihash::new(EquihashParams::of::<48, 5>(), *b"sixteen letters."),
        ];
        for equihash in variants {
            let len = equihash.params().digest_len();
            let mut params = blake2b_simd::Params::new();
            params.hash_length(len).personal(&equihash.personalization());
            // Every alignment of the number, and several blocks before it.
            for end in 0..input.len() {
                let (header, nonce) = input[..end].split_at(end / 3);
                let hasher = LeafHasher::new(&equihash, header, nonce);
                for level in lanes::levels() {
                    let digests = lanes::dispatch(level, Digests(&hasher, &numbers));
                    for (number, digest) in numbers.iter().zip(digests) {
                        let bytes: Vec<u8> =
                            digest.iter().flat_map(|word| word.to_le_bytes()).collect();
                        let mut state = params.to_state();
                        let expected = state.update(&input[..end]).update(&number.to_le_bytes());
                        assert_eq!(bytes[..len], *expected.finalize().as_bytes(), "{end} bytes");
                    }
                }
            }
        }
    }
}
