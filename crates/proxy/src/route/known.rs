//! What a route knows of rigs: by its config, and by what they showed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::penalties::Penalties;
use orepass_stratum::target::Difficulty;
use wildmatch::WildMatch;

use crate::clock::unix_seconds;
use crate::memory::{FirmwareState, RouteMemory, WorkerState};

/// How long a rig that was closed for its worker's profile is expected back.
const EXPECTED_FOR: Duration = Duration::from_secs(120);
/// The most rigs that are expected at a time.
const MAX_EXPECTED: usize = 1024;

/// `[[route.profile]]`: what rigs of one kind need.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Their software, `*` for any text and `?` for any character; all when absent.
    pub agent: Option<WildMatch>,
    /// Their worker's name, in the same way.
    pub worker: Option<WildMatch>,
    /// What they need.
    pub firmware: Firmware,
}

impl Profile {
    /// Whether it is about this rig. A profile by worker is not, before the worker is known.
    fn covers(&self, agent: &str, worker: Option<&str>) -> bool {
        let by_agent = self.agent.as_ref().is_none_or(|pattern| pattern.matches(agent));
        let by_worker = self.worker.as_ref();
        by_agent && by_worker.is_none_or(|pattern| worker.is_some_and(|name| pattern.matches(name)))
    }
}

/// What is told apart: software at an address.
type Kind = (Box<str>, IpAddr);

/// Rigs that were closed and should come back.
#[derive(Debug)]
struct Expected {
    firmware: Firmware,
    rigs: usize,
    until: Instant,
}

/// What a route knows of rigs.
#[derive(Debug)]
pub(crate) struct Known {
    profiles: Vec<Profile>,
    memory: RouteMemory,
    penalties: Mutex<Penalties>,
    expected: Mutex<HashMap<Kind, Expected>>,
}

impl Known {
    pub(super) fn new(profiles: Vec<Profile>, memory: RouteMemory) -> Self {
        Self { profiles, memory, penalties: Mutex::default(), expected: Mutex::default() }
    }

    /// What is known of a rig's firmware. What is configured goes before what was learnt, and
    /// among profiles the first that says something.
    pub(crate) fn firmware(&self, agent: &str, address: IpAddr, worker: Option<&str>) -> Firmware {
        let profiles = self.profiles.iter().filter(|profile| profile.covers(agent, worker));
        let configured =
            profiles.fold(Firmware::default(), |firmware, profile| firmware.or(profile.firmware));
        let learnt = self.memory.firmware(agent, address, unix_seconds());
        configured.or(learnt.map_or_else(Firmware::default, |learnt| Firmware {
            dedicated: learnt.dedicated,
            set_extranonce: learnt.set_extranonce,
            ..Firmware::default()
        }))
    }

    /// A rig's shares showed what is wrong with its firmware.
    pub(crate) fn learn(&self, agent: &str, address: IpAddr, diagnosis: Diagnosis) {
        let Some(remedy) = Firmware::remedy(diagnosis) else { return };
        let seen = unix_seconds();
        let known = self.memory.firmware(agent, address, seen);
        let learnt = FirmwareState {
            dedicated: remedy.dedicated || known.as_ref().is_some_and(|known| known.dedicated),
            set_extranonce: remedy
                .set_extranonce
                .or_else(|| known.and_then(|known| known.set_extranonce)),
            reason: diagnosis.name().into(),
            seen,
        };
        self.memory.remember_firmware(agent, address, learnt);
    }

    /// What is remembered of a worker.
    pub(crate) fn worker(&self, worker: &str) -> Option<WorkerState> {
        self.memory.worker(worker)
    }

    /// Keeps what a worker has now; what is not given stays as it was.
    pub(crate) fn remember(
        &self,
        worker: &str,
        agent: &str,
        difficulty: Option<Difficulty>,
        slot: Option<u64>,
    ) {
        self.memory.remember_worker(worker, unix_seconds(), |state| {
            state.difficulty = difficulty.map(Difficulty::get).or(state.difficulty);
            state.slot = slot.or(state.slot);
            state.profile = Some(agent.into());
        });
    }

    /// A rig is closed because its worker's profile, which it told too late, wants it elsewhere:
    /// it is known when it comes back.
    pub(crate) fn expect(&self, agent: &str, address: IpAddr, firmware: Firmware, now: Instant) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.len() >= MAX_EXPECTED {
            expected.retain(|_, expected| expected.until > now);
        }
        let (kind, until) = ((agent.into(), address), now + EXPECTED_FOR);
        if let Some(expected) = expected.get_mut(&kind) {
            *expected = Expected { firmware, rigs: expected.rigs + 1, until };
        } else if expected.len() < MAX_EXPECTED {
            expected.insert(kind, Expected { firmware, rigs: 1, until });
        }
    }

    /// What a rig that has come back is expected to need.
    pub(crate) fn expected(&self, agent: &str, address: IpAddr, now: Instant) -> Option<Firmware> {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (agent.into(), address);
        let found = expected.get_mut(&kind)?;
        found.rigs -= 1;
        let firmware = (found.until > now).then_some(found.firmware);
        if found.rigs == 0 || firmware.is_none() {
            expected.remove(&kind);
        }
        firmware
    }

    /// The record of rigs that send rubbish.
    pub(crate) fn penalties(&self) -> MutexGuard<'_, Penalties> {
        self.penalties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
