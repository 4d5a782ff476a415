//! Simulated stratum pools and rigs that really hash.
//!
//! A [`Pool`] makes jobs, hands out extranonces and checks every share from its own record of the
//! job: it builds the header itself and trusts nothing that the other side says. A [`Rig`] logs in,
//! reads jobs off the wire, hashes at a throttled rate and keeps account of every answer. Both can
//! be told to misbehave, the pool by a [`PoolFault`](pool::PoolFault), a rig by [`Rubbish`](rig::Rubbish),
//! so that whatever stands between them can be tested, demonstrated and put under load.
//!
//! Neither has a socket or a clock: they take lines and the time, give bytes, and say when they want
//! to be called next. [`net`] drives them with sockets and the runtime's clock.
//!
//! What differs by coin sits behind the traits of [`coin`]; [`handshake`], [`aion`], [`bitcoin`] and [`zcash`]
//! implement them. A program with one more coin gives it to [`main_with`], which is the whole command line.
//!
//! ```
//! use orepass_sim::net::{PoolServer, RigDriver};
//! use orepass_sim::pool::PoolConfig;
//! use orepass_sim::rig::RigConfig;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = PoolServer::new(PoolConfig { difficulty: 1e-8, ..PoolConfig::default() });
//! let address = pool.listen("127.0.0.1:0").await?;
//! let config = RigConfig { share_limit: Some(3), ..RigConfig::default() };
//! let (rig, handle) = RigDriver::new(config);
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
pub mod bitcoin;
mod cli;
mod clock;
pub mod coin;
pub mod equihash;
pub mod handshake;
mod lines;
pub mod net;
pub mod pool;
pub mod registry;
pub mod rig;
pub mod zcash;

pub use cli::main_with;
pub use pool::Pool;
pub use rig::Rig;
