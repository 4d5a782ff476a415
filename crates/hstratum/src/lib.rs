#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! Two generations go by one name. The *deployed* one, spoken by every pool on mainnet, puts the
//! extranonce into the block header and has notifies of 9 or 10 parameters. The *seed* one, of
//! the testnets before, puts it into the coinbase transaction and has notifies of 12 or 13.
//! [`Job::parse`](job::Job::parse) tells them apart; both are served by the same [`Hstratum`].
//!
//! What a [`job`] and a [`share`] are stands apart from how they are said, which [`wire`] reads and
//! writes; headers are made by [`header`] and hashed by [`pow`]. [`Hstratum`] is these parts behind the
//! [`Dialect`](orepass_stratum::dialect::Dialect) trait.

pub mod coinbase;
pub mod diagnose;
pub mod dialect;
mod firmware;
pub mod header;
pub mod job;
pub mod merkle;
pub mod options;
pub mod pow;
pub mod scale;
pub mod share;
pub mod split;
pub mod wire;

// What stands in public signatures, so that nobody has to find the version that fits.
pub use {arrayvec, serde_json};

pub use dialect::Hstratum;
pub use options::{Options, SplitMode};
pub use scale::DifficultyScale;
