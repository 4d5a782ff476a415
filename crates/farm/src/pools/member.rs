//! One of the pools, and whether it serves.

use std::time::Duration;

use super::interface::{Cause, Leaving};
use super::links::Links;
use super::probation::Probation;
use super::tally::Tally;
use orepass_stratum::time::Instant;

/// A pool that stays without a connection for so long is down, even if nothing says so.
pub(super) const GRACE: Duration = Duration::from_secs(6);
/// How long a pool that is connected, but no good, is left alone at first.
const BENCHED_FOR: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Member {
    pub(super) health: Health,
    pub(super) links: Links,
    pub(super) tally: Tally,
    /// It has been seen to credit shares since another pool was left for refusing them.
    pub(super) sound: bool,
    /// How long it must be healthy before rigs come back to it.
    pub(super) proving: Probation,
    /// How long it is left alone.
    pub(super) benching: Probation,
    /// When it was last said that it is kept though it is no good.
    pub(super) kept: Option<Instant>,
    /// The block of its last job.
    pub(super) block: Option<u64>,
    /// It is known where that block stands among the others.
    pub(super) is_placed: bool,
    /// It is to leave, by then at the latest.
    pub(super) leaving: Option<(Leaving, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing is known of it yet; since when a connection was lost before it served.
    Unknown { away: Option<Instant> },
    /// It serves.
    Up { since: Instant },
    /// It served, and has no connection, which may come back at once.
    Lost { since: Instant },
    /// Of no use until it serves.
    Down(Cause),
    /// It may be connected, but is not trusted until then.
    Benched { until: Instant, cause: Cause },
    /// The route does not have it any more, for ever.
    Retired,
}

impl Member {
    pub(super) fn new(healthy_for: Duration) -> Self {
        Self {
            health: Health::Unknown { away: None },
            links: Links::default(),
            tally: Tally::default(),
            sound: false,
            proving: Probation::new(healthy_for),
            benching: Probation::new(BENCHED_FOR),
            kept: None,
            block: None,
            is_placed: false,
            leaving: None,
        }
    }

    /// The route has it no more: nothing is known of it, and nothing follows from it.
    pub(super) fn retire(&mut self) {
        *self = Self { health: Health::Retired, ..Self::new(Duration::ZERO) };
    }

    pub(super) const fn is_retired(&self) -> bool {
        matches!(self.health, Health::Retired)
    }

    /// Whether the route has it, and is to keep it.
    pub(super) const fn stays(&self) -> bool {
        self.leaving.is_none() && !self.is_retired()
    }

    /// It has a connection that serves; whether that is news.
    pub(super) fn up(&mut self, now: Instant) -> bool {
        let known = match self.health {
            Health::Up { .. } | Health::Benched { .. } | Health::Retired => return false,
            // A connection that is back at once has not been away.
            Health::Lost { since } => now.saturating_duration_since(since) < GRACE,
            Health::Unknown { .. } | Health::Down(_) => false,
        };
        self.health = Health::Up { since: now };
        if !known {
            self.tally.clear();
        }
        !known
    }

    /// None of its connections serves any more, or yet.
    pub(super) fn lost(&mut self, now: Instant) {
        match &mut self.health {
            Health::Up { .. } => self.health = Health::Lost { since: now },
            Health::Unknown { away } => {
                away.get_or_insert(now);
            }
            Health::Lost { .. } | Health::Down(_) | Health::Benched { .. } | Health::Retired => {}
        }
    }

    /// It has no connection any more, since none is needed. What it did wrong is not forgotten.
    pub(super) fn released(&mut self) {
        self.block = None;
        self.is_placed = false;
        if !self.is_benched() {
            self.health = Health::Unknown { away: None };
        }
    }

    /// It is of no use; whether that is news.
    pub(super) fn fail(&mut self, cause: Cause, now: Instant) -> bool {
        if self.is_benched() && !cause.benches() || self.health == Health::Down(cause) {
            // It is left alone as long as it was to be.
            return false;
        }
        if !matches!(self.health, Health::Down(_) | Health::Benched { .. }) {
            self.proving.fail(now);
        }
        self.health = if cause.benches() {
            self.benching.fail(now);
            Health::Benched { until: now + self.benching.time(), cause }
        } else {
            Health::Down(cause)
        };
        self.tally.clear();
        true
    }

    /// It is trusted again, or used for want of a better one; whether it serves by that.
    pub(super) fn pardon(&mut self, now: Instant) -> bool {
        self.tally.clear();
        self.benching.trust(now);
        let serves = self.links.serve();
        self.health =
            if serves { Health::Up { since: now } } else { Health::Unknown { away: None } };
        serves
    }

    /// Left alone for so long again.
    pub(super) fn stay_benched(&mut self, cause: Cause, now: Instant) {
        self.health = Health::Benched { until: now + self.benching.time(), cause };
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(self.health, Health::Up { .. })
    }

    /// Whether nothing says that it is of no use.
    pub(super) const fn is_promising(&self) -> bool {
        !matches!(self.health, Health::Down(_) | Health::Benched { .. } | Health::Retired)
    }

    /// Whether rigs can mine there, or probably will again in a moment.
    pub(super) const fn serves(&self) -> bool {
        matches!(self.health, Health::Up { .. } | Health::Lost { .. })
    }

    const fn is_benched(&self) -> bool {
        matches!(self.health, Health::Benched { .. })
    }

    /// Until when it is left alone, if it is.
    pub(super) const fn benched_until(&self) -> Option<Instant> {
        match self.health {
            Health::Benched { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Whether it refused shares, is left alone for that, and could be mined at.
    pub(super) fn refused(&self) -> bool {
        matches!(self.health, Health::Benched { cause: Cause::Rejects, .. }) && self.links.serve()
    }

    /// Whether it was behind, is left alone for that, and could be mined at.
    pub(super) fn was_behind(&self) -> bool {
        matches!(self.health, Health::Benched { cause: Cause::Lag, .. }) && self.links.serve()
    }

    /// When it may be trusted with rigs again that have left it.
    pub(super) fn proven_at(&self) -> Option<Instant> {
        match self.health {
            Health::Up { since } => Some(since + self.proving.time()),
            _ => None,
        }
    }

    /// When its state changes by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.health {
            Health::Unknown { away } => Some(away? + GRACE),
            Health::Lost { since } => Some(since + GRACE),
            Health::Benched { until, .. } => Some(until),
            Health::Up { .. } | Health::Down(_) | Health::Retired => None,
        }
    }
}
