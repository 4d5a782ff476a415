//! The load bench: the real proxy in a process of its own, between a pool that checks every share
//! and rigs that make them, on loopback.
//!
//! The pool and the rigs live in the bench's process: [`pool`] has one thread, [`rigs`] have a few.
//! What stands between them is a process whose processor time the system tells ([`cpu`]): the
//! [`proxy`], or the [`relay`], which is the floor: it passes lines on and reads none. The same
//! [`phases`] measure both, so that a ratio compares like with like. [`run`] puts them in order,
//! [`report`] shows what came out.

pub mod args;
pub mod cpu;
pub mod error;
pub mod ledger;
pub mod limits;
pub mod phases;
pub mod pool;
pub mod proxy;
pub mod relay;
pub mod report;
pub mod rig;
pub mod rigs;
pub mod roll;
pub mod run;
pub mod spread;
mod tls;
mod wire;
