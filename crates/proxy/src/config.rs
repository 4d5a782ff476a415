//! What an operator configures: a TOML file, or a few arguments for one pool.
//!
//! Everything is read and checked whole before anything is applied; an error names the file, the
//! line, the column and the nearest known key. See [`Config::load`].

mod encoding;
mod error;
mod explain;
mod file;
mod find;
pub(crate) mod nearest;
mod number;
mod options;
mod secret;
mod state;
mod user;
mod validate;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use orepass_farm::pools::PoolsConfig;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::target::Difficulty;
use orepass_stratum::vardiff::VardiffConfig;
use serde::Deserialize;

pub use self::error::{ConfigError, Invalid, Located, Problem, Source, Span};
pub use self::find::find;
pub use self::number::{Bounded, NotPositive, OutOfBounds, Positive};
pub use self::options::{OptionError, OptionTable};
pub use self::secret::{Secret, SecretError, SecretRef};
pub use self::user::{Rendered, RigFacts, UserTemplate, UserTemplateError};
pub use self::value::{ListenAddr, ListenAddrError, Name, NameError, PoolUrl, PoolUrlError};
use crate::telemetry::{LogFormat, LogLevel};

/// Pool connections of a route, unless configured: enough for four thousand rigs.
pub(crate) const DEFAULT_MAX_CHANNELS: usize = 16;
/// Rigs of a pool connection, unless configured: a lost connection touches no more than these,
/// and a one-byte prefix tells them apart with a few to spare.
pub(crate) const DEFAULT_MAX_RIGS: usize = 250;
/// Connections to a pool that serve one rig alone, unless configured.
pub(crate) const DEFAULT_MAX_DEDICATED: usize = 64;
/// Shares a second of a pool connection, unless configured: far more than pools retarget for.
pub(crate) const DEFAULT_MAX_SHARES: u32 = 50;
/// How long rigs are held without a pool, unless configured.
pub(crate) const DEFAULT_HOLD: Duration = Duration::from_secs(300);
/// What pools take that have no passwords.
pub(crate) const DEFAULT_PASSWORD: &str = "x";

/// A whole config, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// At least one.
    pub routes: Vec<Route>,
    /// How the log looks.
    pub log: Log,
    /// The file in which is kept what is learnt of rigs and pools; none to forget it at the end.
    pub state: Option<PathBuf>,
    source: Source,
}

/// One `[[route]]`: rigs on these addresses, in this dialect, go to these pools.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, different from every other route's.
    pub name: Name,
    /// The dialect's name, not yet looked up.
    pub dialect: Located<String>,
    /// At least one; no two of a config clash.
    pub listen: Vec<ListenAddr>,
    /// Whether shares are checked.
    pub verify: Verify,
    /// Whose verdict a rig is told.
    pub reply: Reply,
    /// Whether a rig that sends too many bad shares is quarantined.
    pub quarantine: bool,
    /// How many bytes of the extranonce tell rigs apart; the dialect's choice when absent.
    pub prefix_bytes: Option<usize>,
    /// At most so many connections to each pool.
    pub max_channels: usize,
    /// At most so many rigs on one of them.
    pub max_rigs_per_channel: usize,
    /// At most so many connections to each pool that serve one rig alone.
    pub max_dedicated: usize,
    /// What rigs of certain kinds need.
    pub profiles: Vec<Profile>,
    /// So many shares a second on one of them, and rigs get a harder target than the pool's.
    pub max_pool_shares_per_second: u32,
    /// The dialect's options of this route.
    pub options: OptionTable,
    /// How difficulties are chosen for rigs.
    pub vardiff: VardiffConfig,
    /// At least one, in order of preference; no two have the same name.
    pub pools: Vec<Pool>,
    /// How long rigs are held while no pool serves; for ever when absent.
    pub hold_for: Option<Duration>,
    /// How rigs go back to a better pool.
    pub failover: Failover,
}

/// One `[[route.pool]]`: a server and the account there.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its label; `host:port` unless configured.
    pub name: Name,
    /// Where it is.
    pub url: PoolUrl,
    /// The account, and the names of workers.
    pub user: UserTemplate,
    /// The account's password, looked up.
    pub password: Secret,
    /// Whether a worker authorizes with the password that its rig gave.
    pub pass_password: bool,
    /// The difficulty that it is asked for, on its own scale.
    pub start_difficulty: Option<Difficulty>,
    /// Its part of the work, among the pools with a weight that stand next to it.
    pub weight: Option<f64>,
    /// Whether shares that a connection is lost with are sent once more on the next.
    pub resubmit: bool,
    /// The dialect's options of this pool.
    pub options: OptionTable,
}

/// One `[[route.profile]]`: what rigs of one kind need.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Their software, with `*` for any text and `?` for any character; all when absent.
    pub agent: Option<String>,
    /// Their worker's name, in the same way.
    pub worker: Option<String>,
    /// What they need.
    pub firmware: Firmware,
}

/// `[route.failover]`: how rigs go back to a better pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failover {
    /// How long the better pool must have been healthy.
    pub healthy_for: Duration,
    /// The part of the work that goes back first.
    pub trial_share: f64,
    /// How long that is watched before the rest follows.
    pub trial_for: Duration,
}

impl Default for Failover {
    fn default() -> Self {
        let PoolsConfig { healthy_for, trial_share, trial_for, .. } = PoolsConfig::in_order(0);
        Self { healthy_for, trial_share, trial_for }
    }
}

/// Whether the proxy checks shares itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Every share's proof of work is checked; only good ones reach the pool.
    #[default]
    Full,
    /// Shares are checked for their form, age and repetition alone.
    Off,
}

/// Whose verdict on a share a rig is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// The pool's, once it came.
    #[default]
    Pool,
    /// The proxy's own, at once.
    Local,
}

/// What happens with rigs while no pool serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOutage {
    /// They are held for `hold_seconds`, and then let go.
    #[default]
    Hold,
    /// They are let go at once, to their own backup.
    Close,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct Log {
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
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        validate::config(encoding::decode(&path.display().to_string(), bytes)?, folder)
    }

    /// Checks a config's text, and looks its secrets up; `name` stands for the file in errors,
    /// and relative `file:` secrets start at the working directory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        validate::config(Source::new(name, text), Path::new(""))
    }

    /// The config of one route to one pool, with the defaults for everything else.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when the password cannot be looked up.
    pub fn quick(
        url: PoolUrl,
        user: UserTemplate,
        password: Option<&SecretRef>,
        dialect: &str,
        bind: ListenAddr,
    ) -> Result<Self, ConfigError> {
        let source = Source::new("command line", "");
        let password = match password {
            None => Secret::new(DEFAULT_PASSWORD),
            Some(password) => password
                .resolve(Path::new(""))
                .map_err(|error| source.error(vec![Problem::new(None, error.to_string())]))?,
        };
        let pool = Pool {
            name: Name::of_pool(&url),
            url,
            user,
            password,
            pass_password: false,
            start_difficulty: None,
            weight: None,
            resubmit: false,
            options: OptionTable::default(),
        };
        let route = Route {
            name: dialect.parse().unwrap_or_else(|_| Name::of_pool(&pool.url)),
            dialect: Located::nowhere(dialect.to_owned()),
            listen: vec![bind],
            verify: Verify::default(),
            reply: Reply::default(),
            quarantine: true,
            prefix_bytes: None,
            max_channels: DEFAULT_MAX_CHANNELS,
            max_rigs_per_channel: DEFAULT_MAX_RIGS,
            max_dedicated: DEFAULT_MAX_DEDICATED,
            profiles: Vec::new(),
            max_pool_shares_per_second: DEFAULT_MAX_SHARES,
            options: OptionTable::default(),
            vardiff: VardiffConfig::default(),
            pools: vec![pool],
            hold_for: Some(DEFAULT_HOLD),
            failover: Failover::default(),
        };
        let state = state::default_file();
        Ok(Self { routes: vec![route], log: Log::default(), state, source })
    }

    /// The text that it was read from, for errors that are found later.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// How many rigs the routes may hold together.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.routes.iter().map(Route::capacity).fold(0, usize::saturating_add)
    }
}

impl Route {
    /// How many rigs the route may hold.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.max_channels.saturating_mul(self.max_rigs_per_channel)
    }
}
