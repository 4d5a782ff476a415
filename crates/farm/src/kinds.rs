//! What rigs of one kind of software have shown of their firmware.
//!
//! What one worker's rig does wrong is that rig's own: its setting, its age, or somebody who took the
//! name. It says something about its kind only when several workers agree, and as long as none of
//! the kind has shown the contrary.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use arrayvec::ArrayVec;

use orepass_stratum::firmware::{Firmware, Merit, USUAL_EXTRANONCE2};

/// So many workers have to agree.
pub const AGREE: usize = 3;
/// The most kinds that are told apart; what is new past them is not noted.
const MAX_KINDS: usize = 1024;

/// What is known of each kind, by the name that the software gives itself.
#[derive(Debug, Default)]
pub struct Kinds(HashMap<Box<str>, Kind>);

#[derive(Debug, Default)]
struct Kind {
    /// That it cannot share a connection.
    alone: KindEvidence,
    /// That it sends an extranonce2 of the usual length, whatever it is told.
    usual_size: KindEvidence,
    /// That it does not follow `mining.set_extranonce`.
    stubborn: KindEvidence,
}

#[derive(Debug, Default)]
struct KindEvidence {
    /// Workers whose rigs showed it.
    shown_by: ArrayVec<u64, AGREE>,
    /// A rig has shown the contrary.
    refuted: bool,
}

impl Kinds {
    /// A worker's rig showed that it needs this.
    pub fn failed(&mut self, agent: &str, worker: &str, needs: &Firmware) {
        let Some(kind) = self.kind(agent) else { return };
        if needs.dedicated {
            kind.alone.note(worker);
        }
        if needs.extranonce2 == Some(USUAL_EXTRANONCE2) {
            kind.usual_size.note(worker);
        }
        if needs.set_extranonce == Some(false) {
            kind.stubborn.note(worker);
        }
    }

    /// A rig did something as it should.
    pub fn did_well(&mut self, agent: &str, merit: Merit) {
        let Some(kind) = self.kind(agent) else { return };
        match merit {
            Merit::Shares => kind.alone.refuted = true,
            Merit::Sizes => kind.usual_size.refuted = true,
            Merit::Follows => kind.stubborn.refuted = true,
        }
    }

    /// What a rig of this kind needs, as far as its kind shows.
    #[must_use]
    pub fn firmware(&self, agent: &str) -> Firmware {
        let kind = self.0.get(agent);
        Firmware {
            dedicated: kind.is_some_and(|kind| kind.alone.holds()),
            extranonce2: kind.filter(|kind| kind.usual_size.holds()).map(|_| USUAL_EXTRANONCE2),
            set_extranonce: kind.filter(|kind| kind.stubborn.holds()).map(|_| false),
            ..Firmware::default()
        }
    }

    /// Software without a name is no kind.
    fn kind(&mut self, agent: &str) -> Option<&mut Kind> {
        let room = self.0.len() < MAX_KINDS || self.0.contains_key(agent);
        (room && !agent.is_empty()).then(|| self.0.entry(agent.into()).or_default())
    }
}

impl KindEvidence {
    fn note(&mut self, worker: &str) {
        let mut hasher = DefaultHasher::new();
        worker.hash(&mut hasher);
        let worker = hasher.finish();
        if !self.shown_by.is_full() && !self.shown_by.contains(&worker) {
            self.shown_by.push(worker);
        }
    }

    fn holds(&self) -> bool {
        self.shown_by.is_full() && !self.refuted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::dialect::Diagnosis;

    fn remedy(diagnosis: Diagnosis) -> Firmware {
        Firmware::remedy(diagnosis).unwrap()
    }

    #[test]
    fn one_rig_does_not_condemn_its_kind_however_often_it_fails() {
        let mut kinds = Kinds::default();
        let alone = remedy(Diagnosis::TRUNCATES_EXTRANONCE1);
        for _ in 0..100 {
            kinds.failed("asic/1", "farm.r1", &alone);
        }
        kinds.failed("asic/1", "farm.r2", &alone);
        assert_eq!(kinds.firmware("asic/1"), Firmware::default());
        kinds.failed("asic/1", "farm.r3", &alone);
        assert!(kinds.firmware("asic/1").dedicated);
        assert_eq!(kinds.firmware("asic/2"), Firmware::default());
        assert_eq!(kinds.firmware(""), Firmware::default());
    }

    #[test]
    fn one_rig_that_does_well_clears_its_kind_of_that() {
        let mut kinds = Kinds::default();
        for worker in ["a", "b", "c"] {
            kinds.failed("asic/1", worker, &remedy(Diagnosis::IGNORES_SET_EXTRANONCE));
            kinds.failed("asic/1", worker, &remedy(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
            kinds.failed("asic/1", worker, &remedy(Diagnosis::TRUNCATES_EXTRANONCE1));
        }
        let needs = |kinds: &Kinds| {
            let Firmware { dedicated, extranonce2, set_extranonce, .. } = kinds.firmware("asic/1");
            (dedicated, extranonce2, set_extranonce)
        };
        assert_eq!(needs(&kinds), (true, Some(4), Some(false)));
        kinds.did_well("asic/1", Merit::Shares);
        assert_eq!(needs(&kinds), (false, Some(4), Some(false)), "it may have been told 4 bytes");
        kinds.did_well("asic/1", Merit::Sizes);
        assert_eq!(needs(&kinds), (false, None, Some(false)));
        kinds.did_well("asic/1", Merit::Follows);
        assert_eq!(kinds.firmware("asic/1"), Firmware::default());
    }

    #[test]
    fn no_more_than_so_many_kinds_are_noted() {
        let mut kinds = Kinds::default();
        for number in 0..2 * MAX_KINDS {
            kinds.did_well(&format!("agent/{number}"), Merit::Shares);
        }
        assert_eq!(kinds.0.len(), MAX_KINDS);
    }
}
