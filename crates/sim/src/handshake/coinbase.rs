//! The seed generation's coinbase and the trees above it.

use std::ops::Range;

use orepass_hstratum::pow::blake2b_256;

/// A coinbase transaction: its base, which the txid hashes, and its witness, which holds the
/// extranonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CoinbaseParts {
    bytes: Vec<u8>,
    /// Where the base ends and the witness begins.
    base: usize,
}

/// What stands in the coinbase before the extranonce.
pub(super) struct Template<'a> {
    pub(super) sequence: u32,
    pub(super) value: u64,
    pub(super) payee: &'a [u8; 20],
    pub(super) height: u32,
    pub(super) flags: &'a [u8],
    pub(super) salt: &'a [u8; 8],
}

impl Template<'_> {
    /// The coinbase up to the extranonce; nothing follows it.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(128);
        head.extend(0_u32.to_le_bytes());
        // One input that spends nothing.
        head.push(1);
        head.extend([0; 32]);
        head.extend(u32::MAX.to_le_bytes());
        head.extend(self.sequence.to_le_bytes());
        // One output: value, address (version 0, 20 bytes), covenant (type 0, no items).
        head.push(1);
        head.extend(self.value.to_le_bytes());
        head.extend([0, 20]);
        head.extend(self.payee);
        head.extend([0, 0]);
        head.extend(self.height.to_le_bytes());
        // Three witness items; the third, of 8 bytes, is the extranonce.
        head.push(3);
        head.push(self.flags.len() as u8);
        head.extend(self.flags);
        head.push(8);
        head.extend(self.salt);
        head.push(8);
        head
    }
}

impl CoinbaseParts {
    /// Reads a serialised transaction; `None` when the bytes are none.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let base = base_length(&bytes)?;
        Some(Self { bytes, base })
    }

    /// Puts the extranonce in its place.
    pub(super) fn set(&mut self, place: Range<usize>, extranonce: &[u8]) {
        self.bytes[place].copy_from_slice(extranonce);
    }

    /// The hash of the base. The extranonce does not change it.
    pub(super) fn txid(&self) -> [u8; 32] {
        blake2b_256(&[&self.bytes[..self.base]])
    }

    /// The hash of txid and witness.
    pub(super) fn wtxid(&self) -> [u8; 32] {
        let witness = blake2b_256(&[&self.bytes[self.base..]]);
        blake2b_256(&[&self.txid(), &witness])
    }
}

/// How long a transaction is without its witness; `None` when it ends early.
fn base_length(bytes: &[u8]) -> Option<usize> {
    let mut reader = CoinbaseReader { bytes, at: 0 };
    reader.skip(4)?;
    let inputs = reader.varint()?;
    for _ in 0..inputs {
        reader.skip(40)?;
    }
    let outputs = reader.varint()?;
    for _ in 0..outputs {
        reader.skip(9)?;
        let address = usize::from(reader.byte()?);
        reader.skip(address)?;
        reader.skip(1)?;
        for _ in 0..reader.varint()? {
            let item = usize::try_from(reader.varint()?).ok()?;
            reader.skip(item)?;
        }
    }
    reader.skip(4)?;
    Some(reader.at)
}

struct CoinbaseReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl CoinbaseReader<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        let to = self.at.checked_add(count)?;
        self.bytes.get(self.at..to)?;
        self.at = to;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let width = match self.byte()? {
            0xfd => 2,
            0xfe => 4,
            0xff => 8,
            small => return Some(u64::from(small)),
        };
        let mut value = [0; 8];
        for byte in &mut value[..width] {
            *byte = self.byte()?;
        }
        Some(u64::from_le_bytes(value))
    }
}

/// A leaf of the tree.
pub(super) fn leaf(hash: &[u8; 32]) -> [u8; 32] {
    blake2b_256(&[&[0], hash])
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    blake2b_256(&[&[1], left, right])
}

/// The root over a first hash, given as it is, and other leaves, already hashed.
pub(super) fn root(first: &[u8; 32], others: &[[u8; 32]]) -> [u8; 32] {
    fold(first, &branches(others))
}

/// What a first hash is joined with on the way up, given the other leaves, already hashed.
pub(super) fn branches(others: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let absent = blake2b_256(&[]);
    let mut branches = Vec::new();
    // The row without its first node, which is what the branches are for.
    let mut row = others.to_vec();
    while let Some((&sibling, rest)) = row.split_first() {
        branches.push(sibling);
        row = rest.chunks(2).map(|pair| node(&pair[0], pair.get(1).unwrap_or(&absent))).collect();
    }
    branches
}

/// The root over a first hash and its branches.
pub(super) fn fold(first: &[u8; 32], branches: &[[u8; 32]]) -> [u8; 32] {
    branches.iter().fold(leaf(first), |root, branch| node(&root, branch))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::vectors::{self, bytes, text};
    use super::*;

    fn hashes(list: &Value) -> Vec<[u8; 32]> {
        list.as_array().unwrap().iter().map(bytes).collect()
    }

    #[test]
    fn coinbases_of_real_blocks_hash_to_their_roots() {
        for vector in vectors::all()["seed_generation"].as_array().unwrap() {
            let raw = const_hex::decode(text(vector, "coinbase_hex")).unwrap();
            let coinbase = CoinbaseParts::parse(raw).unwrap();
            assert_eq!(coinbase.base as u64, vector["coinbase_base_len"].as_u64().unwrap());
            assert_eq!(coinbase.txid(), bytes(&vector["coinbase_txid"]));
            assert_eq!(coinbase.wtxid(), bytes(&vector["coinbase_wtxid"]));
            let params = vector["params"].as_array().unwrap();
            let witness_root = fold(&coinbase.wtxid(), &hashes(&params[params.len() - 8]));
            assert_eq!(witness_root, bytes(&vector["witnessRoot"]));
            let Some(_) = vector.get("transactions") else { continue };
            let others: Vec<_> = hashes(&vector["transactions"]).iter().map(leaf).collect();
            assert_eq!(root(&coinbase.txid(), &others), bytes(&vector["merkleRoot"]));
        }
    }

    #[test]
    fn a_template_is_a_transaction_that_ends_in_its_extranonce() {
        let template = Template {
            sequence: 5,
            value: 2_000_000_000,
            payee: &[7; 20],
            height: 9,
            flags: b"flags",
            salt: &[1; 8],
        };
        let mut bytes = template.head();
        let at = bytes.len();
        bytes.extend([0; 8]);
        let mut coinbase = CoinbaseParts::parse(bytes).unwrap();
        let (txid, wtxid) = (coinbase.txid(), coinbase.wtxid());
        coinbase.set(at..at + 8, &[1; 8]);
        assert_eq!(coinbase.txid(), txid);
        assert_ne!(coinbase.wtxid(), wtxid);
    }

    #[test]
    fn branches_and_root_agree_for_any_number_of_leaves() {
        for count in 0..9_u8 {
            let leaves: Vec<[u8; 32]> = (0..count).map(|n| leaf(&[n; 32])).collect();
            let mut row = vec![leaf(&[99; 32])];
            row.extend(&leaves);
            while row.len() > 1 {
                let absent = blake2b_256(&[]);
                row = row
                    .chunks(2)
                    .map(|pair| node(&pair[0], pair.get(1).unwrap_or(&absent)))
                    .collect();
            }
            assert_eq!(root(&[99; 32], &leaves), row[0], "{count}");
        }
    }

    #[test]
    fn what_ends_early_is_no_transaction() {
        assert_eq!(CoinbaseParts::parse(vec![1; 40]), None);
        assert_eq!(CoinbaseParts::parse([&[0; 4][..], &[0xff; 9]].concat()), None);
    }
}
