//! The command line.

mod pool;
mod rigs;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::registry::{SimDialect, SimRegistry};

/// How often a status line is printed.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Simulated stratum pools and rigs that really hash.
#[derive(Debug, Parser)]
#[command(version, about)]
struct SimCli {
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

/// `orepass-sim`, with the coins of a registry. Ends as the command line says, or on a signal; what went
/// wrong stands on stderr.
#[must_use]
pub fn main_with(registry: &SimRegistry) -> ExitCode {
    let cli = SimCli::read(registry, std::env::args_os()).unwrap_or_else(|error| error.exit());
    let runtime = tokio::runtime::Runtime::new().context("no runtime");
    match runtime.and_then(|runtime| runtime.block_on(cli.run(registry))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orepass-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl SimCli {
    /// Reads the command line, of which the registry knows the dialects.
    fn read(
        registry: &SimRegistry,
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let names = registry.names();
        let dialects = |command: clap::Command| {
            let known = PossibleValuesParser::new(names.clone());
            command.mut_arg("dialect", |dialect| dialect.value_parser(known))
        };
        let command = Self::command().mut_subcommand("pool", dialects);
        let command = command.mut_subcommand("rigs", dialects);
        Self::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    /// Does what the command line says; ends with the time given, or on a signal.
    async fn run(self, registry: &SimRegistry) -> anyhow::Result<()> {
        let wanted = std::env::var("OREPASS_LOG").ok().and_then(|wanted| wanted.parse().ok());
        let targets = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
        let log = tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        tracing_subscriber::registry().with(log.with_filter(targets)).init();
        match self.command {
            SimCommand::Pool(args) => args.run(registry).await,
            SimCommand::Rigs(args) => args.run(registry).await,
        }
    }
}

/// The coin of a name.
fn dialect(name: &str, registry: &SimRegistry) -> anyhow::Result<SimDialect> {
    // The command line has been read with the registry's names.
    registry.find(name).with_context(|| format!("unknown dialect `{name}`"))
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
    use crate::pool::PoolConfig;
    use crate::registry::SimCoin;
    use crate::rig::RigConfig;

    #[test]
    fn a_coin_from_outside_is_called_by_its_name() {
        let coin = SimCoin { name: "toy", pool: PoolConfig::default, rig: RigConfig::default };
        let registry = SimRegistry::default().with(coin);
        let call = |dialect, registry: &SimRegistry| {
            let pool = ["orepass-sim", "pool", "--listen", "here", "--dialect", dialect];
            let rigs = ["orepass-sim", "rigs", "--connect", "there", "--dialect", dialect];
            [pool, rigs].map(|call| SimCli::read(registry, call).map_err(|error| error.to_string()))
        };
        for dialect in ["hstratum", "aion", "toy"] {
            assert!(call(dialect, &registry).iter().all(Result::is_ok), "{dialect}");
        }
        for error in call("toy", &SimRegistry::default()) {
            let error = error.unwrap_err();
            assert!(error.contains("possible values: aion, bitcoin, hstratum"), "{error}");
        }
    }

    #[test]
    fn the_calls_that_the_manual_shows_are_understood() {
        let manual = include_str!("../tests/docs/try.md");
        let in_blocks = manual.lines().filter(|line| line.starts_with("target/release/"));
        let in_sentences = manual.split('`').skip(1).step_by(2);
        let calls = in_blocks.chain(in_sentences).filter_map(|code| {
            code.trim_start_matches("target/release/").strip_prefix("orepass-sim ")
        });
        let registry = SimRegistry::default();
        let mut seen = 0;
        for call in calls {
            let arguments = ["orepass-sim"].into_iter().chain(call.split_whitespace());
            // What a real call needs beside it is left to the reader there.
            match SimCli::read(&registry, arguments).map_err(|error| error.kind()) {
                Ok(_) | Err(clap::error::ErrorKind::MissingRequiredArgument) => seen += 1,
                Err(error) => panic!("{call}: {error}"),
            }
        }
        assert!(seen >= 4, "{seen} calls");
    }
}
