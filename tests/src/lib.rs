//! What the end-to-end tests share: a site (simulated pool, real route, sockets between them), a
//! client whose every line is written by the test, a relay that changes lines on their way, and
//! the checks that every story ends with.
//!
//! All sockets are on the loopback address and on ports that the system chooses; where times are
//! long there are none, and the clock is stopped ([`wires`]). Nothing here
//! waits for a time to pass: tests wait for what should happen, and [`PATIENCE`](wait::PATIENCE)
//! is only reached when something is broken.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

pub mod broken;
pub mod check;
pub mod client;
pub mod gate;
pub mod http;
pub mod log;
#[cfg(doctest)]
mod manual;
pub mod programs;
pub mod proxy;
pub mod relay;
pub mod site;
pub mod storm;
pub mod tls;
pub mod wait;
pub mod wires;
