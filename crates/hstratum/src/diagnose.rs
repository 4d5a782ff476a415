//! Guesses at why a rig's share failed.

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::rpc::{self, Params};
use orepass_stratum::target::{PowHash, Target};

use crate::header::EXTRA_NONCE_SIZE;
use crate::job::Job;
use crate::scale::DifficultyScale;
use crate::share::{self, Nonce, Share};

/// A guess needs a target that a random hash meets only once in so many, or a bad share would be
/// explained by luck.
const MIN_EVIDENCE: f64 = 128.0;

/// What a rig may have done to send a share that misses `target`: each known mistake is undone,
/// and the one that makes the share good is named.
///
/// `extranonce1` is the rig's own, of which the first `pool_extranonce1` bytes are the pool's.
/// `rig_scale` is the scale on which the rig was told its difficulty. `None` also where the
/// target is so easy that luck explains as much.
#[must_use]
pub fn diagnose(
    job: &Job,
    extranonce1: &[u8],
    pool_extranonce1: usize,
    share: &Share,
    target: &Target,
    rig_scale: DifficultyScale,
) -> Option<Diagnosis> {
    let hash = |extranonce1, share: &Share| share::hash(job, extranonce1, share).ok();
    let good = |hash: Option<PowHash>, target: &Target| {
        target.hashes_lossy() >= MIN_EVIDENCE && hash.is_some_and(|hash| hash.at_or_below(target))
    };
    if good(hash(extranonce1, &reversed_nonce(share)), target) {
        return Some(Diagnosis::REVERSED_NONCE);
    }
    let mut reversed = *share;
    reversed.time = reversed.time.swap_bytes();
    if u64::from(reversed.time) >= job.time() && good(hash(extranonce1, &reversed), target) {
        return Some(Diagnosis::REVERSED_TIME);
    }
    let cut = extranonce1.get(..pool_extranonce1).filter(|cut| cut.len() < extranonce1.len());
    if cut.is_some_and(|cut| good(hash(cut, share), target)) {
        return Some(Diagnosis::TRUNCATES_EXTRANONCE1);
    }
    let hash = hash(extranonce1, share);
    let told = rig_scale.scale().difficulty_lossy(*target);
    let misread = DifficultyScale::ALL
        .into_iter()
        .map(|other| other.scale().target(told))
        .any(|read| read > *target && good(hash, &read));
    misread.then_some(Diagnosis::OTHER_DIFFICULTY_SCALE)
}

/// What the form of a submit that cannot be read says: an extranonce2 in hex of another length than
/// the rig was told, or a nonce as no Handshake miner writes it, such as an Equihash solution.
#[must_use]
pub fn diagnose_form(job: &Job, extranonce2_size: usize, params: &Params<'_>) -> Option<Diagnosis> {
    let hex_bytes = |at: usize| rpc::hex_length(params.elements().get(at)?);
    // Some firmware fills the nonce to 8 bytes.
    let usual: &[usize] = if matches!(job, Job::Deployed(_)) { &[4, 8] } else { &[32] };
    match (hex_bytes(2), hex_bytes(4)) {
        (_, Some(nonce)) if !usual.contains(&nonce) => Some(Diagnosis::OTHER_COIN),
        (Some(found), Some(_)) if (1..=EXTRA_NONCE_SIZE).contains(&found) => {
            (found != extranonce2_size).then_some(Diagnosis::IGNORES_EXTRANONCE2_SIZE)
        }
        _ => None,
    }
}

fn reversed_nonce(share: &Share) -> Share {
    let mut reversed = *share;
    match &mut reversed.nonce {
        Nonce::Deployed(nonce) => *nonce = nonce.swap_bytes(),
        Nonce::Seed(nonce) => nonce.reverse(),
    }
    reversed
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn the_form_of_a_submit_tells_a_stubborn_rig_from_a_stranger() {
        let root = "00".repeat(32);
        let notify = format!(
            r#"["7","{root}","{root}","{root}","{root}","{root}","00000000","1a06e782","5e49aa25"]"#
        );
        let raw = |text: String| RawValue::from_string(text).unwrap();
        let job = Job::parse(&raw(notify)).unwrap();
        let guess = |extranonce2: &str, nonce: &str| {
            let params = format!(r#"["w","7","{extranonce2}","5e49aa25","{nonce}"]"#);
            diagnose_form(&job, 3, &Params::read(&raw(params)).unwrap())
        };
        assert_eq!(guess("aa923a8b", "73a37ddb"), Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
        assert_eq!(
            guess("aa923a8b", "0000000073a37ddb"),
            Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE)
        );
        assert_eq!(guess("aa923a", "73a37ddb"), None);
        assert_eq!(guess("aa923a8", "73a37ddb"), None, "that is no hex");
        assert_eq!(guess("aa923a", &"00".repeat(1408)), Some(Diagnosis::OTHER_COIN));
        let two = raw("[1,2]".into());
        assert_eq!(diagnose_form(&job, 3, &Params::read(&two).unwrap()), None);
    }
}
