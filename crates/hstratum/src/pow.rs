//! The two proofs of work of Handshake.
//!
//! Mainnet hashes a 236-byte header with BLAKE2b and SHA-3 under a secret mask; the testnets
//! before it keyed BLAKE2b with KMAC256 of a 240-byte header. All hashes are raw bytes: Handshake
//! never reverses them, so the first byte is the most significant one of the number that is
//! compared with a target. Nothing here allocates.

use blake2::digest::consts::U32;
use blake2::digest::{FixedOutput, KeyInit, Update};
use blake2::{Blake2b256, Blake2b512, Blake2bMac, Digest};
use cshake::CShake256;
use cshake::digest::{ExtendableOutput, XofReader};
use orepass_stratum::target::PowHash;
use sha3::Sha3_256;

/// BLAKE2b without a key and with 32 bytes of output, over the parts one after another.
///
/// ```
/// use orepass_hstratum::pow::blake2b_256;
///
/// assert_eq!(blake2b_256(&[b"ore", b"pass"]), blake2b_256(&[b"orepass"]));
/// ```
#[must_use]
pub fn blake2b_256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Blake2b256::new();
    for part in parts {
        Update::update(&mut hasher, part);
    }
    Digest::finalize(hasher).into()
}

/// What a header commits to in place of its mask: BLAKE2b-256 of previous block and mask. A mask
/// of zeros has a hash as any other does.
#[must_use]
pub fn mask_hash(prev_block: &[u8; 32], mask: &[u8; 32]) -> [u8; 32] {
    blake2b_256(&[prev_block, mask])
}

/// The share hash of a mainnet header (see [`header`](crate::header) for its layout). The mask at
/// the header's end is not read: what it does to the hash is in `mask_hash`. The block's hash is
/// this one XOR the mask, so with a mask of zeros the two are the same.
///
/// ```
/// use orepass_hstratum::header::Header;
/// use orepass_hstratum::pow;
///
/// let header = Header { time: 0x5e38_4176, bits: 0x1c00_ffff, ..Header::default() };
/// let mask_hash = pow::mask_hash(&header.prev_block, &[0; 32]);
/// let hash = pow::share_hash(&header.to_bytes(), &mask_hash);
/// println!("{hash}");
/// ```
#[must_use]
pub fn share_hash(header: &[u8; 236], mask_hash: &[u8; 32]) -> PowHash {
    let [n0, n1, n2, n3, t0, t1, t2, t3, t4, t5, t6, t7, ..] = *header;
    ShareHasher::new(header, mask_hash).hash(
        u32::from_le_bytes([n0, n1, n2, n3]),
        u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
    )
}

/// What of a mainnet header's hash depends on neither nonce nor time, computed once: two of the
/// four BLAKE2b compressions, and the pads.
///
/// ```
/// # use orepass_hstratum::{header::Header, pow::{self, ShareHasher}};
/// # let (header, mask_hash) = (Header::default().to_bytes(), [0; 32]);
/// let hasher = ShareHasher::new(&header, &mask_hash);
/// let best = (0..100).map(|nonce| hasher.hash(nonce, 0x5e38_4176)).min();
/// ```
#[derive(Clone, Debug)]
pub struct ShareHasher {
    /// nonce, time, pad20, previous block, tree root, commit hash: 128 bytes; then pad8.
    input: [u8; INPUT],
    pad32: [u8; 32],
}

/// One BLAKE2b block and the 8 bytes of padding that SHA-3 reads beyond it; together just one
/// SHA3-256 block.
const INPUT: usize = 136;
/// Where the header's second part (extra nonce to bits) begins and ends.
const SUBHEADER: std::ops::Range<usize> = 76..204;

impl ShareHasher {
    /// Takes everything but nonce, time and mask from `header`.
    #[must_use]
    pub fn new(header: &[u8; 236], mask_hash: &[u8; 32]) -> Self {
        let (prev_block, tree_root) = (&header[12..44], &header[44..76]);
        let mut pad32 = [0; 32];
        for (pad, (prev, tree)) in pad32.iter_mut().zip(prev_block.iter().zip(tree_root)) {
            *pad = prev ^ tree;
        }
        let sub_hash = blake2b_256(&[&header[SUBHEADER]]);
        let commit_hash = blake2b_256(&[&sub_hash, mask_hash]);
        let mut input = [0; INPUT];
        input[..12].copy_from_slice(&header[..12]);
        input[12..32].copy_from_slice(&pad32[..20]);
        input[32..96].copy_from_slice(&header[12..76]);
        input[96..128].copy_from_slice(&commit_hash);
        input[128..].copy_from_slice(&pad32[..8]);
        Self { input, pad32 }
    }

    /// The share hash with this nonce and time.
    #[must_use]
    pub fn hash(&self, nonce: u32, time: u64) -> PowHash {
        let mut input = self.input;
        input[..4].copy_from_slice(&nonce.to_le_bytes());
        input[4..12].copy_from_slice(&time.to_le_bytes());
        let left = Blake2b512::digest(&input[..128]);
        let right = Sha3_256::digest(input);
        PowHash::from_be_bytes(blake2b_256(&[&left, &self.pad32, &right]))
    }
}

/// The hash of a pre-mainnet header: BLAKE2b-256 of its first 208 bytes, keyed with their KMAC256
/// under the nonce. It differs from the block's hash, which is plain BLAKE2b-256 of all 240 bytes.
#[must_use]
pub fn seed_hash(prehead: &[u8; 208], nonce: &[u8; 32]) -> PowHash {
    let key = kmac256(nonce, prehead);
    let mut hasher = Blake2bMac::<U32>::new_from_slice(&key).expect("BLAKE2b takes 32-byte keys");
    Update::update(&mut hasher, prehead);
    PowHash::from_be_bytes(hasher.finalize_fixed().into())
}

/// KMAC256 of NIST SP 800-185 with 32 bytes of output and no customization string.
#[must_use]
pub fn kmac256(key: &[u8], data: &[u8]) -> [u8; 32] {
    /// SHAKE256 and what is built on it takes in so many bytes at a time.
    const RATE: usize = 136;
    const ZEROS: [u8; RATE] = [0; RATE];
    let mut hasher = CShake256::new_with_function_name(b"KMAC", b"");
    let mut absorbed = 0;
    // bytepad(encode_string(key), RATE)
    for (value, bytes) in [(RATE, &[][..]), (8 * key.len(), key)] {
        let be = (value as u64).to_be_bytes();
        // left_encode: the count of bytes, then the bytes without leading zeros, at least one.
        let skip = be[..7].iter().take_while(|byte| **byte == 0).count();
        hasher.update(&[(8 - skip) as u8]);
        hasher.update(&be[skip..]);
        hasher.update(bytes);
        absorbed += 1 + 8 - skip + bytes.len();
    }
    hasher.update(&ZEROS[..absorbed.next_multiple_of(RATE) - absorbed]);
    hasher.update(data);
    // right_encode of the output's 256 bits
    hasher.update(&[1, 0, 2]);
    let mut mac = [0; 32];
    hasher.finalize_xof().read(&mut mac);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values themselves are in the vectors of `tests/`.
    #[test]
    fn keys_of_any_length_give_different_macs() {
        let macs = [0, 1, 32, 131, 132, 133, 300].map(|len| kmac256(&vec![7; len], b"x"));
        for (index, mac) in macs.iter().enumerate() {
            assert!(!macs[..index].contains(mac));
        }
    }

    #[test]
    fn the_mask_in_the_header_is_not_read() {
        let mut header = [3; 236];
        let plain = share_hash(&header, &[1; 32]);
        header[204..].fill(0xff);
        assert_eq!(share_hash(&header, &[1; 32]), plain);
        assert_ne!(share_hash(&header, &[2; 32]), plain);
    }

    #[test]
    fn a_hasher_gives_what_the_whole_header_gives() {
        let mut header = [9; 236];
        let hasher = ShareHasher::new(&header, &[1; 32]);
        header[..4].copy_from_slice(&0x0102_0304_u32.to_le_bytes());
        header[4..12].copy_from_slice(&0x5e38_4176_u64.to_le_bytes());
        assert_eq!(hasher.hash(0x0102_0304, 0x5e38_4176), share_hash(&header, &[1; 32]));
    }

    /// The values in between that nothing outside of this file sees.
    #[test]
    fn pads_and_prehead_of_the_vectors() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/handshake.json");
        let all: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let rows = |section: &str| all[section].as_array().unwrap().clone();
        for row in rows("mainnet_headers").into_iter().chain(rows("stratum")) {
            let hex = |key: &str| const_hex::decode(row[key].as_str().unwrap()).unwrap();
            let header: [u8; 236] = hex("header236").try_into().unwrap();
            let mask_hash: [u8; 32] = hex("maskHash").try_into().unwrap();
            let hasher = ShareHasher::new(&header, &mask_hash);
            assert_eq!(hasher.pad32[..], hex("pad32"));
            assert_eq!(hasher.input[..128], hex("preHeader128"));
            assert_eq!(hasher.input[12..32], hasher.pad32[..20]);
            assert_eq!(hasher.input[128..], hasher.pad32[..8]);
        }
    }
}
