//! Zcash: a pool of the NOMP family as it speaks ZIP 301, and nheqminer.

mod pool;
mod rig;

pub use pool::ZcashPool;
pub use rig::ZcashRig;

/// What stands before a solution: its length as a compact size, in hex.
const SOLUTION_PREFIX: &str = "fd4005";
/// The bytes of a solution.
const SOLUTION_SIZE: usize = 1344;
/// What the chain calls difficulty 1: the easiest target that its blocks may have.
const POW_LIMIT: &str = "0007ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// Difficulties and targets relate by [`POW_LIMIT`].
fn scale() -> orepass_stratum::target::Scale {
    use orepass_stratum::target::{Scale, Target};
    // The constant is 64 digits.
    Scale::from_diff1(Target::from_hex(POW_LIMIT).unwrap_or(Target::MAX))
}
