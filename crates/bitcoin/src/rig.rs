//! What a rig has negotiated.

use orepass_stratum::dialect::RigNeeds;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::target::Difficulty;

use crate::version::VersionMask;

/// What a rig wished for by `mining.configure` (BIP 310), as far as the operator lets it. It is kept with
/// each job that the rig was told, so it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RigWishes {
    /// The bits that it may roll where its pool grants them, too.
    pub mask: VersionMask,
    /// How many bits it needs to roll at full speed.
    pub least_bits: u8,
    /// The easiest difficulty that it can work at.
    pub least: LeastDifficulty,
    /// It asked to roll versions.
    pub asks_to_roll: bool,
    /// It can be told another extranonce.
    pub follows: bool,
}

/// A floor under difficulties, or none. All difficulties that rigs are given are powers of two, so it is
/// rounded up to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeastDifficulty(i8);

impl LeastDifficulty {
    /// Every difficulty will do.
    pub const NONE: Self = Self(i8::MIN);

    /// This one or any that is harder.
    ///
    /// ```
    /// use orepass_bitcoin::rig::LeastDifficulty;
    /// use orepass_stratum::target::Difficulty;
    ///
    /// let least = Difficulty::new(1000.0).map(LeastDifficulty::at);
    /// assert_eq!(least.and_then(LeastDifficulty::get), Difficulty::new(1024.0));
    /// assert_eq!(LeastDifficulty::NONE.get(), None);
    /// ```
    #[must_use]
    pub fn at(difficulty: Difficulty) -> Self {
        let level = difficulty.get().log2().ceil();
        // No rig and no pool works beyond either end.
        Self(level.clamp(f64::from(-i8::MAX), f64::from(i8::MAX)) as i8)
    }

    /// Which one, if any.
    #[must_use]
    pub fn get(self) -> Option<Difficulty> {
        Some(self).filter(|least| *least != Self::NONE)?;
        Difficulty::new(f64::from(self.0).exp2())
    }
}

impl Default for LeastDifficulty {
    fn default() -> Self {
        Self::NONE
    }
}

impl RigNeeds for RigWishes {
    /// All are told a job in one form.
    fn flavour(&self) -> u8 {
        0
    }

    fn firmware(&self) -> Firmware {
        let least = self.least.get();
        Firmware {
            set_extranonce: self.follows.then_some(true),
            difficulty: least,
            least_difficulty: least,
            ..Firmware::default()
        }
    }
}
