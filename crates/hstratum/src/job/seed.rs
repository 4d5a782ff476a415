//! The jobs of the testnets before mainnet.

use std::fmt;
use std::sync::OnceLock;

use orepass_stratum::dialect::WorkKey;
use orepass_stratum::error::ParseError;
use orepass_stratum::rpc::{Hex, Quoted};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{PoolJobId, arity, bits, job_id};
use crate::coinbase::{Coinbase, TransactionError};
use crate::field::Field;
use crate::header::SeedHeader;
use crate::merkle;

/// The most transactions that a job may have beside its coinbase; a block holds fewer.
pub const MAX_TRANSACTIONS: usize = 20_000;

/// The most siblings on the way up from the coinbase.
const MAX_BRANCHES: usize = 32;

/// A job whose extranonce is in the coinbase transaction's witness.
///
/// The notify is `[job id, previous block, coinb1, coinb2, branches, tree root, filter root,
/// reserved root, version, bits, time, clean]`. Servers from February 2019 on insert the
/// leaf-hashed ids of the other transactions before the branches, and so send 13 parameters.
///
/// The branches lead from the coinbase's **wtxid** to the witness root. The merkle root is over
/// txids, which the extranonce does not touch: it is one for the whole job, but of the 12
/// parameters it can be computed only when there is no other transaction, or once
/// [`learn`](Self::learn) was told their ids.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct SeedJob {
    pub id: PoolJobId,
    pub prev_block: [u8; 32],
    /// The coinbase before the extranonce.
    pub coinbase1: Box<[u8]>,
    /// The coinbase after the extranonce.
    pub coinbase2: Box<[u8]>,
    /// The hashed ids of the other transactions, from servers that send them.
    pub leaves: Option<Box<[[u8; 32]]>>,
    /// The siblings of the coinbase's wtxid on the way up to the witness root.
    pub branches: Box<[[u8; 32]]>,
    pub tree_root: [u8; 32],
    pub filter_root: [u8; 32],
    pub reserved_root: [u8; 32],
    pub version: u32,
    pub bits: u32,
    pub time: u64,
    /// The pool takes no more shares of earlier jobs.
    pub clean: bool,
    /// Where the two halves make no transaction, the job can be forwarded, not checked.
    coinbase: Result<Coinbase, TransactionError>,
    merkle_root: OnceLock<[u8; 32]>,
    transactions: OnceLock<Box<[[u8; 32]]>>,
}

/// Why no share of a job can be checked: its header cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Uncheckable {
    /// The coinbase transaction makes no sense, which is the pool's fault.
    #[error("the job's coinbase transaction cannot be read: {0}")]
    Coinbase(TransactionError),
    /// The pool has not told which transactions the block has, see [`SeedJob::learn`].
    #[error("the job's transactions are not known")]
    Transactions,
}

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
        let coinbase1 = Field::new("coinb1", coinbase1).blob()?;
        let coinbase2 = Field::new("coinb2", coinbase2).blob()?;
        let job = Self {
            coinbase: Coinbase::parse(&coinbase1, &coinbase2),
            id: job_id(Field::new("job id", id))?,
            prev_block: Field::new("prevBlock", prev_block).hash()?,
            coinbase1,
            coinbase2,
            leaves: leaves.transpose()?,
            branches: Field::new("branches", branches).hashes(MAX_BRANCHES, "up to 32 hashes")?,
            tree_root: Field::new("treeRoot", tree).hash()?,
            filter_root: Field::new("filterRoot", filter).hash()?,
            reserved_root: Field::new("reservedRoot", reserved).hash()?,
            version: Field::new("version", version).hex_u32()?,
            bits: bits(Field::new("bits", compact))?,
            time: Field::new("time", time).hex_u64()?,
            clean: Field::new("clean", clean).boolean()?,
            merkle_root: OnceLock::new(),
            transactions: OnceLock::new(),
        };
        match &job.leaves {
            Some(leaves) => job.set_merkle_root(leaves.iter().copied()),
            None if job.branches.is_empty() => job.set_merkle_root([].into_iter()),
            None => {}
        }
        if job.alone() {
            // It was empty.
            let _ = job.transactions.set(Box::default());
        }
        Ok(job)
    }

    /// The coinbase transaction.
    ///
    /// # Errors
    /// Why its halves make none.
    pub const fn coinbase(&self) -> Result<&Coinbase, &TransactionError> {
        self.coinbase.as_ref()
    }

    /// Whether its shares can be checked.
    ///
    /// # Errors
    /// Why not.
    pub fn checkable(&self) -> Result<(), Uncheckable> {
        if let Err(error) = &self.coinbase {
            return Err(Uncheckable::Coinbase(error.clone()));
        }
        self.merkle_root.get().map(|_| ()).ok_or(Uncheckable::Transactions)
    }

    /// The root over the txids, once it can be computed.
    #[must_use]
    pub fn merkle_root(&self) -> Option<&[u8; 32]> {
        self.merkle_root.get()
    }

    /// The txids of the other transactions in the block's order, where they are known.
    #[must_use]
    pub fn transactions(&self) -> Option<&[[u8; 32]]> {
        self.transactions.get().map(AsRef::as_ref)
    }

    /// Whether the merkle root takes an answer to `mining.get_transactions`.
    #[must_use]
    pub fn needs_transactions(&self) -> bool {
        self.leaves.is_none() && self.transactions.get().is_none()
    }

    /// Takes the answer to `mining.get_transactions`: the other transactions' txids in order. The
    /// first answer stays.
    ///
    /// The branches are hashes of wtxids, so they cannot prove the txids right; what they do tell
    /// is the depth of the tree. A 13-parameter job's leaves do prove them.
    ///
    /// # Errors
    /// When it is not a list of up to [`MAX_TRANSACTIONS`] hashes, or not this job's list.
    pub fn learn(&self, answer: &RawValue) -> Result<(), ParseError> {
        let field = Field::new("transactions", answer);
        let txids = field.hashes(MAX_TRANSACTIONS, "up to 20000 hashes")?;
        if merkle::depth(1 + txids.len()) != self.branches.len() {
            return Err(field.wrong("as many as the branches are for").into());
        }
        let hashed = || txids.iter().map(merkle::leaf);
        match &self.leaves {
            Some(leaves) if !leaves.iter().copied().eq(hashed()) => {
                return Err(field.wrong("the hashes that the notify has").into());
            }
            Some(_) => {}
            None => self.set_merkle_root(hashed()),
        }
        // A second answer to the same question adds nothing.
        let _ = self.transactions.set(txids);
        Ok(())
    }

    /// The header with this extranonce and time, without its nonce; `None` when roots are missing
    /// or the extranonce does not fill its gap.
    #[must_use]
    pub fn header(&self, extranonce1: &[u8], extranonce2: &[u8], time: u64) -> Option<SeedHeader> {
        let fits = extranonce1.len() + extranonce2.len() == Coinbase::EXTRANONCE;
        let coinbase = self.coinbase.as_ref().ok().filter(|_| fits)?;
        let wtxid = coinbase.wtxid(extranonce1, extranonce2);
        Some(SeedHeader {
            version: self.version,
            prev_block: self.prev_block,
            merkle_root: *self.merkle_root.get()?,
            witness_root: merkle::root_from_branches(&wtxid, &self.branches),
            tree_root: self.tree_root,
            filter_root: self.filter_root,
            reserved_root: self.reserved_root,
            time,
            bits: self.bits,
        })
    }

    /// Displays as the parameters of a notify under another id, as many as the pool sent.
    #[must_use]
    pub fn notify<'a>(&'a self, id: &'a str, clean: bool) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            write!(f, "[{},\"{}\"", Quoted(id), Hex(&self.prev_block))?;
            write!(f, ",\"{}\",\"{}\"", Hex(&self.coinbase1), Hex(&self.coinbase2))?;
            if let Some(leaves) = &self.leaves {
                write!(f, ",{}", list(leaves))?;
            }
            write!(f, ",{}", list(&self.branches))?;
            for root in [&self.tree_root, &self.filter_root, &self.reserved_root] {
                write!(f, ",\"{}\"", Hex(root))?;
            }
            write!(f, ",\"{:08x}\",\"{:08x}\",\"{:08x}\"", self.version, self.bits, self.time)?;
            write!(f, ",{clean}]")
        })
    }

    pub(super) fn work_key(&self) -> WorkKey {
        WorkKey::of((
            [self.prev_block, self.tree_root, self.filter_root, self.reserved_root],
            [self.version, self.bits],
            [&self.coinbase1, &self.coinbase2],
            [self.leaves.as_ref(), Some(&self.branches)],
        ))
    }

    /// Whether the coinbase is the block's only transaction.
    fn alone(&self) -> bool {
        self.branches.is_empty() && self.leaves.as_ref().is_none_or(|leaves| leaves.is_empty())
    }

    fn set_merkle_root(&self, others: impl Iterator<Item = [u8; 32]>) {
        if let Ok(coinbase) = &self.coinbase {
            let leaves = std::iter::once(merkle::leaf(coinbase.txid())).chain(others).collect();
            // Set once: the job's own fields come first, and a second answer adds nothing.
            let _ = self.merkle_root.set(merkle::root(leaves));
        }
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
