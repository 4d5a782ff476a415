#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! A [`Pool`] builds the header itself and trusts nothing that the other side says. It can be told to
//! misbehave by a [`PoolFault`](pool::PoolFault), a [`Rig`] by [`Rubbish`](rig::Rubbish), so that whatever
//! stands between them can be tested, demonstrated and put under load.
//!
//! Neither has a socket or a clock: they take lines and the time, give bytes, and say when they want
//! to be called next. [`net`] drives them with sockets and the runtime's clock.
//!
//! What differs by coin sits behind the traits of [`coin`]; [`handshake`], [`aion`], [`bitcoin`] and [`zcash`]
//! implement them. A program with one more coin gives it to [`main_with`], which is the whole command line.

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
