//! SHA-256 twice over, by which Bitcoin hashes transactions, trees and headers.
//!
//! Hashes are in the order in which they are computed; people see them with their bytes reversed.

use sha2::block_api::compress256;

const BLOCK: usize = 64;

/// Where SHA-256 begins (FIPS 180-4, 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The block that follows 64 bytes which are all there is: its end, and the length in bits.
const AFTER_64_BYTES: [u8; BLOCK] = {
    let mut block = [0; BLOCK];
    block[0] = 0x80;
    block[BLOCK - 2] = 2;
    block
};

/// SHA-256 of what begins with certain bytes, as far as it can be computed without the rest.
///
/// ```
/// use orepass_bitcoin::sha256d::{Midstate, sha256d};
///
/// let begun = Midstate::of(b"a coinbase's constant part, ");
/// assert_eq!(begun.sha256d(&[b"and ", b"the rest"]), sha256d(b"a coinbase's constant part, and the rest"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Midstate {
    state: [u32; 8],
    /// What does not fill a block yet, in front; behind it what was there before.
    tail: [u8; BLOCK],
    /// All bytes so far.
    len: u64,
}

impl Midstate {
    /// Of nothing.
    const EMPTY: Self = Self { state: START, tail: [0; BLOCK], len: 0 };

    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut begun = Self::EMPTY;
        begun.update(bytes);
        begun
    }

    /// The hash of the hash of what begins so and goes on with `rest`, one part after the other.
    #[must_use]
    pub fn sha256d(&self, rest: &[&[u8]]) -> [u8; 32] {
        let mut whole = *self;
        for part in rest {
            whole.update(part);
        }
        hashed_again(whole.finish())
    }

    fn update(&mut self, mut bytes: &[u8]) {
        let held = (self.len % BLOCK as u64) as usize;
        self.len += bytes.len() as u64;
        if held > 0 {
            let (filling, rest) = bytes.split_at(bytes.len().min(BLOCK - held));
            let end = held + filling.len();
            self.tail[held..end].copy_from_slice(filling);
            if end < BLOCK {
                return;
            }
            compress256(&mut self.state, &[self.tail]);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
        }
        self.tail[..rest.len()].copy_from_slice(rest);
    }

    fn finish(mut self) -> [u32; 8] {
        const LENGTH: usize = BLOCK - size_of::<u64>();
        let held = (self.len % BLOCK as u64) as usize;
        self.tail[held] = 0x80;
        self.tail[held + 1..].fill(0);
        if held >= LENGTH {
            compress256(&mut self.state, &[self.tail]);
            self.tail = [0; BLOCK];
        }
        self.tail[LENGTH..].copy_from_slice(&(8 * self.len).to_be_bytes());
        compress256(&mut self.state, &[self.tail]);
        self.state
    }
}

/// The hash of the hash of these bytes.
#[must_use]
pub fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Midstate::EMPTY.sha256d(&[bytes])
}

/// The hash of the hash of two hashes, one behind the other.
#[must_use]
pub fn sha256d_of_pair(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut blocks = [[0; BLOCK], AFTER_64_BYTES];
    blocks[0][..32].copy_from_slice(left);
    blocks[0][32..].copy_from_slice(right);
    let mut state = START;
    compress256(&mut state, &blocks);
    hashed_again(state)
}

fn hashed_again(first: [u32; 8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(&to_bytes(first));
    block[32] = 0x80;
    // 256 bits.
    block[BLOCK - 2] = 1;
    let mut state = START;
    compress256(&mut state, &[block]);
    to_bytes(state)
}

fn to_bytes(state: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (word, bytes) in state.iter().zip(bytes.as_chunks_mut().0) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn reference(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(Sha256::digest(bytes)).into()
    }

    #[test]
    fn every_length_around_a_block_is_hashed_as_the_library_does() {
        let bytes: Vec<u8> = (0..200).map(|byte| byte as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(sha256d(&bytes[..len]), reference(&bytes[..len]), "{len}");
        }
        assert_eq!(sha256d_of_pair(&[1; 32], &[2; 32]), reference(&[[1; 32], [2; 32]].concat()));
    }

    proptest! {
        #[test]
        fn parts_are_hashed_as_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..150), 1..6),
        ) {
            let begun = Midstate::of(&parts[0]);
            let rest: Vec<&[u8]> = parts[1..].iter().map(Vec::as_slice).collect();
            prop_assert_eq!(begun.sha256d(&rest), reference(&parts.concat()));
        }
    }
}
