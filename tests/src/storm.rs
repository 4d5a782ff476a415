//! A whole route in weather, on a virtual clock: simulated pools that flap, stall and lie, rigs
//! that come, go and disobey, and a ledger that believes neither them nor the proxy.
//!
//! [`run::run`] runs one seed. Everything in it happens on one thread with the clock stopped, so
//! that a day passes in the time that its events take. What the proxy reads and writes goes
//! through pipes in memory straight into the state machines of pools and rigs; there are no tasks
//! but the proxy's own and the one that does what the agenda says.
//!
//! A seed decides everything but one thing: which of several events of the same instant the
//! runtime looks at first. Built with `--cfg tokio_unstable` it decides that as well, and a run
//! repeats to the byte.

mod checks;
pub mod fates;
mod pipe;
mod plan;
mod pool;
mod rig;
pub mod run;
mod sky;
mod story;
mod weather;
mod world;
