//! What is known of a rig's firmware, and what follows from a diagnosis.

use std::time::Duration;

use crate::dialect::Diagnosis;
use crate::target::Difficulty;

/// The length of extranonce2, in bytes, that most firmware sends that ignores what it is told.
pub const USUAL_EXTRANONCE2: usize = 4;

/// What a rig's firmware needs, as an operator configured it or as its shares showed. The default
/// is a rig that does what it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Firmware {
    /// It gets a pool connection of its own, with nothing split off.
    pub dedicated: bool,
    /// The longest extranonce1 that it can work with, in bytes.
    pub max_extranonce1: Option<usize>,
    /// It sends an extranonce2 of so many bytes, whatever it is told.
    pub extranonce2: Option<usize>,
    /// Whether it honours `mining.set_extranonce`, whatever it asked for; by its
    /// `mining.extranonce.subscribe` when absent.
    pub set_extranonce: Option<bool>,
    /// The difficulty that it starts with, on the scale that rigs are told.
    pub difficulty: Option<Difficulty>,
    /// The easiest difficulty that it can work at, on the same scale, as it said itself.
    pub least_difficulty: Option<Difficulty>,
    /// After how long without a line it is told its target again, zero for never; as its route says
    /// when absent.
    pub keepalive: Option<Duration>,
}

/// Something that a rig does as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merit {
    /// It had a good share on a connection that it shares.
    Shares,
    /// It had a good share with an extranonce2 of another length than the usual one, as it was told.
    Sizes,
    /// It had a good share under an extranonce1 that it was told by `mining.set_extranonce`.
    Follows,
}

impl Firmware {
    /// What a diagnosis adds, where another kind of service helps: a connection of its own for a
    /// rig that cannot share one, and closing it instead of telling it another extranonce.
    /// `None` where no service makes its shares good.
    #[must_use]
    pub fn remedy(diagnosis: Diagnosis) -> Option<Self> {
        let needs = match diagnosis {
            Diagnosis::IGNORES_EXTRANONCE2_SIZE => {
                Self { extranonce2: Some(USUAL_EXTRANONCE2), ..Self::default() }
            }
            Diagnosis::TRUNCATES_EXTRANONCE1 => Self { dedicated: true, ..Self::default() },
            Diagnosis::IGNORES_SET_EXTRANONCE => {
                Self { set_extranonce: Some(false), ..Self::default() }
            }
            _ => return None,
        };
        Some(needs)
    }

    /// This, and where it says nothing the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            dedicated: self.dedicated || other.dedicated,
            max_extranonce1: self.max_extranonce1.or(other.max_extranonce1),
            extranonce2: self.extranonce2.or(other.extranonce2),
            set_extranonce: self.set_extranonce.or(other.set_extranonce),
            difficulty: self.difficulty.or(other.difficulty),
            least_difficulty: self.least_difficulty.or(other.least_difficulty),
            keepalive: self.keepalive.or(other.keepalive),
        }
    }

    /// Whether it can work on a connection that it shares, where it is told an extranonce1 and an
    /// extranonce2 of so many bytes.
    #[must_use]
    pub fn shares_with(&self, extranonce1: usize, extranonce2: usize) -> bool {
        !self.dedicated
            && self.max_extranonce1.is_none_or(|most| extranonce1 <= most)
            && self.extranonce2.is_none_or(|sent| sent == extranonce2)
    }

    /// Whether there are connections that it cannot share.
    #[must_use]
    pub const fn is_particular(&self) -> bool {
        self.dedicated || self.max_extranonce1.is_some() || self.extranonce2.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_goes_before_what_was_learnt() {
        let configured = Firmware { set_extranonce: Some(true), ..Firmware::default() };
        let learnt = Firmware::remedy(Diagnosis::IGNORES_SET_EXTRANONCE).unwrap();
        let learnt = learnt.or(Firmware::remedy(Diagnosis::TRUNCATES_EXTRANONCE1).unwrap());
        let both = configured.or(learnt);
        assert_eq!((both.set_extranonce, both.dedicated), (Some(true), true));
        assert_eq!(Firmware::remedy(Diagnosis::REVERSED_NONCE), None);
    }

    #[test]
    fn what_does_not_suit_it_keeps_it_from_shared_connections() {
        let four = Firmware { max_extranonce1: Some(4), ..Firmware::default() };
        assert!(four.shares_with(4, 4) && !four.shares_with(5, 3));
        assert!(Firmware::default().shares_with(32, 0) && !Firmware::default().is_particular());
        assert!(!Firmware { dedicated: true, ..Firmware::default() }.shares_with(1, 4));
        let always4 = Firmware::remedy(Diagnosis::IGNORES_EXTRANONCE2_SIZE).unwrap();
        assert!(always4.is_particular());
        assert!(!always4.shares_with(5, 3), "the narrow split");
        assert!(always4.shares_with(5, 4), "the wide one suits it");
    }
}
