//! Guesses at why a rig's share failed.

use orepass_equihash::Scratch;
use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::rpc::{self, Params};
use orepass_stratum::target::Target;

use crate::job::Job;
use crate::pow;
use crate::share::{NONCE_SIZE, SOLUTION_SIZE, Share};

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
        (Diagnosis::TRUNCATES_EXTRANONCE1, cut(told)),
        (Diagnosis::TRUNCATES_EXTRANONCE1, cut(pool_extranonce1)),
        (Diagnosis::REVERSED_NONCE, Some(reversed)),
    ];
    // Most guesses fail at the hash, without a need for working memory.
    let mut scratch = None;
    let mut is_good = |guess: &[u8; NONCE_SIZE]| {
        let hash = || pow::share_hash(&job.header_hash, guess, &share.solution);
        if *guess == nonce || !hash().below(target) {
            return false;
        }
        let scratch = scratch.get_or_insert_with(Scratch::default);
        pow::EQUIHASH.verify(&job.header_hash, guess, &share.solution, scratch).is_ok()
    };
    let named = guesses.into_iter().find(|(_, guess)| guess.as_ref().is_some_and(&mut is_good));
    named.map(|(diagnosis, _)| diagnosis)
}

/// What the form of a submit that cannot be read says: an extranonce2 in hex of another length than
/// the rig was told, or something else in the solution's place, such as another coin's nonce or
/// the solution of Equihash with other parameters.
#[must_use]
pub fn diagnose_form(extranonce2_size: usize, params: &Params<'_>) -> Option<Diagnosis> {
    /// What miners put before a solution: its length as a compact size.
    const PREFIX: usize = 3;
    let hex_bytes = |at: usize| rpc::hex_length(params.elements().get(at)?);
    match (hex_bytes(3), hex_bytes(4)) {
        (_, Some(solution)) if ![SOLUTION_SIZE, SOLUTION_SIZE + PREFIX].contains(&solution) => {
            Some(Diagnosis::OTHER_COIN)
        }
        (Some(found), Some(_)) if (1..=NONCE_SIZE).contains(&found) => {
            (found != extranonce2_size).then_some(Diagnosis::IGNORES_EXTRANONCE2_SIZE)
        }
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn the_form_of_a_submit_tells_a_stubborn_rig_from_a_stranger() {
        let guess = |extranonce2: usize, solution: usize| {
            let (extranonce2, solution) = ("00".repeat(extranonce2), "00".repeat(solution));
            let params = format!(r#"["w","7","0","{extranonce2}","{solution}"]"#);
            diagnose_form(28, &Params::read(&RawValue::from_string(params).unwrap()).unwrap())
        };
        assert_eq!(guess(30, 1408), Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
        assert_eq!(guess(30, 1411), Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
        assert_eq!(guess(28, 1411), None);
        assert_eq!(guess(28, 4), Some(Diagnosis::OTHER_COIN));
        assert_eq!(guess(28, 1344), Some(Diagnosis::OTHER_COIN), "Equihash 200,9");
    }
}
