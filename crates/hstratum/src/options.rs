//! What an operator may choose about this dialect.

use orepass_stratum::habits::{Answer, Habit, Habits};
use orepass_stratum::named::Named;

use crate::scale::DifficultyScale;

/// The options of one pool.
///
/// ```
/// use orepass_hstratum::{DifficultyScale, Options, SplitMode};
///
/// let options = Options::default()
///     .with_split(SplitMode::Narrow)
///     .with_difficulty_scale(DifficultyScale::Hstratum);
/// assert_eq!((options.split, options.open_jobs), (SplitMode::Narrow, 6));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How the extranonce is divided.
    pub split: SplitMode,
    /// What the pool means by a difficulty. By default [`Bitcoin`](DifficultyScale::Bitcoin) for
    /// jobs of 9 fields, [`Hstratum`](DifficultyScale::Hstratum) for those of 12 and 13; for jobs of
    /// 10, which HandyStratum sends, one of the two that the pool has to show.
    pub difficulty_scale: Option<DifficultyScale>,
    /// What the rigs mean by a difficulty. By default the pool's scale where that is configured,
    /// else [`Bitcoin`](DifficultyScale::Bitcoin) for jobs of 9 and 10 fields and
    /// [`Hstratum`](DifficultyScale::Hstratum) for those of 12 and 13.
    pub rig_difficulty_scale: Option<DifficultyScale>,
    /// For how many jobs of one previous block, the latest included, the pool takes shares.
    pub open_jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        // hstratum and its successors keep six jobs.
        const OPEN_JOBS: usize = 6;
        Self {
            split: SplitMode::Auto,
            difficulty_scale: None,
            rig_difficulty_scale: None,
            open_jobs: OPEN_JOBS,
        }
    }
}

impl Options {
    /// What they say of the pool's habits.
    #[must_use]
    pub fn habits(&self) -> Habits {
        let scale = self.difficulty_scale.and_then(|scale| match scale {
            DifficultyScale::Bitcoin => Some(Answer::Usual),
            DifficultyScale::Hstratum => Some(Answer::Other),
            DifficultyScale::Powlimit => None,
        });
        let split = match self.split {
            SplitMode::Auto => None,
            SplitMode::Narrow => Some(Answer::Usual),
            SplitMode::Wide => Some(Answer::Other),
        };
        Habits::default().with(Habit::DifficultyScale, scale).with(Habit::Split, split)
    }

    /// With another way to divide the extranonce.
    #[must_use]
    pub const fn with_split(mut self, split: SplitMode) -> Self {
        self.split = split;
        self
    }

    /// With what the pool means by a difficulty; `None` for what its generation means.
    #[must_use]
    pub fn with_difficulty_scale(mut self, scale: impl Into<Option<DifficultyScale>>) -> Self {
        self.difficulty_scale = scale.into();
        self
    }

    /// With what the rigs mean by a difficulty; `None` for what the pool means.
    #[must_use]
    pub fn with_rig_difficulty_scale(mut self, scale: impl Into<Option<DifficultyScale>>) -> Self {
        self.rig_difficulty_scale = scale.into();
        self
    }

    /// With another number of jobs that the pool takes shares for.
    #[must_use]
    pub const fn with_open_jobs(mut self, open_jobs: usize) -> Self {
        self.open_jobs = open_jobs;
        self
    }
}

/// How an extranonce space is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SplitMode {
    /// As the pool shows. One that announces the size of the whole header field is given the wide
    /// split until it refuses a share for its form; one that announces the usual size of extranonce2
    /// is given the narrow split until it takes a longer one.
    #[default]
    Auto,
    /// Rigs keep 4 bytes, which is what most firmware sends whatever it is told, or as many as the
    /// pool announces if that is more; the pool gets the prefix on top.
    Wide,
    /// The pool gets as many bytes as it announces, or 4, prefix included; rigs keep the rest.
    Narrow,
}

impl Named for SplitMode {
    const KIND: &'static str = "split";
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("wide", Self::Wide), ("narrow", Self::Narrow)];
}

orepass_stratum::named!(SplitMode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (_, mode) in SplitMode::WORDS.iter().copied() {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "broad".parse::<SplitMode>().unwrap_err();
        assert!(error.to_string().contains("\"broad\""), "{error}");
    }
}
