//! What a dialect is given and what it gives back.

use crate::extranonce::Extranonce;
use crate::habits::{Answer, Habit, Habits};
use crate::rpc::PoolError;
use crate::target::{Difficulty, PowHash, Scale, Target};

/// A share that passed its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// With this hash.
    Proven(PowHash),
    /// As far as it could be checked; its hash needs data that the pool has not given.
    Unchecked,
}

/// What a pool gave at subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The extranonce of this connection.
    pub extranonce1: Extranonce,
    /// The announced size, where the dialect announces one. What it is the size *of* differs by
    /// server.
    pub announced_size: Option<usize>,
    /// The session's id, by which it may be resumed.
    pub session: Option<Box<str>>,
}

/// A share target in one of the two ways to say it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShareTarget {
    /// As a difficulty on the pool's scale.
    Difficulty(Difficulty),
    /// As a number.
    Target(Target),
}

/// What a pool announced about share targets on the present connection.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Announced {
    /// By `mining.set_target`.
    pub target: Option<Target>,
    /// By `mining.set_difficulty`.
    pub difficulty: Option<ShareTarget>,
}

impl Announced {
    /// The share target, where difficulties are on `scale`: a target outranks a difficulty, and difficulty
    /// 1 is in force where nothing was announced.
    #[must_use]
    pub fn on(&self, scale: Scale) -> Target {
        match (self.target, self.difficulty) {
            (Some(target), _) | (None, Some(ShareTarget::Target(target))) => target,
            (None, Some(ShareTarget::Difficulty(difficulty))) => scale.target(difficulty),
            (None, None) => scale.target(Difficulty::ONE),
        }
    }
}

/// The targets of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The pool's share target.
    pub wanted: Wanted,
    /// What makes a share a block, where that can be told.
    pub block: Option<Target>,
}

/// The target that shares must meet, as far as it is known: where it depends on a habit of the
/// pool's, there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    usual: Target,
    other: Option<(Habit, Target)>,
}

impl Wanted {
    /// There is no doubt about it.
    #[must_use]
    pub const fn sure(target: Target) -> Self {
        Self { usual: target, other: None }
    }

    /// The target by either answer to a habit's question.
    #[must_use]
    pub fn either(habit: Habit, usual: Target, other: Target) -> Self {
        Self { usual, other: (usual != other).then_some((habit, other)) }
    }

    /// What a share must meet to be credited in any case: the harder one, as long as the habit is
    /// not known.
    #[must_use]
    pub fn surely(&self, known: Habits) -> Target {
        self.resolve(known, Target::harder)
    }

    /// What it must meet to have a chance: the easier one, as long as the habit is not known.
    #[must_use]
    pub fn perhaps(&self, known: Habits) -> Target {
        self.resolve(known, Target::easier)
    }

    /// The question that a share between the two would answer, and its answer if the pool takes
    /// the share.
    #[must_use]
    pub fn doubt(&self, known: Habits) -> Option<(Habit, Answer)> {
        let (habit, other) = self.other.filter(|(habit, _)| known.get(*habit).is_none())?;
        Some((habit, if other > self.usual { Answer::Other } else { Answer::Usual }))
    }

    fn resolve(&self, known: Habits, choose: fn(Target, Target) -> Target) -> Target {
        match self.other {
            None => self.usual,
            Some((habit, other)) => match known.get(habit) {
                Some(Answer::Usual) => self.usual,
                Some(Answer::Other) => other,
                None => choose(self.usual, other),
            },
        }
    }
}

/// What a pool means by refusing a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The job is over.
    Stale,
    /// It had the share already.
    Duplicate,
    /// The hash misses the pool's target.
    LowDifficulty,
    /// A field has a length or form that it does not take.
    Form,
    /// The worker is not authorized.
    Unauthorized,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Reads the codes and words that the known servers use.
    #[must_use]
    pub fn common(error: &PoolError) -> Self {
        const STALE: [&str; 14] = [
            "stale",
            "job not found",
            "not up to date",
            "unknown job",
            "unknown-work",
            "no such job",
            "invalid job",
            "old job",
            "job expired",
            "block expired",
            "obsolete",
            "outdated",
            "too late",
            "job is over",
        ];
        let message = error.message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if error.code == Some(21) || says(&STALE) {
            Self::Stale
        } else if error.code == Some(22) || says(&["duplicate"]) {
            Self::Duplicate
        } else if error.code == Some(23) || says(&["high-hash", "low difficulty", "larger than"]) {
            Self::LowDifficulty
        } else if error.code == Some(24) || error.code == Some(25) || says(&["unauthorized"]) {
            Self::Unauthorized
        } else if says(&["invalid params", "incorrect size", "length", "extranonce", "malformed"]) {
            Self::Form
        } else {
            Self::Other
        }
    }
}
