//! What the program does, one file per subcommand.

mod asking;
mod bind;
pub mod check;
pub mod ctl;
pub mod demo;
pub mod init;
pub mod run;
mod texts;
pub mod top;
pub mod verify;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;

use thiserror::Error;

pub use self::asking::{ApiUrl, ApiUrlError, AskError};
use self::check::Checking;
use crate::cli::{Check, Cli, Command, ConfigArgs, Demo, LogArgs, Run};
use crate::config::{Config, ConfigError};
use crate::process::Process;
use crate::registry::Registry;
use crate::telemetry::{self, LogGuard, LogLevel, TelemetryError};

/// Does what the command line says.
///
/// # Errors
/// A [`CommandError`], which knows its exit code.
pub fn execute(cli: Cli, registry: &Registry) -> Result<Outcome, CommandError> {
    let Cli { command, log, run } = cli;
    match command.unwrap_or(Command::Run(run)) {
        Command::Run(Run { check: false, config }) => {
            let (config, file) = config.load_with_file(registry)?;
            let (config, _log) = prepared(config, &log)?;
            let process = Process::prepare(config.capacity(), config.workers);
            let process = process.map_err(CommandError::Start)?;
            block_on(run::run(config, file, registry, &process))
        }
        Command::Run(Run { check: true, config }) => {
            checked(&config, Checking::default(), &log, registry)
        }
        Command::Check(Check { config, json, rigs }) => {
            checked(&config, Checking { json, rigs }, &log, registry)
        }
        Command::Demo(demo) => {
            // The live view is what to look at; the log adds what is out of order, where that does not
            // stand in the middle of a table.
            let is_wanted = log.level().is_some_and(|level| level != LogLevel::Off)
                || ["OREPASS_LOG", "RUST_LOG"].iter().any(|name| std::env::var_os(name).is_some());
            let table = !demo.json && io::stdout().is_terminal() && !is_wanted;
            let hides = table && io::stderr().is_terminal();
            let level = if hides { LogLevel::Off } else { LogLevel::Warn };
            let demo = Demo { table, ..demo };
            let quiet = crate::config::LogConfig { level, ..Default::default() };
            let _log = started(&log, quiet)?;
            block_on(demo::demo(demo, registry))
        }
        Command::Init(arguments) => block_on(init::init(arguments, registry)),
        Command::Completions { shell } => Ok(texts::completions(shell)),
        Command::Man => texts::man(),
        Command::Ctl(ctl) => Ok(ctl::ctl(&ctl)?),
        Command::Top(arguments) => block_on(async { Ok(top::top(arguments).await?) }),
        Command::Verify { file, json: _ } => Ok(verify::verify(file.as_deref(), registry)?),
    }
}

fn checked(
    config: &ConfigArgs,
    checking: Checking,
    log: &LogArgs,
    registry: &Registry,
) -> Result<Outcome, CommandError> {
    let config = config.load(registry);
    if let (true, Err(error)) = (checking.json, &config) {
        check::print_refused(error);
    }
    let (config, _log) = prepared(config?, log)?;
    block_on(check::check(config, registry, checking))
}

/// How a command that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Success,
    /// What it looked at is not well; it has said so.
    Failure,
}

/// Why a command could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The config is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log cannot be started.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The listed shares cannot be read or answered.
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
    /// There is no config to be written.
    #[error(transparent)]
    Init(#[from] init::InitError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", remedy(.error))]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A process at work was not asked, or did not do it.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A process at work cannot be shown.
    #[error(transparent)]
    Top(#[from] top::TopError),
    /// The runtime cannot be started.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// Something that cannot go on, in words for the operator.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// The exit code, after `sysexits.h` where that has one.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        const FAILURE: u8 = 1;
        const USAGE: u8 = 2;
        const UNAVAILABLE: u8 = 69;
        const NO_PERMISSION: u8 = 77;
        const CONFIG: u8 = 78;
        match self {
            Self::Bind { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                NO_PERMISSION
            }
            Self::Bind { .. } => UNAVAILABLE,
            Self::Ask(error) => error.exit_code(),
            Self::Top(error) => error.exit_code(),
            Self::Config(_) => CONFIG,
            Self::Telemetry(_) => USAGE,
            Self::Init(init::InitError::Missing { .. } | init::InitError::Unusable { .. }) => USAGE,
            Self::Init(_) | Self::Verify(_) | Self::Start(_) | Self::Failed(_) => FAILURE,
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program, or another orepass, listens there",
        io::ErrorKind::AddrNotAvailable => "; this machine does not have the address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need `AmbientCapabilities=CAP_NET_BIND_SERVICE` in the systemd unit"
        }
        _ => "",
    }
}

/// The config, with the log started as it says.
fn prepared(config: Config, log: &LogArgs) -> Result<(Config, LogGuard), CommandError> {
    let log = started(log, config.log)?;
    Ok((config, log))
}

fn started(log: &LogArgs, configured: crate::config::LogConfig) -> Result<LogGuard, CommandError> {
    let format = log.log_format.unwrap_or(configured.format);
    Ok(telemetry::start(log.level(), configured.level, format)?)
}

fn block_on(
    command: impl Future<Output = Result<Outcome, CommandError>>,
) -> Result<Outcome, CommandError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().map_err(CommandError::Start)?;
    let outcome = runtime.block_on(command);
    // A name lookup that hangs, and nobody waits for any more, must not hold the end up.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_look_up_that_hangs_does_not_hold_the_end_up() {
        let (free, hang) = mpsc::sync_channel::<()>(1);
        let (hangs, begun) = mpsc::sync_channel(1);
        let (ended, end) = mpsc::sync_channel(1);
        let command = async move {
            // As the system's own look-up of a name, on one of the runtime's threads.
            tokio::task::spawn_blocking(move || {
                hangs.send(()).unwrap();
                let _ = hang.recv_timeout(Duration::from_secs(60));
                ended.send(()).unwrap();
            });
            begun.recv().unwrap();
            Ok(Outcome::Success)
        };
        assert_eq!(block_on(command).unwrap(), Outcome::Success);
        assert!(end.try_recv().is_err(), "it still hangs, and nobody waits for it");
        drop(free);
        end.recv().unwrap();
    }
}
