//! A whole route in weather, on a virtual clock: simulated pools that flap, stall and lie, rigs
//! that come, go and disobey, and a ledger that believes neither them nor the proxy.
//!
//! [`Storm::run`](run::Storm::run) runs one seed. Everything in it happens on one thread with the clock stopped, so
//! that a day passes in the time that its events take. What the proxy reads and writes goes
//! through pipes in memory straight into the state machines of pools and rigs; there are no tasks
//! but the proxy's own and the one that does what the agenda says.
//!
//! A seed decides everything, also which of several events of the same instant comes first: all
//! choices of the proxy's tasks have an order, and whoever waits longest is woken first. So a run
//! repeats to the byte, and [`kept`] stories can be told again.

mod checks;
pub mod fates;
pub mod kept;
mod pipe;
mod plan;
mod pool;
mod rig;
pub mod run;
mod setting;
mod story;
mod weather;
mod world;
