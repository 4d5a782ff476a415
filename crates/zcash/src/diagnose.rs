//! Guesses at why a rig's share failed.

use orepass_equihash::Scratch;
use orepass_stratum::dialect::{BasisOf, Diagnosis};
use orepass_stratum::rpc::{self, Params};
use orepass_stratum::target::Target;

use crate::Zcash;
use crate::pow::{self, SOLUTION_PREFIX, SOLUTION_SIZE};
use crate::share::{NONCE_SIZE, Share};

/// What a rig may have done to send a share that failed: each known mistake is undone, and the one
/// that makes the share good is named. There is no luck in it: a solution of one header is none of
/// another.
pub(crate) fn diagnose(
    told: &BasisOf<'_, Zcash>,
    share: &Share,
    target: &Target,
) -> Option<Diagnosis> {
    let nonce = share.nonce(told.extranonce1).ok()?;
    let (mut reversed, mut cut) = (nonce, nonce);
    reversed.reverse();
    cut.get_mut(told.pool_extranonce1..told.extranonce1.len())?.fill(0);
    let guesses = [
        (Diagnosis::REVERSED_TIME, share.time.swap_bytes(), nonce),
        (Diagnosis::REVERSED_NONCE, share.time, reversed),
        (Diagnosis::TRUNCATES_EXTRANONCE1, share.time, cut),
    ];
    let mut scratch = Scratch::default();
    let mut is_good = |time: u32, guess: &[u8; NONCE_SIZE]| {
        let header = told.job.header(time, guess);
        (time, guess) != (share.time, &nonce)
            && pow::share_hash(&header, &share.solution).at_or_below(target)
            && pow::EQUIHASH.verify(&header, &[], &share.solution, &mut scratch).is_ok()
    };
    guesses.iter().find(|(_, time, guess)| is_good(*time, guess)).map(|(named, ..)| *named)
}

/// What the form of a submit that cannot be read says: an extranonce2 in hex of another length than
/// the rig was told, or something else in the solution's place, such as the solution of Equihash with
/// other parameters.
pub(crate) fn diagnose_form(extranonce2_size: usize, params: &Params<'_>) -> Option<Diagnosis> {
    let hex_bytes = |at: usize| rpc::hex_length(params.elements().get(at)?);
    let (extranonce2, solution) = (hex_bytes(3), hex_bytes(4)?);
    if ![SOLUTION_SIZE, SOLUTION_PREFIX.len() + SOLUTION_SIZE].contains(&solution) {
        return Some(Diagnosis::OTHER_COIN);
    }
    let other = extranonce2.filter(|found| (1..=NONCE_SIZE).contains(found))? != extranonce2_size;
    other.then_some(Diagnosis::IGNORES_EXTRANONCE2_SIZE)
}
