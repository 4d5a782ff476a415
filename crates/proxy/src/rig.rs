//! A rig as the proxy knows it: the task that serves its connection, where it sits, and what is
//! said of it.

pub(crate) mod account;
mod lines;
pub(crate) mod listener;
pub(crate) mod log;
mod recognition;
pub mod roster;
mod seat;
pub(crate) mod task;
