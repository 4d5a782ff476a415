//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::commands::ApiUrl;
use crate::config::{
    self, Config, ConfigError, Dialects, ListenAddr, PoolUrl, SecretRef, UserTemplate,
};
use crate::telemetry::{LogFormat, LogLevel};

/// A stratum proxy for many coins: thousands of rigs share a pool connection, and every share is
/// checked.
#[derive(Debug, Parser)]
#[command(
    name = "orepass",
    version,
    about,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 69 cannot listen or nobody there, \
                  75 busy, 77 no permission, 78 bad config."
)]
pub struct Cli {
    /// What to do; `run` when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
    /// The arguments of `run`, when no subcommand is given.
    #[command(flatten)]
    pub run: Run,
}

impl Cli {
    /// Reads the program's arguments; on wrong ones, and for `--help`, it says so and exits.
    #[must_use]
    pub fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// What clap finds wrong with them.
    pub fn try_read<A: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(arguments)?;
        let Run { check, config: ConfigArgs { config, quick } } = &cli.run;
        if cli.command.is_some() && (*check || config.is_some() || quick.is_some()) {
            let message = "the options of a subcommand come after it";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(cli)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve rigs; the default.
    Run(Run),
    /// Check a config and stop.
    Check(Check),
    /// Run a farm, the proxy and a pool in one process, and check what comes of it.
    Demo(Demo),
    /// Ask an orepass that is at work for something.
    Ctl(Ctl),
    /// Show the farm of an orepass that is at work in this terminal.
    Top(Top),
    /// Judge logged shares, one JSON object per line, and say why a pool refuses them.
    Verify {
        /// Where the shares are; standard input when absent.
        file: Option<PathBuf>,
        /// The answers are JSON anyway.
        #[arg(long)]
        json: bool,
    },
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Check the config and stop.
    #[arg(short = 't', long, alias = "dry-run")]
    pub check: bool,
    /// What to run with.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// What is checked.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Say what was found as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A config file, or one pool.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The config file; else $OREPASS_CONFIG, ./orepass.toml,
    /// $XDG_CONFIG_HOME/orepass/orepass.toml, /etc/orepass/orepass.toml.
    #[arg(short, long, value_name = "FILE", conflicts_with = "Quick")]
    pub config: Option<PathBuf>,
    /// One pool, without a file.
    #[command(flatten)]
    pub quick: Option<Quick>,
}

/// One pool, without a config file.
#[derive(Debug, Args)]
#[group(multiple = true, requires_all = ["url", "user", "dialect"])]
pub struct Quick {
    /// The pool, without a config file: stratum+tcp://host:port.
    #[arg(short = 'o', long, required = false)]
    pub url: PoolUrl,
    /// The account at the pool; {worker}, {user}, {rig}, {ip}, {agent} and {port} stand for what
    /// is known of a rig.
    #[arg(short, long, required = false)]
    pub user: UserTemplate,
    /// The account's password, or env:NAME or file:PATH to look it up [default: x].
    #[arg(short, long, value_name = "PASS")]
    pub password: Option<SecretRef>,
    /// What the pool and the rigs speak.
    #[arg(long, value_name = "NAME", required = false)]
    pub dialect: String,
    /// Where rigs connect.
    #[arg(short, long, value_name = "ADDR", default_value = "[::]:3333")]
    pub bind: ListenAddr,
}

/// The arguments of `ctl`.
#[derive(Debug, Args)]
pub struct Ctl {
    /// What to ask for.
    #[command(subcommand)]
    pub command: CtlCommand,
    /// Who is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print the answer as it comes, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The arguments of `top`.
#[derive(Debug, Clone, Args)]
pub struct Top {
    /// Who is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print all of it once, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which orepass at work is asked, and how.
#[derive(Debug, Clone, Args)]
pub struct AskArgs {
    /// The config of the one that is asked, which names its socket; looked for as by `run`.
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    pub of: Option<PathBuf>,
    /// Its socket, instead.
    #[arg(short, long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// The address of its API, instead: http://host:9099.
    #[arg(long, value_name = "URL", global = true, conflicts_with_all = ["of", "socket"])]
    pub url: Option<ApiUrl>,
    /// The token for that, or env:NAME or file:PATH to look it up [default: $OREPASS_TOKEN].
    #[arg(long, value_name = "TOKEN", global = true)]
    pub token: Option<SecretRef>,
}

/// What an orepass at work may be asked for.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum CtlCommand {
    /// Read the config again and change what is different; a wrong config changes nothing.
    Reload,
    /// Hand over to a new process of the program that lies there now.
    Upgrade,
    /// Say what is at work.
    Status,
    /// Show routes and pools with their rates.
    Summary,
    /// Show workers.
    Workers {
        /// Which ones.
        #[command(flatten)]
        list: ListArgs,
        /// By which column of the table, with - before it from the largest down.
        #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
        sort: Option<String>,
        /// Those whose name has this in it.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show connected rigs.
    Rigs {
        /// Which ones.
        #[command(flatten)]
        list: ListArgs,
        /// Those of this worker.
        #[arg(long, value_name = "NAME")]
        worker: Option<String>,
    },
    /// Close a rig's connection; it may come back.
    Kick {
        /// Its id, as `rigs` shows it.
        rig: String,
    },
    /// Set a rig's difficulty until it leaves.
    Difficulty {
        /// Its id, as `rigs` shows it.
        rig: String,
        /// The difficulty, or `auto` to have it follow the rig's hashrate again.
        difficulty: WantedLevel,
    },
    /// Refuse a worker for a while, and close its rigs.
    Ban {
        /// Which one.
        #[command(flatten)]
        worker: WorkerArg,
        /// For how long.
        #[arg(long, value_name = "MINUTES", default_value_t = 10)]
        minutes: u32,
    },
    /// Let a worker in again that is refused.
    Unban {
        /// Which one.
        #[command(flatten)]
        worker: WorkerArg,
    },
    /// Forget a worker of which no rig is connected.
    Forget {
        /// Which one.
        #[command(flatten)]
        worker: WorkerArg,
    },
    /// Prefer a pool to all others of its route, until the config is read again.
    Switch {
        /// Its name.
        pool: String,
        /// Of which route, where several have such a pool.
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
        /// Back to the config's order.
        #[arg(long)]
        back: bool,
    },
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ListArgs {
    /// Those of this route.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// Those that are online, silent, offline or quarantined.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// So many are passed over.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct WorkerArg {
    /// Its name.
    #[arg(value_name = "WORKER")]
    pub name: String,
    /// On this route; on all where it is absent.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
}

/// A difficulty, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WantedLevel(pub Option<f64>);

impl std::str::FromStr for WantedLevel {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

/// The arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Which dialect, or `all` [default: the first that this program knows].
    #[arg(long, value_name = "NAME")]
    pub dialect: Option<String>,
    /// How many rigs of each dialect [default: 36; fewer where a proof takes seconds].
    #[arg(long, value_name = "N")]
    pub rigs: Option<usize>,
    /// For how long.
    #[arg(long, value_name = "S", default_value_t = 20)]
    pub seconds: u64,
    /// Report as JSON, and play no failover.
    #[arg(long)]
    pub json: bool,
    /// What is shown meanwhile is a table that is written over.
    #[arg(skip)]
    pub table: bool,
}

/// How to log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// What to log; beats $OREPASS_LOG, $RUST_LOG and the config.
    #[arg(short, long, value_name = "LEVEL", global = true)]
    pub log_level: Option<LogLevel>,
    /// How to log; beats the config.
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
    /// Log more: each share (-v), each line (-vv).
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with_all = ["log_level", "quiet"])]
    pub verbose: u8,
    /// Log less: warnings (-q), errors (-qq).
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "log_level")]
    pub quiet: u8,
}

impl LogArgs {
    /// The level that the flags ask for.
    #[must_use]
    pub const fn level(&self) -> Option<LogLevel> {
        match (self.verbose, self.quiet) {
            (0, 0) => self.log_level,
            (1, _) => Some(LogLevel::Debug),
            (2.., _) => Some(LogLevel::Trace),
            (_, 1) => Some(LogLevel::Warn),
            (_, 2) => Some(LogLevel::Error),
            (_, _) => Some(LogLevel::Off),
        }
    }
}

impl ConfigArgs {
    /// Reads the config that the arguments name, or finds one.
    ///
    /// # Errors
    /// A [`ConfigError`] when there is none, or a wrong one.
    pub fn load(&self, dialects: &dyn Dialects) -> Result<Config, ConfigError> {
        self.load_with_file(dialects).map(|(config, _)| config)
    }

    /// As [`load`](Self::load), with the file, where there is one.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with_file(
        &self,
        dialects: &dyn Dialects,
    ) -> Result<(Config, Option<PathBuf>), ConfigError> {
        match &self.quick {
            Some(Quick { url, user, password, dialect, bind }) => {
                let (url, user) = (url.clone(), user.clone());
                let config = Config::quick(url, user, password.as_ref(), dialect, *bind, dialects)?;
                Ok((config, None))
            }
            None => {
                let file = config::find(self.config.as_deref())?;
                Ok((Config::load(&file, dialects)?, Some(file)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Cli, String> {
        let arguments = arguments.split(' ').filter(|word| !word.is_empty());
        Cli::try_read(std::iter::once("orepass").chain(arguments))
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    fn quick(cli: Cli) -> (PoolUrl, String, Option<String>, String, String) {
        let run = match cli.command {
            None => cli.run,
            Some(Command::Run(run)) => run,
            Some(other) => panic!("{other:?}"),
        };
        let Quick { url, user, password, dialect, bind } = run.config.quick.unwrap();
        let password = password.map(|password| format!("{password:?}"));
        (url, user.to_string(), password, dialect, bind.to_string())
    }

    #[test]
    fn run_is_the_default() {
        let line = "-o stratum+tcp://pool.example:3008 -u acct -p hunter2 --dialect hstratum";
        let url: PoolUrl = "stratum+tcp://pool.example:3008".parse().unwrap();
        let expected = (
            url,
            "acct".to_owned(),
            Some("Secret(…)".to_owned()),
            "hstratum".to_owned(),
            "[::]:3333".to_owned(),
        );
        assert_eq!(quick(read(line).unwrap()), expected);
        assert_eq!(quick(read(&format!("run {line}")).unwrap()), expected);
        assert!(read("").unwrap().run.config.quick.is_none());
        assert!(read("-t").unwrap().run.check);
        assert!(read("--dry-run").unwrap().run.check);
    }

    #[test]
    fn log_flags_stand_anywhere() {
        for (line, level) in [
            ("-l debug check", Some(LogLevel::Debug)),
            ("check -l debug", Some(LogLevel::Debug)),
            ("-v", Some(LogLevel::Debug)),
            ("run -vv", Some(LogLevel::Trace)),
            ("-q verify", Some(LogLevel::Warn)),
            ("demo -qq", Some(LogLevel::Error)),
            ("demo", None),
        ] {
            assert_eq!(read(line).unwrap().log.level(), level, "{line}");
        }
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "-c a check",
            "-b :1",
            "-o stratum+tcp://a:1 -u x",
            "-c a -u x",
            "-o http://a:1 -u x --dialect y",
            "-v -q",
            "-v -l info",
            "verify a b",
            "frobnicate",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
