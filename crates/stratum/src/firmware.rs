//! What is known of a rig's firmware, and what follows from a diagnosis.

use crate::dialect::Diagnosis;
use crate::target::Difficulty;

/// What a rig's firmware needs, as an operator configured it or as its shares showed. The default
/// is a rig that does what it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Firmware {
    /// It gets a pool connection of its own, with nothing split off.
    pub dedicated: bool,
    /// The longest extranonce1 that it can work with, in bytes.
    pub max_extranonce1: Option<usize>,
    /// Whether it honours `mining.set_extranonce`, whatever it asked for; by its
    /// `mining.extranonce.subscribe` when absent.
    pub set_extranonce: Option<bool>,
    /// The difficulty that it starts with, on the scale that rigs are told.
    pub difficulty: Option<Difficulty>,
}

impl Firmware {
    /// What a diagnosis adds, where another kind of service helps: a connection of its own for a
    /// rig that cannot share one, and closing it instead of telling it another extranonce.
    /// `None` where no service makes its shares good.
    #[must_use]
    pub fn remedy(diagnosis: Diagnosis) -> Option<Self> {
        match diagnosis {
            Diagnosis::IgnoresExtranonce2Size | Diagnosis::TruncatesExtranonce1 => {
                Some(Self { dedicated: true, ..Self::default() })
            }
            Diagnosis::IgnoresSetExtranonce => {
                Some(Self { set_extranonce: Some(false), ..Self::default() })
            }
            _ => None,
        }
    }

    /// This, and where it says nothing the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            dedicated: self.dedicated || other.dedicated,
            max_extranonce1: self.max_extranonce1.or(other.max_extranonce1),
            set_extranonce: self.set_extranonce.or(other.set_extranonce),
            difficulty: self.difficulty.or(other.difficulty),
        }
    }

    /// Whether it can work with an extranonce1 of so many bytes on a connection that it shares.
    #[must_use]
    pub fn shares_with(&self, extranonce1: usize) -> bool {
        !self.dedicated && self.max_extranonce1.is_none_or(|most| extranonce1 <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_goes_before_what_was_learnt() {
        let configured = Firmware { set_extranonce: Some(true), ..Firmware::default() };
        let learnt = Firmware::remedy(Diagnosis::IgnoresSetExtranonce).unwrap();
        let learnt = learnt.or(Firmware::remedy(Diagnosis::TruncatesExtranonce1).unwrap());
        let both = configured.or(learnt);
        assert_eq!((both.set_extranonce, both.dedicated), (Some(true), true));
        assert_eq!(Firmware::remedy(Diagnosis::ReversedNonce), None);
    }

    #[test]
    fn a_long_extranonce1_keeps_it_from_shared_connections() {
        let four = Firmware { max_extranonce1: Some(4), ..Firmware::default() };
        assert!(four.shares_with(4) && !four.shares_with(5));
        assert!(Firmware::default().shares_with(32));
        assert!(!Firmware { dedicated: true, ..Firmware::default() }.shares_with(1));
    }
}
