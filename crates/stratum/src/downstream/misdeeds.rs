//! What is held against a rig for a while.

use std::time::Duration;

use crate::flood::Flood;
use crate::pace::RequestPace;
use crate::strikes::{Patience, Strikes};
use crate::time::Instant;

/// How many failed shares of one rig are looked into: a guess costs several hashes.
const DIAGNOSES: Patience =
    Patience { limit: 16, good_deeds: u16::MAX, every: Duration::from_secs(60) };
/// How many lines without sense are borne unless configured; the last of them ends the session.
pub const BAD_LINES: Patience =
    Patience { limit: 5, good_deeds: 100, every: Duration::from_secs(60) };

/// A rig's misdeeds. Most rigs have none, and take no memory for them.
#[derive(Default)]
pub(super) struct Misdeeds(Option<Box<NotedMisdeeds>>);

pub(super) struct NotedMisdeeds {
    pub(super) flood: Flood,
    /// Failed shares that were looked into.
    pub(super) diagnoses: Strikes,
    pub(super) bad_lines: Strikes,
    pub(super) pace: RequestPace,
    /// The operator trusts the rig: none of this slows it or ends its session.
    trusted: bool,
}

impl Misdeeds {
    /// Those so far, if there were any.
    pub(super) fn known(&self) -> Option<&NotedMisdeeds> {
        self.0.as_deref()
    }

    /// The same, of which some are forgiven.
    pub(super) fn known_mut(&mut self) -> Option<&mut NotedMisdeeds> {
        self.0.as_deref_mut()
    }

    /// Where another one is noted.
    pub(super) fn noted(&mut self) -> &mut NotedMisdeeds {
        self.0.get_or_insert_with(|| {
            Box::new(NotedMisdeeds {
                flood: Flood::default(),
                diagnoses: Strikes::new(&DIAGNOSES),
                bad_lines: Strikes::new(&BAD_LINES),
                pace: RequestPace::new(Instant::after_origin(Duration::ZERO)),
                trusted: false,
            })
        })
    }

    /// The operator trusts the rig.
    pub(super) fn trust(&mut self) {
        self.noted().trusted = true;
    }

    /// Whether the operator trusts the rig.
    pub(super) fn are_borne(&self) -> bool {
        self.known().is_some_and(|noted| noted.trusted)
    }

    /// Another line without sense, of which so many are borne; `true` when it is one too many.
    pub(super) fn bad_line(&mut self, limit: u16, now: Instant) -> bool {
        let noted = self.noted();
        noted.bad_lines.set_limit(limit);
        noted.bad_lines.strike(now) && !noted.trusted
    }

    /// Before when nothing more is to be read from the rig.
    pub(super) fn reads_at(&self) -> Option<Instant> {
        let noted = self.known().filter(|noted| !noted.trusted)?;
        noted.flood.reads_at().max(noted.pace.reads_at())
    }

    /// Shares are looked into as if none had failed.
    pub(super) fn look_again(&mut self) {
        if let Some(noted) = self.known_mut() {
            noted.diagnoses = Strikes::new(&DIAGNOSES);
        }
    }
}
