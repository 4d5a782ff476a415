//! What a route knows of rigs: by its config, and by what they showed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_farm::kinds::Kinds;
use orepass_farm::penalties::Penalties;
use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::firmware::{Firmware, Merit, USUAL_EXTRANONCE2};
use orepass_stratum::target::Difficulty;

use crate::clock::unix_seconds;
use crate::config::Profile;
use crate::store::{FirmwareState, RouteStore, WorkerState};

/// How long a rig that was closed is expected back…
const EXPECTED_FOR: Duration = Duration::from_secs(120);
/// …and how long those that earlier runs knew are expected after the start.
const EXPECTED_AT_START: Duration = Duration::from_secs(600);
/// The most rigs that are expected at a time.
const MAX_EXPECTED: usize = 1024;

/// What is known of a rig's firmware.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Needs {
    /// All of it.
    pub(crate) firmware: Firmware,
    /// The part that is sure: configured, or shown by the rig itself.
    pub(crate) sure: Firmware,
}

/// What is told apart of rigs that have not said who they are: software at an address.
type Kind = (Box<str>, IpAddr);

/// A rig that has said who it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rig<'a> {
    /// The name that its software gives itself.
    pub(crate) agent: &'a str,
    /// Where it connects from.
    pub(crate) address: IpAddr,
    /// Its worker.
    pub(crate) worker: &'a str,
}

/// Rigs that were closed and should come back.
#[derive(Debug)]
struct Expected {
    needs: Needs,
    rigs: usize,
    until: Instant,
}

/// What a route knows of rigs.
#[derive(Debug)]
pub(crate) struct Known {
    profiles: Vec<Profile>,
    memory: RouteStore,
    kinds: Mutex<Kinds>,
    penalties: Mutex<Penalties>,
    expected: Mutex<HashMap<Kind, Expected>>,
}

impl Known {
    pub(super) fn new(profiles: Vec<Profile>, memory: RouteStore, now: Instant) -> Self {
        let mut kinds = Kinds::default();
        let remembered = memory.all_firmware();
        for (worker, state) in &remembered {
            kinds.failed(&state.agent, worker, &needs(state));
            let merits = [
                state.shares.then_some(Merit::Shares),
                state.sizes.then_some(Merit::Sizes),
                state.set_extranonce.filter(|takes| *takes).map(|_| Merit::Follows),
            ];
            merits.into_iter().flatten().for_each(|merit| kinds.did_well(&state.agent, merit));
        }
        let expected = expected_at_start(remembered, now + EXPECTED_AT_START);
        let (kinds, expected) = (Mutex::new(kinds), Mutex::new(expected));
        Self { profiles, memory, kinds, penalties: Mutex::default(), expected }
    }

    /// What a rig's firmware needs. What is configured goes before what the rig showed itself, and
    /// that before what is `known` of such a login and what several of its kind showed; among
    /// profiles the first that says something.
    pub(crate) fn firmware(&self, agent: &str, worker: Option<&str>, known: Firmware) -> Needs {
        let profiles = self.profiles.iter().filter(|profile| profile.covers(agent, worker));
        let configured =
            profiles.fold(Firmware::default(), |firmware, profile| firmware.or(profile.firmware));
        let own = worker.and_then(|worker| self.memory.firmware(worker, unix_seconds()));
        let sure = configured.or(own.as_ref().map(needs).unwrap_or_default());
        let mut kind = known.or(lock(&self.kinds).firmware(agent));
        if let Some(own) = own {
            // It may have shown that it is not as others of its kind.
            kind.dedicated &= !own.shares;
            kind.extranonce2 = kind.extranonce2.filter(|_| !own.sizes);
        }
        Needs { firmware: sure.or(kind), sure }
    }

    /// A rig's shares showed what is wrong with its firmware.
    pub(crate) fn learn(&self, rig: &Rig<'_>, diagnosis: Diagnosis) {
        let Some(remedy) = Firmware::remedy(diagnosis) else { return };
        let Rig { agent, address, worker } = *rig;
        self.memory.remember_firmware((worker, agent), unix_seconds(), |state| {
            state.address = Some(address);
            if remedy.is_particular() {
                state.alone = diagnosis.name().into();
                state.shares &= !remedy.dedicated;
                state.sizes &= remedy.extranonce2.is_none();
            }
            state.set_extranonce = remedy.set_extranonce.or(state.set_extranonce);
        });
        lock(&self.kinds).failed(agent, worker, &remedy);
    }

    /// A rig's good share showed what its firmware can do.
    pub(crate) fn proven(&self, rig: &Rig<'_>, merit: Merit) {
        let Rig { agent, address, worker } = *rig;
        self.memory.remember_firmware((worker, agent), unix_seconds(), |state| {
            state.address = Some(address);
            let needs = needs(state);
            let refuted = match merit {
                Merit::Shares => {
                    state.shares = true;
                    needs.dedicated
                }
                Merit::Sizes => {
                    state.sizes = true;
                    needs.extranonce2.is_some()
                }
                Merit::Follows => {
                    state.set_extranonce = Some(true);
                    false
                }
            };
            if refuted {
                state.alone = Arc::default();
            }
        });
        lock(&self.kinds).did_well(agent, merit);
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

    /// A rig is closed because what is known of its worker, which it told too late, wants it
    /// elsewhere: it is known when it comes back.
    pub(crate) fn expect(&self, agent: &str, address: IpAddr, needs: Needs, now: Instant) {
        let mut expected = lock(&self.expected);
        if expected.len() >= MAX_EXPECTED {
            expected.retain(|_, expected| expected.until > now);
        }
        let (kind, until) = ((agent.into(), address), now + EXPECTED_FOR);
        if let Some(expected) = expected.get_mut(&kind) {
            *expected = Expected { needs, rigs: expected.rigs + 1, until };
        } else if expected.len() < MAX_EXPECTED {
            expected.insert(kind, Expected { needs, rigs: 1, until });
        }
    }

    /// What a rig that has come back is expected to need.
    pub(crate) fn expected(&self, agent: &str, address: IpAddr, now: Instant) -> Option<Needs> {
        let mut expected = lock(&self.expected);
        let kind = (agent.into(), address);
        let found = expected.get_mut(&kind)?;
        found.rigs -= 1;
        let needs = (found.until > now).then_some(found.needs);
        if found.rigs == 0 || needs.is_none() {
            expected.remove(&kind);
        }
        needs
    }

    /// The record of rigs that send rubbish.
    pub(crate) fn penalties(&self) -> MutexGuard<'_, Penalties> {
        lock(&self.penalties)
    }
}

/// Which rigs should come back after a restart: those that cannot share a pool connection, where all
/// of their kind at their address were so.
fn expected_at_start(
    remembered: Vec<(Arc<str>, FirmwareState)>,
    until: Instant,
) -> HashMap<Kind, Expected> {
    let mut kinds: HashMap<Kind, Option<Expected>> = HashMap::new();
    for (_, state) in remembered {
        let Some(address) = state.address else { continue };
        let firmware = needs(&state);
        let needs = Needs { firmware, sure: Firmware::default() };
        let new = || Some(Expected { needs, rigs: 0, until });
        let expected = kinds.entry((state.agent.as_ref().into(), address)).or_insert_with(new);
        match expected {
            Some(expected) if firmware.is_particular() => expected.rigs += 1,
            _ => *expected = None,
        }
    }
    let expected = kinds.into_iter().filter_map(|(kind, expected)| Some((kind, expected?)));
    expected.take(MAX_EXPECTED).collect()
}

/// What a worker's rig needs by what it showed.
fn needs(state: &FirmwareState) -> Firmware {
    let ignores_size = *state.alone == *Diagnosis::IgnoresExtranonce2Size.name();
    Firmware {
        dedicated: !state.alone.is_empty() && !ignores_size,
        extranonce2: ignores_size.then_some(USUAL_EXTRANONCE2),
        set_extranonce: state.set_extranonce.filter(|takes| !takes),
        ..Firmware::default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    use crate::clock::now;
    use crate::store::Store;

    const HOME: &str = "farm.r1";
    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    fn rig(worker: &str) -> Rig<'_> {
        Rig { agent: "asic/1", address: ADDRESS, worker }
    }

    fn known() -> Known {
        Known::new(Vec::new(), Store::fleeting().route("hns"), now())
    }

    fn needs_of(known: &Known, worker: &str) -> Needs {
        known.firmware("asic/1", Some(worker), Firmware::default())
    }

    #[test]
    fn what_one_rig_does_wrong_is_not_charged_to_the_others_of_its_kind() {
        let known = known();
        known.learn(&rig("farm.bad"), Diagnosis::IgnoresExtranonce2Size);
        assert!(needs_of(&known, "farm.bad").sure.is_particular());
        assert_eq!(needs_of(&known, HOME), Needs::default());
        assert_eq!(known.firmware("asic/1", None, Firmware::default()), Needs::default());
        for worker in ["farm.worse", "farm.worst"] {
            known.learn(&rig(worker), Diagnosis::IgnoresExtranonce2Size);
        }
        let needs = needs_of(&known, HOME);
        let usual = Firmware { extranonce2: Some(USUAL_EXTRANONCE2), ..Firmware::default() };
        assert_eq!(needs, Needs { firmware: usual, sure: Firmware::default() }, "a guess");
        known.proven(&rig("farm.good"), Merit::Shares);
        assert_eq!(needs_of(&known, HOME), needs, "it may have been told 4 bytes");
        known.proven(&rig("farm.good"), Merit::Sizes);
        assert_eq!(needs_of(&known, HOME), Needs::default(), "one of them has shown the contrary");
        assert!(needs_of(&known, "farm.bad").sure.is_particular());
    }

    #[test]
    fn a_rig_that_shared_well_needs_nothing_else_whatever_is_said_of_its_kind() {
        let known = known();
        known.proven(&rig(HOME), Merit::Shares);
        let alone = Firmware { dedicated: true, ..Firmware::default() };
        assert_eq!(known.firmware("asic/1", Some(HOME), alone), Needs::default());
        known.learn(&rig(HOME), Diagnosis::TruncatesExtranonce1);
        assert!(needs_of(&known, HOME).sure.dedicated, "until it shows otherwise");
        known.proven(&rig(HOME), Merit::Shares);
        assert_eq!(needs_of(&known, HOME), Needs::default());
    }

    #[test]
    fn a_rig_that_always_sends_4_bytes_is_known_as_such_after_it_did_well_where_4_are_told() {
        let known = known();
        known.learn(&rig(HOME), Diagnosis::IgnoresExtranonce2Size);
        known.proven(&rig(HOME), Merit::Shares);
        assert_eq!(needs_of(&known, HOME).sure.extranonce2, Some(USUAL_EXTRANONCE2));
        let by_login = Firmware { extranonce2: Some(USUAL_EXTRANONCE2), ..Firmware::default() };
        let others = known.firmware("asic/1", Some("farm.r2"), by_login);
        assert_eq!(others.firmware, by_login);
        known.proven(&rig(HOME), Merit::Sizes);
        assert_eq!(known.firmware("asic/1", Some(HOME), by_login), Needs::default());
    }

    #[test]
    fn kinds_are_known_again_after_a_restart() {
        let memory = Store::fleeting();
        let before = Known::new(Vec::new(), memory.route("hns"), now());
        for worker in ["a", "b", "c"] {
            before.learn(&rig(worker), Diagnosis::IgnoresSetExtranonce);
        }
        let after = Known::new(Vec::new(), memory.route("hns"), now());
        assert_eq!(needs_of(&after, "d").firmware.set_extranonce, Some(false));
        after.proven(&rig("d"), Merit::Follows);
        let after = Known::new(Vec::new(), memory.route("hns"), now());
        assert_eq!(needs_of(&after, "e").firmware.set_extranonce, None);
    }

    #[test]
    fn rigs_that_need_a_connection_of_their_own_are_expected_after_a_restart() {
        let memory = Store::fleeting();
        let before = Known::new(Vec::new(), memory.route("hns"), now());
        before.learn(&rig("a"), Diagnosis::TruncatesExtranonce1);
        before.learn(&rig("b"), Diagnosis::TruncatesExtranonce1);
        let after = Known::new(Vec::new(), memory.route("hns"), now());
        let expected = |agent, at| after.expected(agent, ADDRESS, at);
        assert_eq!(expected("asic/2", now()), None);
        for _ in ["a", "b"] {
            let needs = expected("asic/1", now()).unwrap();
            assert!(needs.firmware.dedicated && !needs.sure.is_particular());
        }
        assert_eq!(expected("asic/1", now()), None, "no more than there were");
        // One that shares well is taken for no other, and none for it.
        before.proven(&rig("c"), Merit::Shares);
        let after = Known::new(Vec::new(), memory.route("hns"), now());
        assert_eq!(after.expected("asic/1", ADDRESS, now()), None);
    }
}
