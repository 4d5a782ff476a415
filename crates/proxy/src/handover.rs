//! One process hands over to the next: sockets, then the state file, then the rigs.
//!
//! What each end does when is decided without a process or a socket, by [`Old`](old::Old) and
//! [`New`](new::New); the supervisors of both processes do it.
//!
//! ```text
//! old                                            new
//!  starts it, with the sockets ───────────────►  reads its config, takes them, binds what is new
//!                      ◄─────────────── bound
//!  has its rigs' state noted, closes the file
//!  state: mark, what serves, extranonces ─────►  opens the file, connects to pools
//!                      ◄──────────────── warm    no rig has noticed anything yet
//!  accepts no more (the system's queue waits)
//!  go ────────────────────────────────────────►  accepts
//!                      ◄───────────── serving
//!  its rigs leave in turn, and it ends
//! ```
//!
//! Until the new one serves, whatever goes wrong with it (it refuses, ends, hangs) ends it, and the old
//! one serves on. When the old one ends, the new one serves whatever was agreed, as soon as it can.

mod message;
pub(crate) mod new;
pub(crate) mod old;
mod peer;
mod successor;
#[cfg(test)]
mod tests;

pub(crate) use message::{HandoverMessage, State};
pub(crate) use peer::Peer;
pub(crate) use successor::{Successor, SuccessorNews, note_program, predecessor};
