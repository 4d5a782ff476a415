//! What a difficulty means.

use orepass_stratum::target::{Scale, Target};

/// Difficulty 1 is the target `00000000ffff0000…`, and difficulties may be fractions.
///
/// ```
/// use orepass_bitcoin::scale;
/// use orepass_stratum::target::Difficulty;
///
/// assert_eq!(scale::bitcoin().target(Difficulty::ONE).to_compact_lossy(), 0x1d00_ffff);
/// ```
#[must_use]
pub fn bitcoin() -> Scale {
    // A nonnegative compact number of 29 bytes.
    Scale::from_diff1(Target::from_compact(0x1d00_ffff).unwrap_or(Target::ZERO))
}
