//! A pool that says nothing is asked, not punished: blocks may be far apart.

use std::time::Duration;

use super::DownReason;
use super::out::UpstreamOut;
use super::requests::{Request, Requests};
use super::setup::Setup;
use crate::dialect::{Dialect, PoolCall};
use crate::time::Instant;

/// So many times its usual gap between notifies a pool may say nothing.
const GAPS: u32 = 4;
/// And at least so long.
const LEAST: Duration = Duration::from_secs(60);
/// How long it may take to answer when it is asked.
pub(super) const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// The usual gap is an average in which a new gap weighs one part in so many.
const WEIGHT: u32 = 8;

/// How long a pool usually is silent, and how long it has been.
pub(super) struct Silence {
    /// The usual gap between two notifies; a connection goes on with what the former ones showed.
    gap: Option<Duration>,
    /// The last notify.
    notified: Option<Instant>,
    /// The last line, whatever it was.
    heard: Option<Instant>,
    /// It has been asked and has not answered.
    asked: bool,
}

impl Silence {
    /// A connection begins, to a pool whose usual gap was this.
    pub(super) const fn new(gap: Option<Duration>) -> Self {
        Self { gap, notified: None, heard: None, asked: false }
    }

    pub(super) const fn gap(&self) -> Option<Duration> {
        self.gap
    }

    /// A line came, or a part of one.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// A notify came, repeated work or not.
    pub(super) fn notified(&mut self, now: Instant) {
        if let Some(last) = self.notified.replace(now) {
            let gap = now.saturating_duration_since(last);
            self.gap = Some(self.gap.map_or(gap, |usual| (usual * (WEIGHT - 1) + gap) / WEIGHT));
        }
    }

    /// When the pool is to be asked, if nothing comes before.
    pub(super) fn asks_at(&self) -> Option<Instant> {
        let heard = self.heard.filter(|_| !self.asked)?;
        Some(heard + self.gap.map_or(LEAST, |gap| (gap * GAPS).max(LEAST)))
    }

    /// Asks the pool whether it lives, unless it is being asked. Not while so many requests wait for
    /// it that there is no room for another: those have limits of their own.
    pub(super) fn ask<D: Dialect, T>(
        &mut self,
        setup: &Setup<D>,
        requests: &mut Requests<D, T>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        if self.asked || !requests.has_room(false) {
            return;
        }
        self.asked = true;
        let id = requests.push(Request::Probe, out, now);
        out.write(|out| setup.dialect.tell_pool(PoolCall::Probe { id }, out));
    }

    /// The question has its answer, or needs none any more.
    pub(super) const fn answered(&mut self) {
        self.asked = false;
    }

    /// A question asked at `asked` got no answer. Any line since then proves life as well.
    pub(super) fn unanswered(&mut self, asked: Instant, now: Instant) -> Option<DownReason> {
        self.answered();
        let heard = self.heard?;
        let silent = Duration::from_secs(now.saturating_duration_since(heard).as_secs());
        (heard < asked).then_some(DownReason::Silent { silent })
    }
}
