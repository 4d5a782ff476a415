//! Guesses at why a rig's share failed.

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::target::{PowHash, Target};

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
        return Some(Diagnosis::ReversedNonce);
    }
    let mut reversed = *share;
    reversed.time = reversed.time.swap_bytes();
    if u64::from(reversed.time) >= job.time() && good(hash(extranonce1, &reversed), target) {
        return Some(Diagnosis::ReversedTime);
    }
    let cut = extranonce1.get(..pool_extranonce1).filter(|cut| cut.len() < extranonce1.len());
    if cut.is_some_and(|cut| good(hash(cut, share), target)) {
        return Some(Diagnosis::TruncatesExtranonce1);
    }
    let hash = hash(extranonce1, share);
    let told = rig_scale.difficulty_lossy(*target);
    let misread = DifficultyScale::ALL
        .into_iter()
        .map(|scale| scale.target(told))
        .any(|read| read > *target && good(hash, &read));
    misread.then_some(Diagnosis::OtherDifficultyScale)
}

fn reversed_nonce(share: &Share) -> Share {
    let mut reversed = *share;
    match &mut reversed.nonce {
        Nonce::Deployed(nonce) => *nonce = nonce.swap_bytes(),
        Nonce::Seed(nonce) => nonce.reverse(),
    }
    reversed
}
