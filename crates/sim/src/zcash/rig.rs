//! The rig's half: what nheqminer makes of what it is told.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use orepass_stratum::target::{Difficulty, PowHash, Target};
use orepass_zcash::pow;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{SOLUTION_PREFIX, scale};
use crate::coin::{Allotment, FirmwareHabits, RigCoin, RigError, RigJob, Search};
use crate::equihash::{SolvedJob, SolverPlace, SolverSearch, Solvers, nheqminer};

/// The bytes of a header before its nonce.
const HEAD: usize = 108;
/// Where its time stands.
const TIME: std::ops::Range<usize> = 100..104;

/// A Zcash rig: nheqminer, which really solves. It ignores jobs that are not clean or come under the id
/// of the job before, keeps to a job's time, and drops its connection over what it cannot read.
#[derive(Debug, Clone)]
pub struct ZcashRig {
    /// Where its nonces are solved.
    pub seat: SolverPlace,
    /// How many nonces it works on at a time.
    pub threads: u8,
}

impl Default for ZcashRig {
    fn default() -> Self {
        Self { seat: Solvers::shared(pow::EQUIHASH).seat(), threads: 1 }
    }
}

impl RigCoin for ZcashRig {
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
        let [id, head @ .., Value::Bool(clean)] = &fields[..] else { return Err(wrong()) };
        let texts: Option<Vec<&str>> = head.iter().map(Value::as_str).collect();
        let (id, texts) = id.as_str().zip(texts).ok_or_else(wrong)?;
        if texts.iter().map(|text| text.len()).ne([8, 64, 64, 64, 8, 8]) || texts[0] != "04000000" {
            return Err(wrong());
        }
        let mut head = [0; HEAD];
        const_hex::decode_to_slice(texts.concat(), &mut head).map_err(|_| wrong())?;
        let (rig, id) = (self.clone(), id.to_owned());
        Ok(Box::new(ZcashRigJob { rig, id, clean: *clean, head }))
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        scale().target(difficulty)
    }
}

#[derive(Debug)]
struct ZcashRigJob {
    rig: ZcashRig,
    id: String,
    clean: bool,
    head: [u8; HEAD],
}

impl RigJob for ZcashRigJob {
    fn id(&self) -> &str {
        &self.id
    }

    /// All that is hashed but the time, which a rig might set.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.head[..TIME.start], &self.head[TIME.end..]).hash(&mut hasher);
        hasher.finish()
    }

    fn is_clean(&self) -> bool {
        self.clean
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        let ZcashRig { seat, threads } = &self.rig;
        let (job, extranonce1) = (SolvedHead(self.head), allotment.extranonce1.as_bytes());
        Ok(Box::new(SolverSearch::new(seat.clone(), job, extranonce1, *threads)))
    }
}

/// A header without its nonce.
#[derive(Debug)]
struct SolvedHead([u8; HEAD]);

impl SolvedJob for SolvedHead {
    fn header(&self) -> Arc<[u8]> {
        self.0.into()
    }

    /// A solution of another length would be a fault of the solver's, and hash to nothing good.
    fn hash(&self, nonce: &[u8; 32], solution: &[u8]) -> PowHash {
        let mut header = [0; 140];
        header[..HEAD].copy_from_slice(&self.0);
        header[HEAD..].copy_from_slice(nonce);
        match solution.try_into() {
            Ok(solution) => pow::share_hash(&header, solution),
            Err(_) => PowHash::from_be_bytes([0xff; 32]),
        }
    }

    fn meets(&self, hash: &PowHash, target: &Target) -> bool {
        hash.at_or_below(target)
    }

    fn fields(&self, extranonce2: &[u8], solution: &[u8]) -> [String; 3] {
        let [time, extranonce2, solution] =
            [&self.0[TIME], extranonce2, solution].map(const_hex::encode);
        [time, extranonce2, format!("{SOLUTION_PREFIX}{solution}")]
    }

    fn old_time(&self) -> Option<String> {
        Some("01000000".into())
    }
}
