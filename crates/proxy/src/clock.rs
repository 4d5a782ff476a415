//! The clock that the program reads: the runtime's, which tests may stop and wind on.

use std::time::Instant;

/// The present instant.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
