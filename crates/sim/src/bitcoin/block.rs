//! What of a block is hashed.

use orepass_stratum::target::PowHash;
use sha2::{Digest, Sha256};

/// SHA-256 of SHA-256.
pub(super) fn sha256d(parts: &[&[u8]]) -> [u8; 32] {
    let mut first = Sha256::new();
    parts.iter().for_each(|part| first.update(part));
    Sha256::digest(first.finalize()).into()
}

/// A header but for its nonce, of which pools and rigs know the same by different ways.
#[derive(Debug, Clone)]
pub(super) struct BlockHeader {
    pub(super) version: u32,
    pub(super) prev_block: [u8; 32],
    pub(super) merkle_root: [u8; 32],
    pub(super) time: u32,
    pub(super) bits: u32,
}

impl BlockHeader {
    /// The hash with a nonce, as a number.
    pub(super) fn hash(&self, nonce: u32) -> PowHash {
        let Self { version, prev_block, merkle_root, time, bits } = self;
        let mut hash = sha256d(&[
            &version.to_le_bytes(),
            prev_block,
            merkle_root,
            &time.to_le_bytes(),
            &bits.to_le_bytes(),
            &nonce.to_le_bytes(),
        ]);
        hash.reverse();
        PowHash::from_be_bytes(hash)
    }
}

/// The root over the coinbase's id and what it is joined with on the way up.
pub(super) fn fold(coinbase: [u8; 32], branches: &[[u8; 32]]) -> [u8; 32] {
    branches.iter().fold(coinbase, |left, right| sha256d(&[&left, right]))
}

/// What the coinbase's id is joined with on the way up, given the other transactions' ids. The last node
/// of an odd row is joined with itself.
pub(super) fn branches(others: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let mut branches = Vec::new();
    // The row without its first node, which is what the branches are for.
    let mut row = others.to_vec();
    while let Some((&sibling, rest)) = row.split_first() {
        branches.push(sibling);
        row = rest
            .chunks(2)
            .map(|pair| sha256d(&[&pair[0], pair.get(1).unwrap_or(&pair[0])]))
            .collect();
    }
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of a whole row.
    fn root(mut row: Vec<[u8; 32]>) -> [u8; 32] {
        while row.len() > 1 {
            row = row
                .chunks(2)
                .map(|pair| sha256d(&[&pair[0], pair.get(1).unwrap_or(&pair[0])]))
                .collect();
        }
        row[0]
    }

    #[test]
    fn branches_and_root_agree_for_any_number_of_transactions() {
        for count in 0..20_u8 {
            let others: Vec<[u8; 32]> = (0..count).map(|number| [number; 32]).collect();
            let row = [&[[99; 32]][..], &others].concat();
            assert_eq!(fold([99; 32], &branches(&others)), root(row), "{count}");
        }
    }
}
