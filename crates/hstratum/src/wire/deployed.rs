//! The notify of mainnet's jobs: `[job id, previous block, merkle root, witness root, tree root,
//! reserved root, version, bits, time]`, and a tenth parameter from servers that mine under a mask:
//! the mask's hash; null or an empty text there means a mask of zeros. The order of the roots is not
//! the header's.

use std::fmt;

use orepass_stratum::error::ParseError;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::{Hex, Quoted};
use serde_json::value::RawValue;

use super::{arity, job_id};
use crate::job::{DeployedJob, DeployedParts};

impl DeployedJob {
    /// Reads the parameters, of which there are 9 or 10.
    pub(super) fn parse(fields: &[&RawValue]) -> Result<Self, ParseError> {
        let (&[id, prev_block, merkle, witness, tree, reserved, version, compact, time], mask) =
            fields.split_first_chunk().ok_or_else(|| arity(fields.len()))?;
        Self::new(DeployedParts {
            id: job_id(Field::new("job id", id))?,
            prev_block: Field::new("prevBlock", prev_block).hash()?,
            merkle_root: Field::new("merkleRoot", merkle).hash()?,
            witness_root: Field::new("witnessRoot", witness).hash()?,
            tree_root: Field::new("treeRoot", tree).hash()?,
            reserved_root: Field::new("reservedRoot", reserved).hash()?,
            version: Field::new("version", version).hex_u32()?,
            bits: Field::new("bits", compact).hex_u32()?,
            time: Field::new("time", time).hex_u64()?,
            mask_hash: match mask {
                [mask, ..] => sent_mask_hash(mask)?,
                [] => None,
            },
        })
    }

    /// Displays as the parameters of a notify under another id, with a mask hash just where the
    /// pool sent one: common firmware reads the first nine and is known to work with both forms.
    #[must_use]
    pub fn notify<'a>(&'a self, id: &'a str) -> impl fmt::Display + 'a {
        let parts = self.parts();
        fmt::from_fn(move |f| {
            write!(f, "[{}", Quoted(id))?;
            let roots = [
                &parts.prev_block,
                &parts.merkle_root,
                &parts.witness_root,
                &parts.tree_root,
                &parts.reserved_root,
            ];
            for root in roots {
                write!(f, ",\"{}\"", Hex(root))?;
            }
            write!(f, ",\"{:08x}\",\"{:08x}\",\"{:08x}\"", parts.version, parts.bits, parts.time)?;
            if let Some(hash) = &parts.mask_hash {
                write!(f, ",\"{}\"", Hex(hash))?;
            }
            f.write_str("]")
        })
    }
}

/// The tenth parameter; `None` for null and for an empty text, as if it were not there.
fn sent_mask_hash(value: &RawValue) -> Result<Option<[u8; 32]>, ParseError> {
    match value.get() {
        "null" | "\"\"" => Ok(None),
        _ => Ok(Some(Field::new("maskHash", value).hash()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;
    use crate::job::deployed::tests::parts;

    #[test]
    fn a_job_that_was_made_is_the_one_that_was_read() {
        for mask_hash in [None, Some([7; 32])] {
            let job = DeployedJob::new(DeployedParts { mask_hash, ..parts(1) }).unwrap();
            let text = job.notify("7").to_string();
            let read = Job::parse(&RawValue::from_string(text).unwrap()).unwrap();
            let Job::Deployed(read) = read else { panic!("{read:?}") };
            assert_eq!(read, job);
        }
    }
}
