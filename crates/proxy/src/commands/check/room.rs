//! Whether so many rigs find a place.

use crate::config::RouteConfig;
use crate::limits::{OpenFiles, REMEDY};
use crate::probe::Findings;

/// The most connections to a pool that a route can be told to make.
const MAX_CHANNELS: u64 = 1024;

/// What must be changed so that `wanted` rigs fit at a pool.
pub(super) fn missing_at(found: &Findings, route: &RouteConfig, wanted: u64) -> Option<String> {
    missing(found.rigs, route.max_channels as u64, wanted)
}

fn missing(rigs: u64, channels: u64, wanted: u64) -> Option<String> {
    let fit = rigs.saturating_mul(channels);
    if fit >= wanted {
        return None;
    }
    let needed = wanted.div_ceil(rigs.max(1));
    let remedy = if needed <= MAX_CHANNELS {
        format!("max_channels = {needed} is needed")
    } else {
        format!(
            "even {MAX_CHANNELS} connections are not enough: raise max_rigs_per_channel, or prefix_bytes"
        )
    };
    Some(format!(
        "{wanted} rigs are expected and {fit} fit ({rigs} on each of {channels} connections): {remedy}"
    ))
}

/// What must be changed so that this process may have so many connections.
pub(super) fn missing_files(files: OpenFiles, wanted: usize) -> Option<String> {
    let is_short = files.is_short_for(wanted);
    is_short.then(|| {
        format!(
            "{wanted} rigs are expected and this process may have {} open files, room for {}; {REMEDY}",
            files.limit(),
            files.room()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_said_in_the_keys_of_the_config() {
        assert_eq!(missing(250, 16, 4000), None);
        assert_eq!(
            missing(250, 16, 5000).unwrap(),
            "5000 rigs are expected and 4000 fit (250 on each of 16 connections): max_channels = 20 is needed"
        );
        assert!(missing(1, 16, 5000).unwrap().ends_with("or prefix_bytes"));
        assert!(missing(0, 16, 1).is_some());
    }
}
