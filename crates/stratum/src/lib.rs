//! The sans-I/O core of Orepass.
//!
//! A stratum proxy plays the pool towards many rigs and the miner towards one pool. This crate is
//! both roles as state machines, generic over the coin's [`Dialect`](dialect::Dialect): they take
//! lines and the time as arguments and give back bytes and events. There is no socket, no clock,
//! no randomness and no coin in it, so that every story can be told again in a test.
//!
//! Start with [`downstream::Downstream`] (a session with a rig), [`upstream::Upstream`] (a session
//! with a pool) and [`dialect::Dialect`] (what a coin must say).
//!
//! ```
//! use orepass_stratum::time::Instant;
//!
//! use orepass_stratum::channel::Submission;
//! use orepass_stratum::dialect::Dialect;
//! use orepass_stratum::downstream::Downstream;
//! use orepass_stratum::line::LineReader;
//!
//! /// Bytes came from a rig: the shares in them that a pool should see. What the rig is to be sent
//! /// is in `rig.transmit()` afterwards.
//! fn received<D: Dialect>(
//!     rig: &mut Downstream<D>,
//!     lines: &mut LineReader,
//!     bytes: &[u8],
//!     now: Instant,
//!     scratch: &mut D::Scratch,
//! ) -> Vec<Submission<D>> {
//!     let mut shares = Vec::new();
//!     lines.buffer().extend_from_slice(bytes);
//!     while let Some(line) = lines.next_line() {
//!         match line {
//!             Ok(line) => shares.extend(rig.handle_line(line, now, scratch)),
//!             Err(error) => rig.handle_line_error(error),
//!         }
//!         while let Some(event) = rig.poll_event() {
//!             println!("{event:?}");
//!         }
//!     }
//!     shares
//! }
//! ```

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
