//! A rig as the proxy knows it: the task that serves its connection, where it sits, and what is
//! said of it.

pub(crate) mod account;
mod arrival;
pub(crate) mod crowd;
mod events;
mod lines;
pub(crate) mod listener;
pub(crate) mod log;
pub(crate) mod refusal;
pub mod roster;
mod seat;
mod serving;
pub(crate) mod task;
pub(crate) mod warnings;
