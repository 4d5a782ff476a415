//! The tree over a block's transactions, as far as a miner knows it.

use crate::sha256d::sha256d_of_pair;

/// The root of the tree whose first leaf is the coinbase's txid, from that leaf's siblings on the way up.
///
/// ```
/// use orepass_bitcoin::merkle::root_from_branches;
///
/// assert_eq!(root_from_branches(&[7; 32], &[]), [7; 32], "an empty block");
/// ```
#[must_use]
pub fn root_from_branches(coinbase: &[u8; 32], branches: &[[u8; 32]]) -> [u8; 32] {
    branches.iter().fold(*coinbase, |root, branch| sha256d_of_pair(&root, branch))
}
