//! Rungs of difficulty. Difficulties told to rigs are quantised, so that rigs of one level share
//! the frames of a job.

use crate::target::{Difficulty, Target};

/// A rung: an absolute power of two of the dialect's unit of difficulty, or the top rung, which is
/// exactly the pool's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(i16);

impl Level {
    /// The pool's own target.
    pub const TOP: Self = Self(i16::MAX);
    /// The easiest rung, at 2⁻⁶⁴ difficulties.
    pub const EASIEST: Self = Self(-64);
    /// The hardest rung below the top, at 2⁶⁴ difficulties.
    pub const HARDEST: Self = Self(64);

    /// The rung at or just below (that is: easier than) a difficulty.
    #[must_use]
    pub fn at_or_below(difficulty: Difficulty) -> Self {
        Self::from_exponent(difficulty.get().log2().floor())
    }

    /// The rung nearest to a difficulty.
    #[must_use]
    pub fn nearest(difficulty: Difficulty) -> Self {
        Self::from_exponent(difficulty.get().log2().round())
    }

    fn from_exponent(exponent: f64) -> Self {
        let (easiest, hardest) = (f64::from(Self::EASIEST.0), f64::from(Self::HARDEST.0));
        // Clamped to a range that an i16 holds.
        Self(exponent.clamp(easiest, hardest) as i16)
    }

    /// So many rungs easier; the top rung has none below it that is known here.
    #[must_use]
    pub fn easier_by(self, rungs: i16) -> Self {
        if self == Self::TOP { self } else { Self((self.0 - rungs).max(Self::EASIEST.0)) }
    }

    /// The rung's difficulty; `None` for the top.
    #[must_use]
    pub fn difficulty(self) -> Option<Difficulty> {
        (self != Self::TOP).then(|| Difficulty::power_of_two(self.0))
    }

    /// The rung's target, never harder than the pool's; `rung` converts difficulties.
    #[must_use]
    pub fn target(self, pool: Target, rung: impl FnOnce(Difficulty) -> Target) -> Target {
        self.difficulty().map_or(pool, |difficulty| rung(difficulty).easier(pool))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Scale;

    #[test]
    fn no_rung_is_harder_than_the_pool() {
        let scale = Scale::from_power_of_two(224);
        let pool = scale.target(Difficulty::new(3.0).unwrap());
        let target = |level: Level| level.target(pool, |difficulty| scale.target(difficulty));
        assert_eq!(target(Level::TOP), pool);
        assert_eq!(target(Level(2)), pool, "4 is harder than the pool's 3");
        assert_eq!(target(Level(1)), scale.target(Difficulty::new(2.0).unwrap()));
        assert_eq!(target(Level(-3)), scale.target(Difficulty::new(0.125).unwrap()));
    }

    #[test]
    fn rungs_of_difficulties() {
        let level = |value| Level::at_or_below(Difficulty::new(value).unwrap());
        assert_eq!(level(1.0), Level(0));
        assert_eq!(level(1.99), Level(0));
        assert_eq!(level(0.3), Level(-2));
        assert_eq!(level(1e300), Level::HARDEST);
        assert_eq!(level(1e-300), Level::EASIEST);
        assert_eq!(Level::EASIEST.easier_by(3), Level::EASIEST);
        assert_eq!(Level::nearest(Difficulty::new(3.1).unwrap()), Level(2));
    }
}
