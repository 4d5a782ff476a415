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

/// What a route knows of rigs.
#[derive(Debug)]
pub(crate) struct Known {
    profiles: Vec<Profile>,
    learnt: Mutex<HashMap<Kind, Firmware>>,
    penalties: Mutex<Penalties>,
    expected: Mutex<HashMap<Kind, (Firmware, Instant)>>,
}

impl Known {
    pub(super) fn new(profiles: Vec<Profile>) -> Self {
        Self {
            profiles,
            learnt: Mutex::default(),
            penalties: Mutex::default(),
            expected: Mutex::default(),
        }
    }

    /// What is known of a rig's firmware. What is configured goes before what was learnt, and
    /// among profiles the first that says something.
    pub(crate) fn firmware(&self, agent: &str, address: IpAddr, worker: Option<&str>) -> Firmware {
        let profiles = self.profiles.iter().filter(|profile| profile.covers(agent, worker));
        let configured =
            profiles.fold(Firmware::default(), |firmware, profile| firmware.or(profile.firmware));
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        configured.or(learnt.get(&(agent.into(), address)).copied().unwrap_or_default())
    }

    /// A rig's shares showed what is wrong with its firmware.
    pub(crate) fn learn(&self, agent: &str, address: IpAddr, diagnosis: Diagnosis) {
        let Some(remedy) = Firmware::remedy(diagnosis) else { return };
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let known = learnt.entry((agent.into(), address)).or_default();
        *known = remedy.or(*known);
    }

    /// The difficulty that a worker had last.
    pub(crate) fn difficulty(&self, _worker: &str) -> Option<Difficulty> {
        None
    }

    /// Keeps the difficulty that a worker has.
    pub(crate) fn remember(&self, _worker: &str, _difficulty: Difficulty) {}

    /// A rig is closed because its worker's profile, which it told too late, wants it elsewhere:
    /// it is known when it comes back.
    pub(crate) fn expect(&self, agent: &str, address: IpAddr, firmware: Firmware, now: Instant) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.len() >= MAX_EXPECTED {
            expected.retain(|_, (_, until)| *until > now);
        }
        if expected.len() < MAX_EXPECTED {
            expected.insert((agent.into(), address), (firmware, now + EXPECTED_FOR));
        }
    }

    /// What a rig that has come back is expected to need.
    pub(crate) fn expected(&self, agent: &str, address: IpAddr, now: Instant) -> Option<Firmware> {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let (firmware, until) = expected.remove(&(agent.into(), address))?;
        (until > now).then_some(firmware)
    }

    /// The record of rigs that send rubbish.
    pub(crate) fn penalties(&self) -> MutexGuard<'_, Penalties> {
        self.penalties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
