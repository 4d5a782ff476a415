//! Aion's stratum: Equihash with n = 210 and k = 9, jobs, shares and their wire forms.
//!
//! Like the rest of the library crates this one does no input or output and
//! reads no clock: bytes go in, verdicts come out.
//!
//! * [`pow`] says which Equihash is solved, by [`orepass_equihash`], and computes
//!   the hash that is compared with a share's target.
//! * [`job`] and [`share`] say what a job and a share are, and judge the one by the other; how they are
//!   said stands apart from that, in [`wire`].
//! * [`Aion`] is these parts behind the
//!   [`Dialect`](orepass_stratum::dialect::Dialect) trait.
//!
//! ```
//! use orepass_aion::{job::Job, share::{self, Share}};
//! use orepass_equihash::Scratch;
//! use orepass_stratum::rpc::Params;
//! use serde_json::value::RawValue;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let digits = "ff".repeat(32);
//! # let notify = format!(r#"["1",true,"{digits}","{digits}"]"#);
//! # let submit = format!(r#"["w","1","000000006b00b3a4","{}","{}"]"#, "00".repeat(24), "00".repeat(1408));
//! let job = Job::parse(&RawValue::from_string(notify)?)?;
//! let submit = RawValue::from_string(submit)?;
//! let share = Share::parse(24, &Params::read(&submit)?)?;
//! let extranonce1 = [0, 0, 0, 0, 0, 0, 0, 1];
//! let judged = share::judge(&job, &extranonce1, &share, &job.target, &mut Scratch::default());
//! assert_eq!(judged.unwrap_err().reason, "invalid solution: index 0 occurs more than once");
//! # Ok(())
//! # }
//! ```

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
