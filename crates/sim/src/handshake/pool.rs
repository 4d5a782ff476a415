//! The pool's half: jobs with everything needed to judge a share of them.

use std::borrow::Cow;
use std::time::Duration;

use orepass_hstratum::pow::{blake2b_256, mask_hash, seed_hash, share_hash};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Hex};
use orepass_stratum::target::{Difficulty, PowHash, Target};
use serde_json::json;
use serde_json::value::RawValue;

use super::coinbase::{self, CoinbaseParts, Template};
use super::header::{Roots, SeedRoots};
use super::{PoolScale, StratumGeneration, extra_nonce};
use crate::coin::{CheckedShare, JobOrder, PoolCoin, PoolJob, Reason};

/// How far ahead of its job a share's time may lie, beyond the job's age.
const TIME_AHEAD: u64 = 7200;

/// A Handshake pool's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakePool {
    /// The layout of its jobs.
    pub generation: StratumGeneration,
    /// The size announced at subscribe: 4, or 24, which is the size of the whole header field.
    /// The seed generation has room for what fills 8 bytes and announces that.
    pub extranonce2_size: usize,
    /// Whether extranonce2 must have exactly 4 bytes, or may have any length that fits. The seed
    /// generation is always strict.
    pub strict_extranonce2: bool,
    /// Whether nonces of 16 digits, 8 of them leading zeros, are taken.
    pub long_nonces: bool,
    /// What its difficulties mean.
    pub scale: PoolScale,
    /// Whether jobs have a secret mask other than zeros; only where its hash is told.
    pub random_mask: bool,
    /// The block target in compact form.
    pub bits: u32,
    /// How many transactions a seed-generation block has beside the coinbase.
    pub transactions: usize,
}

impl HandshakePool {
    /// The usual options of a generation.
    #[must_use]
    pub fn new(generation: StratumGeneration) -> Self {
        let seed = generation.is_seed();
        Self {
            generation,
            extranonce2_size: 4,
            strict_extranonce2: false,
            long_nonces: false,
            scale: if seed { PoolScale::Hstratum } else { PoolScale::Bitcoin },
            random_mask: false,
            bits: 0x1900_ffff,
            transactions: 0,
        }
    }
}

impl PoolCoin for HandshakePool {
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob> {
        let work = match self.generation {
            StratumGeneration::Deployed | StratumGeneration::DeployedMask => {
                MadeWork::Deployed(self.make_roots(order, rng))
            }
            StratumGeneration::Seed12 | StratumGeneration::Seed13 => self.make_seed(order, rng),
        };
        let id = format!("{}:{}", order.time, order.serial);
        Box::new(HandshakePoolJob { id, time: order.time, work, pool: self.clone() })
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        self.scale.target(difficulty)
    }

    fn subscribe_result(&self, extranonce1: &Extranonce) -> String {
        let id = extranonce1.to_string();
        let size = self.announced_size(extranonce1);
        json!([[["mining.notify", id], ["mining.set_difficulty", id]], id, size]).to_string()
    }

    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String {
        json!([extranonce1.to_string(), self.announced_size(extranonce1)]).to_string()
    }

    fn unusable_notify(&self) -> String {
        json!(["unusable", "zz", "", 7, null, [], "0", "x", "y"]).to_string()
    }
}

impl HandshakePool {
    fn announced_size(&self, extranonce1: &Extranonce) -> usize {
        if self.generation.is_seed() {
            8_usize.saturating_sub(extranonce1.len())
        } else {
            self.extranonce2_size
        }
    }

    fn make_roots(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Roots {
        let mut mask = [0; 32];
        if self.generation == StratumGeneration::DeployedMask && self.random_mask {
            // A mask that reaches into the bits that targets compare would make hashes that
            // miners can compute meaningless; servers leave those zero.
            rng.fill(&mut mask[12..]);
        }
        Roots {
            prev_block: order.tip,
            merkle_root: random(rng),
            witness_root: random(rng),
            // The name tree changes with blocks, not with jobs.
            tree_root: blake2b_256(&[b"tree", &order.tip]),
            reserved_root: [0; 32],
            version: 0,
            bits: self.bits,
            mask,
        }
    }

    fn make_seed(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> MadeWork {
        let head = Template {
            sequence: rng.u32(..),
            value: 2_000_000_000,
            payee: &random(rng),
            height: order.serial as u32,
            flags: b"mined by sim",
            salt: &random(rng),
        }
        .head();
        let txids: Vec<[u8; 32]> = (0..self.transactions).map(|_| random(rng)).collect();
        let witnesses: Vec<[u8; 32]> =
            (0..self.transactions).map(|_| coinbase::leaf(&random(rng))).collect();
        let leaves: Vec<_> = txids.iter().map(coinbase::leaf).collect();
        // The base ends before the witness, so the id does not depend on the extranonce.
        let whole = [&head[..], &[0; 8]].concat();
        let id = CoinbaseParts::parse(whole).map_or([0; 32], |coinbase| coinbase.txid());
        MadeWork::Seed(Box::new(SeedWork {
            roots: SeedRoots {
                prev_block: order.tip,
                merkle_root: coinbase::root(&id, &leaves),
                tree_root: blake2b_256(&[b"tree", &order.tip]),
                filter_root: blake2b_256(&[b"filter", &order.tip]),
                reserved_root: [0; 32],
                version: 0,
                bits: self.bits,
            },
            head,
            txids,
            leaves,
            branches: coinbase::branches(&witnesses),
        }))
    }
}

fn random<const N: usize>(rng: &mut fastrand::Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

#[derive(Debug)]
struct HandshakePoolJob {
    id: String,
    time: u64,
    work: MadeWork,
    pool: HandshakePool,
}

#[derive(Debug)]
enum MadeWork {
    Deployed(Roots),
    Seed(Box<SeedWork>),
}

#[derive(Debug)]
struct SeedWork {
    roots: SeedRoots,
    /// The coinbase up to the extranonce, with which it ends.
    head: Vec<u8>,
    txids: Vec<[u8; 32]>,
    leaves: Vec<[u8; 32]>,
    /// From the coinbase's wtxid to the witness root.
    branches: Vec<[u8; 32]>,
}

impl PoolJob for HandshakePoolJob {
    fn id(&self) -> &str {
        &self.id
    }

    fn notify_params(&self, _target: &Target, _first: bool) -> String {
        let time = format!("{:08x}", self.time);
        let params = match &self.work {
            MadeWork::Deployed(roots) => {
                let mut params = vec![
                    json!(self.id),
                    hex(&roots.prev_block),
                    hex(&roots.merkle_root),
                    hex(&roots.witness_root),
                    hex(&roots.tree_root),
                    hex(&roots.reserved_root),
                    json!(format!("{:08x}", roots.version)),
                    json!(format!("{:08x}", roots.bits)),
                    json!(time),
                ];
                if self.pool.generation == StratumGeneration::DeployedMask {
                    params.push(hex(&mask_hash(&roots.prev_block, &roots.mask)));
                }
                params
            }
            MadeWork::Seed(seed) => {
                let mut params =
                    vec![json!(self.id), hex(&seed.roots.prev_block), hex(&seed.head), json!("")];
                if self.pool.generation == StratumGeneration::Seed13 {
                    params.push(seed.leaves.iter().map(|leaf| hex(leaf)).collect());
                }
                params.extend([
                    seed.branches.iter().map(|branch| hex(branch)).collect(),
                    hex(&seed.roots.tree_root),
                    hex(&seed.roots.filter_root),
                    hex(&seed.roots.reserved_root),
                    json!(format!("{:08x}", seed.roots.version)),
                    json!(format!("{:08x}", seed.roots.bits)),
                    json!(time),
                    json!(false),
                ]);
                params
            }
        };
        serde_json::Value::from(params).to_string()
    }

    fn transactions(&self) -> Option<String> {
        let txids = match &self.work {
            MadeWork::Deployed(_) => &[][..],
            MadeWork::Seed(seed) => &seed.txids,
        };
        Some(txids.iter().map(|txid| hex(txid)).collect::<serde_json::Value>().to_string())
    }

    fn check(
        &self,
        extranonce1: &Extranonce,
        params: &[&RawValue],
        job_age: Duration,
    ) -> Result<CheckedShare, Reason> {
        let submit = Submit::read(params).ok_or(Reason::InvalidParams)?;
        let time = u64::from(number(&submit.time).ok_or(Reason::InvalidParams)?);
        let extranonce2 = const_hex::decode(&*submit.extranonce2)
            .ok()
            .filter(|_| !submit.extranonce2.starts_with("0x"))
            .ok_or(Reason::InvalidParams)?;
        // What has not the form of a share is that first, whatever its time.
        let share = match &self.work {
            MadeWork::Deployed(roots) => {
                self.check_deployed(roots, extranonce1, &extranonce2, time, &submit)?
            }
            MadeWork::Seed(seed) => seed.check(extranonce1, &extranonce2, time, &submit)?,
        };
        if time < self.time {
            return Err(Reason::TimeTooOld);
        }
        if time > self.time + job_age.as_secs() + TIME_AHEAD {
            return Err(Reason::TimeTooNew);
        }
        Ok(share)
    }
}

impl HandshakePoolJob {
    fn check_deployed(
        &self,
        roots: &Roots,
        extranonce1: &Extranonce,
        extranonce2: &[u8],
        time: u64,
        submit: &Submit<'_>,
    ) -> Result<CheckedShare, Reason> {
        if self.pool.strict_extranonce2 && extranonce2.len() != 4 {
            return Err(Reason::InvalidParams);
        }
        let field =
            extra_nonce(extranonce1.as_bytes(), extranonce2).ok_or(Reason::InvalidParams)?;
        let nonce = match submit.nonce.strip_prefix("00000000") {
            Some(short) if self.pool.long_nonces && short.len() == 8 => number(short),
            _ => number(&submit.nonce),
        }
        .ok_or(Reason::InvalidParams)?;
        let share_hash = share_hash(
            &roots.header(&field, time, nonce),
            &mask_hash(&roots.prev_block, &roots.mask),
        );
        let mut pow = *share_hash.as_be_bytes();
        for (byte, mask) in pow.iter_mut().zip(roots.mask) {
            *byte ^= mask;
        }
        let hash = PowHash::from_be_bytes(pow);
        let key = [&field[..], &time.to_le_bytes(), &nonce.to_le_bytes()].concat();
        let block = is_block(&hash, roots.bits).then_some(pow);
        Ok(CheckedShare { key: key.into(), claim: None, hash, block })
    }
}

impl SeedWork {
    fn check(
        &self,
        extranonce1: &Extranonce,
        extranonce2: &[u8],
        time: u64,
        submit: &Submit<'_>,
    ) -> Result<CheckedShare, Reason> {
        if extranonce1.len() + extranonce2.len() != 8 || submit.nonce.len() != 64 {
            return Err(Reason::InvalidParams);
        }
        let mut nonce = [0; 32];
        const_hex::decode_to_slice(&*submit.nonce, &mut nonce)
            .map_err(|_| Reason::InvalidParams)?;
        let bytes = [&self.head[..], extranonce1.as_bytes(), extranonce2].concat();
        let coinbase = CoinbaseParts::parse(bytes).ok_or(Reason::InvalidParams)?;
        let witness_root = coinbase::fold(&coinbase.wtxid(), &self.branches);
        let prehead = self.roots.prehead(&witness_root, time);
        let hash = seed_hash(&prehead, &nonce);
        let key = [extranonce1.as_bytes(), extranonce2, &time.to_le_bytes(), &nonce].concat();
        let block = is_block(&hash, self.roots.bits).then(|| blake2b_256(&[&prehead[..], &nonce]));
        Ok(CheckedShare { key: key.into(), claim: None, hash, block })
    }
}

/// The texts of a submit.
struct Submit<'a> {
    extranonce2: Cow<'a, str>,
    time: Cow<'a, str>,
    nonce: Cow<'a, str>,
}

impl<'a> Submit<'a> {
    /// `None` unless there are five strings, and perhaps a mask, which is not used.
    fn read(params: &[&'a RawValue]) -> Option<Self> {
        let [_, _, extranonce2, time, nonce, mask @ ..] = params else {
            return None;
        };
        match mask {
            [] => {}
            [mask] => {
                let mask = rpc::string(mask)?;
                if mask.len() != 64 || !mask.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
            }
            _ => return None,
        }
        Some(Self {
            extranonce2: rpc::string(extranonce2)?,
            time: rpc::string(time)?,
            nonce: rpc::string(nonce)?,
        })
    }
}

/// A number of exactly eight hex digits.
fn number(text: &str) -> Option<u32> {
    if text.len() != 8 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

fn is_block(hash: &PowHash, bits: u32) -> bool {
    Target::from_compact(bits).is_some_and(|target| hash.at_or_below(&target))
}

fn hex(bytes: &[u8]) -> serde_json::Value {
    Hex(bytes).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{self, bytes, text};
    use super::*;

    fn raws(fields: &[&str]) -> Vec<Box<RawValue>> {
        fields.iter().map(|field| RawValue::from_string(format!("\"{field}\"")).unwrap()).collect()
    }

    /// Every share of the real servers' records, judged by a job made of the same notify.
    #[test]
    fn real_shares_hash_as_recorded() {
        for vector in vectors::all()["stratum"].as_array().unwrap() {
            let params = vector["notify_params"].as_array().unwrap();
            let int = |at: usize| u32::from_be_bytes(bytes(&params[at]));
            let job = HandshakePoolJob {
                id: "1".into(),
                time: u64::from(int(8)),
                work: MadeWork::Deployed(Roots {
                    prev_block: bytes(&params[1]),
                    merkle_root: bytes(&params[2]),
                    witness_root: bytes(&params[3]),
                    tree_root: bytes(&params[4]),
                    reserved_root: bytes(&params[5]),
                    version: int(6),
                    bits: int(7),
                    mask: bytes(&vector["mask"]),
                }),
                pool: HandshakePool::new(StratumGeneration::Deployed),
            };
            let extranonce1 = text(vector, "extranonce1").parse().unwrap();
            let fields = ["extranonce2", "ntime", "nonce"].map(|field| text(vector, field));
            let raws = raws(&["w", "1", fields[0], fields[1], fields[2]]);
            let params: Vec<_> = raws.iter().map(|raw| &**raw).collect();
            let age = Duration::from_secs(1 << 31);
            let share = job.check(&extranonce1, &params, age).unwrap();
            assert_eq!(share.hash.to_string(), text(vector, "powHash"), "{}", vector["name"]);
        }
    }
}
