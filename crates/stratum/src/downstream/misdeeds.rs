//! What is held against a rig for a while.

use std::time::Duration;

use crate::flood::Flood;
use crate::strikes::{Patience, Strikes};

/// How many failed shares of one rig are looked into: a guess costs several hashes.
const DIAGNOSES: Patience =
    Patience { limit: 16, good_deeds: u16::MAX, every: Duration::from_secs(60) };
/// How many lines without sense are borne; the last of them ends the session.
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
            })
        })
    }

    /// Shares are looked into as if none had failed.
    pub(super) fn look_again(&mut self) {
        if let Some(noted) = self.known_mut() {
            noted.diagnoses = Strikes::new(&DIAGNOSES);
        }
    }
}
