//! `[stop]`: how the program ends.

use std::time::Duration;

use super::table::TableReader;

/// Over how long the rigs leave, unless configured.
pub(super) const DRAIN_FOR: Duration = Duration::from_secs(30);

/// Reads a `[stop]`: over how long the rigs leave.
pub(super) fn read(table: &mut TableReader<'_, '_>) -> Duration {
    let seconds = table.whole::<u32>("drain_seconds", 0..=3600);
    seconds.map_or(DRAIN_FOR, |seconds| Duration::from_secs(seconds.into()))
}
