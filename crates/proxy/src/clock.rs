//! The clocks that the program reads: the runtime's, which tests may stop and wind on, and the
//! calendar's, for what outlives a run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The present instant.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The present time in Unix seconds; 0 with a clock that was never set.
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Sleeps until an instant, or for ever without one.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
