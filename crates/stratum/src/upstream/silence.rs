//! A pool that says nothing is asked, not punished: blocks may be far apart.

use std::time::{Duration, Instant};

use super::requests::Request;
use super::{DownReason, Upstream};
use crate::dialect::Dialect;

/// So many times its usual gap between notifies a pool may say nothing.
const GAPS: u32 = 4;
/// And at least so long.
const LEAST: Duration = Duration::from_secs(60);
/// How long it may take to answer when it is asked.
pub(super) const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// The usual gap is an average in which a new gap weighs one part in so many.
const WEIGHT: u32 = 8;

/// How long a pool usually is silent, and how long it has been.
#[derive(Default)]
pub(super) struct Silence {
    /// The usual gap between two notifies; a connection goes on with what the former ones showed.
    gap: Option<Duration>,
    /// The last notify of the present connection.
    notified: Option<Instant>,
    /// The last line of the present connection, whatever it was.
    heard: Option<Instant>,
    /// It has been asked and has not answered.
    asked: bool,
}

impl Silence {
    /// A connection begins.
    pub(super) fn begin(&mut self) {
        *self = Self { gap: self.gap, ..Self::default() };
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

    /// The question has its answer, or needs none any more.
    pub(super) const fn answered(&mut self) {
        self.asked = false;
    }

    /// When the pool is to be asked, if nothing comes before.
    fn asks_at(&self) -> Option<Instant> {
        let heard = self.heard.filter(|_| !self.asked)?;
        Some(heard + self.gap.map_or(LEAST, |gap| (gap * GAPS).max(LEAST)))
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Another connection to the same pool has failed: it is asked at once whether it lives, since
    /// it may be gone whole.
    pub fn handle_doubt(&mut self, now: Instant) {
        if self.is_live() && self.requests.has_room(false) && !self.silence.asked {
            self.probe(now);
        }
    }

    /// When the pool is to be asked whether it lives. Not while so many requests wait for it that
    /// there is no room for another: those have limits of their own.
    pub(super) fn probes_at(&self) -> Option<Instant> {
        let may_ask = self.is_live() && self.requests.has_room(false);
        self.silence.asks_at().filter(|_| may_ask)
    }

    pub(super) fn probe_if_silent(&mut self, now: Instant) {
        if self.probes_at().is_some_and(|at| at <= now) {
            self.probe(now);
        }
    }

    fn probe(&mut self, now: Instant) {
        self.silence.asked = true;
        let id = self.requests.push(Request::Probe, now);
        self.transmit.write(|out| self.dialect.put_probe(id, out));
    }

    /// A probe sent at `asked` got no answer. Any line since then proves life as well.
    pub(super) fn probe_expired(&mut self, asked: Instant, now: Instant) -> Option<DownReason> {
        self.silence.answered();
        let heard = self.silence.heard?;
        let silent = Duration::from_secs(now.saturating_duration_since(heard).as_secs());
        (heard < asked).then_some(DownReason::Silent { silent })
    }
}
