//! Keeps a farm from flooding a pool that does not know its size yet.
//!
//! A pool gives each connection the same difficulty to begin with, meant for one rig, and learns
//! from the shares that come. With a farm behind the connection those are so many that some pools
//! ban for it. While they are too many, rigs get a harder target than the pool's own, the floor:
//! until the pool has retargeted, and not for long, since the pool credits its own target alone.

mod flow;
#[cfg(test)]
mod tests;

use std::time::Duration;

use thiserror::Error;

use super::out::{Timers, UpstreamOut, UpstreamTimer};
use super::{Notice, UpstreamEvent};
use crate::target::Target;
use crate::time::Instant;
use flow::Flow;

/// With so many shares of late, those alone show the farm's speed.
const ENOUGH: u32 = 16;
/// Shares must be too many for so long, so that a short burst does nothing.
const LASTING: Duration = Duration::from_secs(1);
/// How often the floor may be made harder.
const HARDER_EVERY: Duration = Duration::from_secs(10);
/// How long the floor holds at most.
pub const BRAKE_FOR: Duration = Duration::from_secs(120);
/// How long there is none after it held so long without the pool's taking notice.
pub const BRAKE_REST: Duration = Duration::from_secs(600);
/// The most times that the floor halves the pool's target.
const MAX_HALVINGS: f64 = 64.0;

/// Watches the flow of shares to a pool, and sets the floor. Knows no clock: the time is said.
pub(super) struct Brake {
    /// Shares per second.
    limit: u32,
    flow: Flow,
    /// The pool's target that was seen last, and the work of a share of it in hashes.
    pool: (Target, f64),
    /// Since when shares have been too many.
    over_since: Option<Instant>,
    on: Option<On>,
    rests_until: Option<Instant>,
}

struct On {
    began: Instant,
    floor: Target,
    /// When the floor was set or looked at last.
    set: Instant,
    /// Hashes that rigs have proven for shares that the pool took, and that it did not credit.
    forgone: f64,
}

/// Why a brake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrakeEnd {
    /// The pool's own target is hard enough by now.
    #[error("the pool has retargeted")]
    Retargeted,
    /// The pool did not take notice for so long.
    #[error(
        "the pool has not retargeted within {BRAKE_FOR:?}; no brake for the next {BRAKE_REST:?}"
    )]
    Overdue,
    /// The connection is lost.
    #[error("the connection is lost")]
    Disconnected,
}

impl Brake {
    /// A connection begins, with a brake that rests until then.
    pub(super) fn new(limit: u32, rests_until: Option<Instant>) -> Self {
        Self {
            limit: limit.max(1),
            flow: Flow::default(),
            pool: (Target::MAX, 1.0),
            over_since: None,
            on: None,
            rests_until,
        }
    }

    /// The target that rigs must meet at least, while there is one.
    pub(super) fn floor(&self) -> Option<Target> {
        self.on.as_ref().map(|on| on.floor)
    }

    /// A share for the pool came, by a rig that was told a target of so many hashes.
    pub(super) fn count(&mut self, told: f64, now: Instant) {
        // An easier target than the pool's does not make a forwarded share stand for less.
        self.flow.add(told.max(self.pool.1), now);
    }

    /// How much of a share, by a rig that was told a target of so many hashes, the pool will not
    /// credit.
    pub(super) fn forgone(&self, told: f64) -> f64 {
        if self.on.is_some() { (told - self.pool.1).max(0.0) } else { 0.0 }
    }

    /// The pool took a share, and did not credit so many hashes of it.
    pub(super) fn accepted(&mut self, forgone: f64) {
        if let Some(on) = &mut self.on {
            on.forgone += forgone;
        }
    }

    /// Compares the flow with the limit, and the pool's target with the floor.
    pub(super) fn look<T>(&mut self, pool_target: Target, out: &mut UpstreamOut<T>, now: Instant) {
        if let Some(notice) = self.change(pool_target, &mut out.timers, now) {
            out.notice(notice);
            out.event(UpstreamEvent::View);
        }
    }

    /// The connection is lost. Gives until when the next one's brake rests.
    pub(super) fn release<T>(mut self, out: &mut UpstreamOut<T>) -> Option<Instant> {
        if let Some(notice) = self.end(BrakeEnd::Disconnected, &mut out.timers) {
            out.notice(notice);
        }
        self.rests_until
    }

    /// Gives what should be said; the floor has changed then.
    fn change(&mut self, pool_target: Target, timers: &mut Timers, now: Instant) -> Option<Notice> {
        self.flow.advance(now);
        let retargeted = self.pool.0 != pool_target;
        if retargeted {
            self.pool = (pool_target, pool_target.hashes_lossy());
        }
        let Some(On { floor, set, .. }) = self.on else { return self.begin(timers, now) };
        if pool_target <= floor || retargeted && self.pool_rate() <= f64::from(self.limit) {
            return self.end(BrakeEnd::Retargeted, timers);
        }
        if timers.is_due(UpstreamTimer::Brake, now) {
            self.rests_until = Some(now + BRAKE_REST);
            return self.end(BrakeEnd::Overdue, timers);
        }
        if now.saturating_duration_since(set) < HARDER_EVERY {
            return None;
        }
        let harder = self.wanted_floor();
        let too_many = self.is_over() && harder < floor;
        let on = self.on.as_mut()?;
        on.set = now;
        if !too_many {
            return None;
        }
        on.floor = harder;
        Some(self.said(harder))
    }

    fn begin(&mut self, timers: &mut Timers, now: Instant) -> Option<Notice> {
        if !self.is_over() {
            self.over_since = None;
            return None;
        }
        let since = *self.over_since.get_or_insert(now);
        let lasts = now.saturating_duration_since(since) >= LASTING
            && self.flow.of_late().shares_per_second() > f64::from(self.limit);
        if !lasts || self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        let floor = self.wanted_floor();
        self.on = Some(On { began: now, floor, set: now, forgone: 0.0 });
        timers.set(UpstreamTimer::Brake, Some(now + BRAKE_FOR));
        Some(self.said(floor))
    }

    fn end(&mut self, why: BrakeEnd, timers: &mut Timers) -> Option<Notice> {
        let On { began, forgone, .. } = self.on.take()?;
        timers.set(UpstreamTimer::Brake, None);
        self.over_since = None;
        let held =
            self.flow.seen().map_or(Duration::ZERO, |now| now.saturating_duration_since(began));
        Some(Notice::BrakeOff { forgone_hashes: forgone, held, why })
    }

    fn said(&self, floor: Target) -> Notice {
        let shares_per_second = self.flow.of_late().shares_per_second();
        Notice::BrakeOn { shares_per_second, limit: self.limit, floor }
    }

    fn is_over(&self) -> bool {
        let sum = self.flow.whole();
        f64::from(sum.shares) > f64::from(self.limit) * sum.over.as_secs_f64()
    }

    /// How many shares a second the farm would send at the pool's own target.
    fn pool_rate(&self) -> f64 {
        let late = self.flow.of_late();
        let sum = if late.shares >= ENOUGH { late } else { self.flow.whole() };
        sum.hashes / sum.over.as_secs_f64() / self.pool.1
    }

    /// The pool's target, made harder by the power of two that leaves about half the limit.
    fn wanted_floor(&self) -> Target {
        let halvings = (self.pool_rate() * 2.0 / f64::from(self.limit)).log2().round();
        // Clamped to a range that any integer holds.
        let halvings = halvings.clamp(1.0, MAX_HALVINGS) as usize;
        Target::new(self.pool.0.value() >> halvings)
    }
}
