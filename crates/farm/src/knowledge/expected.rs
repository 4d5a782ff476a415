//! Rigs that are expected back, and should then be served otherwise.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use orepass_stratum::firmware::Firmware;
use orepass_stratum::time::Instant;

use super::{FirmwareRecord, Needs};

/// How long a rig that was closed is expected back…
pub(super) const EXPECTED_FOR: Duration = Duration::from_secs(120);
/// …and how long those that earlier runs knew are expected after the start.
pub(super) const EXPECTED_AT_START: Duration = Duration::from_secs(600);
/// The most kinds of rigs that are expected at a time; more are not noted.
const MAX_EXPECTED: usize = 1024;

/// What is told apart of rigs that have not said who they are: software at an address.
type KindAtAddress = (Box<str>, IpAddr);

/// Who is expected back.
#[derive(Debug)]
pub(super) struct Expected(HashMap<KindAtAddress, Awaited>);

#[derive(Debug)]
struct Awaited {
    needs: Needs,
    rigs: usize,
    until: Instant,
}

impl Expected {
    /// Which rigs should come back after a restart: those that cannot share a pool connection, where
    /// all of their kind at their address were so.
    pub(super) fn at_start<'a>(
        remembered: impl Iterator<Item = &'a FirmwareRecord>,
        now: Instant,
    ) -> Self {
        let until = now + EXPECTED_AT_START;
        let mut kinds: HashMap<KindAtAddress, Option<Awaited>> = HashMap::new();
        for record in remembered {
            let Some(address) = record.address else { continue };
            let firmware = record.needs();
            let needs = Needs { firmware, sure: Firmware::default() };
            let new = || Some(Awaited { needs, rigs: 0, until });
            let awaited = kinds.entry((record.agent.as_ref().into(), address)).or_insert_with(new);
            match awaited {
                Some(awaited) if firmware.is_particular() => awaited.rigs += 1,
                _ => *awaited = None,
            }
        }
        let kinds = kinds.into_iter().filter_map(|(kind, awaited)| Some((kind, awaited?)));
        Self(kinds.take(MAX_EXPECTED).collect())
    }

    /// A rig is closed because what is known of its worker, which it told too late, wants it
    /// elsewhere: it is known when it comes back.
    pub(super) fn expect(&mut self, agent: &str, address: IpAddr, needs: Needs, now: Instant) {
        if self.0.len() >= MAX_EXPECTED {
            self.0.retain(|_, awaited| awaited.until > now);
        }
        let (kind, until) = ((agent.into(), address), now + EXPECTED_FOR);
        if let Some(awaited) = self.0.get_mut(&kind) {
            *awaited = Awaited { needs, rigs: awaited.rigs + 1, until };
        } else if self.0.len() < MAX_EXPECTED {
            self.0.insert(kind, Awaited { needs, rigs: 1, until });
        }
    }

    /// What a rig that has come back is expected to need.
    pub(super) fn take(&mut self, agent: &str, address: IpAddr, now: Instant) -> Option<Needs> {
        let kind = (agent.into(), address);
        let found = self.0.get_mut(&kind)?;
        found.rigs -= 1;
        let needs = (found.until > now).then_some(found.needs);
        if found.rigs == 0 || needs.is_none() {
            self.0.remove(&kind);
        }
        needs
    }
}
