//! Pools and rigs on the runtime: sockets, the clock, and tasks that drive them.

mod farm;
mod pool;
mod rig;
mod wait;

use crate::clock::unix_seconds;
use crate::pool::Moment;

pub use farm::RigFarm;
pub use pool::PoolServer;
pub use rig::{RigDriver, RigHandle};
pub use wait::WaitTimeout;

/// The present moment; the runtime's clock may be a stopped one.
fn now() -> Moment {
    Moment { at: tokio::time::Instant::now().into_std(), unix: unix_seconds() }
}
