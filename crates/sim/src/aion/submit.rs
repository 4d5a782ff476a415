//! The pool's half: judging a submit.

use orepass_aion::pow;
use orepass_equihash::Scratch;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc;
use orepass_stratum::target::Target;
use serde_json::value::RawValue;

use super::{Bytes32, Family, SOLUTION_PREFIX, SOLUTION_SIZE};
use crate::coin::{CheckedShare, Reason, ShareIdentity};

/// What Miningcore's forks say to a solution that is no hex.
pub(super) const MALFORMED: &str = "malformed PoW result";

/// Judges the parameters of a submit, `[worker, job id, ntime, extranonce2, solution]`, in the
/// order in which the servers look at them.
pub(super) fn check(
    family: Family,
    header: &Bytes32,
    network: &Target,
    extranonce1: &Extranonce,
    params: &[&RawValue],
) -> Result<CheckedShare, Reason> {
    let [_, _, time, extranonce2, solution] = params else {
        return Err(Reason::InvalidParams);
    };
    let text = |field| rpc::string(field).ok_or(Reason::InvalidParams);
    let (time, extranonce2, solution) = (text(time)?, text(extranonce2)?, text(solution)?);
    // The time's value is looked at by nobody.
    if time.len() != 16 || !is_hex(&time) {
        return Err(Reason::Form("incorrect size of ntime"));
    }
    let nonce = nonce(extranonce1, &extranonce2)?;
    let solution = read_solution(family, &solution)?;
    pow::EQUIHASH
        .verify(header, &nonce, &solution, &mut Scratch::default())
        .map_err(|_| Reason::InvalidSolution)?;
    let hash = pow::share_hash(header, &nonce, &solution);
    let claim = match family {
        Family::Node => ShareIdentity {
            key: [&nonce[..], time.to_ascii_lowercase().as_bytes()].concat().into(),
            per_connection: false,
        },
        Family::Miningcore => ShareIdentity { key: nonce.into(), per_connection: true },
    };
    Ok(CheckedShare {
        key: [&nonce[..], &solution].concat().into(),
        claim: Some(claim),
        block: hash.below(network).then(|| *hash.as_be_bytes()),
        hash,
    })
}

/// Extranonce1 and extranonce2, nothing swapped.
fn nonce(extranonce1: &Extranonce, extranonce2: &str) -> Result<Bytes32, Reason> {
    let mut nonce = [0; 32];
    let (head, tail) = nonce
        .split_at_mut_checked(extranonce1.len())
        .filter(|(_, tail)| extranonce2.len() == 2 * tail.len())
        .ok_or(Reason::Form("incorrect size of nonce"))?;
    head.copy_from_slice(extranonce1.as_bytes());
    if !is_hex(extranonce2) || const_hex::decode_to_slice(extranonce2, tail).is_err() {
        return Err(Reason::Form("invalid hex in extraNonce2"));
    }
    Ok(nonce)
}

/// The node family takes a solution with its length in front only, the other one without as well;
/// what that length says nobody checks.
fn read_solution(family: Family, text: &str) -> Result<[u8; SOLUTION_SIZE], Reason> {
    let digits = 2 * SOLUTION_SIZE;
    let bare = match (family, text.len()) {
        (_, length) if length == digits + SOLUTION_PREFIX.len() => {
            text.get(SOLUTION_PREFIX.len()..)
        }
        (Family::Miningcore, length) if length == digits => Some(text),
        _ => return Err(Reason::Form("incorrect size of solution")),
    };
    let mut solution = [0; SOLUTION_SIZE];
    bare.filter(|bare| is_hex(bare))
        .filter(|bare| const_hex::decode_to_slice(bare, &mut solution).is_ok())
        .map(|_| solution)
        .ok_or(match family {
            Family::Node => Reason::InvalidSolution,
            Family::Miningcore => Reason::Form(MALFORMED),
        })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
