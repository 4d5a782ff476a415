#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! * [`pow`] says which Equihash is solved, by [`orepass_equihash`], and computes
//!   the hash that is compared with a share's target.
//! * [`job`] and [`share`] say what a job and a share are, and judge the one by the other; how they are
//!   said stands apart from that, in [`wire`].
//! * [`Aion`] is these parts behind the
//!   [`Dialect`](orepass_stratum::dialect::Dialect) trait.

pub mod diagnose;
pub mod dialect;
pub mod job;
pub mod options;
pub mod pow;
pub mod scale;
pub mod share;
pub mod split;
pub mod wire;

// What stands in public signatures, so that nobody has to find the version that fits.
pub use {arrayvec, orepass_equihash, serde_json};

pub use dialect::Aion;
pub use options::{NotifyTarget, Options, ProtocolVersion};
pub use scale::DifficultyScale;
