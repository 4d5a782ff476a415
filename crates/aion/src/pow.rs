//! The proof of work: the variant of Equihash that is solved, and the hash that is compared with a
//! share's target.

use blake2b_simd::Params;
use orepass_equihash::{Equihash, EquihashParams};
use orepass_stratum::target::PowHash;

/// Aion's Equihash: n = 210, k = 9, personalization `"AION0PoW" || LE32(210) || LE32(9)`.
///
/// Its header is the 32-byte header hash, its nonce has 32 bytes, and a solution is 512 indices of
/// 22 bits in 1408 bytes.
///
/// ```
/// use orepass_aion::pow::EQUIHASH;
/// use orepass_equihash::{EquihashError, Scratch};
///
/// let mut scratch = Scratch::new(EQUIHASH.params()); // once per session
/// let (header_hash, nonce, solution) = ([0; 32], [0; 32], [0; 1408]);
/// let verdict = EQUIHASH.verify(&header_hash, &nonce, &solution, &mut scratch);
/// assert_eq!(verdict, Err(EquihashError::DuplicateIndex { index: 0 }));
/// ```
pub const EQUIHASH: Equihash = Equihash::tagged(EquihashParams::of::<210, 9>(), *b"AION0PoW");

/// BLAKE2b-256 of `header || nonce || solution`, with neither key nor
/// personalization.
///
/// `header` is the 32-byte header hash of the job, `nonce` the 32 bytes of
/// `extraNonce1 || extraNonce2`, and `solution` the 1408 bytes of the minimal
/// encoding, without the compact size `fd8005` that precedes it in a
/// `mining.submit`.
///
/// The Aion kernel reads the digest as a big-endian integer, and a share meets
/// a target if that integer is strictly below it.
/// The hash says nothing about the validity of the solution, see
/// [`Equihash::verify`].
///
/// ```
/// let hash = orepass_aion::pow::share_hash(&[0; 32], &[0; 32], &[0; 1408]);
/// assert!(hash.to_string().starts_with("8a0270ef"));
/// ```
#[must_use]
pub fn share_hash(header: &[u8], nonce: &[u8], solution: &[u8]) -> PowHash {
    let mut params = Params::new();
    params.hash_length(32);
    let digest = params.to_state().update(header).update(nonce).update(solution).finalize();
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_bytes());
    PowHash::from_be_bytes(hash)
}
