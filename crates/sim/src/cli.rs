//! The command line.

mod pool;
mod rigs;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// How often a status line is printed.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Simulated stratum pools and rigs that really hash.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct SimCli {
    #[command(subcommand)]
    command: SimCommand,
}

#[derive(Debug, Subcommand)]
enum SimCommand {
    /// Runs a pool that checks every share.
    Pool(Box<pool::PoolArgs>),
    /// Runs rigs that hash on the CPU.
    Rigs(Box<rigs::RigsArgs>),
}

/// A coin's variant of stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SimDialect {
    /// Handshake.
    Hstratum,
    /// Aion.
    Aion,
}

impl SimCli {
    /// Does what the command line says; ends with the time given, or on a signal.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let filter = tracing_subscriber::EnvFilter::try_from_env("OREPASS_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .init();
        match self.command {
            SimCommand::Pool(args) => args.run().await,
            SimCommand::Rigs(args) => args.run().await,
        }
    }
}

/// Prints a status line now and then, until the time is over or a signal comes.
async fn watch(seconds: Option<f64>, mut status: impl FnMut() -> String) -> anyhow::Result<()> {
    let start = Instant::now();
    let end = seconds.map(Duration::try_from_secs_f64).transpose()?;
    let end = end.and_then(|end| start.checked_add(end));
    let mut ticks = interval_at(start + STATUS_INTERVAL, STATUS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut signal = std::pin::pin!(signal());
    loop {
        tokio::select! {
            _ = ticks.tick() => print(&format!("{:>5} s  {}", start.elapsed().as_secs(), status()))?,
            () = sleep_until(end.unwrap_or(start)), if end.is_some() => return Ok(()),
            result = &mut signal => return Ok(result?),
        }
    }
}

/// Ends on Ctrl-C or, where there is such a thing, a request to terminate.
async fn signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn print(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Prints the counters as one line of JSON.
fn print_summary(stats: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string(stats)?)?;
    Ok(())
}

/// A number of seconds as clap reads it.
fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_that_the_manual_shows_are_understood() {
        let manual = include_str!("../../../docs/operating.md");
        let in_blocks = manual.lines().filter(|line| line.starts_with("target/release/"));
        let in_sentences = manual.split('`').skip(1).step_by(2);
        let calls = in_blocks.chain(in_sentences).filter_map(|code| {
            code.trim_start_matches("target/release/").strip_prefix("orepass-sim ")
        });
        let mut seen = 0;
        for call in calls {
            let arguments = ["orepass-sim"].into_iter().chain(call.split_whitespace());
            // What a real call needs beside it is left to the reader there.
            match SimCli::try_parse_from(arguments).map_err(|error| error.kind()) {
                Ok(_) | Err(clap::error::ErrorKind::MissingRequiredArgument) => seen += 1,
                Err(error) => panic!("{call}: {error}"),
            }
        }
        assert!(seen >= 4, "{seen} calls");
    }
}
