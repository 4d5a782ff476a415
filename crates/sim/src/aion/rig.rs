//! The rig's half: what the reference miner makes of what it is told.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use orepass_aion::pow;
use orepass_stratum::rpc;
use orepass_stratum::target::{Difficulty, PowHash, Scale, Target};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Bytes32, SOLUTION_PREFIX};
use crate::clock::unix_seconds;
use crate::coin::{Allotment, FirmwareHabits, RigCoin, RigError, RigJob, Search};
use crate::equihash::{SolvedJob, SolverPlace, SolverSearch, Solvers, nheqminer};

/// An Aion rig: the reference miner, which really solves.
///
/// It works from the notify's target alone. It reads `mining.set_target` and numbers in
/// `mining.set_difficulty` without doing anything with them, ignores jobs that are not clean or
/// come under the id of the job before, and drops its connection over what it cannot read.
#[derive(Debug, Clone)]
pub struct AionRig {
    /// Where its nonces are solved.
    pub seat: SolverPlace,
    /// How many nonces it works on at a time.
    pub threads: u8,
    /// Whether it works from the target of `mining.set_target` instead of the notify's, as miners
    /// do that were written for Miningcore. Such a rig should also take a new target
    /// [at once](crate::rig::RigConfig::difficulty_at_once).
    pub obeys_set_target: bool,
}

impl Default for AionRig {
    fn default() -> Self {
        let seat = Solvers::shared(pow::EQUIHASH).seat();
        Self { seat, threads: 1, obeys_set_target: false }
    }
}

impl RigCoin for AionRig {
    fn habits(&self) -> FirmwareHabits {
        nheqminer::HABITS
    }

    fn subscribe_params(&self, agent: &str, address: &str) -> String {
        nheqminer::subscribe_params(agent, address)
    }

    fn parse_subscribed(&self, result: &RawValue) -> Result<Option<Allotment>, RigError> {
        nheqminer::parse_subscribed(result)
    }

    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError> {
        let wrong = || RigError::field("notify", params);
        let fields: Vec<Value> = serde_json::from_str(params.get()).map_err(|_| wrong())?;
        let [Value::String(id), Value::Bool(clean), Value::String(target), Value::String(header)] =
            &fields[..]
        else {
            return Err(wrong());
        };
        let mut header_hash = [0; 32];
        if header.len() != 64 || const_hex::decode_to_slice(header, &mut header_hash).is_err() {
            return Err(RigError::field("header hash", header));
        }
        let digits = target.strip_prefix("0x").unwrap_or(target);
        let target = Target::from_hex(digits).map_err(|_| RigError::field("target", target))?;
        Ok(Box::new(AionRigJob {
            rig: self.clone(),
            id: id.clone(),
            clean: *clean,
            target,
            header: header_hash,
        }))
    }

    /// A number is noted; a string makes the miner's reading fail.
    fn parse_difficulty(&self, params: &RawValue) -> Result<Option<Difficulty>, RigError> {
        match first(params) {
            Some(Value::Number(number)) => Ok(number.as_f64().and_then(Difficulty::new)),
            _ => Err(RigError::field("difficulty", params)),
        }
    }

    fn parse_target(&self, params: &RawValue) -> Result<Option<Target>, RigError> {
        match first(params) {
            Some(Value::String(text)) => {
                Ok(Target::from_hex(&text).ok().filter(|_| self.obeys_set_target))
            }
            _ => Err(RigError::field("target", params)),
        }
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        Scale::from_power_of_two(256).target(difficulty)
    }
}

fn first(params: &RawValue) -> Option<Value> {
    let (elements, _) = rpc::array::<1>(params)?;
    serde_json::from_str(elements.first()?.get()).ok()
}

#[derive(Debug)]
struct AionRigJob {
    rig: AionRig,
    id: String,
    clean: bool,
    target: Target,
    header: Bytes32,
}

impl RigJob for AionRigJob {
    fn id(&self) -> &str {
        &self.id
    }

    /// The header hash: the target does not change what is hashed.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.header.hash(&mut hasher);
        hasher.finish()
    }

    fn is_clean(&self) -> bool {
        self.clean
    }

    fn target(&self) -> Option<Target> {
        (!self.rig.obeys_set_target).then_some(self.target)
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        let AionRig { seat, threads, .. } = &self.rig;
        let extranonce1 = allotment.extranonce1.as_bytes();
        let job = Solved { header: self.header };
        Ok(Box::new(SolverSearch::new(seat.clone(), job, extranonce1, *threads)))
    }
}

/// A header hash whose nonces are solved.
#[derive(Debug)]
struct Solved {
    header: Bytes32,
}

impl SolvedJob for Solved {
    fn header(&self) -> Arc<[u8]> {
        self.header.into()
    }

    fn hash(&self, nonce: &Bytes32, solution: &[u8]) -> PowHash {
        pow::share_hash(&self.header, nonce, solution)
    }

    fn meets(&self, hash: &PowHash, target: &Target) -> bool {
        hash.below(target)
    }

    fn fields(&self, extranonce2: &[u8], solution: &[u8]) -> [String; 3] {
        let [extranonce2, solution] = [extranonce2, solution].map(const_hex::encode);
        [format!("{:016x}", unix_seconds()), extranonce2, format!("{SOLUTION_PREFIX}{solution}")]
    }

    /// Nobody looks at the time's value.
    fn old_time(&self) -> Option<String> {
        None
    }
}
