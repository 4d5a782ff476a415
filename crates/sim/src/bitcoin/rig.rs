//! The rig's half: everything it knows comes off the wire.

use std::hash::{DefaultHasher, Hash, Hasher};

use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::{Difficulty, PowHash, Target};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::block::{BlockHeader, fold, sha256d};
use super::{ROLLABLE, from_hex8, hex8, swap_words, target};
use crate::coin::{Allotment, RigCoin, RigError, RigJob, Search, SearchStep, Solution};
use crate::rig::Rubbish;

/// The longest extranonce2 that cgminer's kin can use, in bytes.
const MAX_EXTRANONCE2: usize = 8;

/// A Bitcoin rig's habits.
#[derive(Debug, Clone, PartialEq)]
pub struct BitcoinRig {
    /// The bits of the version that it can roll; 0 for a rig that knows nothing of it.
    pub version_mask: u32,
    /// Whether it does not work without.
    pub needs_version_rolling: bool,
    /// The easiest difficulty that it says it can work at.
    pub minimum_difficulty: Option<f64>,
    /// How many nonces it tries under one version.
    pub nonces: u32,
    /// How many versions it tries under one time.
    pub versions: u32,
    /// How many times it tries under one extranonce2, each a second later.
    pub times: u32,
    /// Whether it rolls bits that it was not given, too.
    pub rolls_too_much: bool,
}

impl Default for BitcoinRig {
    fn default() -> Self {
        Self {
            version_mask: ROLLABLE,
            needs_version_rolling: false,
            minimum_difficulty: None,
            nonces: 1024,
            versions: 4,
            times: 2,
            rolls_too_much: false,
        }
    }
}

impl RigCoin for BitcoinRig {
    fn configure_params(&self) -> Option<String> {
        let (mut names, mut options) = (Vec::new(), json!({}));
        if self.version_mask != 0 {
            names.push("version-rolling");
            options["version-rolling.mask"] = hex8(self.version_mask).into();
            options["version-rolling.min-bit-count"] = 2.into();
        }
        if let Some(least) = self.minimum_difficulty {
            names.push("minimum-difficulty");
            options["minimum-difficulty.value"] = least.into();
        }
        (!names.is_empty()).then(|| json!([names, options]).to_string())
    }

    fn parse_grant(&self, method: &str, said: &RawValue) -> Result<Option<String>, RigError> {
        let value: Value =
            serde_json::from_str(said.get()).map_err(|_| RigError::field("grant", said))?;
        let mask = match method {
            "mining.configure" if value["version-rolling"] == true => {
                &value["version-rolling.mask"]
            }
            "mining.configure" => return Ok(Some(hex8(0))),
            "mining.set_version_mask" => &value[0],
            _ => return Ok(None),
        };
        let mask = mask.as_str().ok_or_else(|| RigError::field("mask", said))?;
        Ok(Some(mask.to_owned()))
    }

    fn subscribe_params(&self, agent: &str, _address: &str) -> String {
        json!([agent]).to_string()
    }

    fn parse_subscribed(&self, result: &RawValue) -> Result<Option<Allotment>, RigError> {
        let wrong = || RigError::field("subscribe result", result.get());
        let value: Value = serde_json::from_str(result.get()).map_err(|_| wrong())?;
        let extranonce1 = value[1].as_str().ok_or_else(wrong)?;
        let size = value[2].as_u64().ok_or_else(wrong)?;
        Ok(Some(Allotment {
            extranonce1: extranonce1.parse().map_err(|_| wrong())?,
            size: usize::try_from(size).ok(),
            granted: None,
        }))
    }

    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError> {
        let fields: Vec<Value> =
            serde_json::from_str(params.get()).map_err(|_| RigError::field("notify", params))?;
        Ok(Box::new(HeardNotify::read(self, &fields)?))
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        target(difficulty)
    }
}

/// A job as it reads it.
#[derive(Debug)]
struct HeardNotify {
    rig: BitcoinRig,
    id: String,
    prev_block: [u8; 32],
    coinbase: [Vec<u8>; 2],
    branches: Vec<[u8; 32]>,
    version: u32,
    bits: u32,
    time: u32,
    clean: bool,
    fingerprint: u64,
}

impl HeardNotify {
    fn read(rig: &BitcoinRig, fields: &[Value]) -> Result<Self, RigError> {
        let [id, prev_block, before, after, branches, version, bits, time, clean] = fields else {
            return Err(RigError::field("notify", &json!(fields)));
        };
        let mut hasher = DefaultHasher::new();
        // All but the id, the time and whether it is clean.
        fields[1..7].iter().for_each(|field| field.to_string().hash(&mut hasher));
        let branches = branches.as_array().ok_or_else(|| RigError::field("branches", branches))?;
        Ok(Self {
            rig: rig.clone(),
            id: text("job id", id)?.to_owned(),
            prev_block: swap_words(&hash("previous block", prev_block)?),
            coinbase: [bytes("coinb1", before)?, bytes("coinb2", after)?],
            branches: branches.iter().map(|hex| hash("branch", hex)).collect::<Result<_, _>>()?,
            version: number("version", version)?,
            bits: number("nbits", bits)?,
            time: number("ntime", time)?,
            clean: clean.as_bool().ok_or_else(|| RigError::field("clean", clean))?,
            fingerprint: hasher.finish(),
        })
    }

    fn search_at(&self, extranonce1: &Extranonce, mask: u32, start: RigCounter) -> BitcoinSearch {
        let mut search = BitcoinSearch {
            rig: self.rig.clone(),
            coinbase: self.coinbase.clone(),
            extranonce1: extranonce1.clone(),
            branches: self.branches.clone(),
            mask,
            header: BlockHeader {
                version: self.version,
                prev_block: self.prev_block,
                merkle_root: [0; 32],
                time: self.time,
                bits: self.bits,
            },
            start: (self.version, self.time),
            counter: start,
            hopeless: None,
            exhausted: false,
        };
        search.build();
        search
    }
}

impl RigJob for HeardNotify {
    fn id(&self) -> &str {
        &self.id
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn is_clean(&self) -> bool {
        self.clean
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        let Allotment { extranonce1, size, granted } = allotment;
        let size = size.unwrap_or_default();
        if !(1..=MAX_EXTRANONCE2).contains(&size) {
            return Err(RigError::NoRoom { extranonce1: extranonce1.len(), extranonce2: size });
        }
        let granted = granted.as_deref().unwrap_or("00000000");
        let granted = from_hex8(granted).ok_or_else(|| RigError::field("mask", granted))?;
        let mask = granted & self.rig.version_mask;
        if mask == 0 && self.rig.needs_version_rolling {
            return Err(RigError::field("mask", &hex8(granted)));
        }
        let start = RigCounter { nonce: 0, version: 0, time: 0, extranonce2: vec![0; size] };
        Ok(Box::new(self.search_at(extranonce1, mask, start)))
    }
}

/// Where a search is: it goes through nonces, then versions, then times, then extranonce2.
#[derive(Debug, Clone)]
struct RigCounter {
    nonce: u32,
    /// Which version of those that it can make.
    version: u32,
    /// Seconds after the job's.
    time: u32,
    /// Least significant byte first.
    extranonce2: Vec<u8>,
}

#[derive(Debug)]
struct BitcoinSearch {
    rig: BitcoinRig,
    coinbase: [Vec<u8>; 2],
    extranonce1: Extranonce,
    branches: Vec<[u8; 32]>,
    /// The bits that it rolls.
    mask: u32,
    header: BlockHeader,
    /// The job's version and time.
    start: (u32, u32),
    counter: RigCounter,
    /// The last share whose hash meets no target in use.
    hopeless: Option<Solution>,
    exhausted: bool,
}

impl BitcoinSearch {
    /// The header at the counter's place.
    fn build(&mut self) {
        let [before, after] = &self.coinbase;
        let RigCounter { extranonce2, .. } = &self.counter;
        let coinbase = sha256d(&[before, self.extranonce1.as_bytes(), extranonce2, after]);
        self.header.merkle_root = fold(coinbase, &self.branches);
        self.roll();
    }

    fn roll(&mut self) {
        let (version, time) = self.start;
        self.header.version = version & !self.mask | spread(self.counter.version, self.mask);
        if self.rig.rolls_too_much {
            self.header.version ^= 1;
        }
        self.header.time = time.wrapping_add(self.counter.time);
    }

    fn advance(&mut self) {
        let BitcoinRig { nonces, versions, times, .. } = self.rig;
        let counter = &mut self.counter;
        counter.nonce = counter.nonce.wrapping_add(1);
        if counter.nonce != 0 && counter.nonce < nonces {
            return;
        }
        counter.nonce = 0;
        counter.version += 1;
        let different = 1_u32.checked_shl(self.mask.count_ones()).unwrap_or(u32::MAX);
        if counter.version < versions.min(different) {
            return self.roll();
        }
        counter.version = 0;
        counter.time += 1;
        if counter.time < times {
            return self.roll();
        }
        counter.time = 0;
        self.exhausted = counter.extranonce2.iter_mut().all(|byte| {
            *byte = byte.wrapping_add(1);
            *byte == 0
        });
        self.build();
    }

    fn solution(&self) -> Solution {
        let mut fields = vec![
            const_hex::encode(&self.counter.extranonce2),
            hex8(self.header.time),
            hex8(self.counter.nonce),
        ];
        // Whoever asked to roll versions sends the bits, also where it has got none.
        if self.rig.version_mask != 0 {
            let too_many = u32::from(self.rig.rolls_too_much);
            fields.push(hex8(self.header.version & (self.mask | too_many)));
        }
        Solution { fields }
    }
}

impl Search for BitcoinSearch {
    fn step(&mut self, budget: u32, target: &Target) -> SearchStep {
        let mut step = SearchStep::default();
        while step.found.is_none() && step.tried < budget && !self.exhausted {
            let hash: PowHash = self.header.hash(self.counter.nonce);
            step.tried += 1;
            if hash.at_or_below(target) {
                step.found = Some(self.solution());
            } else if hash.as_be_bytes()[0] >= 0xc0 {
                self.hopeless = Some(self.solution());
            }
            self.advance();
        }
        step.exhausted = self.exhausted;
        step
    }

    fn spoil(&self, share: &Solution, how: Rubbish) -> Option<Solution> {
        let mut spoiled = share.clone();
        match how {
            Rubbish::WrongExtranonce2 => spoiled.fields[0].push_str("00"),
            Rubbish::LowDifficulty => spoiled = self.hopeless.clone()?,
            Rubbish::NotHex => spoiled.fields[2] = "not hex!".into(),
            Rubbish::OldTime => spoiled.fields[1] = "00000001".into(),
            Rubbish::MalformedLine
            | Rubbish::UnknownJob
            | Rubbish::Duplicate
            | Rubbish::BadProof
            | Rubbish::WrongWorker => return None,
        }
        Some(spoiled)
    }
}

/// The lowest bits of a number, each at the place of a bit of the mask.
fn spread(number: u32, mask: u32) -> u32 {
    let places = (0..u32::BITS).filter(|place| mask >> place & 1 == 1);
    places.enumerate().fold(0, |bits, (bit, place)| bits | (number >> bit & 1) << place)
}

fn text<'a>(field: &'static str, value: &'a Value) -> Result<&'a str, RigError> {
    value.as_str().ok_or_else(|| RigError::field(field, value))
}

fn number(field: &'static str, value: &Value) -> Result<u32, RigError> {
    from_hex8(text(field, value)?).ok_or_else(|| RigError::field(field, value))
}

fn bytes(field: &'static str, value: &Value) -> Result<Vec<u8>, RigError> {
    const_hex::decode(text(field, value)?).map_err(|_| RigError::field(field, value))
}

fn hash(field: &'static str, value: &Value) -> Result<[u8; 32], RigError> {
    bytes(field, value)?.try_into().map_err(|_| RigError::field(field, value))
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    /// Puts the search of a recorded job where the recorded share was found: it is found again.
    #[test]
    fn recorded_shares_are_found() {
        for vector in vectors::all()["shares"].as_array().unwrap() {
            let name = &vector["name"];
            let submit: Vec<&str> = vector["submit"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| field.as_str().unwrap())
                .collect();
            let rolls = submit.len() > 5;
            let rig = BitcoinRig {
                version_mask: if rolls { ROLLABLE } else { 0 },
                ..BitcoinRig::default()
            };
            let job = HeardNotify::read(&rig, vector["notify"].as_array().unwrap()).unwrap();
            let number = |at: usize| from_hex8(submit[at]).unwrap();
            let start = RigCounter {
                nonce: number(4),
                version: if rolls { number(5) >> 13 } else { 0 },
                time: number(3) - job.time,
                extranonce2: const_hex::decode(submit[2]).unwrap(),
            };
            let extranonce1 = vector["extranonce1"].as_str().unwrap().parse().unwrap();
            let mut search = job.search_at(&extranonce1, rig.version_mask, start);
            let target = Target::from_hex(vector["hash"].as_str().unwrap()).unwrap();
            let found = search.step(1, &target).found.unwrap_or_else(|| panic!("{name}"));
            assert_eq!(found.fields, submit[2..], "{name}");
        }
    }

    #[test]
    fn a_search_rolls_nonce_version_time_and_extranonce2() {
        let rig = BitcoinRig { nonces: 2, versions: 8, times: 2, ..BitcoinRig::default() };
        let zeros = "00".repeat(32);
        let notify = json!(["1", zeros, "", "", [], "20000000", "1900ffff", "00000064", true]);
        let job = HeardNotify::read(&rig, notify.as_array().unwrap()).unwrap();
        let start = RigCounter { nonce: 0, version: 0, time: 0, extranonce2: vec![0xff, 0] };
        let mut search = job.search_at(&Extranonce::default(), 0x6000, start);
        let mut seen = Vec::new();
        for _ in 0..17 {
            seen.push(search.step(1, &Target::MAX).found.unwrap().fields.join(" "));
        }
        assert_eq!(
            seen[..3],
            [
                "ff00 00000064 00000000 00000000",
                "ff00 00000064 00000001 00000000",
                "ff00 00000064 00000000 00002000",
            ]
        );
        assert_eq!(seen[7], "ff00 00000064 00000001 00006000");
        assert_eq!(seen[8], "ff00 00000065 00000000 00000000");
        assert_eq!(seen[16], "0001 00000064 00000000 00000000");
    }
}
