//! The jobs of mainnet.

use std::fmt;

use orepass_stratum::dialect::WorkKey;
use orepass_stratum::error::ParseError;
use orepass_stratum::rpc::{Hex, Quoted};
use serde_json::value::RawValue;

use super::{PoolJobId, arity, bits, job_id};
use crate::field::Field;
use crate::header::{Header, extra_nonce};
use crate::pow;

/// A job whose extranonce is a header field: everything else of the header is given, and miners
/// have no coinbase and no tree to deal with.
///
/// The notify is `[job id, previous block, merkle root, witness root, tree root, reserved root,
/// version, bits, time]`, and a tenth parameter from servers that mine under a mask: the mask's
/// hash; null or an empty text there means a mask of zeros. The order of the roots is not the
/// header's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DeployedJob {
    pub id: PoolJobId,
    pub prev_block: [u8; 32],
    pub merkle_root: [u8; 32],
    pub witness_root: [u8; 32],
    pub tree_root: [u8; 32],
    pub reserved_root: [u8; 32],
    pub version: u32,
    pub bits: u32,
    pub time: u64,
    /// The hash of the mask as the pool sent it, which rigs are told too.
    pub sent_mask_hash: Option<[u8; 32]>,
    zero_mask_hash: [u8; 32],
}

impl DeployedJob {
    /// Reads the parameters, of which there are 9 or 10.
    pub(super) fn parse(fields: &[&RawValue]) -> Result<Self, ParseError> {
        let (&[id, prev_block, merkle, witness, tree, reserved, version, compact, time], mask) =
            fields.split_first_chunk().ok_or_else(|| arity(fields.len()))?;
        let prev_block = Field::new("prevBlock", prev_block).hash()?;
        Ok(Self {
            id: job_id(Field::new("job id", id))?,
            prev_block,
            merkle_root: Field::new("merkleRoot", merkle).hash()?,
            witness_root: Field::new("witnessRoot", witness).hash()?,
            tree_root: Field::new("treeRoot", tree).hash()?,
            reserved_root: Field::new("reservedRoot", reserved).hash()?,
            version: Field::new("version", version).hex_u32()?,
            bits: bits(Field::new("bits", compact))?,
            time: Field::new("time", time).hex_u64()?,
            sent_mask_hash: match mask {
                [mask, ..] => sent_mask_hash(mask)?,
                [] => None,
            },
            zero_mask_hash: pow::mask_hash(&prev_block, &[0; 32]),
        })
    }

    /// The hash of the mask that shares are under; without one the pool means a mask of zeros.
    #[must_use]
    pub const fn mask_hash(&self) -> &[u8; 32] {
        match &self.sent_mask_hash {
            Some(sent) => sent,
            None => &self.zero_mask_hash,
        }
    }

    /// Whether the mask is known to be zero, so that a share's hash is the block's.
    #[must_use]
    pub fn mask_is_zero(&self) -> bool {
        *self.mask_hash() == self.zero_mask_hash
    }

    /// The header with this extranonce, time and nonce, its mask left at zero; `None` when the
    /// extranonce is longer than 24 bytes.
    #[must_use]
    pub fn header(
        &self,
        extranonce1: &[u8],
        extranonce2: &[u8],
        time: u64,
        nonce: u32,
    ) -> Option<Header> {
        Some(Header {
            nonce,
            time,
            prev_block: self.prev_block,
            tree_root: self.tree_root,
            extra_nonce: extra_nonce(extranonce1, extranonce2)?,
            reserved_root: self.reserved_root,
            witness_root: self.witness_root,
            merkle_root: self.merkle_root,
            version: self.version,
            bits: self.bits,
            mask: [0; 32],
        })
    }

    /// Displays as the parameters of a notify under another id, with a mask hash just where the
    /// pool sent one: common firmware reads the first nine and is known to work with both forms.
    #[must_use]
    pub fn notify<'a>(&'a self, id: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            write!(f, "[{}", Quoted(id))?;
            let roots = [
                &self.prev_block,
                &self.merkle_root,
                &self.witness_root,
                &self.tree_root,
                &self.reserved_root,
            ];
            for root in roots {
                write!(f, ",\"{}\"", Hex(root))?;
            }
            write!(f, ",\"{:08x}\",\"{:08x}\",\"{:08x}\"", self.version, self.bits, self.time)?;
            if let Some(hash) = &self.sent_mask_hash {
                write!(f, ",\"{}\"", Hex(hash))?;
            }
            f.write_str("]")
        })
    }

    pub(super) fn work_key(&self) -> WorkKey {
        WorkKey::of((
            [self.prev_block, self.merkle_root, self.witness_root, self.tree_root],
            [self.reserved_root, *self.mask_hash()],
            [self.version, self.bits],
        ))
    }
}

/// The tenth parameter; `None` for null and for an empty text, as if it were not there.
fn sent_mask_hash(value: &RawValue) -> Result<Option<[u8; 32]>, ParseError> {
    match value.get() {
        "null" | "\"\"" => Ok(None),
        _ => Ok(Some(Field::new("maskHash", value).hash()?)),
    }
}
