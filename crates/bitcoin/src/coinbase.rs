//! Coinbase transactions: whom a block pays.

use std::ops::Range;

use thiserror::Error;

/// A coinbase transaction without its witness, as jobs have it.
///
/// ```
/// use orepass_bitcoin::coinbase::Coinbase;
///
/// // Of block 100,000.
/// let bytes = const_hex::decode(concat!(
///     "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff08044c86",
///     "041b020602ffffffff0100f2052a010000004341041b0e8c2567c12536aa13357b79a073dc4444acb83c4ec7a0",
///     "e2f99dd7457516c5817242da796924ca4e99947d087fedf9ce467cb9f7c6287078f801df276fdf84ac00000000",
/// ))?;
/// let coinbase = Coinbase::parse(&bytes)?;
/// assert_eq!(coinbase.payouts[0].satoshis, 50 * 100_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coinbase {
    /// Its outputs, in their order, without those of no value.
    pub payouts: Box<[Payout]>,
}

/// An output of a coinbase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// How much, in units of 10⁻⁸ bitcoin.
    pub satoshis: u64,
    /// To whom: what has to be met to spend it (scriptPubKey).
    pub script: Box<[u8]>,
}

/// A coinbase that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// It needs more bytes than there are.
    #[error("the transaction ends after {0} bytes, amid a field")]
    Truncated(usize),
    /// Bytes follow it.
    #[error("{0} bytes follow the transaction")]
    Trailing(usize),
    /// A coinbase has one input.
    #[error("the transaction has {0} inputs, and a coinbase has 1")]
    Inputs(u64),
    /// It spends something.
    #[error("the transaction spends an output, which a coinbase does not")]
    Spends,
}

impl Coinbase {
    /// Reads a transaction that fills `bytes`, extranonce included.
    ///
    /// # Errors
    /// When it is none, or no coinbase.
    pub fn parse(bytes: &[u8]) -> Result<Self, TransactionError> {
        const SPENDS_NOTHING: [u8; 36] = {
            let mut outpoint = [0xff; 36];
            let mut at = 0;
            while at < 32 {
                outpoint[at] = 0;
                at += 1;
            }
            outpoint
        };
        let mut reader = TransactionReader { bytes, at: 0 };
        reader.take(4)?; // version
        let inputs = reader.count()?;
        if inputs != 1 {
            return Err(TransactionError::Inputs(inputs));
        }
        if reader.take(36)? != SPENDS_NOTHING {
            return Err(TransactionError::Spends);
        }
        reader.counted()?; // scriptSig
        reader.take(4)?; // sequence
        let mut payouts = Vec::new();
        for _ in 0..reader.count()? {
            let satoshis = u64::from_le_bytes(reader.array()?);
            let script = reader.counted()?;
            if satoshis > 0 {
                payouts.push(Payout { satoshis, script: script.into() });
            }
        }
        reader.take(4)?; // lock time
        match bytes.len() - reader.at {
            0 => Ok(Self { payouts: payouts.into() }),
            trailing => Err(TransactionError::Trailing(trailing)),
        }
    }
}

struct TransactionReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> TransactionReader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], TransactionError> {
        let truncated = || TransactionError::Truncated(self.bytes.len());
        let count = usize::try_from(count).map_err(|_| truncated())?;
        let end = self.at.checked_add(count).ok_or_else(truncated)?;
        let range: Range<usize> = self.at..end;
        let part = self.bytes.get(range).ok_or_else(truncated)?;
        self.at = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TransactionError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// A variable-length integer. What is counted takes at least one byte each, so a false count ends
    /// with the bytes.
    fn count(&mut self) -> Result<u64, TransactionError> {
        let [first] = self.array()?;
        Ok(match first {
            0xfd => u16::from_le_bytes(self.array()?).into(),
            0xfe => u32::from_le_bytes(self.array()?).into(),
            0xff => u64::from_le_bytes(self.array()?),
            small => small.into(),
        })
    }

    fn counted(&mut self) -> Result<&'a [u8], TransactionError> {
        let count = self.count()?;
        self.take(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two outputs, the second without value.
    fn transaction() -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 1];
        bytes.extend([0; 32]);
        bytes.extend([0xff; 4]);
        bytes.extend([3, 7, 7, 7, 0, 0, 0, 0, 2]);
        bytes.extend(312_500_000_u64.to_le_bytes());
        bytes.extend([2, 0x51, 0x52]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0x6a]);
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn outputs_of_value_are_read() {
        let payout = Payout { satoshis: 312_500_000, script: [0x51, 0x52].into() };
        assert_eq!(*Coinbase::parse(&transaction()).unwrap().payouts, [payout]);
    }

    #[test]
    fn what_is_no_coinbase_is_refused_with_what_it_is() {
        let bytes = transaction();
        let parse = |bytes: &[u8]| Coinbase::parse(bytes).unwrap_err();
        assert_eq!(parse(&bytes[..9]), TransactionError::Truncated(9));
        assert_eq!(parse(&[&bytes[..], &[0, 0]].concat()), TransactionError::Trailing(2));
        let with = |at: usize, byte| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            parse(&bytes)
        };
        assert_eq!(with(4, 0), TransactionError::Inputs(0));
        assert_eq!(with(5, 1), TransactionError::Spends);
        assert_eq!(with(41, 0xff), TransactionError::Truncated(bytes.len()));
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_read_within_their_bounds(bytes: Vec<u8>, at: usize, byte: u8) {
            let _ = Coinbase::parse(&bytes);
            let mut damaged = transaction();
            let at = at % damaged.len();
            damaged[at] = byte;
            if let Ok(coinbase) = Coinbase::parse(&damaged) {
                let scripts = coinbase.payouts.iter().map(|payout| payout.script.len());
                prop_assert!(scripts.sum::<usize>() < damaged.len());
                prop_assert!(Coinbase::parse(&damaged[..damaged.len() - 1]).is_err());
            }
        }
    }
}
