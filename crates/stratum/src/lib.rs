//! The sans-I/O core of Orepass.
//!
//! A stratum proxy plays the pool towards many rigs and the miner towards one pool. This crate is
//! both roles as state machines, generic over the coin's [`Dialect`](dialect::Dialect): they take
//! lines and the time as arguments and give back bytes and events. There is no socket, no clock,
//! no randomness and no coin in it, so that every story can be told again in a test.
//!
//! Start with [`downstream::Downstream`] (a session with a rig), [`upstream::Upstream`] (a session
//! with a pool) and [`dialect::Dialect`] (what a coin must say).

// What stands in public signatures, so that nobody has to find the version that fits.
pub use {arrayvec, bytes, const_hex, ruint, serde_json};

pub mod assignment;
pub mod backoff;
pub mod calls;
pub mod channel;
pub mod conduct;
pub mod dialect;
pub mod downstream;
pub mod error;
pub mod extranonce;
pub mod firmware;
pub mod habits;
pub mod job;
pub mod ladder;
pub mod line;
pub mod penalties;
pub mod pools;
pub mod quiet;
pub mod rpc;
pub mod secret;
pub mod seen;
pub mod space;
pub mod stats;
pub mod target;
pub mod transmit;
pub mod upstream;
pub mod vardiff;
pub mod verdict;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
