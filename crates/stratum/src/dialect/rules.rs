//! What of a dialect are plain numbers and words.

use std::time::Duration;

use crate::habits::Habits;
use crate::target::{PowHash, Target};

/// All of it, of one dialect with its options. It is asked for often, and made anew each time: what is
/// not looked at costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Which jobs of the present epoch the pool still takes shares for.
    pub open: OpenJobs,
    /// How much may be written to the pool before it answers; `None` for no limit.
    pub pace: Option<Pace>,
    /// Which hashes are good enough.
    pub good: Comparison,
    /// Which jobs rigs are told as clean.
    pub clean: CleanJobs,
    /// Whether a notify carries the share target, so that its frame differs by level.
    pub target_in_notify: bool,
    /// Where pools announce the target *behind* the notify it belongs to: how long to wait for it
    /// before the job goes out. It applies on connections that have announced a target before or
    /// wait for their first.
    pub target_behind_notify: Option<Duration>,
    /// When a rig is told its extranonce.
    pub hello: ExtranonceTime,
    /// Whether pools look at the worker that a submit names. Where they do not, neither does the
    /// proxy, as long as some worker has authorized.
    pub checks_workers: bool,
    /// Whether pools credit several solutions of one nonce.
    pub second_solutions: bool,
    /// What the operator says of the pool's habits in the dialect's own options.
    pub habits: Habits,
    /// The words for the usual and the other [scale](crate::habits::Habit::DifficultyScale) of
    /// difficulties.
    pub scale_names: [&'static str; 2],
    /// What it may mean that a pool refuses an account without a reason, and what helps.
    pub unexplained_refusal: Option<&'static str>,
}

/// Which jobs a pool still takes shares for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenJobs {
    /// So many of the latest of an epoch.
    pub count: usize,
    /// How long those of a former epoch stay open all the same, since such pools look at the job
    /// id alone; not at all when absent.
    pub linger: Option<Duration>,
}

/// How much may be written to a pool before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes over all unanswered lines.
    pub bytes: usize,
    /// Unanswered submits.
    pub submits: usize,
}

/// How a hash is held against a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// A hash that equals the target is good.
    AtOrBelow,
    /// It is not.
    Below,
}

impl Comparison {
    /// Whether a hash is good enough for a target.
    #[must_use]
    pub fn meets(self, hash: &PowHash, target: &Target) -> bool {
        match self {
            Self::AtOrBelow => hash.at_or_below(target),
            Self::Below => hash.below(target),
        }
    }
}

/// When a rig is told its extranonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtranonceTime {
    /// With the answer to its subscribe.
    InSubscribed,
    /// By a call of its own, once it has subscribed and authorized.
    AfterAuthorize,
}

/// When a rig must drop what it does as it is told a job: with its first one and the first one of an
/// epoch in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanJobs {
    /// Then only.
    ByEpoch,
    /// With every job.
    Always,
    /// Also where its target changes with the job, and often enough for miners that pass over all jobs
    /// which are not clean.
    Soft {
        /// The job that it must be at may be so old.
        within: Duration,
        /// The rig may be so many works behind, the one that it is at included.
        jobs: u64,
    },
}

impl CleanJobs {
    /// Whether a rig must drop what it does when it is told a job.
    #[must_use]
    pub fn is_clean(self, telling: &Telling) -> bool {
        telling.first
            || telling.new_epoch
            || match self {
                Self::ByEpoch => false,
                Self::Always => true,
                Self::Soft { within, jobs } => {
                    telling.new_target
                        || telling.clean_job_age > within
                        || telling.clean_job_behind + 1 >= jobs
                }
            }
    }
}

/// The circumstances under which a rig is told a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// The rig has no job yet, or none that it may go on with.
    pub first: bool,
    /// The job belongs to a later epoch than the rig's present one.
    pub new_epoch: bool,
    /// The rig's target changes with this job.
    pub new_target: bool,
    /// How long ago the rig was told the job that it must be at: the last clean one, since some
    /// miners pass over all others.
    pub clean_job_age: Duration,
    /// How many works newer than that one this is.
    pub clean_job_behind: u64,
}
