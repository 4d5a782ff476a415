//! Merkle trees after RFC 6962, as Handshake builds them: leaves and inner nodes are hashed with
//! different prefixes, and a missing right sibling is the hash of nothing.

use crate::pow::blake2b_256;

/// The hash of a leaf.
#[must_use]
pub fn leaf(hash: &[u8; 32]) -> [u8; 32] {
    blake2b_256(&[&[0], hash])
}

/// The hash of an inner node.
#[must_use]
pub fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    blake2b_256(&[&[1], left, right])
}

/// The root over leaves that are hashed already; the hash of nothing where there are none.
///
/// ```
/// use orepass_hstratum::merkle;
///
/// let leaves = [merkle::leaf(&[1; 32]), merkle::leaf(&[2; 32])];
/// assert_eq!(merkle::root(leaves.to_vec()), merkle::node(&leaves[0], &leaves[1]));
/// ```
#[must_use]
pub fn root(mut leaves: Vec<[u8; 32]>) -> [u8; 32] {
    let nothing = blake2b_256(&[]);
    while leaves.len() > 1 {
        for pair in 0..leaves.len().div_ceil(2) {
            let right = leaves.get(2 * pair + 1).unwrap_or(&nothing);
            leaves[pair] = node(&leaves[2 * pair], right);
        }
        leaves.truncate(leaves.len().div_ceil(2));
    }
    leaves.first().copied().unwrap_or(nothing)
}

/// The root of a tree whose first leaf is the hash of `first`, from that leaf's siblings on the
/// way up.
#[must_use]
pub fn root_from_branches(first: &[u8; 32], branches: &[[u8; 32]]) -> [u8; 32] {
    branches.iter().fold(leaf(first), |root, sibling| node(&root, sibling))
}

/// How many siblings the first of `leaves` leaves has on the way up.
#[must_use]
pub const fn depth(leaves: usize) -> usize {
    match leaves {
        0 | 1 => 0,
        more => (more - 1).ilog2() as usize + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first leaf's siblings, from a tree built level by level.
    fn branches(mut level: Vec<[u8; 32]>) -> Vec<[u8; 32]> {
        let mut branches = Vec::new();
        while level.len() > 1 {
            branches.push(level[1]);
            if level.len() % 2 == 1 {
                level.push(blake2b_256(&[]));
            }
            level = level.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
        }
        branches
    }

    #[test]
    fn branches_lead_to_the_root_of_every_size() {
        for count in 1..40_u8 {
            let hashes: Vec<_> = (0..count).map(|n| [n; 32]).collect();
            let leaves: Vec<_> = hashes.iter().map(leaf).collect();
            let branches = branches(leaves.clone());
            assert_eq!(branches.len(), depth(usize::from(count)), "{count}");
            assert_eq!(root_from_branches(&hashes[0], &branches), root(leaves), "{count}");
        }
        assert_eq!(root(Vec::new()), blake2b_256(&[]));
    }
}
