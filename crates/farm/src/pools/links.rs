//! A pool's connections: which of them serve, and how often each was lost.

use std::collections::BTreeMap;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::interface::Link;
use orepass_stratum::time::Instant;

/// A connection that served and was lost more often within [`WITHIN`] is no use.
const MAX_LOSSES: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);

/// A pool's connections by their numbers, as long as the route has them.
#[derive(Debug, Default)]
pub(super) struct Links {
    known: BTreeMap<u64, LinkState>,
}

#[derive(Debug)]
struct LinkState {
    dedicated: bool,
    serves: bool,
    /// When it was lost the last times, the oldest first.
    lost: ArrayVec<Instant, { MAX_LOSSES + 1 }>,
}

impl Links {
    /// It serves.
    pub(super) fn up(&mut self, link: Link) {
        self.state(link).serves = true;
    }

    /// It serves no more, or did not at all.
    pub(super) fn lost(&mut self, link: Link, now: Instant) {
        let state = self.state(link);
        if std::mem::take(&mut state.serves) {
            if state.lost.is_full() {
                state.lost.remove(0);
            }
            state.lost.push(now);
        }
    }

    /// There is no such connection any more.
    pub(super) fn closed(&mut self, link: Link) {
        self.known.remove(&link.number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether any of them serves.
    pub(super) fn serve(&self) -> bool {
        self.known.values().any(|state| state.serves)
    }

    /// Whether most of them are lost all the time. Those that serve one rig alone say little about
    /// the pool, unless there are no others.
    pub(super) fn flap(&self, now: Instant) -> bool {
        let shared = self.known.values().any(|state| !state.dedicated);
        let (mut all, mut flapping) = (0, 0);
        for state in self.known.values().filter(|state| !(shared && state.dedicated)) {
            // Those that never served are counted elsewhere: their pool may be down.
            all += usize::from(state.serves || !state.lost.is_empty());
            let oldest = state.lost.first().filter(|_| state.lost.is_full());
            flapping += usize::from(
                oldest.is_some_and(|oldest| now.saturating_duration_since(*oldest) < WITHIN),
            );
        }
        2 * flapping > all
    }

    fn state(&mut self, link: Link) -> &mut LinkState {
        self.known.entry(link.number).or_insert_with(|| LinkState {
            dedicated: link.dedicated,
            serves: false,
            lost: ArrayVec::new(),
        })
    }
}
