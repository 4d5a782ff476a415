//! The command line.

mod asking;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use self::asking::{AskArgs, Ctl, CtlCommand, ListArgs, Top, WantedLevel, WorkerArg};
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
    /// Make a config for one pool, and try it.
    Init(Init),
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
    /// Write a shell's completions on standard output.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// Write the manual page on standard output.
    Man,
}

/// The arguments of `init`. What is missing is asked for.
#[derive(Debug, Args)]
pub struct Init {
    /// What the pool and the rigs speak: the coin.
    #[arg(long, value_name = "NAME")]
    pub dialect: Option<String>,
    /// The pool: stratum+tcp://host:port, or stratum+ssl://host:port.
    #[arg(short = 'o', long)]
    pub url: Option<PoolUrl>,
    /// The account at the pool; {rig} stands for the rig's own name.
    #[arg(short, long)]
    pub user: Option<UserTemplate>,
    /// The account's password, or env:NAME or file:PATH to look it up.
    #[arg(short, long, value_name = "PASS")]
    pub password: Option<String>,
    /// Where rigs connect [default: the pool's own port, on all addresses].
    #[arg(short, long, value_name = "ADDR")]
    pub bind: Option<ListenAddr>,
    /// Where the config is written; - for standard output.
    #[arg(long, value_name = "FILE", default_value = "orepass.toml")]
    pub out: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Do not try the pool.
    #[arg(long)]
    pub untried: bool,
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
    /// Fail where so many rigs do not fit on each route.
    #[arg(long, value_name = "N")]
    pub rigs: Option<usize>,
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
