#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! * A [`job`]'s header is made of its [`coinbase`], which has the extranonce in it, and [`merkle`] branches,
//!   and hashed by [`sha256d`]. A pool makes jobs by [`Job::new`](job::Job::new), a miner by
//!   [`Job::parse`](job::Job::parse).
//! * A [`share`] is judged by the job. How both are said stands apart from that, in [`wire`].
//! * [`version`] has the bits of the version that may be rolled, [`terms`] what a pool grants of them.
//! * [`Bitcoin`] is these parts behind the [`Dialect`](orepass_stratum::dialect::Dialect) trait.
//!
//! A share is judged so:
//!
//! ```
//! use orepass_bitcoin::job::Job;
//! use orepass_bitcoin::scale;
//! use orepass_bitcoin::share::{self, Share};
//! use orepass_stratum::extranonce::Extranonce;
//! use orepass_stratum::target::Difficulty;
//! use serde_json::value::RawValue;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let notify = concat!(
//! #     r#"["bf","4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000","#,
//! #     r#""01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff"#,
//! #     r#"20020862062f503253482f04b8864e5008","072f736c7573682f000000000100f2052a010000001976a9"#,
//! #     r#"14d23fcdf86f7e756a64a7a9688ef9903327048ed988ac00000000",[],"00000002","1c2ac4af","#,
//! #     r#""504e86b9",false]"#,
//! # );
//! // The share of the protocol's oldest description.
//! let job = Job::parse(&RawValue::from_string(notify.into())?, None)?;
//! let share = Share {
//!     extranonce2: "00000001".parse()?,
//!     time: 0x504e_86ed,
//!     nonce: 0xb295_7c02,
//!     version: job.parts().version,
//!     mask: 0,
//! };
//! let target = scale::bitcoin().target(Difficulty::ONE);
//! let judged = share::judge(&job, &"08000002".parse::<Extranonce>()?, &share, &target);
//! assert!(judged.meets_target && judged.block == Some(true));
//! # Ok(())
//! # }
//! ```

pub mod address;
pub mod coinbase;
pub mod diagnose;
pub mod dialect;
pub mod job;
pub mod merkle;
pub mod options;
pub mod payout;
pub mod rig;
pub mod scale;
pub mod sha256d;
pub mod share;
pub mod split;
pub mod terms;
pub mod version;
pub mod wire;

// What stands in public signatures, so that nobody has to find the version that fits.
pub use {arrayvec, serde_json};

pub use dialect::Bitcoin;
pub use options::Options;
pub use version::VersionMask;
