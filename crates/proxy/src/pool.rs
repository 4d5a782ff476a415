//! A pool as one of its connections knows it: the task that keeps the connection, and what comes
//! of what the pool says.

pub(crate) mod address;
pub(crate) mod log;
pub(crate) mod outlet;
pub(crate) mod pump;
pub mod rejections;
pub(crate) mod task;

/// The name that the proxy gives itself.
pub(crate) const AGENT: &str = concat!("orepass/", env!("CARGO_PKG_VERSION"));
