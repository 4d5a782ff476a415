//! How much better a rig's shares are than it was asked: whether it reads difficulties too hard.
//!
//! The hashes of an honest rig are spread evenly below its target, so that one share in
//! `FACTOR` is better by that factor. A rig all of whose shares are has withheld the others.

use crate::target::{PowHash, Target};

/// So many times better a share must be to be suspicious, as a power of two: more than the steps by
/// which a difficulty changes, and less than the 256 by which scales differ.
const FACTOR: u32 = 5;
/// So many shares in a row, which an honest rig sends once in 2⁶⁰ times.
const ENOUGH: u8 = 12;

/// Watches one rig's good shares.
#[derive(Debug, Default)]
pub struct Margin {
    in_a_row: u8,
}

impl Margin {
    /// A good share of a rig that was told this target. `true`, once, when it asks more of its
    /// shares than that.
    pub fn share(&mut self, hash: &PowHash, told: &Target) -> bool {
        let suspicious = hash.at_or_below(&Target::new(told.value() >> FACTOR as usize));
        if !suspicious {
            self.in_a_row = 0;
            return false;
        }
        let before = self.in_a_row;
        self.in_a_row = (before + 1).min(ENOUGH);
        before + 1 == ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use ruint::aliases::U256;

    use super::*;

    fn said(shares: impl Iterator<Item = Target>, told: Target) -> usize {
        let mut margin = Margin::default();
        shares.filter(|s| margin.share(&PowHash::from_be_bytes(s.to_be_bytes()), &told)).count()
    }

    #[test]
    fn a_rig_that_multiplies_its_difficulty_by_256_is_found_out() {
        let told = Target::new(U256::MAX >> 40);
        let too_hard = (1..=100_u64).map(|n| Target::new((told.value() >> 8) / U256::from(n)));
        assert_eq!(said(too_hard, told), 1);
    }

    #[test]
    fn an_honest_rig_is_not() {
        let told = Target::new(U256::MAX >> 40);
        // A number that jumps about evenly, below the target.
        let even = (1..10_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32);
        let even = even.map(|part| Target::new((told.value() >> 32) * U256::from(part)));
        assert_eq!(said(even, told), 0);
    }
}
