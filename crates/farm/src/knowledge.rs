//! What a route knows of its rigs: by its config, by what they showed, and by what earlier runs
//! remembered; and what is held against them.

mod expected;
mod habits;
mod profile;
mod remembered;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::firmware::{Firmware, Merit};
use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;

use crate::kinds::Kinds;
use crate::penalties::Penalties;
use expected::Expected;
pub(crate) use habits::PoolHabits;
pub use profile::Profile;
pub use remembered::{Change, FirmwareRecord, HabitRecord, Remembered, WorkerRecord};
use table::Table;

/// The most workers that are remembered, and the most of whose rigs' firmware something is.
const MAX_ENTRIES: usize = 20_000;

/// The most names of software that are held for all rigs.
const MAX_AGENTS: usize = 256;

/// What is known of a rig's firmware.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Needs {
    /// All of it.
    pub(crate) firmware: Firmware,
    /// The part that is sure: configured, or shown by the rig itself.
    pub(crate) sure: Firmware,
}

/// A rig that has said who it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedRig<'a> {
    /// The name that its software gives itself.
    pub(crate) agent: &'a Arc<str>,
    /// Where it connects from.
    pub(crate) address: IpAddr,
    /// Its worker.
    pub(crate) worker: &'a Arc<str>,
    /// Whether its shares have proven any work.
    pub(crate) works: bool,
}

/// What a route knows of its rigs.
#[derive(Debug)]
pub(crate) struct Knowledge {
    profiles: Vec<Profile>,
    workers: Table<WorkerRecord>,
    firmware: Table<FirmwareRecord>,
    kinds: Kinds,
    penalties: Penalties,
    expected: Expected,
    /// Names of software that rigs have, each held once; those of more are held by each rig.
    agents: HashSet<Arc<str>>,
}

impl Knowledge {
    /// With what earlier runs knew; its habits are not looked at.
    pub(crate) fn new(profiles: Vec<Profile>, remembered: Remembered, now: Instant) -> Self {
        let workers = Table::new(MAX_ENTRIES, remembered.workers);
        let firmware = Table::new(MAX_ENTRIES, remembered.firmware);
        let mut kinds = Kinds::default();
        for (worker, record) in firmware.iter() {
            kinds.failed(&record.agent, worker, &record.needs());
            record.merits().for_each(|merit| kinds.did_well(&record.agent, merit));
        }
        let expected = Expected::at_start(firmware.iter().map(|(_, record)| record), now);
        let (penalties, agents) = (Penalties::new(remembered.banned, now), HashSet::new());
        Self { profiles, workers, firmware, kinds, penalties, expected, agents }
    }

    /// All that it knows of rigs, as earlier runs would have known it.
    pub(crate) fn export(&self, habits: Vec<HabitRecord>, now: Instant) -> Remembered {
        let (workers, firmware) = (self.workers.export(), self.firmware.export());
        Remembered { workers, firmware, habits, banned: self.penalties.export(now) }
    }

    /// Other profiles, for rigs that come or come back.
    pub(crate) fn set_profiles(&mut self, profiles: Vec<Profile>) {
        self.profiles = profiles;
    }

    /// The name of a rig's software, shared with other rigs.
    pub(crate) fn shared(&mut self, agent: &str) -> Arc<str> {
        if let Some(known) = self.agents.get(agent) {
            return Arc::clone(known);
        }
        let agent: Arc<str> = agent.into();
        if self.agents.len() >= MAX_AGENTS {
            // Those that no rig has any more.
            self.agents.retain(|known| Arc::strong_count(known) > 1);
        }
        if self.agents.len() < MAX_AGENTS {
            self.agents.insert(Arc::clone(&agent));
        }
        agent
    }

    /// What a rig's firmware needs. What is configured goes before what the rig showed itself, and
    /// that before what is known `by_login` and what several of its kind showed; among profiles the
    /// first that says something.
    pub(crate) fn needs(
        &mut self,
        agent: &str,
        worker: Option<&str>,
        by_login: Firmware,
        now: Instant,
    ) -> Needs {
        let profiles = self.profiles.iter().filter(|profile| profile.covers(agent, worker));
        let configured =
            profiles.fold(Firmware::default(), |firmware, profile| firmware.or(profile.firmware));
        let own = worker.and_then(|worker| self.firmware.meet(worker, now));
        let sure = configured.or(own.map(FirmwareRecord::needs).unwrap_or_default());
        let mut kind = by_login.or(self.kinds.firmware(agent));
        if let Some(own) = own {
            // It may have shown that it is not as others of its kind.
            kind.dedicated &= !own.shares;
            kind.extranonce2 = kind.extranonce2.filter(|_| !own.sizes);
        }
        Needs { firmware: sure.or(kind), sure }
    }

    /// A rig's shares showed what is wrong with its firmware.
    pub(crate) fn learn(&mut self, rig: NamedRig<'_>, diagnosis: Diagnosis, now: Instant) {
        let Some(remedy) = Firmware::remedy(diagnosis) else { return };
        self.note(rig, now, |record| record.fail(diagnosis, &remedy));
        self.kinds.failed(rig.agent, rig.worker, &remedy);
    }

    /// A rig's good share showed what its firmware can do.
    pub(crate) fn proven(&mut self, rig: NamedRig<'_>, merit: Merit, now: Instant) {
        self.note(rig, now, |record| record.do_well(merit));
        self.kinds.did_well(rig.agent, merit);
    }

    fn note(&mut self, rig: NamedRig<'_>, now: Instant, edit: impl FnOnce(&mut FirmwareRecord)) {
        self.firmware.update(rig.worker, now, |known| {
            let mut record = known.cloned().unwrap_or_default();
            record.agent = Arc::clone(rig.agent);
            record.address = Some(rig.address);
            edit(&mut record);
            record
        });
    }

    /// The lease that a worker had, by its number.
    pub(crate) fn slot(&self, worker: &str) -> Option<u64> {
        self.workers.get(worker)?.slot
    }

    /// The difficulty that a worker had last.
    pub(crate) fn difficulty(&self, worker: &str) -> Option<Difficulty> {
        self.workers.get(worker)?.difficulty
    }

    /// Keeps what a worker has now; what is not given stays as it was. A worker that is not known has to
    /// work first: who makes names up does not push out those that do.
    pub(crate) fn remember(
        &mut self,
        rig: NamedRig<'_>,
        difficulty: Option<Difficulty>,
        slot: Option<u64>,
        now: Instant,
    ) {
        if !rig.works && self.workers.get(rig.worker).is_none() {
            return;
        }
        self.workers.update(rig.worker, now, |known| WorkerRecord {
            difficulty: difficulty.or_else(|| known?.difficulty),
            slot: slot.or_else(|| known?.slot),
            agent: Some(Arc::clone(rig.agent)),
        });
    }

    /// A rig is closed, and is to be served otherwise when it comes back.
    pub(crate) fn expect(&mut self, rig: NamedRig<'_>, needs: Needs, now: Instant) {
        self.expected.expect(rig.agent, rig.address, needs, now);
    }

    /// What a rig that has come back is expected to need.
    pub(crate) fn expected(&mut self, agent: &str, address: IpAddr, now: Instant) -> Option<Needs> {
        self.expected.take(agent, address, now)
    }

    /// How long a rig is still refused.
    pub(crate) fn refused(&self, rig: NamedRig<'_>, now: Instant) -> Option<Duration> {
        self.penalties.refused(rig.worker, rig.address, now)
    }

    /// A rig was quarantined; how long it is refused from now on, if it is.
    pub(crate) fn quarantined(&mut self, rig: NamedRig<'_>, now: Instant) -> Option<Duration> {
        self.penalties.quarantined(rig.worker, rig.address, now)
    }

    /// A rig has sent nothing but rubbish: it is refused for a while.
    pub(crate) fn refuse(&mut self, rig: NamedRig<'_>, now: Instant) {
        self.penalties.refuse(rig.worker, rig.address, now);
    }

    /// The operator refuses a worker, wherever it comes from.
    pub(crate) fn ban(&mut self, worker: &Arc<str>, lasts: Duration, now: Instant) {
        self.penalties.ban(worker, lasts, now);
    }

    /// Nothing is held against a worker any more; whether anything was.
    pub(crate) fn pardon(&mut self, worker: &str, now: Instant) -> bool {
        self.penalties.pardon(worker, now)
    }

    /// How long a worker is still refused by the operator.
    pub(crate) fn banned(&self, worker: &str, now: Instant) -> Option<Duration> {
        self.penalties.banned(worker, now)
    }

    /// Forgets a worker; whether anything was known of it.
    pub(crate) fn forget(&mut self, worker: &str) -> bool {
        let [had, showed] = [self.workers.remove(worker), self.firmware.remove(worker)];
        had || showed
    }

    /// What is to be remembered.
    pub(crate) fn poll_change(&mut self) -> Option<Change> {
        let worker = self.workers.poll_change().map(|(name, now)| Change::Worker(name, now));
        worker
            .or_else(|| self.firmware.poll_change().map(|(name, now)| Change::Firmware(name, now)))
            .or_else(|| self.penalties.poll_change().map(|(name, lasts)| Change::Ban(name, lasts)))
    }
}
