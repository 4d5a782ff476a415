//! What the route knows of this rig, and what it learns.

use std::net::IpAddr;
use std::sync::Arc;

use orepass_stratum::conduct::Turn;
use orepass_stratum::dialect::{Diagnosis, Dialect};
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::firmware::{Firmware, Merit};
use orepass_stratum::target::Difficulty;

use super::roster::Identity;
use super::task::Served;
use crate::clock::now;
use crate::route::{Needs, Rig};

impl<D: Dialect> Served<D> {
    /// The rig has said what software it is.
    pub(super) fn recognise(&mut self) {
        let (route, at) = (&self.route, now());
        let (agent, address) = (self.agent(), self.address());
        let worker = self.session.worker().map(|name| &**name);
        let by_login = route.dialect().known_firmware(&self.session.hello());
        let needs = route.known.firmware(agent, worker, by_login);
        let expects = match worker {
            None => route.known.expected(agent, address, at).unwrap_or_default(),
            Some(_) => Needs::default(),
        };
        self.needs = Needs {
            firmware: needs.firmware.or(expects.firmware),
            sure: needs.sure.or(expects.sure),
        };
        // Firmware that authorizes first can have its former lease again.
        let worker = worker.and_then(|worker| route.known.worker(worker));
        self.slot = worker.and_then(|state| state.slot);
        self.session.handle_firmware(&self.needs.firmware, at);
    }

    /// The rig has said who it is. The first of its workers decides.
    pub(super) fn welcome(&mut self, worker: &Arc<str>) {
        let (at, address) = (now(), self.address());
        if self.session.worker() != Some(worker) {
            return;
        }
        let known = &self.route.known;
        if let Some(left) = known.penalties().refused(worker, address, at) {
            return self.session.handle_close(CloseReason::Penalty(left));
        }
        let by_login = self.route.dialect().known_firmware(&self.session.hello());
        let needs = known.firmware(self.agent(), Some(worker), by_login);
        if !self.suits(&needs.sure) {
            known.expect(self.agent(), address, needs, at);
            return self.session.handle_close(CloseReason::OwnConnection);
        }
        self.needs = needs;
        let remembered = known.worker(worker).and_then(|state| state.difficulty);
        let remembered = remembered.and_then(Difficulty::new);
        self.session.handle_welcome(&needs.firmware, remembered, at);
        self.remember();
    }

    /// Whether the rig can stay on its channel; it can where it has none yet. A guess is no reason
    /// to close a rig that may do well.
    fn suits(&self, sure: &Firmware) -> bool {
        let told = self.session.told_extranonce();
        self.has_own_connection()
            || told.is_none_or(|(extranonce1, size)| sure.shares_with(extranonce1.len(), size))
    }

    /// Whether nobody shares the rig's pool connection.
    pub(super) fn has_own_connection(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.channel().is_undivided())
    }

    /// Puts the rig on the roster and into the log.
    pub(super) fn introduce(&mut self) {
        self.entry.rig().identify(Identity {
            worker: self.session.worker().cloned(),
            agent: self.session.agent().map(str::to_owned),
        });
        let channel = self.place.as_ref().map(|place| place.channel().number);
        let own = self.has_own_connection();
        self.log.up(&self.session, channel, own);
    }

    /// The rig enters or leaves quarantine.
    pub(super) fn sentence(&mut self, turn: Turn, guess: Option<Diagnosis>) {
        self.log.turn(turn, guess);
        let Some(worker) = self.session.worker().filter(|_| turn == Turn::Quarantined) else {
            return;
        };
        let sentence = self.route.known.penalties().quarantined(worker, self.address(), now());
        if let Some(refused_for) = sentence {
            self.session.handle_close(CloseReason::Penalty(refused_for));
        }
    }

    /// The rig sent nothing but refused shares: it is refused for a while.
    pub(super) fn punish(&self) {
        if let Some(worker) = self.session.worker() {
            self.route.known.penalties().refuse(worker, self.address(), now());
        }
    }

    /// The rig goes, and is to be served otherwise when it comes back.
    pub(super) fn misfit(&self, diagnosis: Diagnosis) {
        if let Some(rig) = self.rig() {
            let known = &self.route.known;
            known.learn(&rig, diagnosis);
            let needs = known.firmware(rig.agent, Some(rig.worker), Firmware::default());
            known.expect(rig.agent, rig.address, needs, now());
        }
    }

    /// The rig's first good share that shows what its firmware can do.
    pub(super) fn proven(&self, merit: Merit) {
        if let Some(rig) = self.rig() {
            self.route.known.proven(&rig, merit);
        }
    }

    fn rig(&self) -> Option<Rig<'_>> {
        let worker = self.session.worker()?;
        Some(Rig { agent: self.agent(), address: self.address(), worker })
    }

    /// Keeps what will be of use when the rig comes back.
    pub(super) fn remember(&self) {
        if let Some(worker) = self.session.worker() {
            let (difficulty, slot) = (self.session.proven_difficulty(), self.session.slot());
            self.route.known.remember(worker, self.agent(), difficulty, slot);
        }
    }

    fn agent(&self) -> &str {
        self.session.agent().unwrap_or_default()
    }

    pub(super) fn address(&self) -> IpAddr {
        self.entry.rig().peer.ip()
    }
}
