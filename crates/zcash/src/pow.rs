//! The proof of work: the Equihash that is solved, the hash that is compared with targets, and the scale
//! of difficulties.

use orepass_equihash::{Equihash, EquihashParams};
use orepass_stratum::target::{PowHash, Scale, Target};
use sha2::{Digest, Sha256};

/// Zcash's Equihash: n = 200, k = 9, personalization `"ZcashPoW" || LE32(200) || LE32(9)`.
///
/// It is solved over the 140 bytes of a [`Header`]; a solution is 512 indices of 21 bits, 1344 bytes.
pub const EQUIHASH: Equihash = Equihash::tagged(EquihashParams::of::<200, 9>(), *b"ZcashPoW");
/// The bytes of a solution.
pub const SOLUTION_SIZE: usize = EQUIHASH.params().solution_len();
/// A solution's length as a compact size, which stands before it in a block, in a submit and in what
/// is hashed.
pub const SOLUTION_PREFIX: [u8; 3] = [0xfd, 0x40, 0x05];
/// A block's header up to its solution: version, previous block, Merkle root, the reserved field,
/// time, bits, nonce.
pub type Header = [u8; 140];

/// SHA-256, twice, of a header and its solution with [`SOLUTION_PREFIX`] between: the block's hash. It
/// is a number with its least significant byte first, and meets a target that it equals.
#[must_use]
pub fn share_hash(header: &Header, solution: &[u8; SOLUTION_SIZE]) -> PowHash {
    let hash = Sha256::new().chain_update(header).chain_update(SOLUTION_PREFIX);
    let mut hash: [u8; 32] = Sha256::digest(hash.chain_update(solution).finalize()).into();
    hash.reverse();
    PowHash::from_be_bytes(hash)
}

/// Difficulty 1 is mainnet's `powLimit`, 2²⁴³ − 1, in which ZIP 301 counts difficulties and the pools
/// of the NOMP family too: 8192 solutions.
#[must_use]
pub fn scale() -> Scale {
    let mut limit = [0xff; 32];
    limit[..2].copy_from_slice(&[0x00, 0x07]);
    Scale::from_diff1(Target::from_be_bytes(limit))
}
