//! Its pools and rigs, simulated: the same stratum once more, read and written by other code, so that an
//! error of the dialect cannot hide itself. Only the hash is shared.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use orepass_sim::coin::{
    Allotment, AnnouncementPlace, CheckedShare, JobOrder, Manners, PoolCoin, PoolJob, Reason,
    RigCoin, RigError, RigJob, Search, SearchStep, Solution, TargetTerms,
};
use orepass_sim::pool::PoolConfig;
use orepass_sim::registry::SimCoin;
use orepass_sim::rig::{RigConfig, Rubbish};
use orepass_stratum::bytes::BytesMut;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc;
use orepass_stratum::serde_json::value::RawValue;
use orepass_stratum::serde_json::{self, Value, json};
use orepass_stratum::target::{Difficulty, Target};

use crate::job::{Job, ROLLABLE, scale};

/// What the simulator's command line calls it.
pub const COIN: SimCoin = SimCoin { name: "toy", pool, rig: || rig_that_rolls(WISH) };

/// The bits that a usual rig wishes to roll.
pub const WISH: u32 = ROLLABLE;
/// What the pool first grants, and to what it takes that back before the first job.
const GRANTED: [u32; 2] = [0x1fff_e000, 0x00ff_e000];
/// The length of extranonce2 in bytes.
const SIZE: usize = 4;

/// A pool whose shares take a thousand hashes.
#[must_use]
pub fn pool() -> PoolConfig {
    PoolConfig {
        coin: Arc::new(ToyPool),
        difficulty: 1000.0,
        open_jobs: 4,
        job_interval: None,
        block_interval: None,
        ..PoolConfig::default()
    }
}

/// A rig that rolls these bits of the version.
#[must_use]
pub fn rig_that_rolls(wish: u32) -> RigConfig {
    RigConfig { coin: Arc::new(ToyMiner { wish }), hashrate: 5000.0, ..RigConfig::default() }
}

/// A pool that gives its extranonce after the authorize, and lets versions roll.
#[derive(Debug)]
struct ToyPool;

/// A job as it keeps it.
#[derive(Debug)]
struct OpenJob(Job);

impl PoolCoin for ToyPool {
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob> {
        Box::new(OpenJob(Job {
            id: format!("{:x}", order.serial),
            parent: hash_of(order.tip),
            root: hash_of((order.serial, rng.u64(..))),
            version: 0x2000_0000 | rng.u32(..) & 0x00ff_0000,
            // No share is one: blocks come by themselves.
            block: Target::from_be_bytes([0; 32]),
        }))
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        scale().target(difficulty)
    }

    fn manners(&self) -> Manners {
        Manners { extranonce_after_authorize: true, ..Manners::default() }
    }

    fn configure(&self, _params: &[&RawValue]) -> Option<String> {
        let mask = format!("{:08x}", GRANTED[0]);
        Some(json!({"version-rolling": true, "version-rolling.mask": mask}).to_string())
    }

    fn subscribe_result(&self, _extranonce1: &Extranonce) -> String {
        "true".into()
    }

    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String {
        json!([extranonce1.to_string(), SIZE]).to_string()
    }

    fn unusable_notify(&self) -> String {
        "[\"no hex\",\"0\"]".into()
    }

    fn put_terms(&self, terms: &TargetTerms, out: &mut BytesMut) {
        if terms.place == AnnouncementPlace::AfterNotify {
            return;
        }
        if terms.first {
            let mask = format!("[\"{:08x}\"]", GRANTED[1]);
            self.put_call("mining.set_version_mask", &mask, out);
        }
        if terms.changed {
            let difficulty = format!("[{}]", terms.difficulty);
            self.put_call("mining.set_difficulty", &difficulty, out);
        }
    }
}

impl PoolJob for OpenJob {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn notify_params(&self, _target: &Target, first: bool) -> String {
        let Job { id, parent, root, version, block } = &self.0;
        let [parent, root] = [parent, root].map(|number| format!("{number:016x}"));
        json!([parent, id, root, format!("{version:08x}"), block.to_string(), first]).to_string()
    }

    fn check(
        &self,
        extranonce1: &Extranonce,
        params: &[&RawValue],
        _job_age: Duration,
    ) -> Result<CheckedShare, Reason> {
        let &[_, _, extranonce2, nonce, ref bits @ ..] = params else {
            return Err(Reason::InvalidParams);
        };
        let extranonce2 = rpc::string(extranonce2).and_then(|text| text.parse().ok());
        let extranonce2: Extranonce = extranonce2.ok_or(Reason::InvalidParams)?;
        if extranonce2.len() != SIZE {
            return Err(Reason::Form("incorrect size of extranonce2"));
        }
        let number = |field: &RawValue| {
            let text = rpc::string(field).filter(|text| text.len() == 8);
            text.and_then(|text| u32::from_str_radix(&text, 16).ok()).ok_or(Reason::InvalidParams)
        };
        let nonce = number(nonce)?;
        let mask = GRANTED[1];
        // Whoever rolls nothing need not say so.
        let bits = bits.first().map_or(Ok(self.0.version & mask), |bits| number(bits))?;
        if bits & !mask != 0 {
            return Err(Reason::Form("version bits outside of the mask"));
        }
        let version = self.0.version & !mask | bits;
        let extranonce = [extranonce1.as_bytes(), extranonce2.as_bytes()];
        Ok(CheckedShare {
            key: json!([extranonce, nonce, version]).to_string().into_bytes().into(),
            claim: None,
            hash: self.0.hash(version, extranonce, nonce),
            block: None,
        })
    }
}

/// A rig that rolls bits of the version, if the pool grants them.
#[derive(Debug, Clone)]
struct ToyMiner {
    wish: u32,
}

/// A job as it reads it.
#[derive(Debug)]
struct HeardJob {
    job: Job,
    clean: bool,
    wish: u32,
}

/// Its search.
#[derive(Debug)]
struct ToySearch {
    job: Job,
    extranonce1: Extranonce,
    extranonce2: Vec<u8>,
    /// The bits of the version that it rolls.
    rolls: u32,
    /// Those that it sends, where it sends any.
    granted: Option<u32>,
    /// What is tried next: its lowest bits are spread over the mask, the rest is the nonce.
    next: u64,
}

impl RigCoin for ToyMiner {
    fn configure_params(&self) -> Option<String> {
        let mask = format!("{:08x}", self.wish);
        let params = json!([["version-rolling"], {"version-rolling.mask": mask}]);
        (self.wish != 0).then(|| params.to_string())
    }

    fn parse_grant(&self, method: &str, said: &RawValue) -> Result<Option<String>, RigError> {
        let value = json_of(said)?;
        let mask = match method {
            "mining.configure" => &value["version-rolling.mask"],
            "mining.set_version_mask" => &value[0],
            _ => return Ok(None),
        };
        let mask = mask.as_str().ok_or_else(|| RigError::field("mask", said))?;
        Ok(Some(mask.to_owned()))
    }

    fn subscribe_params(&self, agent: &str, _address: &str) -> String {
        json!([agent]).to_string()
    }

    fn parse_subscribed(&self, _result: &RawValue) -> Result<Option<Allotment>, RigError> {
        Ok(None)
    }

    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError> {
        let fields = json_of(params)?;
        let text = |at: usize| fields[at].as_str().ok_or_else(|| RigError::field("notify", params));
        let number = |at| {
            let number = u64::from_str_radix(text(at)?, 16);
            number.map_err(|_| RigError::field("number", params))
        };
        let job = Job {
            id: text(1)?.to_owned(),
            parent: number(0)?,
            root: number(2)?,
            version: number(3)?.try_into().map_err(|_| RigError::field("version", params))?,
            block: Target::from_hex(text(4)?).map_err(|_| RigError::field("target", params))?,
        };
        let clean = fields[5].as_bool().ok_or_else(|| RigError::field("clean", params))?;
        Ok(Box::new(HeardJob { job, clean, wish: self.wish }))
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        scale().target(difficulty)
    }
}

impl RigJob for HeardJob {
    fn id(&self) -> &str {
        &self.job.id
    }

    fn fingerprint(&self) -> u64 {
        hash_of((self.job.parent, self.job.root, self.job.version))
    }

    fn is_clean(&self) -> bool {
        self.clean
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        let (given, size) = (&allotment.extranonce1, allotment.size.unwrap_or(SIZE));
        let granted = allotment.granted.as_deref().unwrap_or("0");
        let granted =
            u32::from_str_radix(granted, 16).map_err(|_| RigError::field("mask", granted))?;
        if self.wish != 0 && granted & self.wish == 0 {
            // What rolls versions for its speed stands still without.
            return Err(RigError::field("mask", &format!("{granted:08x}")));
        }
        Ok(Box::new(ToySearch {
            job: self.job.clone(),
            extranonce1: given.clone(),
            extranonce2: vec![0; size],
            rolls: granted & self.wish,
            granted: (self.wish != 0).then_some(granted),
            next: 0,
        }))
    }
}

impl Search for ToySearch {
    fn step(&mut self, budget: u32, target: &Target) -> SearchStep {
        let mask = self.rolls;
        for tried in 1..=budget {
            let Ok(nonce) = u32::try_from(self.next >> mask.count_ones()) else {
                return SearchStep { tried, found: None, exhausted: true };
            };
            let version = self.job.version & !mask | spread(self.next, mask);
            self.next += 1;
            let extranonce = [self.extranonce1.as_bytes(), &self.extranonce2];
            if self.job.hash(version, extranonce, nonce).at_or_below(target) {
                let found = Some(self.solution(nonce, version));
                return SearchStep { tried, found, exhausted: false };
            }
        }
        SearchStep { tried: budget, found: None, exhausted: false }
    }

    fn spoil(&self, share: &Solution, how: Rubbish) -> Option<Solution> {
        let mut fields = share.fields.clone();
        match how {
            Rubbish::WrongExtranonce2 => fields[0].push_str("00"),
            Rubbish::NotHex => fields[1] = "nonsense".into(),
            _ => return None,
        }
        Some(Solution { fields })
    }
}

impl ToySearch {
    fn solution(&self, nonce: u32, version: u32) -> Solution {
        let extranonce2 = self.extranonce2.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut fields = vec![extranonce2, format!("{nonce:08x}")];
        fields.extend(self.granted.map(|mask| format!("{:08x}", version & mask)));
        Solution { fields }
    }
}

/// The lowest bits of a number, each at the place of a bit of the mask.
fn spread(mut number: u64, mut mask: u32) -> u32 {
    let mut bits = 0;
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        bits |= if number & 1 == 1 { lowest } else { 0 };
        number >>= 1;
        mask &= !lowest;
    }
    bits
}

fn json_of(text: &RawValue) -> Result<Value, RigError> {
    serde_json::from_str(text.get()).map_err(|_| RigError::field("JSON", text))
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
