//! Guesses at why a rig's share failed.

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::target::Target;

use crate::equihash::{AION, Scratch};
use crate::job::Job;
use crate::share::{self, NONCE_SIZE, Share};

/// What a rig may have done to send a share that failed: each known mistake is undone, and the one
/// that makes the share good is named.
///
/// `extranonce1` is the rig's own, of which the first `pool_extranonce1` bytes are the pool's.
/// There is no luck in it: a solution of one nonce is none of another.
#[must_use]
pub fn diagnose(
    job: &Job,
    extranonce1: &[u8],
    pool_extranonce1: usize,
    share: &Share,
    target: &Target,
) -> Option<Diagnosis> {
    let nonce = share.nonce(extranonce1).ok()?;
    let mut reversed = nonce;
    reversed.reverse();
    let told = extranonce1.len();
    let cut = |rig_part_at| without_prefix(&nonce, pool_extranonce1, told, rig_part_at);
    let guesses = [
        (Diagnosis::TruncatesExtranonce1, cut(told)),
        (Diagnosis::TruncatesExtranonce1, cut(pool_extranonce1)),
        (Diagnosis::ReversedNonce, Some(reversed)),
    ];
    // Most guesses fail at the hash, without a need for working memory.
    let mut scratch = None;
    let mut is_good = |guess: &[u8; NONCE_SIZE]| {
        if *guess == nonce || !share::hash(job, guess, share).below(target) {
            return false;
        }
        let scratch = scratch.get_or_insert_with(Scratch::default);
        AION.verify(&job.header_hash, guess, &share.solution, scratch).is_ok()
    };
    let named = guesses.into_iter().find(|(_, guess)| guess.as_ref().is_some_and(&mut is_good));
    named.map(|(diagnosis, _)| diagnosis)
}

/// The nonce of a rig that knows only the first `pool` bytes of the `told` ones: its own part
/// stands at `rig_part_at`, where it belongs or right behind the bytes it knows, and what is left
/// is zeros.
fn without_prefix(
    nonce: &[u8; NONCE_SIZE],
    pool: usize,
    told: usize,
    rig_part_at: usize,
) -> Option<[u8; NONCE_SIZE]> {
    let (pool_part, rig_part) = (nonce.get(..pool)?, nonce.get(told..)?);
    let mut cut = [0; NONCE_SIZE];
    cut.get_mut(..pool)?.copy_from_slice(pool_part);
    cut.get_mut(rig_part_at..)?.get_mut(..rig_part.len())?.copy_from_slice(rig_part);
    (pool < told).then_some(cut)
}
