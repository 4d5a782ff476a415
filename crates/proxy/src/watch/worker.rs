//! A worker while somebody looks at it: what is cheap to ask of thousands, before some of them are shown.

use std::sync::Arc;

use orepass_farm::stats::Totals;
use orepass_stratum::time::Instant;

use super::state::WorkerState;
use crate::books::{BookReading, MeteredBook};
use crate::clock::now;
use crate::rig::roster::OnlineRig;

/// A worker of a route.
#[derive(Debug, Clone)]
pub struct WatchedWorker {
    /// Its name.
    pub name: Arc<str>,
    /// Its rigs that are connected.
    pub rigs: Vec<Arc<OnlineRig>>,
    /// Its book, from its first share on.
    pub book: Option<Arc<MeteredBook>>,
}

/// What is known of a worker at this moment.
#[derive(Debug)]
pub struct WorkerFacts {
    /// How it is.
    pub state: WorkerState,
    /// The figures of its shares.
    pub totals: Totals,
    /// What the last looks at its book have shown.
    pub reading: Option<BookReading>,
}

impl WatchedWorker {
    /// How it is.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        WorkerState::of_worker(self.rigs.iter().map(|rig| WorkerState::now_of(rig)))
    }

    /// What is known of it at this moment.
    #[must_use]
    pub fn facts(&self) -> WorkerFacts {
        let book = self.book.as_ref();
        WorkerFacts {
            state: self.state(),
            totals: book.map(|book| book.totals()).unwrap_or_default(),
            reading: book.map(|book| book.reading()),
        }
    }
}

impl WorkerFacts {
    /// When its last share came, by the age of that.
    #[must_use]
    pub fn last_share_age_s(&self) -> Option<f64> {
        self.reading.as_ref().and_then(BookReading::last_share).map(age)
    }
}

impl WorkerState {
    /// That of a rig which is connected.
    #[must_use]
    pub fn now_of(rig: &OnlineRig) -> Self {
        let book = rig.book_if_any();
        let last = book.and_then(|book| book.last_share());
        let ended = book.map_or(0, |book| book.totals().ended());
        Self::of_rig(rig.shown().quarantined, rig.since, ended, last, now())
    }
}

/// How long ago, in seconds.
pub(super) fn age(at: Instant) -> f64 {
    now().saturating_duration_since(at).as_secs_f64()
}
