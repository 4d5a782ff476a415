//! A seed-generation job, as told by a notify of 12 or 13 parameters.

use orepass_hstratum::pow::seed_hash;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::PowHash;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::coinbase::{self, CoinbaseParts};
use super::super::header::SeedRoots;
use super::search::{Counter, HandshakeSearch, HeaderLayout};
use super::{HandshakeRig, fingerprint, hash, hashes, number, string};
use crate::coin::{Allotment, RigError, RigJob, Search};

/// The bytes of the coinbase's witness that extranonce1 and extranonce2 share.
const ROOM: usize = 8;

#[derive(Debug)]
pub(super) struct SeedNotify {
    rig: HandshakeRig,
    id: String,
    coinb1: Vec<u8>,
    coinb2: Vec<u8>,
    branches: Vec<[u8; 32]>,
    /// The leaves of the other transactions' ids; `None` until they are known.
    leaves: Option<Vec<[u8; 32]>>,
    /// Everything but the merkle root, which needs the extranonce's room filled to be computed.
    roots: SeedRoots,
    time: u32,
    fingerprint: u64,
}

impl SeedNotify {
    /// Reads a notify's 12 or 13 fields.
    pub(super) fn read(rig: &HandshakeRig, fields: &[Value]) -> Result<Self, RigError> {
        // The 13th, where it is there, are the other transactions' leaves, before the branches.
        let at = fields.len() - 12;
        let branches = hashes("branches", &fields[4 + at])?;
        let leaves = match at {
            0 if branches.is_empty() => Some(Vec::new()),
            0 => None,
            _ => Some(hashes("transactions", &fields[4])?),
        };
        let bytes = |field, value| {
            const_hex::decode(string(field, value)?).map_err(|_| RigError::field(field, value))
        };
        Ok(Self {
            rig: rig.clone(),
            id: string("job id", &fields[0])?.to_owned(),
            coinb1: bytes("coinbase, first part", &fields[2])?,
            coinb2: bytes("coinbase, second part", &fields[3])?,
            branches,
            leaves,
            roots: SeedRoots {
                prev_block: hash("previous block", &fields[1])?,
                merkle_root: [0; 32],
                tree_root: hash("tree root", &fields[5 + at])?,
                filter_root: hash("filter root", &fields[6 + at])?,
                reserved_root: hash("reserved root", &fields[7 + at])?,
                version: number("version", &fields[8 + at])?,
                bits: number("bits", &fields[9 + at])?,
            },
            time: number("time", &fields[10 + at])?,
            fingerprint: fingerprint(fields),
        })
    }

    pub(super) fn search_at(
        &self,
        extranonce1: &Extranonce,
        start: Counter,
    ) -> Result<impl Search + use<>, RigError> {
        let Some(leaves) = &self.leaves else {
            return Err(RigError::field("transactions", "not known"));
        };
        let from = self.coinb1.len();
        let place = from..from + extranonce1.len() + start.extranonce2.len();
        let bytes = [&self.coinb1, extranonce1.as_bytes(), &start.extranonce2, &self.coinb2];
        let coinbase = CoinbaseParts::parse(bytes.concat())
            .ok_or_else(|| RigError::field("coinbase", &const_hex::encode(&self.coinb1)))?;
        let merkle_root = coinbase::root(&coinbase.txid(), leaves);
        let layout = Seed {
            roots: SeedRoots { merkle_root, ..self.roots.clone() },
            coinbase,
            place,
            extranonce1: extranonce1.clone(),
            branches: self.branches.clone(),
        };
        Ok(HandshakeSearch::new(&self.rig, layout, start))
    }
}

impl RigJob for SeedNotify {
    fn id(&self) -> &str {
        &self.id
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn wants_transactions(&self) -> bool {
        self.leaves.is_none()
    }

    fn learn_transactions(&mut self, answer: &RawValue) -> Result<(), RigError> {
        let wrong = || RigError::field("transactions", answer.get());
        let ids: Value = serde_json::from_str(answer.get()).map_err(|_| wrong())?;
        let ids = hashes("transactions", &ids)?;
        self.leaves = Some(ids.iter().map(coinbase::leaf).collect());
        Ok(())
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        let (extranonce1, size) = self.rig.divide(allotment, ROOM)?;
        let start = Counter::new(size, self.time, self.rig.nonces_per_extranonce2);
        Ok(Box::new(self.search_at(&extranonce1, start)?))
    }
}

#[derive(Debug)]
struct Seed {
    roots: SeedRoots,
    coinbase: CoinbaseParts,
    /// Where the extranonce stands in the coinbase.
    place: std::ops::Range<usize>,
    extranonce1: Extranonce,
    branches: Vec<[u8; 32]>,
}

impl HeaderLayout for Seed {
    type Midstate = [u8; 208];

    fn midstate(&self, counter: &Counter) -> [u8; 208] {
        let mut coinbase = self.coinbase.clone();
        let extranonce = [self.extranonce1.as_bytes(), &counter.extranonce2].concat();
        coinbase.set(self.place.clone(), &extranonce);
        let witness_root = coinbase::fold(&coinbase.wtxid(), &self.branches);
        self.roots.prehead(&witness_root, u64::from(counter.time))
    }

    fn hash(midstate: &[u8; 208], counter: &Counter) -> PowHash {
        seed_hash(midstate, &wide(counter.nonce))
    }

    fn nonce(&self, nonce: u32) -> String {
        const_hex::encode(wide(nonce))
    }
}

/// A nonce of the whole field's width.
fn wide(nonce: u32) -> [u8; 32] {
    let mut wide = [0; 32];
    wide[..4].copy_from_slice(&nonce.to_le_bytes());
    wide
}
