//! `[[route]]`: rigs on these addresses, in this dialect, go to these pools.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use orepass_farm::limits::Access;
use orepass_farm::pools::PoolsConfig;
use orepass_stratum::downstream::{DownstreamConfig, Reply, Verify};
use orepass_stratum::evidence::EvidenceWish;
use orepass_stratum::named::Named;
use orepass_stratum::secret::Secret;
use orepass_stratum::upstream::UpstreamConfig;
use orepass_stratum::vardiff::VardiffConfig;

use super::dialect::{Dialects, ReadOptions};
use super::front::FrontConfig;
use super::limits::RouteLimits;
use super::options::OptionTable;
use super::pool::{self, PoolAccount};
use super::profile::{self, Profile};
use super::secret::SecretRef;
use super::table::TableReader;
use super::value::{ListenAddr, Name};
use crate::net::tls::server::CertificateSource;

/// A route, as it is run.
#[derive(Debug, Clone)]
pub struct RouteConfig {
    /// Its name, in logs and figures; different from every other route's.
    pub name: Name,
    /// Its dialect's name.
    pub dialect: String,
    /// Where rigs connect to; no two of a config clash.
    pub listen: Vec<ListenAddr>,
    /// How many connections may wait to be taken; the system may cap it lower.
    pub backlog: u32,
    /// Who may connect, and whom no limit concerns.
    pub access: Access,
    /// What is expected there before stratum.
    pub front: FrontConfig,
    /// The wishes for its rigs.
    pub downstream: DownstreamConfig,
    /// How many bytes of the extranonce tell rigs apart; the dialect's own choice when absent.
    pub prefix_bytes: Option<usize>,
    /// How long rigs are held while no pool serves; for ever when absent.
    pub hold_for: Option<Duration>,
    /// How rigs go back to a better pool.
    pub failover: Failover,
    /// The most connections to each pool.
    pub max_channels: usize,
    /// The most rigs on one of them.
    pub max_rigs_per_channel: usize,
    /// The most connections to each pool that serve one rig alone.
    pub max_dedicated: usize,
    /// What rigs of certain kinds need; the first that says something decides.
    pub profiles: Vec<Profile>,
    /// So many shares a second on one of them, and rigs get a harder target than the pool's until
    /// the pool has retargeted.
    pub max_pool_shares_per_second: u32,
    /// The dialect's options of this route.
    pub options: OptionTable,
    /// The pools, in order of preference; at least one, and no two of the same name.
    pub pools: Vec<PoolAccount>,
}

impl RouteConfig {
    /// Enough for four thousand rigs.
    const MAX_CHANNELS: usize = 16;
    /// Each is a connection that the pool sees besides.
    const MAX_DEDICATED: usize = 64;

    /// A route with the usual limits, which listens nowhere yet.
    #[must_use]
    pub fn new(name: Name, dialect: impl Into<String>, pools: Vec<PoolAccount>) -> Self {
        Self {
            name,
            dialect: dialect.into(),
            listen: Vec::new(),
            backlog: RouteLimits::default().backlog,
            access: Access::default(),
            front: FrontConfig::default(),
            downstream: DownstreamConfig::default(),
            prefix_bytes: None,
            hold_for: usual_hold(),
            failover: Failover::default(),
            max_channels: Self::MAX_CHANNELS,
            max_rigs_per_channel: UpstreamConfig::MAX_RIGS,
            max_dedicated: Self::MAX_DEDICATED,
            profiles: Vec::new(),
            max_pool_shares_per_second: UpstreamConfig::MAX_SHARES_PER_SECOND,
            options: OptionTable::default(),
            pools,
        }
    }

    /// How many rigs it may hold.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.max_channels.saturating_mul(self.max_rigs_per_channel)
    }

    /// Whether rigs may come by TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.listen.iter().any(|address| address.is_tls())
    }

    /// A certificate of our own is kept beside the state.
    pub(super) fn keep_certificate(&mut self, state: Option<&Path>) {
        if let CertificateSource::Own(folder) = &mut self.front.certificate {
            *folder = state.and_then(Path::parent).map(Path::to_owned);
        }
    }

    /// Reads a `[[route]]`; `None` when it lacks what it cannot do without.
    pub(super) fn read(table: &mut TableReader<'_, '_>, reading: &mut Reading<'_>) -> Option<Self> {
        table.needs(&[
            ("name", "\"farm\""),
            ("dialect", &reading.dialect_names()),
            ("listen", LISTEN),
        ]);
        let name = reading.name(table);
        let dialect = reading.dialect(table);
        let listen = reading.listen(table);
        let front = FrontConfig::read(table, reading.folder, &listen);
        let limits = table.table("[route.limits]", |table| reading.limits.read(table));
        let mut downstream = downstream(table);
        limits.apply(&mut downstream);
        downstream.limits.access_password = access_password(table, reading.folder);
        let prefix_bytes = table.whole("prefix_bytes", 0..=4);
        let options = table.options("[route.options]");
        Some(Self {
            front,
            backlog: limits.backlog,
            access: limits.access(),
            downstream,
            prefix_bytes,
            hold_for: hold_for(table),
            failover: table.table("[route.failover]", Failover::read),
            max_channels: table.whole("max_channels", 1..=1024).unwrap_or(Self::MAX_CHANNELS),
            max_rigs_per_channel: max_rigs(table, prefix_bytes),
            max_dedicated: table.whole("max_dedicated", 0..=1024).unwrap_or(Self::MAX_DEDICATED),
            profiles: table.tables("[[route.profile]]", profile::read),
            max_pool_shares_per_second: table
                .whole("max_pool_shares_per_second", 1..=1_000_000)
                .unwrap_or(UpstreamConfig::MAX_SHARES_PER_SECOND),
            pools: pool::read_all(table, reading.folder, |table, pool| {
                let habits = dialect.as_ref().map(|(_, read)| read(&options, pool));
                habits?.map_err(|error| table.note_options(error)).ok()
            }),
            options,
            listen,
            // What stands above is read even if one of these is missing.
            name: name?,
            dialect: dialect?.0,
        })
    }
}

/// What may be written as `listen`.
const LISTEN: &str = "[\"[::]:3008\"]";

/// What may be written as `keepalive_seconds`; 0 for never.
pub(super) const KEEPALIVE: RangeInclusive<u32> = 0..=3600;

/// How long rigs are held without a pool, unless configured.
fn usual_hold() -> Option<Duration> {
    PoolsConfig::in_order(0).hold_for
}

fn downstream(table: &mut TableReader<'_, '_>) -> DownstreamConfig {
    let mut rigs = DownstreamConfig::default();
    let verify = table.word("verify", &[("full", Verify::Full), ("off", Verify::Off)]);
    rigs.verify = verify.unwrap_or(rigs.verify);
    let reply = table.word("reply", &[("pool", Reply::Pool), ("local", Reply::Local)]);
    rigs.reply = reply.unwrap_or(rigs.reply);
    rigs.evidence = table.word("evidence", EvidenceWish::WORDS).unwrap_or(rigs.evidence);
    rigs.quarantine = table.flag("quarantine").unwrap_or(rigs.quarantine);
    let keepalive = table.seconds("keepalive_seconds", KEEPALIVE);
    rigs.keepalive = keepalive.or(rigs.keepalive).filter(|time| !time.is_zero());
    rigs.vardiff = table.table("[route.vardiff]", |table| vardiff(table, rigs.vardiff));
    rigs
}

/// What rigs must have among the options of their password.
fn access_password(table: &mut TableReader<'_, '_>, folder: &Path) -> Option<Secret> {
    let text = table.text("access_password")?;
    match SecretRef::from(text).resolve(folder) {
        Ok(password) if password.reveal().is_empty() || password.reveal().contains([',', ';']) => {
            let wrong =
                "rigs could not give it: it must not be empty, nor have a comma or semicolon";
            table.note_at("access_password", wrong);
            None
        }
        Ok(password) => Some(password),
        Err(error) => {
            table.note_at("access_password", error.to_string());
            None
        }
    }
}

fn vardiff(table: &mut TableReader<'_, '_>, usual: VardiffConfig) -> VardiffConfig {
    let made = VardiffConfig {
        enabled: table.flag("enabled").unwrap_or(usual.enabled),
        shares_per_minute: table.positive("shares_per_minute").unwrap_or(usual.shares_per_minute),
        start: table.difficulty("start"),
        min: table.difficulty("min"),
        max: table.difficulty("max"),
    };
    if let (Some(min), Some(max)) = (made.min, made.max)
        && min.get() > max.get()
    {
        table.note_at("max", format!("`max` ({}) is below `min` ({})", max.get(), min.get()));
    }
    made
}

/// `on_outage`, and `hold_seconds` with it.
fn hold_for(table: &mut TableReader<'_, '_>) -> Option<Duration> {
    let holds = table.word("on_outage", &[("hold", true), ("close", false)]);
    let seconds = table.seconds("hold_seconds", 1..=604_800);
    if holds == Some(false) { Some(Duration::ZERO) } else { seconds.or_else(usual_hold) }
}

/// As many rigs as the prefix can tell apart, where that is configured.
fn max_rigs(table: &mut TableReader<'_, '_>, prefix_bytes: Option<usize>) -> usize {
    let distinct = prefix_bytes.map_or(usize::MAX, |bytes| 1 << (8 * bytes));
    let max = table.whole("max_rigs_per_channel", 1..=65_536);
    if let Some(max) = max.filter(|max| *max > distinct) {
        let message = format!(
            "{max} rigs cannot be told apart by the route's prefix_bytes, which are enough for \
             {distinct}"
        );
        table.note_at("max_rigs_per_channel", message);
    }
    max.unwrap_or_else(|| UpstreamConfig::MAX_RIGS.min(distinct))
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

impl Failover {
    fn read(table: &mut TableReader<'_, '_>) -> Self {
        let usual = Self::default();
        let healthy_for = table.seconds("healthy_seconds", 1..=3600);
        let percent: Option<u8> = table.whole("trial_percent", 1..=100);
        let trial_for = table.seconds("trial_seconds", 0..=3600);
        Self {
            healthy_for: healthy_for.unwrap_or(usual.healthy_for),
            trial_share: percent.map_or(usual.trial_share, |percent| f64::from(percent) / 100.0),
            trial_for: trial_for.unwrap_or(usual.trial_for),
        }
    }
}

/// What the routes of a config are read with, one after the other.
pub(super) struct Reading<'a> {
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    dialects: &'a dyn Dialects,
    names: HashSet<Name>,
    /// Where they listen.
    pub(super) listen: Vec<ListenAddr>,
    /// What `[limits]` says for all of them.
    pub(super) limits: RouteLimits,
}

impl<'a> Reading<'a> {
    pub(super) fn new(folder: &'a Path, dialects: &'a dyn Dialects) -> Self {
        let (names, listen, limits) = (HashSet::new(), Vec::new(), RouteLimits::default());
        Self { folder, dialects, names, listen, limits }
    }

    /// No two routes have the same name.
    fn name(&mut self, table: &mut TableReader<'_, '_>) -> Option<Name> {
        let name: Name = table.parsed("name")?;
        if !self.names.insert(name.clone()) {
            table.note_at("name", format!("two routes are named `{name}`"));
        }
        Some(name)
    }

    /// What may be written as a dialect.
    fn dialect_names(&self) -> String {
        let names = self.dialects.names();
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        names.join(" or ")
    }

    /// The dialect's name, and how its options are read.
    fn dialect(&self, table: &mut TableReader<'_, '_>) -> Option<(String, ReadOptions)> {
        let name = table.text("dialect")?;
        match self.dialects.find(name) {
            Ok(read) => Some((name.to_owned(), read)),
            Err(unknown) => {
                table.note_at("dialect", unknown.to_string());
                None
            }
        }
    }

    /// No two addresses of a config clash.
    fn listen(&mut self, table: &mut TableReader<'_, '_>) -> Vec<ListenAddr> {
        let texts = table.texts("listen", LISTEN);
        if texts.as_ref().is_some_and(Vec::is_empty) && table.is_clean() {
            table.note_at("listen", "a route needs an address to listen on");
        }
        let mut addresses = Vec::new();
        for (span, text) in texts.into_iter().flatten() {
            match text.parse::<ListenAddr>() {
                Ok(address) => {
                    if let Some(other) = self.listen.iter().find(|other| other.clashes(address)) {
                        table.note(span, format!("{address} is taken by {other}, listed before"));
                    }
                    self.listen.push(address);
                    addresses.push(address);
                }
                Err(error) => table.note(span, error.to_string()),
            }
        }
        addresses
    }
}
