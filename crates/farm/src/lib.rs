//! What a route of Orepass decides, without a socket, a clock, a runtime or a coin: which pool its
//! rigs mine at, when a lost connection is made anew, and what is held against whom.
//!
//! It knows of the protocol what [`orepass_stratum`] knows, and stands above it.

pub mod assignment;
pub mod backoff;
pub mod kinds;
pub mod penalties;
pub mod pools;
pub mod stats;
