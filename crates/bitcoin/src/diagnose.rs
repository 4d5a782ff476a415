//! Guesses at why a rig's share failed.

use orepass_stratum::dialect::{BasisOf, Diagnosis, Symptom};
use orepass_stratum::rpc::{self, Params};
use orepass_stratum::target::Target;

use crate::dialect::Bitcoin;
use crate::share::{self, Share};
use crate::wire::submit;

/// A guess needs a target that a random hash meets only once in so many, or a bad share would be
/// explained by luck.
const MIN_EVIDENCE: f64 = 128.0;
/// The bytes of a nonce.
const NONCE: usize = 4;

/// It sends bits of the version that it may not roll.
pub const ROLLS_TOO_MUCH: Diagnosis = Diagnosis::own(&Symptom {
    name: "rolls_too_much",
    text: "its firmware rolls bits of the version that it was not given",
    advice: "its shares cannot count: set another firmware, or switch version rolling (AsicBoost) off",
});

/// Its bits of the version are those that differ from the job's.
pub const SENDS_VERSION_CHANGES: Diagnosis = Diagnosis::own(&Symptom {
    name: "sends_version_changes",
    text: "its firmware sends which bits of the version it changed, not what they are",
    advice: "its shares count only where jobs have none of the bits that it may roll: set another firmware, \
             or a `version_mask` in the options that leaves those bits alone",
});

/// What a rig may have done to send a share that misses `target`: each known mistake is undone, and the
/// one that makes the share good is named. `None` also where the target is so easy that luck explains as
/// much.
#[must_use]
pub fn diagnose(told: &BasisOf<'_, Bitcoin>, share: &Share, target: &Target) -> Option<Diagnosis> {
    if target.hashes_lossy() < MIN_EVIDENCE {
        return None;
    }
    let (job, extranonce1) = (told.job, told.extranonce1.as_bytes());
    let good = |extranonce1: &[u8], share: &Share| {
        share::hash(job, extranonce1, share).at_or_below(target)
    };
    let undone = |undo: fn(&mut Share)| {
        let mut share = share.clone();
        undo(&mut share);
        good(extranonce1, &share)
    };
    if undone(|share| share.nonce = share.nonce.swap_bytes()) {
        return Some(Diagnosis::REVERSED_NONCE);
    }
    if undone(|share| share.time = share.time.swap_bytes()) {
        return Some(Diagnosis::REVERSED_TIME);
    }
    let version = job.parts().version;
    let changed = Share { version: version ^ share.version & share.mask, ..share.clone() };
    if changed.version != share.version && good(extranonce1, &changed) {
        return Some(SENDS_VERSION_CHANGES);
    }
    let cut = extranonce1.get(..told.pool_extranonce1).filter(|cut| cut.len() < extranonce1.len());
    cut.is_some_and(|cut| good(cut, share)).then_some(Diagnosis::TRUNCATES_EXTRANONCE1)
}

/// What the form of a submit that cannot be read says: bits of the version that its rig must leave alone,
/// an extranonce2 in hex of another length than the rig was told, or a nonce as no Bitcoin miner writes it.
#[must_use]
pub fn diagnose_form(told: &BasisOf<'_, Bitcoin>, fields: &Params<'_>) -> Option<Diagnosis> {
    let bytes = |at: usize| rpc::hex_length(fields.elements().get(at)?);
    match (bytes(2), bytes(4)) {
        (_, Some(nonce)) if nonce > NONCE => Some(Diagnosis::OTHER_COIN),
        (Some(found), Some(_)) if found > 0 && found != told.extranonce2 => {
            Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE)
        }
        _ => submit::rolls_too_much(told, fields).then_some(ROLLS_TOO_MUCH),
    }
}
