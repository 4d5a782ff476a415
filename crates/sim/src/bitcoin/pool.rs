//! The pool's half: jobs with everything needed to judge a share of them.

use std::time::Duration;

use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Hex};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::block::{BlockHeader, branches, fold, sha256d};
use super::{ROLLABLE, from_hex8, hex8, swap_words, target};
use crate::coin::{
    AnnouncementPlace, CheckedShare, JobOrder, PoolCoin, PoolJob, Reason, TargetTerms,
};

/// How far ahead of its job a share's time may lie, beyond the job's age.
const TIME_AHEAD: u64 = 7200;

/// A Bitcoin pool's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitcoinPool {
    /// The length of extranonce1 in bytes, for which its coinbases have room.
    pub extranonce1_size: usize,
    /// The length of extranonce2 in bytes.
    pub extranonce2_size: usize,
    /// The bits of the version that it lets its miners roll; none where it grants no version rolling.
    pub version_mask: u32,
    /// To what it narrows that, by `mining.set_version_mask` before a connection's first job.
    pub narrows_to: Option<u32>,
    /// Whether it has no `mining.configure` at all.
    pub knows_no_configure: bool,
    /// Whom its blocks pay, as scripts, each the same part.
    pub pays: Vec<Vec<u8>>,
    /// Whether its coinbases are no transactions.
    pub breaks_coinbases: bool,
    /// The version of its blocks.
    pub version: u32,
    /// The block target in compact form.
    pub bits: u32,
    /// How many transactions a block has beside the coinbase.
    pub transactions: usize,
}

impl Default for BitcoinPool {
    fn default() -> Self {
        // To the hash of a key that nobody has.
        let pays = vec![[&[0x00, 0x14][..], &[0x51; 20]].concat()];
        Self {
            extranonce1_size: 4,
            extranonce2_size: 8,
            version_mask: ROLLABLE,
            narrows_to: None,
            knows_no_configure: false,
            pays,
            breaks_coinbases: false,
            version: 0x2000_0000,
            bits: 0x1900_ffff,
            transactions: 100,
        }
    }
}

impl BitcoinPool {
    /// The bits that a submit may have.
    fn mask(&self) -> u32 {
        self.narrows_to.unwrap_or(self.version_mask)
    }

    /// The coinbase around the extranonce.
    fn coinbase(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> [Vec<u8>; 2] {
        let height = (840_000 + order.serial as u32).to_le_bytes();
        let tag = b"/orepass-sim/";
        let salt = rng.u64(..).to_le_bytes();
        let space = self.extranonce1_size + self.extranonce2_size;
        let script = 4 + 1 + salt.len() + 1 + space + 1 + tag.len();
        let mut before = Vec::new();
        before.extend(2_u32.to_le_bytes());
        // One input that spends nothing.
        before.push(1);
        before.extend([0; 32]);
        before.extend([0xff; 4]);
        before.push(script as u8);
        // The height, something that makes jobs different, the extranonce, a name.
        before.push(3);
        before.extend(&height[..3]);
        before.push(salt.len() as u8);
        before.extend(salt);
        before.push(space as u8);
        let mut after = vec![tag.len() as u8];
        after.extend(tag);
        after.extend([0xff; 4]);
        after.push(self.pays.len() as u8 + 1);
        for script in &self.pays {
            after.extend((312_500_000 / self.pays.len() as u64).to_le_bytes());
            after.push(script.len() as u8);
            after.extend(script);
        }
        // What stands for the witnesses, of no value.
        let commitment: [u8; 32] = random(rng);
        after.extend(0_u64.to_le_bytes());
        after.extend([38, 0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed]);
        after.extend(commitment);
        after.extend([0; 4]);
        if self.breaks_coinbases {
            after.pop();
        }
        [before, after]
    }
}

impl PoolCoin for BitcoinPool {
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob> {
        let others: Vec<[u8; 32]> = (0..self.transactions).map(|_| random(rng)).collect();
        Box::new(BitcoinPoolJob {
            id: format!("{:x}", order.serial),
            prev_block: order.tip,
            coinbase: self.coinbase(order, rng),
            branches: branches(&others),
            time: order.time as u32,
            new_block: order.new_block,
            pool: self.clone(),
        })
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        target(difficulty)
    }

    fn configure(&self, params: &[&RawValue]) -> Option<String> {
        if self.knows_no_configure {
            return None;
        }
        let read = |at: usize| serde_json::from_str::<Value>(params.get(at)?.get()).ok();
        let (names, asked) = (read(0).unwrap_or_default(), read(1).unwrap_or_default());
        let mut granted = Map::new();
        for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let is_granted = match name {
                "version-rolling" => self.version_mask != 0,
                "minimum-difficulty" | "subscribe-extranonce" | "info" => true,
                _ => false,
            };
            if name == "version-rolling" && is_granted {
                let wish = asked["version-rolling.mask"].as_str().and_then(from_hex8);
                let mask = self.version_mask & wish.unwrap_or(u32::MAX);
                granted.insert("version-rolling.mask".into(), hex8(mask).into());
            }
            granted.insert(name.into(), is_granted.into());
        }
        Some(Value::Object(granted).to_string())
    }

    fn subscribe_result(&self, extranonce1: &Extranonce) -> String {
        let id = extranonce1.to_string();
        let subscriptions = [["mining.set_difficulty", &id], ["mining.notify", &id]];
        json!([subscriptions, id, self.extranonce2_size]).to_string()
    }

    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String {
        json!([extranonce1.to_string(), self.extranonce2_size]).to_string()
    }

    fn unusable_notify(&self) -> String {
        json!(["unusable", "zz", "", 7, [], "0", "x", "y", true]).to_string()
    }

    fn put_terms(&self, terms: &TargetTerms, out: &mut bytes::BytesMut) {
        if terms.place == AnnouncementPlace::AfterNotify {
            return;
        }
        if let Some(mask) = self.narrows_to.filter(|_| terms.first) {
            self.put_call("mining.set_version_mask", &json!([hex8(mask)]), out);
        }
        if terms.changed {
            self.put_call("mining.set_difficulty", &format_args!("[{}]", terms.difficulty), out);
        }
    }

    fn error(&self, reason: Reason) -> (i64, &'static str) {
        match reason {
            Reason::HighHash => (23, "low difficulty share"),
            Reason::UnknownJob => (21, "job not found"),
            Reason::Stale => (21, "stale share"),
            Reason::Duplicate => (22, "duplicate share"),
            Reason::TimeTooOld | Reason::TimeTooNew => (20, "ntime out of range"),
            other => other.common(),
        }
    }
}

fn random<const N: usize>(rng: &mut fastrand::Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

#[derive(Debug)]
struct BitcoinPoolJob {
    id: String,
    prev_block: [u8; 32],
    /// Before and after the extranonce.
    coinbase: [Vec<u8>; 2],
    branches: Vec<[u8; 32]>,
    time: u32,
    new_block: bool,
    pool: BitcoinPool,
}

impl PoolJob for BitcoinPoolJob {
    fn id(&self) -> &str {
        &self.id
    }

    fn notify_params(&self, _target: &Target, first: bool) -> String {
        let hex = |bytes: &[u8]| Hex(bytes).to_string();
        let [before, after] = &self.coinbase;
        let branches: Vec<String> = self.branches.iter().map(|branch| hex(branch)).collect();
        json!([
            self.id,
            hex(&swap_words(&self.prev_block)),
            hex(before),
            hex(after),
            branches,
            hex8(self.pool.version),
            hex8(self.pool.bits),
            hex8(self.time),
            first || self.new_block,
        ])
        .to_string()
    }

    fn check(
        &self,
        extranonce1: &Extranonce,
        params: &[&RawValue],
        job_age: Duration,
    ) -> Result<CheckedShare, Reason> {
        let &[_, _, extranonce2, time, nonce, ref bits @ ..] = params else {
            return Err(Reason::InvalidParams);
        };
        let number = |field: &RawValue| {
            rpc::string(field).and_then(|text| from_hex8(&text)).ok_or(Reason::InvalidParams)
        };
        let text = rpc::string(extranonce2).ok_or(Reason::InvalidParams)?;
        let extranonce2 = const_hex::decode(&*text).map_err(|_| Reason::InvalidParams)?;
        if text.len() != 2 * self.pool.extranonce2_size {
            return Err(Reason::Form("incorrect size of extranonce2"));
        }
        let (time, nonce) = (number(time)?, number(nonce)?);
        let mask = self.pool.mask();
        let version = match bits {
            [] => self.pool.version,
            [bits] => {
                let bits = number(bits)?;
                if bits & !mask != 0 {
                    return Err(Reason::Form("invalid version mask"));
                }
                self.pool.version & !mask | bits
            }
            _ => return Err(Reason::InvalidParams),
        };
        if time < self.time {
            return Err(Reason::TimeTooOld);
        }
        if u64::from(time) > u64::from(self.time) + job_age.as_secs() + TIME_AHEAD {
            return Err(Reason::TimeTooNew);
        }
        let [before, after] = &self.coinbase;
        let coinbase = sha256d(&[before, extranonce1.as_bytes(), &extranonce2, after]);
        let header = BlockHeader {
            version,
            prev_block: self.prev_block,
            merkle_root: fold(coinbase, &self.branches),
            time,
            bits: self.pool.bits,
        };
        let hash = header.hash(nonce);
        let is_block =
            Target::from_compact(self.pool.bits).is_some_and(|most| hash.at_or_below(&most));
        let key = [
            extranonce1.as_bytes(),
            &extranonce2,
            &[version, time, nonce].map(u32::to_le_bytes).concat(),
        ]
        .concat();
        let block = is_block.then(|| *hash.as_be_bytes());
        Ok(CheckedShare { key: key.into(), claim: None, hash, block })
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        const_hex::decode(value.as_str().unwrap()).unwrap()
    }

    /// Every share of the vectors, judged by a job made of the same notify.
    #[test]
    fn real_shares_hash_as_recorded() {
        for vector in vectors::all()["shares"].as_array().unwrap() {
            let notify = &vector["notify"];
            let hash = |value: &Value| -> [u8; 32] { bytes(value).try_into().unwrap() };
            let number = |value: &Value| from_hex8(value.as_str().unwrap()).unwrap();
            let submit: Vec<Box<RawValue>> = vector["submit"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| RawValue::from_string(field.to_string()).unwrap())
                .collect();
            let extranonce2 = vector["submit"][2].as_str().unwrap();
            let job = BitcoinPoolJob {
                id: "1".into(),
                prev_block: swap_words(&hash(&notify[1])),
                coinbase: [bytes(&notify[2]), bytes(&notify[3])],
                branches: notify[4].as_array().unwrap().iter().map(hash).collect(),
                time: number(&notify[7]),
                new_block: true,
                pool: BitcoinPool {
                    version: number(&notify[5]),
                    bits: number(&notify[6]),
                    extranonce2_size: extranonce2.len() / 2,
                    ..BitcoinPool::default()
                },
            };
            let extranonce1 = vector["extranonce1"].as_str().unwrap().parse().unwrap();
            let params: Vec<&RawValue> = submit.iter().map(|field| &**field).collect();
            let share = job.check(&extranonce1, &params, Duration::from_secs(60)).unwrap();
            assert_eq!(
                share.hash.to_string(),
                vector["hash"].as_str().unwrap(),
                "{}",
                vector["name"]
            );
            assert_eq!(share.block.is_some(), vector["block"] == true, "{}", vector["name"]);
        }
    }
}
