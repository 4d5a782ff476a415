//! Handshake's stratum ("hstratum"): jobs, headers, proofs of work and shares.
//!
//! Two generations go by one name. The *deployed* one, spoken by every pool on mainnet, puts the
//! extranonce into the block header and has notifies of 9 or 10 parameters. The *seed* one, of
//! the testnets before, puts it into the coinbase transaction and has notifies of 12 or 13.
//! [`Job::parse`](job::Job::parse) tells them apart; both are served by the same [`Hstratum`].
//!
//! The crate is pure computation: no sockets, no clock. What a [`job`] and a [`share`] are stands apart
//! from how they are said, which [`wire`] reads and writes; headers are made by [`header`] and hashed by
//! [`pow`]. [`Hstratum`] is these parts behind the [`Dialect`](orepass_stratum::dialect::Dialect) trait.
//!
//! ```
//! use orepass_hstratum::DifficultyScale;
//! use orepass_hstratum::job::Job;
//! use orepass_hstratum::share::{self, Share};
//! use orepass_stratum::rpc::Params;
//! use orepass_stratum::target::Difficulty;
//! use serde_json::value::RawValue;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let notify = r#"["gTvmBBIuLW",
//! #   "00000000000005a6d2c1716b4ce0077d06cf6d6337ac2392f9e75821183fdea8",
//! #   "791dcae1813b2cd031208efad11c8dbc735195869e126cccd9eda08674eb0b0f",
//! #   "2716257b59d2ec7784efa547dc9cf035b489b9349477918303952458e7bd9714",
//! #   "1e2b44242c8ee57154496f66e9941d20aca69a3a239cb55a622f9b5d162a53ff",
//! #   "0000000000000000000000000000000000000000000000000000000000000000",
//! #   "00000000","1a06e782","5e49aa25"]"#;
//! let submit = r#"["worker","gTvmBBIuLW","aa923a8b","5e49aa25","73a37ddb"]"#;
//! let job = Job::parse(&RawValue::from_string(notify.into())?)?;
//! let submit = RawValue::from_string(submit.into())?;
//! let share = Share::parse(&job, 4, &Params::read(&submit)?)?;
//! let target = DifficultyScale::Bitcoin.scale().target(Difficulty::ONE);
//! let judged = share::judge(&job, &[0x02, 0xc0, 0x5b, 0xfd], &share, &target)?;
//! assert!(judged.meets_target);
//! # Ok(())
//! # }
//! ```

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
