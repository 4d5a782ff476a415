//! The jobs of the testnets before mainnet.

use std::sync::OnceLock;

use orepass_stratum::dialect::WorkKey;
use orepass_stratum::error::ParseError;
use thiserror::Error;

use super::{PoolJobId, check_bits};
use crate::coinbase::{Coinbase, TransactionError};
use crate::header::SeedHeader;
use crate::merkle;

/// The most transactions that a job may have beside its coinbase; a block holds fewer.
pub const MAX_TRANSACTIONS: usize = 20_000;

/// A job whose extranonce is in the coinbase transaction's witness.
///
/// The branches lead from the coinbase's **wtxid** to the witness root. The merkle root is over
/// txids, which the extranonce does not touch: it is one for the whole job, but where
/// the pool does not send the hashed ids of the other transactions with the job, it can be computed only
/// when there is none, or once [`learn`](Self::learn) was told their ids.
///
/// ```
/// use orepass_hstratum::job::{PoolJobId, SeedJob, SeedParts};
/// # use orepass_stratum::error::ParseError;
///
/// /// A job of a pool that knows its block's other transactions.
/// fn job(parts: SeedParts, txids: &[[u8; 32]]) -> Result<SeedJob, Box<dyn std::error::Error>> {
///     let job = SeedJob::new(parts)?.with_id(PoolJobId::from("8")?);
///     job.set_transactions(txids.into())?;
///     Ok(job)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SeedJob {
    parts: SeedParts,
    /// Where the two halves make no transaction, the job can be forwarded, not checked.
    coinbase: Result<Coinbase, TransactionError>,
    merkle_root: OnceLock<[u8; 32]>,
    transactions: OnceLock<Box<[[u8; 32]]>>,
}

/// What a [`SeedJob`] is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeedParts {
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
    /// The block target's compact form.
    pub bits: u32,
    /// Unix seconds.
    pub time: u64,
    /// The pool takes no more shares of earlier jobs.
    pub clean: bool,
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

/// Transactions that are not a job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WrongTransactions {
    /// Another number than the depth of the job's tree has room for.
    #[error("{found} transactions beside the coinbase, whose {branches} branches are for others")]
    Count {
        /// How many there are.
        found: usize,
        /// How many branches the job has.
        branches: usize,
    },
    /// Their hashes are not those that the job has.
    #[error("the transactions' hashes are not the job's leaves")]
    Leaves,
}

impl SeedJob {
    /// A job of these parts.
    ///
    /// # Errors
    /// When no target has these bits.
    pub fn new(parts: SeedParts) -> Result<Self, ParseError> {
        check_bits(parts.bits)?;
        let job = Self {
            coinbase: Coinbase::parse(&parts.coinbase1, &parts.coinbase2),
            merkle_root: OnceLock::new(),
            transactions: OnceLock::new(),
            parts,
        };
        let SeedParts { leaves, branches, .. } = &job.parts;
        match leaves {
            Some(leaves) => job.set_merkle_root(leaves.iter().copied()),
            None if branches.is_empty() => job.set_merkle_root([].into_iter()),
            None => {}
        }
        let alone = branches.is_empty() && leaves.as_ref().is_none_or(|leaves| leaves.is_empty());
        if alone {
            // It was empty.
            let _ = job.transactions.set(Box::default());
        }
        Ok(job)
    }

    /// The same work under another id.
    #[must_use]
    pub fn with_id(mut self, id: PoolJobId) -> Self {
        self.parts.id = id;
        self
    }

    /// The same work from another time on, in Unix seconds.
    #[must_use]
    pub fn with_time(mut self, time: u64) -> Self {
        self.parts.time = time;
        self
    }

    /// The same work, which makes earlier jobs' shares worthless or not.
    #[must_use]
    pub fn with_clean(mut self, clean: bool) -> Self {
        self.parts.clean = clean;
        self
    }

    /// What it is made of.
    #[must_use]
    pub const fn parts(&self) -> &SeedParts {
        &self.parts
    }

    /// What it is made of, to make another one of it.
    #[must_use]
    pub fn into_parts(self) -> SeedParts {
        self.parts
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
        self.parts.leaves.is_none() && self.transactions.get().is_none()
    }

    /// Takes the txids of the block's other transactions, in their order. The first ones stay.
    ///
    /// The branches are hashes of wtxids, so they cannot prove the txids right; what they do tell
    /// is the depth of the tree. A 13-parameter job's leaves do prove them.
    ///
    /// # Errors
    /// When they are not this job's.
    pub fn set_transactions(&self, txids: Box<[[u8; 32]]>) -> Result<(), WrongTransactions> {
        let (found, branches) = (txids.len(), self.parts.branches.len());
        if merkle::depth(1 + found) != branches {
            return Err(WrongTransactions::Count { found, branches });
        }
        let hashed = || txids.iter().map(merkle::leaf);
        match &self.parts.leaves {
            Some(leaves) if !leaves.iter().copied().eq(hashed()) => {
                return Err(WrongTransactions::Leaves);
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
        let parts = &self.parts;
        Some(SeedHeader {
            version: parts.version,
            prev_block: parts.prev_block,
            merkle_root: *self.merkle_root.get()?,
            witness_root: merkle::root_from_branches(&wtxid, &parts.branches),
            tree_root: parts.tree_root,
            filter_root: parts.filter_root,
            reserved_root: parts.reserved_root,
            time,
            bits: parts.bits,
        })
    }

    pub(super) fn work_key(&self) -> WorkKey {
        let parts = &self.parts;
        WorkKey::of((
            [parts.prev_block, parts.tree_root, parts.filter_root, parts.reserved_root],
            [parts.version, parts.bits],
            [&parts.coinbase1, &parts.coinbase2],
            [parts.leaves.as_ref(), Some(&parts.branches)],
        ))
    }

    fn set_merkle_root(&self, others: impl Iterator<Item = [u8; 32]>) {
        if let Ok(coinbase) = &self.coinbase {
            let leaves = std::iter::once(merkle::leaf(coinbase.txid())).chain(others).collect();
            // Set once: the job's own fields come first, and a second answer adds nothing.
            let _ = self.merkle_root.set(merkle::root(leaves));
        }
    }
}
