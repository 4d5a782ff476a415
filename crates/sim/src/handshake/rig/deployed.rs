//! A mainnet job, as told by a notify of 9 or 10 parameters.

use orepass_hstratum::pow::{ShareHasher, mask_hash};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::target::PowHash;
use serde_json::Value;

use super::super::extra_nonce;
use super::super::header::Roots;
use super::search::{Counter, HandshakeSearch, HeaderLayout};
use super::{HandshakeRig, fingerprint, hash, number, string};
use crate::coin::{Allotment, RigError, RigJob, Search};

/// The bytes of the header that extranonce1 and extranonce2 share.
const ROOM: usize = 24;

#[derive(Debug)]
pub(super) struct DeployedNotify {
    rig: HandshakeRig,
    id: String,
    roots: Roots,
    mask_hash: [u8; 32],
    time: u32,
    fingerprint: u64,
}

impl DeployedNotify {
    /// Reads a notify's 9 or 10 fields.
    pub(super) fn read(rig: &HandshakeRig, fields: &[Value]) -> Result<Self, RigError> {
        let prev_block = hash("previous block", &fields[1])?;
        let mask_hash = match fields.get(9) {
            Some(told) => hash("mask hash", told)?,
            None => mask_hash(&prev_block, &[0; 32]),
        };
        Ok(Self {
            rig: rig.clone(),
            id: string("job id", &fields[0])?.to_owned(),
            roots: Roots {
                prev_block,
                merkle_root: hash("merkle root", &fields[2])?,
                witness_root: hash("witness root", &fields[3])?,
                tree_root: hash("tree root", &fields[4])?,
                reserved_root: hash("reserved root", &fields[5])?,
                version: number("version", &fields[6])?,
                bits: number("bits", &fields[7])?,
                mask: [0; 32],
            },
            mask_hash,
            time: number("time", &fields[8])?,
            fingerprint: fingerprint(fields),
        })
    }

    pub(super) fn search_at(
        &self,
        extranonce1: &Extranonce,
        start: Counter,
    ) -> impl Search + use<> {
        let layout = Deployed {
            roots: self.roots.clone(),
            mask_hash: self.mask_hash,
            extranonce1: extranonce1.clone(),
            long_nonces: self.rig.long_nonces,
        };
        HandshakeSearch::new(&self.rig, layout, start)
    }
}

impl RigJob for DeployedNotify {
    fn id(&self) -> &str {
        &self.id
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn search(&self, allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        let (extranonce1, size) = self.rig.divide(allotment, ROOM)?;
        let start = Counter::new(size, self.time, self.rig.nonces_per_extranonce2);
        Ok(Box::new(self.search_at(&extranonce1, start)))
    }
}

#[derive(Debug)]
struct Deployed {
    roots: Roots,
    mask_hash: [u8; 32],
    extranonce1: Extranonce,
    long_nonces: bool,
}

impl HeaderLayout for Deployed {
    type Midstate = ShareHasher;

    fn midstate(&self, counter: &Counter) -> ShareHasher {
        // The division made sure that the two fit.
        let field = extra_nonce(self.extranonce1.as_bytes(), &counter.extranonce2);
        let header = self.roots.header(&field.unwrap_or_default(), 0, 0);
        ShareHasher::new(&header, &self.mask_hash)
    }

    fn hash(midstate: &ShareHasher, counter: &Counter) -> PowHash {
        midstate.hash(counter.nonce, u64::from(counter.time))
    }

    fn nonce(&self, nonce: u32) -> String {
        let width = if self.long_nonces { 16 } else { 8 };
        format!("{nonce:0width$x}")
    }
}
