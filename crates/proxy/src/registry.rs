//! The dialects that this program speaks: the one place that names coins.
//!
//! A dialect's types stay inside; what leaves is a [`DialectEntry`] of plain functions, one per thing
//! that is done with a dialect by its name. A program with one more coin implements [`FromConfig`]
//! for it, and runs [`main_with`](crate::main_with) with `Registry::default().with::<MyCoin>()`.

mod aion;
mod bitcoin;
mod hstratum;
mod zcash;

use std::collections::BTreeMap;

use orepass_aion::Aion;
use orepass_bitcoin::Bitcoin;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::{Habit, Habits};
use orepass_zcash::Zcash;

use crate::commands::demo::Scene;
use crate::commands::verify::{self, VerifyAnswer, VerifyRequest};
use crate::config::{
    Dialects, OptionError, OptionTable, PoolAccount, ReadOptions, RouteConfig, UnknownDialect,
    nearest,
};
use crate::probe::{self, Probing};
use crate::running::{self, PreparedRoute};
use crate::sinks::SinkEntry;

/// A dialect that is made from a config's options.
pub trait FromConfig: Dialect {
    /// The options that it knows in `[route.options]`.
    const ROUTE_OPTIONS: &'static [&'static str];
    /// The options that it knows in `[route.pool.options]`.
    const POOL_OPTIONS: &'static [&'static str];
    /// What an operator may call it instead of its name, for whom the name is then suggested.
    const OTHER_NAMES: &'static [&'static str] = &[];
    /// What `orepass demo` shows of it, if anything.
    const SCENE: Option<fn() -> Scene> = None;

    /// Makes the dialect of one pool of a route. Unknown keys have been refused before.
    ///
    /// # Errors
    /// Everything that is wrong with the values.
    fn from_config(route: &OptionTable, pool: &OptionTable) -> Result<Self, OptionError>;

    /// Why shares of a job that is not [complete](orepass_stratum::dialect::Work::is_complete) cannot be judged, and what
    /// `orepass verify` must be given beside it.
    fn uncheckable(&self, _job: &Self::Job) -> String {
        "shares of this job cannot be checked".into()
    }

    /// What its pool grants and a rig has negotiated, for `orepass verify`: that the rig may roll these bits of
    /// the version, or without them what the options let it. None where it is told such bits and versions do
    /// not roll.
    fn negotiated(&self, version_mask: Option<u32>) -> Option<(Self::Terms, Self::Rig)> {
        version_mask.is_none().then(Default::default)
    }

    /// What of a job `orepass check` shows the operator: titles of up to 12 letters, each with what
    /// there is to say. Lines that follow each other under one title belong together.
    fn about(&self, _job: &Self::Job) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The header that a share's hash is made of; `None` where it cannot be built.
    fn header(
        _job: &Self::Job,
        _extranonce1: &Extranonce,
        _share: &Self::Share,
    ) -> Option<Vec<u8>> {
        None
    }
}

/// The habits of pools that every dialect leaves open; the others are options of the dialect.
const COMMON_HABITS: [Habit; 2] = [Habit::Names, Habit::DifficultyFrom];

/// A dialect with a pool's options.
#[derive(Debug, Clone)]
pub struct Configured<D> {
    /// The dialect.
    pub dialect: D,
    /// What the operator says of the pool's habits.
    pub habits: Habits,
}

/// Makes a dialect from the options of a route and of one of its pools.
///
/// # Errors
/// Unknown keys, each with the nearest known one, and wrong values.
pub fn configured<D: FromConfig>(
    route: &OptionTable,
    pool: &OptionTable,
) -> Result<Configured<D>, OptionError> {
    let mut errors = OptionError::default();
    let pool_options: Vec<&str> =
        D::POOL_OPTIONS.iter().copied().chain(COMMON_HABITS.map(Habit::name)).collect();
    route.refuse_unknown(D::ROUTE_OPTIONS, ("[route.pool.options]", &pool_options), &mut errors);
    pool.refuse_unknown(&pool_options, ("[route.options]", D::ROUTE_OPTIONS), &mut errors);
    let habits = COMMON_HABITS.into_iter().fold(Habits::default(), |habits, habit| {
        habits.with(habit, pool.habit(habit, &mut errors))
    });
    match D::from_config(route, pool) {
        Ok(dialect) => {
            let habits = habits.or(dialect.rules().habits);
            errors.or(Configured { dialect, habits })
        }
        Err(values) => Err(errors.and(values)),
    }
}

/// Prepares a route, to be started or to change one of its name.
pub type Prepare = fn(&RouteConfig) -> Result<Box<dyn PreparedRoute>, OptionError>;

/// What can be done with a dialect by its name.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DialectEntry {
    /// The name in configs.
    pub name: &'static str,
    /// What an operator may call it instead.
    pub other_names: &'static [&'static str],
    /// The options that it knows in `[route.options]`.
    pub route_options: &'static [&'static str],
    /// The options that it alone knows in `[route.pool.options]`.
    pub pool_options: &'static [&'static str],
    /// Checks the options of a route and of one of its pools.
    pub check: ReadOptions,
    /// Prepares a route.
    pub prepare: Prepare,
    /// Tries a pool out of whose habits this is remembered.
    pub probe: for<'a> fn(&'a RouteConfig, &'a PoolAccount, Habits) -> Probing<'a>,
    /// What `orepass demo` shows of it, if anything.
    pub scene: Option<fn() -> Scene>,
    /// Judges one share.
    pub verify: fn(&VerifyRequest<'_>) -> VerifyAnswer,
}

impl DialectEntry {
    const fn of<D: FromConfig>() -> Self {
        Self {
            name: D::NAME,
            other_names: D::OTHER_NAMES,
            route_options: D::ROUTE_OPTIONS,
            pool_options: D::POOL_OPTIONS,
            check: |route, pool| Ok(configured::<D>(route, pool)?.habits),
            prepare: running::prepare::<D>,
            probe: probe::probe::<D>,
            scene: D::SCENE,
            verify: verify::judge::<D>,
        }
    }
}

/// Dialects by name. The default one has all that belong to this program.
#[derive(Debug, Clone)]
pub struct Registry {
    entries: BTreeMap<&'static str, DialectEntry>,
    /// The one that was added first.
    first: Option<&'static str>,
    /// A program's own.
    sinks: Vec<SinkEntry>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::empty().with::<Hstratum>().with::<Aion>().with::<Bitcoin>().with::<Zcash>()
    }
}

impl Registry {
    /// No dialect at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self { entries: BTreeMap::new(), first: None, sinks: Vec::new() }
    }

    /// Adds a dialect; one of the same name is replaced.
    #[must_use]
    pub fn with<D: FromConfig>(mut self) -> Self {
        self.first.get_or_insert(D::NAME);
        self.entries.insert(D::NAME, DialectEntry::of::<D>());
        self
    }

    /// Adds a sink, to which the program gives what it wants for as long as it serves; one of the same
    /// name is replaced. What metrics and the log call it should be no name of a sink in a config.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use async_trait::async_trait;
    /// use orepass::registry::Registry;
    /// use orepass::sinks::record::SinkRecord;
    /// use orepass::sinks::{Sink, SinkEntry, SinkError, Wants};
    ///
    /// struct Printer;
    ///
    /// #[async_trait]
    /// impl Sink for Printer {
    ///     async fn deliver(&mut self, records: &[Arc<SinkRecord>]) -> Result<(), SinkError> {
    ///         for record in records {
    ///             println!("{}", record.to_json(None));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let wants = Wants { minutes: true, ..Wants::default() };
    /// let registry = Registry::default().with_sink(SinkEntry::new("printer", wants, || Printer));
    /// // orepass::main_with(&registry)
    /// assert_eq!(registry.sinks()[0].name, "printer");
    /// ```
    #[must_use]
    pub fn with_sink(mut self, sink: SinkEntry) -> Self {
        self.sinks.retain(|other| other.name != sink.name);
        self.sinks.push(sink);
        self
    }

    /// The sinks that were added.
    #[must_use]
    pub fn sinks(&self) -> &[SinkEntry] {
        &self.sinks
    }

    /// Prepares routes of a dialect in another way.
    #[cfg(test)]
    pub(crate) fn with_prepare(mut self, name: &str, prepare: Prepare) -> Self {
        self.entries.get_mut(name).unwrap().prepare = prepare;
        self
    }

    /// All entries, by name.
    pub fn entries(&self) -> impl Iterator<Item = &DialectEntry> {
        self.entries.values()
    }

    /// The name of the dialect that was added first, which stands for all where one is enough.
    #[must_use]
    pub const fn first(&self) -> Option<&'static str> {
        self.first
    }

    /// Looks a dialect up.
    ///
    /// # Errors
    /// A message with the nearest known name.
    pub fn get(&self, name: &str) -> Result<&DialectEntry, UnknownDialect> {
        self.entries.get(name).ok_or_else(|| {
            UnknownDialect(match self.by_any_name(name) {
                Some(DialectEntry { name: right, .. }) => {
                    format!("unknown dialect `{name}`, did you mean `{right}`?")
                }
                None => nearest::unknown("dialect", name, &self.names()),
            })
        })
    }

    /// Looks a dialect up by its name or by another that an operator may have for it, in any case.
    #[must_use]
    pub fn by_any_name(&self, word: &str) -> Option<&DialectEntry> {
        let is_it = |name: &&str| name.eq_ignore_ascii_case(word);
        self.entries().find(|entry| is_it(&entry.name) || entry.other_names.iter().any(is_it))
    }
}

impl Dialects for Registry {
    fn names(&self) -> Vec<&'static str> {
        self.entries.keys().copied().collect()
    }

    fn find(&self, name: &str) -> Result<ReadOptions, UnknownDialect> {
        self.get(name).map(|entry| entry.check)
    }

    fn option_names(&self) -> [Vec<&'static str>; 2] {
        let of = |options: fn(&DialectEntry) -> &'static [&'static str]| {
            self.entries().flat_map(|entry| options(entry).iter().copied()).collect::<Vec<_>>()
        };
        let mut pool = of(|entry| entry.pool_options);
        pool.extend(COMMON_HABITS.map(Habit::name));
        [of(|entry| entry.route_options), pool]
    }
}
