//! What an operator configures: a TOML file, or a few arguments for one pool.
//!
//! Everything is read and checked whole before anything is applied; an error names the file, the
//! line, the column and the nearest known key. See [`Config::load`].

mod api;
mod control;
mod dialect;
pub(crate) mod difference;
mod encoding;
mod error;
mod front;
mod history;
mod limits;
pub(crate) mod nearest;
mod notes;
mod options;
mod pool;
mod profile;
mod reach;
mod route;
mod search_path;
mod secret;
mod shown;
mod sinks;
mod state;
mod stop;
mod syntax;
mod table;
mod user;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use orepass_farm::limits::LimitWishes;
use toml::de::DeTable;

pub use self::api::{ApiConfig, ApiListen, ApiToken, TokenUse};
pub use self::control::sockets;
pub use self::dialect::{Dialects, ReadOptions, UnknownDialect};
pub use self::error::{ConfigError, Invalid, Located, Problem, Source, Span};
pub use self::front::{FrontConfig, ProxyProtocol};
pub use self::history::HistoryConfig;
pub use self::options::{OptionError, OptionTable};
pub use self::pool::PoolAccount;
pub use self::profile::Profile;
pub use self::route::{Failover, RouteConfig};
pub use self::search_path::find;
pub use self::secret::{Secret, SecretError, SecretRef};
pub use self::sinks::{FileSinkConfig, NatsAuth, NatsConfig, SinksConfig, WebhookConfig};
pub use self::user::{Rendered, RigFacts, UserTemplate, UserTemplateError};
pub use self::value::{ListenAddr, ListenAddrError, Name, NameError, PoolUrl, PoolUrlError};
use crate::telemetry::{LogFormat, LogLevel};
use crate::worker_threads::{MAX_WORKERS, WorkerThreads};
use limits::LimitsConfig;
use notes::Notes;
use route::Reading;
use sinks::SinkSurroundings;
use table::TableReader;

/// Tables by their headers, each with its keys.
type KnownTables = Vec<(&'static str, Vec<&'static str>)>;

/// A whole config, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// At least one.
    pub routes: Vec<RouteConfig>,
    /// How the log looks.
    pub log: LogConfig,
    /// On how many threads rigs and pools are served, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// The file in which is kept what is learnt of rigs and pools; none to forget it at the end.
    pub state: Option<PathBuf>,
    /// Where is kept what became of shares.
    pub history: HistoryConfig,
    /// How many rigs may connect, and how fast.
    pub limits: LimitWishes,
    /// The socket through which it is asked for things while at work; none to have none.
    pub control: Option<PathBuf>,
    /// Where the farm is shown by HTTP, and to whom.
    pub api: ApiConfig,
    /// Where records of what happens go.
    pub sinks: SinksConfig,
    /// Over how long the rigs leave when the program ends.
    pub drain_for: Duration,
    source: Source,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// What is left out.
    pub level: LogLevel,
    /// For people or for machines.
    pub format: LogFormat,
}

impl Config {
    /// Reads and checks a file, and looks its secrets up.
    ///
    /// # Errors
    /// A [`ConfigError`] with everything that is wrong, each at its line and column.
    pub fn load(path: &Path, dialects: &dyn Dialects) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        Self::read(encoding::decode(&path.display().to_string(), bytes)?, folder, dialects)
    }

    /// Checks a config's text, and looks its secrets up; `name` stands for the file in errors,
    /// and relative `file:` secrets start at the working directory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str, dialects: &dyn Dialects) -> Result<Self, ConfigError> {
        Self::parse_in(name, text, Path::new(""), dialects)
    }

    /// As [`parse`](Self::parse) for a file in this folder, from which relative secrets start.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn parse_in(
        name: &str,
        text: &str,
        folder: &Path,
        dialects: &dyn Dialects,
    ) -> Result<Self, ConfigError> {
        Self::read(Source::new(name, text), folder, dialects)
    }

    /// The config of one route to one pool, with the defaults for everything else.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when the password cannot be looked up, or nobody knows the dialect.
    pub fn quick(
        url: PoolUrl,
        user: UserTemplate,
        password: Option<&SecretRef>,
        dialect: &str,
        bind: ListenAddr,
        dialects: &dyn Dialects,
    ) -> Result<Self, ConfigError> {
        let source = Source::new("command line", "");
        let wrong = |message| source.error(vec![Problem::new(None, message)]);
        let mut pool = PoolAccount::new(Name::of_pool(&url), url, user);
        if let Some(password) = password {
            pool.password =
                password.resolve(Path::new("")).map_err(|error| wrong(error.to_string()))?;
        }
        let options = dialects.find(dialect).map_err(|unknown| wrong(unknown.to_string()))?;
        pool.habits = options(&pool.options, &pool.options)
            .map_err(|error| source.error(error.into_problems()))?;
        let name = dialect.parse().unwrap_or_else(|_| pool.name.clone());
        let mut route =
            RouteConfig { listen: vec![bind], ..RouteConfig::new(name, dialect, vec![pool]) };
        let (log, state) = (LogConfig::default(), state::default_file());
        route.keep_certificate(state.as_deref());
        let control = control::default_socket(state.as_deref());
        let (workers, drain_for) = (WorkerThreads::usual_count(), stop::DRAIN_FOR);
        let limits = LimitWishes::default();
        let history = HistoryConfig::beside(state.as_deref());
        let api = ApiConfig { listen: ApiListen::Usual, ..ApiConfig::default() };
        let (routes, sinks) = (vec![route], SinksConfig::default());
        Ok(Self {
            routes,
            log,
            workers,
            state,
            history,
            limits,
            control,
            api,
            sinks,
            drain_for,
            source,
        })
    }

    /// The tables that a config may have, by their headers, and the keys of each, those of the tables in
    /// it among them. Of dialects' options those of all dialects are there.
    #[must_use]
    pub fn keys(dialects: &dyn Dialects) -> Vec<(&'static str, Vec<&'static str>)> {
        Self::read_keys(Source::new("", ""), Path::new(""), dialects).1
    }

    fn read(source: Source, folder: &Path, dialects: &dyn Dialects) -> Result<Self, ConfigError> {
        Self::read_keys(source, folder, dialects).0
    }

    /// What was read, and which keys there may be: the reading itself knows these.
    fn read_keys(
        source: Source,
        folder: &Path,
        dialects: &dyn Dialects,
    ) -> (Result<Self, ConfigError>, KnownTables) {
        let (document, errors) = DeTable::parse_recoverable(source.text());
        let mut notes = Notes::new(&source);
        let [route_options, pool_options] = dialects.option_names();
        let mut reading = Reading::new(folder, dialects);
        let (workers, log, state, history, limits, control, api, sinks, drain_for, routes) =
            TableReader::read_document(&mut notes, document.get_ref(), |table| {
                let workers = table.whole("workers", 1..=MAX_WORKERS as u32);
                let limits = table.table("[limits]", LimitsConfig::read);
                reading.limits = limits.route;
                let routes =
                    table.tables("[[route]]", |table| RouteConfig::read(table, &mut reading));
                if table.is_absent("route") {
                    let add = "there is no route: add a [[route]] with its [[route.pool]]";
                    table.lacks("route", add);
                }
                let log = table.table("[log]", LogConfig::read);
                let file = Path::new(source.name());
                let state = table.table("[state]", |table| state::read(table, folder, file));
                let history = table.table("[history]", |table| {
                    HistoryConfig::read(table, folder, file, state.as_deref())
                });
                let control = table
                    .table("[control]", |table| control::read(table, folder, state.as_deref()));
                let api = table.table("[api]", |table| api::read(table, folder, &reading.listen));
                let mut taken = vec![("the config file", file)];
                taken.extend(state.as_deref().map(|file| ("the state file", file)));
                taken.extend(history.file.as_deref().map(|file| ("the history file", file)));
                let sinks = SinksConfig::read(table, &SinkSurroundings { folder, taken });
                let drain_for = table.table("[stop]", stop::read);
                let workers = workers.unwrap_or_else(WorkerThreads::usual_count);
                (
                    workers,
                    log,
                    state,
                    history,
                    limits.wishes,
                    control,
                    api,
                    sinks,
                    drain_for,
                    routes,
                )
            });
        notes.know("[route.options]", &route_options);
        notes.know("[route.pool.options]", &pool_options);
        let keys = notes.known().to_vec();
        let problems = syntax::all(&source, &errors, notes.finish());
        let read = match routes.into_iter().collect::<Option<Vec<_>>>() {
            Some(mut routes) if problems.is_empty() => {
                routes.iter_mut().for_each(|route| route.keep_certificate(state.as_deref()));
                Ok(Self {
                    routes,
                    log,
                    workers,
                    state,
                    history,
                    limits,
                    control,
                    api,
                    sinks,
                    drain_for,
                    source,
                })
            }
            _ => Err(source.error(problems)),
        };
        (read, keys)
    }

    /// The text that it was read from, for errors that are found later.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// How many rigs the routes may hold together.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.routes.iter().map(RouteConfig::capacity).fold(0, usize::saturating_add)
    }
}

impl LogConfig {
    fn read(table: &mut TableReader<'_, '_>) -> Self {
        Self {
            level: table.variant("level").unwrap_or_default(),
            format: table.variant("format").unwrap_or_default(),
        }
    }
}
