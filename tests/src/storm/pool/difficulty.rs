//! By which difficulty a pool judges, and what the proxy had read of it. Difficulties are powers of
//! two.

use std::time::Duration;

use orepass_sim::pool::JudgedBy;

use super::SAME_INSTANT;

/// What a pool has said of difficulties on a connection.
#[derive(Debug, Default)]
pub(super) struct Terms {
    announced: i32,
    /// At the newest notify.
    in_force: i32,
    read_announced: Read,
    read_in_force: Read,
}

/// What the proxy has read last, since when, and what before.
#[derive(Debug, Default, Clone, Copy)]
struct Read {
    now: i32,
    since: Duration,
    before: i32,
}

impl Terms {
    pub(super) fn announce(&mut self, difficulty: i32) {
        self.announced = difficulty;
    }

    /// A job is told; gives the difficulty that it has.
    pub(super) const fn notify(&mut self) -> i32 {
        self.in_force = self.announced;
        self.in_force
    }

    pub(super) fn announcement_read(&mut self, difficulty: i32, now: Duration) {
        self.read_announced.change(difficulty, now);
    }

    pub(super) fn notify_read(&mut self, now: Duration) {
        self.read_in_force.change(self.read_announced.now, now);
    }

    /// What a pool of this rule judges by, where the share's job has this difficulty.
    pub(super) fn judged_by(&self, rule: JudgedBy, job: i32) -> i32 {
        rule.choose(job, self.in_force, self.announced)
    }

    /// What the proxy must have kept to when it wrote a share. It `knows` that the pool enforces at
    /// once, or need not.
    pub(super) fn known(&self, knows: bool, job: i32, came: Duration) -> i32 {
        let in_force = self.read_in_force.at(came);
        let announced = if knows { self.read_announced.at(came) } else { in_force };
        in_force.max(announced).max(job)
    }
}

impl Read {
    fn change(&mut self, value: i32, now: Duration) {
        if self.now != value {
            *self = Self { now: value, since: now, before: self.now };
        }
    }

    fn at(&self, came: Duration) -> i32 {
        let settled = came.saturating_sub(self.since) > SAME_INSTANT;
        if settled { self.now } else { self.now.min(self.before) }
    }
}

/// When the proxy found something out about the pool, which it trusts for thirty days.
#[derive(Debug, Default)]
pub(super) struct Lesson(Option<Duration>);

impl Lesson {
    const TRUSTED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

    pub(super) fn again(&mut self, now: Duration) {
        if !self.holds(now) {
            self.0 = Some(now);
        }
    }

    /// Whether it was learnt before a time, and is trusted still.
    pub(super) fn holds(&self, before: Duration) -> bool {
        self.0.is_some_and(|at| at < before && before - at < Self::TRUSTED_FOR)
    }
}
