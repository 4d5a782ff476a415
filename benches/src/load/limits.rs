//! Whether so many rigs fit into the limit of open files.

use std::io;

use orepass::limits::OpenFiles;

use super::args::Args;

/// Listeners, pipes, runtimes, the files of `/proc`.
const OWN_FILES: u64 = 64;
/// The most of the proxy's `max_channels`, of which one is left free.
const MAX_CHANNELS: u32 = 1023;

/// The rigs do not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoom {
    /// The limit is not told, or may not be raised to the hard one.
    #[error("the open-file limit cannot be raised: {0}")]
    Unknown(io::Error),
    /// The proxy opens fewer pool connections to one pool.
    #[error(
        "{channels} pool connections are more than the proxy's {MAX_CHANNELS}: put more rigs on \
         each with --rigs-per-channel"
    )]
    Channels {
        /// What would be needed.
        channels: u32,
    },
    /// The hard limit is too low.
    #[error(
        "{rigs} rigs need an open-file limit of {needed}, the hard limit is {limit}: raise it \
         (`ulimit -Hn {needed}` as root, or LimitNOFILE={needed} in a unit), or ask for {most} rigs"
    )]
    Short {
        /// The rigs that were asked for.
        rigs: u32,
        /// The limit that they need.
        needed: u64,
        /// The limit that there is.
        limit: u64,
        /// The rigs that it is enough for.
        most: u64,
    },
}

/// Raises the soft limit to the hard one and sees whether the rigs fit, here and in the proxy.
///
/// # Errors
/// When they do not.
pub fn make_room(args: &Args) -> Result<(), NoRoom> {
    let files = OpenFiles::raise().map_err(NoRoom::Unknown)?;
    check(files.limit(), files.room(), args)
}

/// The bench holds the rigs' ends and the pool's; the proxy has the same number of connections in
/// the `room` that it leaves them.
fn check(limit: u64, room: u64, args: &Args) -> Result<(), NoRoom> {
    if args.channels() > MAX_CHANNELS {
        return Err(NoRoom::Channels { channels: args.channels() });
    }
    let per_channel = u64::from(args.rigs_per_channel);
    let connections = u64::from(args.rigs) + u64::from(args.channels());
    let room = room.min(limit.saturating_sub(OWN_FILES));
    if connections <= room {
        return Ok(());
    }
    // Of ten files the proxy keeps one.
    let needed = (connections * 10).div_ceil(9).max(connections + OWN_FILES) + 1;
    let most = room * per_channel / (per_channel + 1);
    Err(NoRoom::Short { rigs: args.rigs, needed, limit, most })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn rigs_and_pool_connections_need_files() {
        let args = |rigs: &str| Args::parse_from(["load", "--rigs", rigs]);
        assert!(check(20_000, 18_000, &args("17900")).is_ok());
        let Err(NoRoom::Short { needed, most, .. }) = check(20_000, 18_000, &args("19000")) else {
            panic!("too many rigs fit");
        };
        assert_eq!(needed, 19_076 * 10 / 9 + 2);
        assert!(check(20_000, 18_000, &args(&most.to_string())).is_ok());
        assert!(check(needed, needed - needed.div_ceil(10), &args("19000")).is_ok());
    }
}
