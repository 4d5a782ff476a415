//! Aion: Equihash with n = 210 and k = 9, its verification and its share hash.
//!
//! Like the rest of the library crates this one does no input or output and
//! reads no clock: bytes go in, verdicts come out.
//!
//! * [`equihash`] verifies solutions. It is generic over (n, k) and the
//!   personalization; [`equihash::AION`] is the one this coin uses.
//! * [`pow`] computes the hash that is compared with a share's target.
//! * `solver` (feature `solver`) finds solutions, for tests and
//!   demonstrations.

pub mod equihash;
pub mod pow;
#[cfg(feature = "solver")]
pub mod solver;
