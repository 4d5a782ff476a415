//! Simulated stratum pools and rigs that really hash.
//!
//! A [`Pool`](pool::Pool) makes jobs, hands out extranonces and checks every share from its own
//! record of the job: it builds the header itself and trusts nothing that the other side says. A
//! [`Rig`](rig::Rig) logs in, reads jobs off the wire, hashes on the CPU at a throttled rate and
//! keeps account of every answer. Both can be told to misbehave, the pool by a
//! [`Fault`](pool::Fault), a rig by [`Rubbish`](rig::Rubbish), so that whatever stands between
//! them can be tested, demonstrated and put under load.
//!
//! What differs by coin sits behind the traits of [`coin`]; [`handshake`] and [`aion`] implement
//! them.
//!
//! ```
//! use orepass_sim::pool::{Pool, PoolConfig};
//! use orepass_sim::rig::{Rig, RigConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new(PoolConfig { difficulty: 1e-8, ..PoolConfig::default() });
//! let address = pool.listen("127.0.0.1:0").await?;
//! let (rig, handle) = Rig::new(RigConfig { share_limit: Some(3), ..RigConfig::default() });
//! let running = tokio::spawn(rig.run_tcp(address.to_string()));
//!
//! let stats = handle.wait_for(|stats| stats.accepted == 3).await?;
//! assert_eq!(stats.rejected, 0);
//! handle.close();
//! # running.await?;
//! # Ok(())
//! # }
//! ```

pub mod aion;
mod clock;
pub mod coin;
pub mod farm;
pub mod handshake;
mod lines;
pub mod pool;
pub mod rig;
mod wait;

pub use wait::WaitTimeout;
