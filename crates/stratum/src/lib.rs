#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! [`downstream::Downstream`] (a session with a rig), [`upstream::Upstream`] (a session with a pool) and
//! [`dialect::Dialect`] (what a coin must say). [`line::LineReader`] makes lines of bytes for both, and
//! [`own_jobs::OwnJobs`] what a pool of one's own shows its sessions.

// What stands in public signatures, so that nobody has to find the version that fits.
pub use {arrayvec, bytes, const_hex, ruint, serde_json};

pub mod bucket;
pub mod channel;
pub mod conduct;
pub mod dialect;
pub mod downstream;
pub mod error;
pub mod evidence;
pub mod extranonce;
pub mod field;
pub mod filters;
pub mod firmware;
pub mod flood;
pub mod grounds;
pub mod habits;
pub mod job;
pub mod ladder;
pub mod line;
pub mod margin;
pub mod named;
pub mod own_jobs;
pub mod pace;
pub mod rig_silence;
pub mod rpc;
pub mod secret;
pub mod seen;
pub mod space;
mod spare;
pub mod strikes;
pub mod sv1;
pub mod target;
pub mod time;
mod timer;
pub mod transmit;
pub mod upstream;
pub mod vardiff;
pub mod verdict;
mod window;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
