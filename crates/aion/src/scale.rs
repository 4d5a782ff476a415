//! The two scales of difficulty that Aion servers use.

use orepass_stratum::named::Named;
use orepass_stratum::target::Scale;

/// What a server means by a difficulty of one.
///
/// ```
/// use orepass_aion::DifficultyScale;
/// use orepass_stratum::target::Difficulty;
///
/// let [kernel, node] = ["kernel", "node"].map(|name| name.parse().map(DifficultyScale::scale));
/// assert_eq!(kernel?.target(Difficulty::power_of_two(13)), node?.target(Difficulty::ONE));
/// # Ok::<(), orepass_stratum::named::UnknownWord>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DifficultyScale {
    /// `floor(2^256 / difficulty)`: the kernel's block difficulty, and what Miningcore and its
    /// forks announce (they drop a difficulty's fraction first). A share of difficulty D stands
    /// for D hashes. Difficulty 1 is the easiest target, `ff…ff`.
    #[default]
    Kernel,
    /// `2^243 / difficulty`, so that difficulty 1 is `0008 00…`: the node-based servers, which
    /// announce targets and use the number only to compute them.
    Node,
}

impl DifficultyScale {
    /// All scales, the easiest first.
    pub const ALL: [Self; 2] = [Self::Kernel, Self::Node];

    /// How its difficulties and targets relate.
    #[must_use]
    pub fn scale(self) -> Scale {
        Scale::from_power_of_two(match self {
            Self::Kernel => 256,
            Self::Node => 243,
        })
    }
}

impl Named for DifficultyScale {
    const KIND: &'static str = "difficulty scale";
    const WORDS: &'static [(&'static str, Self)] =
        &[("kernel", Self::Kernel), ("node", Self::Node)];
}

orepass_stratum::named!(DifficultyScale);

#[cfg(test)]
mod tests {
    use orepass_stratum::target::{Difficulty, Target};

    use super::*;

    #[test]
    fn names_round_trip() {
        for scale in DifficultyScale::ALL {
            assert_eq!(scale.to_string().parse(), Ok(scale));
        }
        let error = "bitcoin".parse::<DifficultyScale>().unwrap_err();
        assert!(error.to_string().contains("\"bitcoin\""), "{error}");
    }

    #[test]
    fn difficulty_one() {
        let one = DifficultyScale::Kernel.scale().target(Difficulty::ONE);
        assert_eq!(one, Target::MAX);
        assert_eq!(DifficultyScale::Kernel.scale().difficulty_lossy(one), Difficulty::ONE);
        let one = DifficultyScale::Node.scale().target(Difficulty::ONE);
        assert_eq!(one.to_string(), format!("0008{}", "0".repeat(60)));
        assert_eq!(DifficultyScale::Node.scale().difficulty_lossy(one), Difficulty::ONE);
        let below = Difficulty::new(0.25).unwrap();
        assert_eq!(DifficultyScale::Kernel.scale().target(below), Target::MAX);
    }
}
