//! The notify of the testnets' jobs: `[job id, previous block, coinb1, coinb2, branches, tree root,
//! filter root, reserved root, version, bits, time, clean]`. Servers from February 2019 on insert the
//! leaf-hashed ids of the other transactions before the branches, and so send 13 parameters.

use std::fmt;

use orepass_stratum::error::ParseError;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::{Hex, Quoted};
use serde_json::value::RawValue;

use super::{arity, job_id};
use crate::job::{MAX_TRANSACTIONS, SeedJob, SeedParts, WrongTransactions};

/// The most siblings on the way up from the coinbase.
const MAX_BRANCHES: usize = 32;

impl SeedJob {
    /// Reads the parameters, of which there are 12 or 13.
    pub(super) fn parse(fields: &[&RawValue]) -> Result<Self, ParseError> {
        let (&[id, prev_block, coinbase1, coinbase2], rest) =
            fields.split_first_chunk().ok_or_else(|| arity(fields.len()))?;
        let (leaves, rest) = match rest {
            [leaves, rest @ ..] if rest.len() == 8 => (Some(leaves), rest),
            rest => (None, rest),
        };
        let &[branches, tree, filter, reserved, version, compact, time, clean] = rest else {
            return Err(arity(fields.len()));
        };
        let leaves = leaves.map(|leaves| {
            Field::new("leaves", leaves).hashes(MAX_TRANSACTIONS, "up to 20000 hashes")
        });
        Self::new(SeedParts {
            id: job_id(Field::new("job id", id))?,
            prev_block: Field::new("prevBlock", prev_block).hash()?,
            coinbase1: Field::new("coinb1", coinbase1).blob()?,
            coinbase2: Field::new("coinb2", coinbase2).blob()?,
            leaves: leaves.transpose()?,
            branches: Field::new("branches", branches).hashes(MAX_BRANCHES, "up to 32 hashes")?,
            tree_root: Field::new("treeRoot", tree).hash()?,
            filter_root: Field::new("filterRoot", filter).hash()?,
            reserved_root: Field::new("reservedRoot", reserved).hash()?,
            version: Field::new("version", version).hex_u32()?,
            bits: Field::new("bits", compact).hex_u32()?,
            time: Field::new("time", time).hex_u64()?,
            clean: Field::new("clean", clean).boolean()?,
        })
    }

    /// Takes the answer to `mining.get_transactions`, as
    /// [`set_transactions`](Self::set_transactions) takes what it says.
    ///
    /// # Errors
    /// When it is not a list of up to [`MAX_TRANSACTIONS`] hashes, or not this job's list.
    pub fn learn(&self, answer: &RawValue) -> Result<(), ParseError> {
        let field = Field::new("transactions", answer);
        let txids = field.hashes(MAX_TRANSACTIONS, "up to 20000 hashes")?;
        self.set_transactions(txids).map_err(|wrong| {
            let expected = match wrong {
                WrongTransactions::Count { .. } => "as many as the branches are for",
                WrongTransactions::Leaves => "the hashes that the notify has",
            };
            field.wrong(expected).into()
        })
    }

    /// Displays as the parameters of a notify under another id, as many as the pool sent.
    #[must_use]
    pub fn notify<'a>(&'a self, id: &'a str, clean: bool) -> impl fmt::Display + 'a {
        let parts = self.parts();
        fmt::from_fn(move |f| {
            write!(f, "[{},\"{}\"", Quoted(id), Hex(&parts.prev_block))?;
            write!(f, ",\"{}\",\"{}\"", Hex(&parts.coinbase1), Hex(&parts.coinbase2))?;
            if let Some(leaves) = &parts.leaves {
                write!(f, ",{}", list(leaves))?;
            }
            write!(f, ",{}", list(&parts.branches))?;
            for root in [&parts.tree_root, &parts.filter_root, &parts.reserved_root] {
                write!(f, ",\"{}\"", Hex(root))?;
            }
            write!(f, ",\"{:08x}\",\"{:08x}\",\"{:08x}\"", parts.version, parts.bits, parts.time)?;
            write!(f, ",{clean}]")
        })
    }
}

/// Displays as a JSON array of hex strings.
pub(crate) fn list(hashes: &[[u8; 32]]) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        f.write_str("[")?;
        for (index, hash) in hashes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}\"{}\"", Hex(hash))?;
        }
        f.write_str("]")
    })
}
