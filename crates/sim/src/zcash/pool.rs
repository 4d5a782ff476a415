//! The pool's half: what servers of the NOMP family say, and how they judge.

use std::time::Duration;

use bytes::BytesMut;
use orepass_equihash::Scratch;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{self, Id, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use orepass_zcash::pow;
use serde_json::json;
use serde_json::value::RawValue;

use super::{SOLUTION_PREFIX, SOLUTION_SIZE, scale};
use crate::coin::{
    AnnouncementPlace, CheckedShare, JobOrder, Manners, PoolCoin, PoolJob, Reason, TargetTerms,
};

/// Mainnet's compact target at block 415,000.
const MAINNET_BITS: u32 = 0x1c03_abe1;
/// How far a share's time may be ahead of the present.
const MAX_AHEAD: Duration = Duration::from_secs(7_200);

/// A Zcash pool's options. Its difficulties are multiples of the chain's easiest target: a share of
/// difficulty D takes 8192 × D solutions on average, so with a 8192nd every solution is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZcashPool {
    /// The compact target of blocks.
    pub bits: u32,
}

impl Default for ZcashPool {
    fn default() -> Self {
        Self { bits: MAINNET_BITS }
    }
}

impl PoolCoin for ZcashPool {
    fn make_job(&self, order: &JobOrder, rng: &mut fastrand::Rng) -> Box<dyn PoolJob> {
        let mut random = || const_hex::encode(std::array::from_fn::<u8, 32, _>(|_| rng.u8(..)));
        let little_end_first = |number: u32| const_hex::encode(number.to_le_bytes());
        let time = u32::try_from(order.time).unwrap_or(u32::MAX);
        let mut tip = order.tip;
        tip.reverse();
        Box::new(ZcashPoolJob {
            // As those servers count.
            id: format!("{:x}", 0xcccc + order.serial),
            // A header has hashes with their least significant byte first.
            prev_hash: const_hex::encode(tip),
            merkle_root: random(),
            commitments: random(),
            time,
            time_hex: little_end_first(time),
            bits_hex: little_end_first(self.bits),
            network: Target::from_compact(self.bits).unwrap_or(Target::ZERO),
        })
    }

    fn target(&self, difficulty: Difficulty) -> Target {
        scale().target(difficulty)
    }

    /// One read gives up to 64 KiB, and more than 10 KiB of whole and broken lines end the connection
    /// before any is looked at.
    fn manners(&self) -> Manners {
        let (read, flood) = (64 * 1024, Some(10_240));
        Manners { read, flood, tells_transactions: false, ..Manners::default() }
    }

    fn subscribe_result(&self, extranonce1: &Extranonce) -> String {
        format!("[null,\"{extranonce1}\"]")
    }

    fn set_extranonce_params(&self, extranonce1: &Extranonce) -> String {
        format!("[\"{extranonce1}\"]")
    }

    fn unusable_notify(&self) -> String {
        json!(["unusable", "05000000", "zz", 7, null, "", "", true]).to_string()
    }

    fn put_terms(&self, terms: &TargetTerms, out: &mut BytesMut) {
        if terms.place == AnnouncementPlace::BeforeNotify && terms.changed {
            self.put_call("mining.set_target", &format_args!("[\"{}\"]", terms.target), out);
        }
    }

    fn error(&self, reason: Reason) -> (i64, &'static str) {
        match reason {
            Reason::InvalidParams => (20, "invalid params"),
            Reason::Unauthorized => (24, "unauthorized worker"),
            Reason::TimeTooOld | Reason::TimeTooNew => (20, "ntime out of range"),
            Reason::Duplicate | Reason::SecondSolution => (22, "duplicate share"),
            Reason::HighHash => (23, "low difficulty share"),
            other => other.common(),
        }
    }

    /// As ZIP 301 has it.
    fn put_error(&self, id: &Id, reason: Reason, out: &mut BytesMut) {
        let (code, text) = self.error(reason);
        let error = format_args!("[{code},{},null]", Quoted(text));
        rpc::put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":{error}}}\n"));
    }

    fn put_unknown(&self, id: &Id, _method: &str, out: &mut BytesMut) {
        let error = "[20,\"Not supported.\",null]";
        rpc::put(out, format_args!("{{\"id\":{id},\"result\":false,\"error\":{error}}}\n"));
    }
}

/// A job, in hex as it stands in a header.
#[derive(Debug)]
struct ZcashPoolJob {
    id: String,
    prev_hash: String,
    merkle_root: String,
    commitments: String,
    /// Unix seconds.
    time: u32,
    time_hex: String,
    bits_hex: String,
    /// At or below this a share is a block.
    network: Target,
}

impl PoolJob for ZcashPoolJob {
    fn id(&self) -> &str {
        &self.id
    }

    /// All jobs are told as clean ones.
    fn notify_params(&self, _target: &Target, _first: bool) -> String {
        let Self { id, prev_hash, merkle_root, commitments, time_hex, bits_hex, .. } = self;
        json!([id, "04000000", prev_hash, merkle_root, commitments, time_hex, bits_hex, true])
            .to_string()
    }

    /// In the order in which the servers look at the parameters. That the solution's length is told as
    /// it must be they leave to the node.
    fn check(
        &self,
        extranonce1: &Extranonce,
        params: &[&RawValue],
        job_age: Duration,
    ) -> Result<CheckedShare, Reason> {
        let [_, _, time, extranonce2, solution] = params else {
            return Err(Reason::InvalidParams);
        };
        let text = |field| {
            rpc::string(field).map(|text| text.to_ascii_lowercase()).ok_or(Reason::InvalidParams)
        };
        let (time, extranonce2, solution) = (text(time)?, text(extranonce2)?, text(solution)?);
        self.check_time(&time, job_age)?;
        let nonce = format!("{extranonce1}{extranonce2}");
        if nonce.len() != 64 {
            return Err(Reason::Form("incorrect size of nonce"));
        }
        if solution.len() != SOLUTION_PREFIX.len() + 2 * SOLUTION_SIZE {
            return Err(Reason::Form("incorrect size of solution"));
        }
        let digits = solution.strip_prefix(SOLUTION_PREFIX).ok_or(Reason::InvalidSolution)?;
        let header = [
            "04000000",
            &self.prev_hash,
            &self.merkle_root,
            &self.commitments,
            &time,
            &self.bits_hex,
            &nonce,
        ];
        let header: [u8; 140] = bytes(&header.concat()).ok_or(Reason::Form("invalid hex"))?;
        let solution: [u8; SOLUTION_SIZE] = bytes(digits).ok_or(Reason::InvalidSolution)?;
        pow::EQUIHASH
            .verify(&header[..108], &header[108..], &solution, &mut Scratch::default())
            .map_err(|_| Reason::InvalidSolution)?;
        let hash = pow::share_hash(&header, &solution);
        Ok(CheckedShare {
            key: [&header[100..104], &header[108..], &solution].concat().into(),
            claim: None,
            block: hash.at_or_below(&self.network).then(|| *hash.as_be_bytes()),
            hash,
        })
    }
}

impl ZcashPoolJob {
    fn check_time(&self, text: &str, job_age: Duration) -> Result<(), Reason> {
        let wrong = Reason::Form("incorrect size of ntime");
        let time = u32::from_le_bytes(bytes(text).ok_or(wrong)?);
        let latest = u64::from(self.time) + (job_age + MAX_AHEAD).as_secs();
        match time {
            _ if time < self.time => Err(Reason::TimeTooOld),
            _ if u64::from(time) > latest => Err(Reason::TimeTooNew),
            _ => Ok(()),
        }
    }
}

/// Just so many bytes of hex.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_hex = text.len() == 2 * N && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_hex && const_hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}
