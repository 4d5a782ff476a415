//! The three scales of difficulty that Handshake servers use.

use orepass_stratum::named::Named;
use orepass_stratum::target::{Scale, Target};
use ruint::aliases::U256;

/// What a server means by a difficulty of one. The same number stands for targets 256 times
/// apart, so the scale is a property of the server that has to be known.
///
/// ```
/// use orepass_hstratum::DifficultyScale;
/// use orepass_stratum::target::Difficulty;
///
/// let scale = "hstratum".parse::<DifficultyScale>()?.scale();
/// assert_eq!(scale.target(Difficulty::ONE).to_compact_lossy(), 0x1e00_ffff);
/// # Ok::<(), orepass_stratum::named::UnknownWord>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DifficultyScale {
    /// Difficulty 1 is Bitcoin's `00000000ffff0000…`: Miningcore and the large public pools, and
    /// what `getdifficulty` of hsd reports.
    Bitcoin,
    /// Difficulty 1 is `000000ffffffffff…`, 256 times easier, and every target is then cut to
    /// compact form: hstratum and HandyStratum.
    Hstratum,
    /// Difficulty 1 is mainnet's easiest block target `0000000000ffff00…`, 256 times harder than
    /// Bitcoin's.
    Powlimit,
}

impl DifficultyScale {
    /// All scales, the easiest first.
    pub const ALL: [Self; 3] = [Self::Hstratum, Self::Bitcoin, Self::Powlimit];

    /// How its difficulties and targets relate.
    #[must_use]
    pub fn scale(self) -> Scale {
        // Both constants are nonnegative compact numbers of at most 32 bytes.
        let compact = |bits| Scale::from_diff1(Target::from_compact(bits).unwrap_or(Target::ZERO));
        match self {
            Self::Bitcoin => compact(0x1d00_ffff),
            Self::Hstratum => Scale::from_diff1(Target::new(U256::MAX >> 24)).rounded_to_compact(),
            Self::Powlimit => compact(0x1c00_ffff),
        }
    }
}

impl Named for DifficultyScale {
    const KIND: &'static str = "difficulty scale";
    const WORDS: &'static [(&'static str, Self)] =
        &[("bitcoin", Self::Bitcoin), ("hstratum", Self::Hstratum), ("powlimit", Self::Powlimit)];
}

orepass_stratum::named!(DifficultyScale);

#[cfg(test)]
mod tests {
    use orepass_stratum::target::Difficulty;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_round_trip() {
        for scale in DifficultyScale::ALL {
            assert_eq!(scale.to_string().parse(), Ok(scale));
        }
        let error = "btc".parse::<DifficultyScale>().unwrap_err();
        assert!(error.to_string().contains("\"btc\""), "{error}");
    }

    #[test]
    fn the_scales_are_256_apart() {
        let hex = DifficultyScale::ALL.map(|name| name.scale().target(Difficulty::ONE).to_string());
        for (index, text) in hex.iter().enumerate() {
            let digits = 6 + 2 * index;
            assert_eq!(*text, format!("{0:0<64}", format!("{0:0>1$}", "ffff", digits + 4)));
        }
    }

    #[test]
    fn a_rounded_target_is_called_by_its_plain_number() {
        for number in [1.0, 2.0, 3.0, 100.0, 1000.0, 0.5, 1.5, 0.003_906_25, 67_108_864.0] {
            let difficulty = Difficulty::new(number).unwrap();
            for name in DifficultyScale::ALL {
                let scale = name.scale();
                assert_eq!(scale.difficulty_lossy(scale.target(difficulty)), difficulty, "{name}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_difficulty_leads_back_to_its_target(bytes: [u8; 32]) {
            let target = Target::from_be_bytes(bytes).rounded_to_compact();
            for name in DifficultyScale::ALL {
                let scale = name.scale();
                let back = scale.target(scale.difficulty_lossy(target));
                let (one, other) = (back.hashes_lossy(), target.hashes_lossy());
                prop_assert!((one / other - 1.0).abs() < 1e-4, "{name} {target} {back}");
            }
        }
    }
}
