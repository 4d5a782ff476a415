//! From what is written to what is run: the checks that look at more than one value.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use orepass_stratum::firmware::Firmware;
use orepass_stratum::vardiff::VardiffConfig;
use toml::Spanned;

use super::error::{Problem, Source};
use super::file::{
    ConfigFile, FailoverTable, PoolTable, PrefixBytes, ProfileTable, RouteTable, VardiffTable,
};
use super::number::{Bounded, Positive};
use super::value::{ListenAddr, Name};
use super::{
    Config, ConfigError, DEFAULT_HOLD, DEFAULT_MAX_CHANNELS, DEFAULT_MAX_DEDICATED,
    DEFAULT_MAX_RIGS, DEFAULT_MAX_SHARES, DEFAULT_PASSWORD, Failover, OnOutage, Pool, Profile,
    Route, Secret, explain, state,
};

/// Reads and checks a config's text. `folder` is where relative `file:` paths start.
pub(super) fn config(source: Source, folder: &Path) -> Result<Config, ConfigError> {
    let file: ConfigFile = match toml::from_str(source.text()) {
        Ok(file) => file,
        Err(error) => return Err(source.error(vec![explain::problem(&error)])),
    };
    let mut check = Check { folder, problems: Vec::new(), names: HashSet::new(), listen: vec![] };
    let routes: Vec<Route> =
        file.route.into_iter().map(|table| check.route(table.span(), table.into_inner())).collect();
    if routes.is_empty() {
        check.note(0..0, "there is no route: add a [[route]] with its [[route.pool]]");
    }
    let state = match &file.state.file {
        None => state::default_file(),
        Some(name) => match state::file(name.get_ref(), folder, Path::new(source.name())) {
            Ok(path) => Some(path),
            Err(error) => {
                check.note(name.span(), error.to_string());
                None
            }
        },
    };
    if check.problems.is_empty() {
        Ok(Config { routes, log: file.log, state, source })
    } else {
        Err(source.error(check.problems))
    }
}

/// What has been seen so far.
struct Check<'a> {
    folder: &'a Path,
    problems: Vec<Problem>,
    names: HashSet<Name>,
    listen: Vec<ListenAddr>,
}

impl Check<'_> {
    fn note(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem::new(Some(span), message));
    }

    fn route(&mut self, header: Range<usize>, table: RouteTable) -> Route {
        if !self.names.insert(table.name.get_ref().clone()) {
            let message = format!("two routes are named `{}`", table.name);
            self.note(table.name.span(), message);
        }
        if table.listen.get_ref().is_empty() {
            self.note(table.listen.span(), "a route needs an address to listen on");
        }
        let listen = table.listen.get_ref().iter().filter_map(|address| self.listen(address));
        let listen = listen.collect();
        let prefix_bytes = table.prefix_bytes.map(PrefixBytes::get);
        let distinct = prefix_bytes.map(|bytes| 256_usize.saturating_pow(bytes));
        let max_rigs = table.max_rigs_per_channel.as_ref().map(|max| max.get_ref().get() as usize);
        if let (Some(max), Some(distinct), Some(table)) =
            (max_rigs, distinct, &table.max_rigs_per_channel)
            && max > distinct
        {
            let message = format!(
                "{max} rigs cannot be told apart by the route's prefix_bytes, which are enough \
                 for {distinct}"
            );
            self.note(table.span(), message);
        }
        if table.pool.is_empty() {
            self.note(header, "this route has no pool: add a [[route.pool]] with url and user");
        }
        let mut pool_names = HashSet::new();
        Route {
            name: table.name.into_inner(),
            dialect: table.dialect.into(),
            listen,
            verify: table.verify,
            reply: table.reply,
            quarantine: table.quarantine.unwrap_or(true),
            prefix_bytes: prefix_bytes.map(|bytes| bytes as usize),
            max_channels: table.max_channels.map_or(DEFAULT_MAX_CHANNELS, |n| n.get() as usize),
            max_rigs_per_channel: max_rigs
                .unwrap_or_else(|| distinct.unwrap_or(usize::MAX).min(DEFAULT_MAX_RIGS)),
            max_dedicated: table.max_dedicated.map_or(DEFAULT_MAX_DEDICATED, |n| n.get() as usize),
            profiles: table.profile.into_iter().map(|profile| self.profile(profile)).collect(),
            max_pool_shares_per_second: table
                .max_pool_shares_per_second
                .map_or(DEFAULT_MAX_SHARES, Bounded::get),
            options: table.options.into(),
            vardiff: self.vardiff(&table.vardiff),
            hold_for: Some(match table.on_outage {
                OnOutage::Close => Duration::ZERO,
                OnOutage::Hold => table
                    .hold_seconds
                    .map_or(DEFAULT_HOLD, |seconds| Duration::from_secs(seconds.get().into())),
            }),
            failover: failover(&table.failover),
            pools: table.pool.into_iter().map(|pool| self.pool(pool, &mut pool_names)).collect(),
        }
    }

    fn listen(&mut self, text: &Spanned<String>) -> Option<ListenAddr> {
        let address: ListenAddr = match text.get_ref().parse() {
            Ok(address) => address,
            Err(error) => {
                self.note(text.span(), error.to_string());
                return None;
            }
        };
        if let Some(other) = self.listen.iter().find(|other| other.clashes(address)) {
            let message = format!("{address} is taken by {other}, listed before");
            self.note(text.span(), message);
        }
        self.listen.push(address);
        Some(address)
    }

    fn vardiff(&mut self, table: &VardiffTable) -> VardiffConfig {
        let default = VardiffConfig::default();
        if let (Some(min), Some(max)) = (table.min, &table.max)
            && min > *max.get_ref()
        {
            let message = format!("`max` ({}) is below `min` ({})", max.get_ref().get(), min.get());
            self.note(max.span(), message);
        }
        VardiffConfig {
            enabled: table.enabled.unwrap_or(default.enabled),
            shares_per_minute: table
                .shares_per_minute
                .map_or(default.shares_per_minute, Positive::get),
            start: table.start.map(Positive::difficulty),
            min: table.min.map(Positive::difficulty),
            max: table.max.as_ref().map(|max| max.get_ref().difficulty()),
        }
    }

    fn profile(&mut self, table: Spanned<ProfileTable>) -> Profile {
        let span = table.span();
        let table = table.into_inner();
        if table.agent.is_none() && table.worker.is_none() {
            self.note(span.clone(), "a profile needs an `agent` or a `worker` pattern");
        }
        let firmware = Firmware {
            dedicated: table.dedicated,
            max_extranonce1: table.max_extranonce1.map(|bytes| bytes.get() as usize),
            extranonce2: table.extranonce2.map(|bytes| bytes.get() as usize),
            set_extranonce: table.set_extranonce,
            difficulty: table.difficulty.map(Positive::difficulty),
        };
        if firmware == Firmware::default() {
            let needs =
                "`dedicated`, `max_extranonce1`, `extranonce2`, `set_extranonce` or `difficulty`";
            self.note(span, format!("this profile changes nothing: set {needs}"));
        }
        Profile { agent: table.agent, worker: table.worker, firmware }
    }

    fn pool(&mut self, table: PoolTable, names: &mut HashSet<Name>) -> Pool {
        let span = table.name.as_ref().map_or_else(|| table.url.span(), Spanned::span);
        let url = table.url.into_inner();
        let name = table.name.map_or_else(|| Name::of_pool(&url), Spanned::into_inner);
        if !names.insert(name.clone()) {
            let message =
                format!("two pools of this route are named `{name}`: give them a `name` each");
            self.note(span, message);
        }
        let password = match table.password {
            None => Secret::new(DEFAULT_PASSWORD),
            Some(password) => password.get_ref().resolve(self.folder).unwrap_or_else(|error| {
                self.note(password.span(), error.to_string());
                Secret::new("")
            }),
        };
        let weight = table.weight.map(Positive::get);
        Pool {
            name,
            url,
            user: table.user,
            password,
            pass_password: table.pass_password,
            start_difficulty: table.start_difficulty.map(Positive::difficulty),
            weight,
            resubmit: table.resubmit,
            options: table.options.into(),
        }
    }
}

fn failover(table: &FailoverTable) -> Failover {
    let default = Failover::default();
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    Failover {
        healthy_for: table.healthy_seconds.map_or(default.healthy_for, |n| seconds(n.get())),
        trial_share: table
            .trial_percent
            .map_or(default.trial_share, |n| f64::from(n.get()) / 100.0),
        trial_for: table.trial_seconds.map_or(default.trial_for, |n| seconds(n.get())),
    }
}
