//! What the bench is told to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Puts the proxy under load between a pool and rigs, all on loopback
///
/// Starts `orepass run` with a config of its own, then: a connect storm, jobs to all rigs, shares
/// at a fixed rate, and shares as fast as answers come. A bare relay is measured in the same run
/// and in the same way; its figures are the floor. Ends with code 1 if a share reached the pool
/// twice or changed.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Another part that a process of this program can play
    #[command(subcommand)]
    pub role: Option<Role>,
    /// How many rigs
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub rigs: u32,
    /// Rigs on one pool connection
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub rigs_per_channel: u32,
    /// Logins in progress at once in the connect storm
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub parallel: u32,
    /// Jobs of the fan-out; 0 leaves it out
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub jobs: u32,
    /// Milliseconds between them
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub job_gap: u32,
    /// Shares per second of all rigs together in the paced load; 0 leaves it out
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub rate: u32,
    /// Shares in flight per rig, for each saturating load; 0 leaves it out
    #[arg(
        long, value_delimiter = ',', default_values_t = [1, 4],
        value_parser = clap::value_parser!(u32).range(0..=32)
    )]
    pub in_flight: Vec<u32>,
    /// Seconds of each load
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// How often all of it is measured
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub runs: u32,
    /// Threads of the rigs
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub rig_threads: u32,
    /// Rigs come by TLS, with a full handshake each; the floor stays plain
    #[arg(long)]
    pub tls: bool,
    /// Serve the API there and keep a state and a history, as a farm does that is watched
    #[arg(long, value_name = "ADDR")]
    pub watched: Option<SocketAddr>,
    /// The stratum dialect: hstratum or bitcoin
    #[arg(long, default_value = "hstratum", value_parser = dialect)]
    pub dialect: String,
    /// The proxy's program [default: orepass beside this one]
    #[arg(long, value_name = "PATH")]
    pub orepass: Option<PathBuf>,
    /// Leave the relay out, and with it the ratios
    #[arg(long)]
    pub no_floor: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// See [`Args::role`].
#[derive(Debug, Clone, Subcommand)]
pub enum Role {
    /// Be the bare relay until the standard input ends
    #[command(hide = true)]
    Relay {
        /// Where the pool is
        #[arg(long)]
        pool: SocketAddr,
        /// Pool connections
        #[arg(long)]
        channels: u32,
        /// Rigs on each of them
        #[arg(long)]
        rigs_per_channel: u32,
    },
}

impl Args {
    /// How many pool connections the rigs take.
    #[must_use]
    pub fn channels(&self) -> u32 {
        self.rigs.div_ceil(self.rigs_per_channel)
    }

    /// The time of each load.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// The time between the jobs of the fan-out.
    #[must_use]
    pub fn job_gap(&self) -> Duration {
        Duration::from_millis(self.job_gap.into())
    }
}

fn dialect(name: &str) -> Result<String, String> {
    match name {
        "hstratum" | "bitcoin" => Ok(name.to_owned()),
        "aion" => {
            Err("the rigs here have no solver; only hstratum and bitcoin are measured".to_owned())
        }
        _ => Err("only hstratum and bitcoin are measured".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_dialects_and_nonsense_are_refused() {
        assert!(Args::try_parse_from(["load"]).is_ok());
        let refused = Args::try_parse_from(["load", "--dialect", "aion"]).unwrap_err();
        assert!(
            refused.to_string().contains("only hstratum and bitcoin are measured"),
            "{refused}"
        );
        assert!(Args::try_parse_from(["load", "--rigs", "0"]).is_err());
        assert!(Args::try_parse_from(["load", "--in-flight", "33"]).is_err());
    }

    #[test]
    fn the_last_channel_may_be_partly_filled() {
        let args = Args::try_parse_from(["load", "--rigs", "501"]).unwrap();
        assert_eq!((args.channels(), args.in_flight), (3, vec![1, 4]));
    }
}
