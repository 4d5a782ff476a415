//! What a session shows its driver.

use std::sync::Arc;

use super::Downstream;
use crate::channel::Seat;
use crate::dialect::{Diagnosis, Dialect, RigNeeds};
use crate::extranonce::Extranonce;
use crate::firmware::Firmware;
use crate::secret::Secret;
use crate::target::Difficulty;

impl<D: Dialect> Downstream<D> {
    /// How many shares wait for the pool's verdict.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.judge.in_flight.len()
    }

    /// Whether the rig has subscribed and waits for its first seat.
    #[must_use]
    pub const fn wants_seat(&self) -> bool {
        self.login.is_parked()
    }

    /// Whether the rig can move to another extranonce without being closed.
    #[must_use]
    pub const fn takes_set_extranonce(&self) -> bool {
        self.login.takes_set_extranonce()
    }

    /// Whether the rig can take this seat without being closed.
    #[must_use]
    pub fn can_move(&self, seat: &Seat) -> bool {
        let told = self.bench.told_extranonce();
        let fits = told.is_some_and(|(_, size)| size == seat.split.rig_extranonce2);
        fits && self.login.takes_set_extranonce()
    }

    /// The name that the rig's software gives itself.
    #[must_use]
    pub fn agent(&self) -> Option<&Arc<str>> {
        self.login.agent.as_ref()
    }

    /// What its firmware needs, as far as its login has told.
    #[must_use]
    pub fn firmware(&self) -> Firmware {
        self.login.rig.firmware()
    }

    /// What is wrong with the rig, as far as its shares showed.
    #[must_use]
    pub const fn diagnosis(&self) -> Option<Diagnosis> {
        self.judge.conduct.diagnosis()
    }

    /// Whether shares of the rig that nobody checked are held back.
    #[must_use]
    pub const fn is_quarantined(&self) -> bool {
        self.judge.conduct.is_quarantined()
    }

    /// The rig's first worker name.
    #[must_use]
    pub fn worker(&self) -> Option<&Arc<str>> {
        self.login.first_worker()
    }

    /// What a worker of this rig gave as its password; none where it gave none, or one that is too
    /// long to be kept.
    #[must_use]
    pub fn password(&self, worker: &str) -> Option<&Secret> {
        self.login.password(worker)
    }

    /// What the rig was told: its extranonce1 and the size of its extranonce2.
    #[must_use]
    pub fn told_extranonce(&self) -> Option<(&Extranonce, usize)> {
        self.bench.told_extranonce()
    }

    /// The difficulty to start with when the rig comes back: that of its level, or what it was told
    /// if that is easier. None before it has sent a good share.
    #[must_use]
    pub fn proven_difficulty(&self) -> Option<Difficulty> {
        let told = self.bench.told_difficulty().filter(|_| self.judge.conduct.is_proven())?;
        let level = self.bench.level_difficulty().unwrap_or(told);
        Some(if level.get() < told.get() { level } else { told })
    }

    /// The number of the rig's lease.
    #[must_use]
    pub fn slot(&self) -> Option<u64> {
        self.bench.slot()
    }

    /// The difficulty of the rig's present target, on the scale that it is told.
    #[must_use]
    pub fn difficulty(&self) -> Option<Difficulty> {
        self.bench.told_difficulty()
    }
}
