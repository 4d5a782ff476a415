//! The calendar, which jobs and shares tell.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present time in Unix seconds; 0 with a clock that was never set.
#[expect(clippy::disallowed_methods, reason = "this is where the calendar is read")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
