//! Transactions, as far as a seed-generation job needs them: where one ends, where its witness
//! begins, and its two ids.

use std::ops::Range;

use thiserror::Error;

use crate::pow::blake2b_256;

/// Where the parts of a serialized transaction are.
///
/// A transaction is its base (version, inputs, outputs, lock time) and then, per input, a list of
/// witness items. Its txid is the hash of the base; its wtxid is the hash of the txid and the
/// witness' hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The size of the base in bytes; the witness is the rest.
    pub base: usize,
}

impl Layout {
    /// Finds the parts of a transaction that fills `bytes`.
    ///
    /// # Errors
    /// When it ends early or late.
    pub fn parse(bytes: &[u8]) -> Result<Self, TransactionError> {
        let mut reader = TransactionReader { bytes, at: 0 };
        reader.skip(4)?; // version
        let inputs = reader.count()?;
        for _ in 0..inputs {
            reader.skip(32 + 4 + 4)?; // previous output, sequence
        }
        for _ in 0..reader.count()? {
            reader.skip(8)?; // value
            reader.skip(1)?; // address version
            let [address] = reader.array()?;
            reader.skip(u64::from(address))?;
            reader.skip(1)?; // covenant type
            reader.skip_items()?;
        }
        reader.skip(4)?; // lock time
        let base = reader.at;
        for _ in 0..inputs {
            reader.skip_items()?;
        }
        match bytes.len() - reader.at {
            0 => Ok(Self { base }),
            trailing => Err(TransactionError::Trailing(trailing)),
        }
    }
}

/// A transaction that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// It needs more bytes than there are.
    #[error("the transaction ends after {0} bytes, amid a field")]
    Truncated(usize),
    /// Bytes follow it.
    #[error("{0} bytes follow the transaction")]
    Trailing(usize),
    /// The extranonce would be hashed into the txid, which is not what this generation does.
    #[error("the extranonce's place is byte {at}, before the witness at byte {witness}")]
    ExtranonceInBase {
        /// Where it is.
        at: usize,
        /// Where the witness begins.
        witness: usize,
    },
}

/// A coinbase transaction with a gap for the extranonce in its witness: the txid does not depend
/// on the extranonce, the wtxid does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coinbase {
    txid: [u8; 32],
    /// The witness before and after the gap.
    witness: [Box<[u8]>; 2],
}

impl Coinbase {
    /// The size of the gap: extranonce1 and extranonce2 together.
    pub const EXTRANONCE: usize = 8;

    /// Takes the bytes before and after the gap.
    ///
    /// # Errors
    /// When they are no transaction with the gap in its witness.
    pub fn parse(before: &[u8], after: &[u8]) -> Result<Self, TransactionError> {
        let whole = [before, &[0; Self::EXTRANONCE], after].concat();
        let Layout { base } = Layout::parse(&whole)?;
        let head = before
            .get(base..)
            .ok_or(TransactionError::ExtranonceInBase { at: before.len(), witness: base })?;
        let txid = blake2b_256(&[&whole[..base]]);
        Ok(Self { txid, witness: [head.into(), after.into()] })
    }

    /// The hash of its base.
    #[must_use]
    pub const fn txid(&self) -> &[u8; 32] {
        &self.txid
    }

    /// The hash of its witness with this extranonce in the gap.
    #[must_use]
    pub fn witness_hash(&self, extranonce1: &[u8], extranonce2: &[u8]) -> [u8; 32] {
        blake2b_256(&[&self.witness[0], extranonce1, extranonce2, &self.witness[1]])
    }

    /// The hash of txid and witness hash. The gap has room for just
    /// [`EXTRANONCE`](Self::EXTRANONCE) bytes; with another number the result is no transaction's.
    #[must_use]
    pub fn wtxid(&self, extranonce1: &[u8], extranonce2: &[u8]) -> [u8; 32] {
        blake2b_256(&[&self.txid, &self.witness_hash(extranonce1, extranonce2)])
    }
}

struct TransactionReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> TransactionReader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], TransactionError> {
        let truncated = TransactionError::Truncated(self.bytes.len());
        let count = usize::try_from(count).map_err(|_| truncated.clone())?;
        let end = self.at.checked_add(count).ok_or_else(|| truncated.clone())?;
        let range: Range<usize> = self.at..end;
        let part = self.bytes.get(range).ok_or(truncated)?;
        self.at = end;
        Ok(part)
    }

    fn skip(&mut self, count: u64) -> Result<(), TransactionError> {
        self.take(count).map(drop)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TransactionError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// Bitcoin's variable-length integer. What is counted takes at least one byte each, so a
    /// false count ends with the bytes.
    fn count(&mut self) -> Result<u64, TransactionError> {
        let [first] = self.array()?;
        Ok(match first {
            0xfd => u16::from_le_bytes(self.array()?).into(),
            0xfe => u32::from_le_bytes(self.array()?).into(),
            0xff => u64::from_le_bytes(self.array()?),
            small => small.into(),
        })
    }

    fn skip_items(&mut self) -> Result<(), TransactionError> {
        for _ in 0..self.count()? {
            let size = self.count()?;
            self.skip(size)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One input, one output with a covenant item, two witness items, the gap as the second.
    fn transaction() -> (Vec<u8>, usize) {
        let mut bytes = vec![1, 0, 0, 0, 1];
        bytes.extend([0; 40]);
        bytes.extend([1, 9, 9, 9, 9, 9, 9, 9, 9, 0, 20]);
        bytes.extend([5; 20]);
        bytes.extend([2, 1, 3, 7, 7, 7]);
        bytes.extend([0; 4]);
        let base = bytes.len();
        bytes.extend([2, 1, 0xaa, 8]);
        (bytes, base)
    }

    #[test]
    fn base_and_witness_are_told_apart() {
        let (before, base) = transaction();
        let whole = [&before[..], &[0; 8]].concat();
        assert_eq!(Layout::parse(&whole), Ok(Layout { base }));
        assert_eq!(Layout::parse(&before), Err(TransactionError::Truncated(before.len())));
        let longer = [&whole[..], &[0; 3]].concat();
        assert_eq!(Layout::parse(&longer), Err(TransactionError::Trailing(3)));
        let coinbase = Coinbase::parse(&before, &[]).unwrap();
        assert_eq!(*coinbase.txid(), blake2b_256(&[&whole[..base]]));
        assert_ne!(coinbase.wtxid(&[0; 4], &[0; 4]), coinbase.wtxid(&[0; 4], &[1; 4]));
    }

    #[test]
    fn a_gap_outside_of_the_witness_is_refused() {
        let (before, base) = transaction();
        let whole = [&before[..], &[0; 8]].concat();
        let error = Coinbase::parse(&whole[..8], &whole[16..]).unwrap_err();
        assert_eq!(error, TransactionError::ExtranonceInBase { at: 8, witness: base });
    }

    proptest! {
        /// What is read of damaged bytes is within them, whatever follows, and is a part of the whole.
        #[test]
        fn damaged_bytes_are_read_within_their_bounds(bytes: Vec<u8>, flip in any::<(usize, u8)>()) {
            if let Ok(Layout { base }) = Layout::parse(&bytes) {
                prop_assert!(base <= bytes.len());
            }
            let (mut damaged, _) = transaction();
            let at = flip.0 % damaged.len();
            damaged[at] = flip.1;
            if let Ok(Layout { base }) = Layout::parse(&damaged) {
                prop_assert!(base <= damaged.len());
                prop_assert!(Layout::parse(&[&damaged[..], &[0]].concat()).is_err(), "a byte too many");
                prop_assert!(Layout::parse(&damaged[..damaged.len() - 1]).is_err(), "one too few");
            }
            if let Ok(coinbase) = Coinbase::parse(&damaged, &bytes) {
                let whole = [&damaged[..], &[0; Coinbase::EXTRANONCE], &bytes].concat();
                let base = Layout::parse(&whole).unwrap().base;
                prop_assert!(base <= damaged.len(), "the gap is in the witness");
                prop_assert_eq!(*coinbase.txid(), blake2b_256(&[&whole[..base]]));
            }
        }
    }
}
