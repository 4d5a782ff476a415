#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! * [`pow`] says which Equihash is solved, by [`orepass_equihash`], and computes the hash that is compared
//!   with a share's target.
//! * [`job`] and [`share`] say what a job and a share are, and judge the one by the other; how they are said
//!   stands apart from that, in [`wire`]. What ZIP 301 calls `NONCE_1` and `NONCE_2` is extranonce1 and
//!   extranonce2 here, as with every coin; [`split`] says how a nonce is divided.
//! * [`Zcash`] is these parts behind the [`Dialect`](orepass_stratum::dialect::Dialect) trait.
//!
//! A solution is judged so:
//!
//! ```
//! use orepass_equihash::Scratch;
//! use orepass_stratum::rpc::Params;
//! use orepass_zcash::{job::Job, share::{self, Share}};
//! use serde_json::value::RawValue;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let hash = "5a".repeat(32);
//! # let notify = format!(r#"["1","04000000","{hash}","{hash}","{hash}","a8becc5b","e1ab031c",true]"#);
//! # let submit = format!(r#"["w","1","a8becc5b","{}","fd4005{}"]"#, "00".repeat(28), "00".repeat(1344));
//! let job = Job::parse(&RawValue::from_string(notify)?)?;
//! let submit = RawValue::from_string(submit)?;
//! let share = Share::parse(28, &Params::read(&submit)?)?;
//! let (extranonce1, target) = ("0000002a".parse()?, "f".repeat(64));
//! let target = orepass_stratum::target::Target::from_hex(&target)?;
//! let judged = share::judge(&job, &extranonce1, &share, &target, &mut Scratch::default());
//! assert_eq!(judged.unwrap_err().reason, "invalid solution: index 0 occurs more than once");
//! # Ok(())
//! # }
//! ```

mod diagnose;
pub mod dialect;
pub mod job;
pub mod pow;
pub mod share;
pub mod split;
pub mod wire;

// What stands in public signatures, so that nobody has to find the version that fits.
pub use {arrayvec, orepass_equihash, serde_json};

pub use dialect::Zcash;
