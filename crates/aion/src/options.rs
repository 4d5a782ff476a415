//! What an operator may choose about this dialect.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use arrayvec::ArrayString;
use orepass_stratum::habits::{Answer, Habit, Habits};
use orepass_stratum::named::Named;
use orepass_stratum::rpc::Quoted;
use thiserror::Error;

use crate::scale::DifficultyScale;

/// The options of one pool.
///
/// ```
/// use orepass_aion::{Options, ProtocolVersion};
///
/// let options = Options::default()
///     .with_protocol_version(ProtocolVersion::NULL)
///     .with_second_solutions(true);
/// assert!(options.second_solutions && options.soft_jobs);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether a rig that subscribes with an unknown protocol version is refused. Otherwise it is
    /// served and the version logged.
    pub strict_version: bool,
    /// The version of the protocol that the pool is told at subscribe.
    pub protocol_version: ProtocolVersion,
    /// Whether solutions go to the pool with their compact size `fd8005` in front, 2822 digits in
    /// all. The node-based servers take nothing else, Miningcore and its forks take both.
    pub solution_prefix: bool,
    /// What the pool means by a difficulty; [`Kernel`](DifficultyScale::Kernel) by default. It
    /// matters only with a pool that announces difficulties and no targets.
    pub difficulty_scale: Option<DifficultyScale>,
    /// What the target in the pool's notify is. By default the network's, unless the pool shows
    /// otherwise: where it has announced a difficulty and no target, one of the two rules.
    pub notify_target: Option<NotifyTarget>,
    /// Whether a job that the pool does not call clean is told so to rigs that have work, which
    /// may then go on without interruption. It is told as clean all the same to a rig that has
    /// none, whose target changes, or whose last clean job is a minute old or about to be closed:
    /// the reference miner ignores all others, and would stay on its old one.
    ///
    /// Without it, every job is told as clean.
    pub soft_jobs: bool,
    /// Whether the pool counts each solution of a nonce. A nonce has two on average, and each is a
    /// proof of its own, but known servers count one: another is then refused as a
    /// [`SecondSolution`](orepass_stratum::verdict::Verdict::SecondSolution).
    pub second_solutions: bool,
    /// For how many jobs, the latest included, the pool takes shares. Miners finish what they have
    /// begun, so some of a job's shares come after the next job was told. The solo servers take any
    /// job's, Miningcore's forks those of three blocks.
    pub open_jobs: usize,
    /// How long it takes shares for a job after a clean one; as long as it is among
    /// [`open_jobs`](Self::open_jobs) when absent.
    pub open_for: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        const OPEN_JOBS: usize = 8;
        Self {
            strict_version: false,
            protocol_version: ProtocolVersion::default(),
            solution_prefix: true,
            difficulty_scale: None,
            notify_target: None,
            soft_jobs: true,
            second_solutions: false,
            open_jobs: OPEN_JOBS,
            open_for: None,
        }
    }
}

impl Options {
    /// What they say of the pool's habits.
    #[must_use]
    pub fn habits(&self) -> Habits {
        let answer = self.notify_target.map(|target| match target {
            NotifyTarget::Network => Answer::Usual,
            NotifyTarget::Share => Answer::Other,
        });
        Habits::default().with(Habit::NotifyTarget, answer)
    }

    /// With rigs of unknown protocol versions refused, or served.
    #[must_use]
    pub const fn with_strict_version(mut self, strict: bool) -> Self {
        self.strict_version = strict;
        self
    }

    /// With another protocol version that the pool is told.
    #[must_use]
    pub const fn with_protocol_version(mut self, version: ProtocolVersion) -> Self {
        self.protocol_version = version;
        self
    }

    /// With solutions sent with `fd8005` in front, or without.
    #[must_use]
    pub const fn with_solution_prefix(mut self, prefix: bool) -> Self {
        self.solution_prefix = prefix;
        self
    }

    /// With what the pool means by a difficulty; `None` for the kernel's scale.
    #[must_use]
    pub fn with_difficulty_scale(mut self, scale: impl Into<Option<DifficultyScale>>) -> Self {
        self.difficulty_scale = scale.into();
        self
    }

    /// With what the target in the pool's notify is; `None` for what the pool shows.
    #[must_use]
    pub fn with_notify_target(mut self, target: impl Into<Option<NotifyTarget>>) -> Self {
        self.notify_target = target.into();
        self
    }

    /// With jobs that are not clean told so, or all told as clean.
    #[must_use]
    pub const fn with_soft_jobs(mut self, soft: bool) -> Self {
        self.soft_jobs = soft;
        self
    }

    /// With each solution of a nonce counted, or one.
    #[must_use]
    pub const fn with_second_solutions(mut self, count: bool) -> Self {
        self.second_solutions = count;
        self
    }

    /// With another number of jobs that the pool takes shares for.
    #[must_use]
    pub const fn with_open_jobs(mut self, open_jobs: usize) -> Self {
        self.open_jobs = open_jobs;
        self
    }

    /// With another time for which the pool takes shares after a clean job; `None` for no limit.
    #[must_use]
    pub fn with_open_for(mut self, open_for: impl Into<Option<Duration>>) -> Self {
        self.open_for = open_for.into();
        self
    }
}

/// The longest name of a protocol version, in bytes.
const MAX_VERSION: usize = 64;

/// The second parameter of the subscribe that a pool is sent: the name of a version, or null. The
/// specification wants a name, and lets servers drop whoever sends none that they know; no known
/// server looks at it, but Miningcore's forks want two parameters.
///
/// ```
/// use orepass_aion::options::ProtocolVersion;
///
/// assert_eq!(ProtocolVersion::default().to_string(), "\"AionStratum/1.0.0\"");
/// assert_eq!("".parse::<ProtocolVersion>()?.to_string(), "null");
/// # Ok::<(), orepass_aion::options::LongVersion>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolVersion(Option<ArrayString<MAX_VERSION>>);

impl ProtocolVersion {
    /// What servers call version 1 of the protocol.
    pub const ONE: &str = "AionStratum/1.0.0";
    /// Null, as the reference miner sends.
    pub const NULL: Self = Self(None);
}

impl Default for ProtocolVersion {
    /// Version 1.
    fn default() -> Self {
        Self(ArrayString::from(Self::ONE).ok())
    }
}

/// As JSON text.
impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => Quoted(name).fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// Any name; nothing and `null` are null.
impl FromStr for ProtocolVersion {
    type Err = LongVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" | "null" => Ok(Self::NULL),
            name => ArrayString::from(name)
                .map(|name| Self(Some(name)))
                .map_err(|_| LongVersion { bytes: name.len() }),
        }
    }
}

/// A protocol version's name that no server has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a protocol version of {bytes} bytes, expected up to {MAX_VERSION}")]
pub struct LongVersion {
    bytes: usize,
}

/// What a pool puts into its notify's third field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotifyTarget {
    /// The network's target: most pools. A share below it is a block.
    Network,
    /// The shares' target: a proxy, and aion_pool. Which shares are blocks cannot be told then.
    Share,
}

impl Named for NotifyTarget {
    const KIND: &'static str = "kind of target";
    const WORDS: &'static [(&'static str, Self)] =
        &[("network", Self::Network), ("share", Self::Share)];
}

orepass_stratum::named!(NotifyTarget);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (_, kind) in NotifyTarget::WORDS.iter().copied() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "pool".parse::<NotifyTarget>().unwrap_err();
        assert!(error.to_string().contains("\"pool\""), "{error}");
    }

    #[test]
    fn a_version_is_a_name_or_null() {
        let told = |text: &str| text.parse().map(|version: ProtocolVersion| version.to_string());
        assert_eq!(told("1").as_deref(), Ok("\"1\""));
        assert_eq!(told("a\"b").as_deref(), Ok("\"a\\\"b\""));
        assert_eq!(told("null").as_deref(), Ok("null"));
        let error = told(&"x".repeat(65)).unwrap_err().to_string();
        assert_eq!(error, "a protocol version of 65 bytes, expected up to 64");
    }
}
