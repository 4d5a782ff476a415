//! Sessions that send nothing but refused shares, or calls without end: each costs an answer, and a
//! flood of them costs other rigs their time.

use std::time::Duration;

use crate::time::Instant;
use crate::verdict::Verdict;

/// So many refused shares without a good one between them are answered as they come…
const BORNE: u16 = 50;
/// …then one is read in so long…
const ONE_IN: Duration = Duration::from_millis(100);
/// …and with so many the session is over.
pub const TOO_MANY: u16 = 250;

/// Counts refused shares, and calls that bring nothing, in a row.
#[derive(Debug, Default)]
pub struct Flood {
    in_a_row: u16,
    reads_at: Option<Instant>,
}

impl Flood {
    /// A share was refused; `true` when the session should be over.
    pub fn refused(&mut self, verdict: Verdict, now: Instant) -> bool {
        if is_its_fault(verdict) {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.reads_at = (self.in_a_row > BORNE).then(|| now + ONE_IN);
        }
        self.in_a_row >= TOO_MANY
    }

    /// It called for something that brings nothing, or repeats what it may repeat. That is no reason
    /// to end the session.
    pub fn nuisance(&mut self, now: Instant) {
        self.in_a_row = (self.in_a_row + 1).min(TOO_MANY - 1);
        self.reads_at = (self.in_a_row > BORNE).then(|| now + ONE_IN);
    }

    /// A share was good.
    pub const fn good(&mut self) {
        self.in_a_row = 0;
        self.reads_at = None;
    }

    /// Before when nothing more is to be read from the rig.
    #[must_use]
    pub const fn reads_at(&self) -> Option<Instant> {
        self.reads_at
    }
}

/// Whether a share that ends so was refused for something that its rig did.
pub(crate) const fn is_its_fault(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Invalid
            | Verdict::LowDifficulty
            | Verdict::Duplicate
            | Verdict::Stale
            | Verdict::Unauthorized
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    #[test]
    fn a_flood_is_slowed_and_then_ended() {
        let mut flood = Flood::default();
        let mut now = start();
        let began = now;
        let mut refused = 0;
        while !flood.refused(Verdict::Invalid, now) {
            refused += 1;
            now = flood.reads_at().map_or(now, |at| at.max(now));
        }
        assert_eq!(refused, u32::from(TOO_MANY) - 1);
        assert_eq!(now - began, ONE_IN * u32::from(TOO_MANY - BORNE - 1));
    }

    #[test]
    fn one_good_share_pardons_and_what_is_no_fault_does_not_count() {
        let mut flood = Flood::default();
        let now = start();
        for _ in 0..1000 {
            assert!(!flood.refused(Verdict::LostOnFailover, now));
            assert!(!flood.refused(Verdict::Overflow, now));
        }
        for _ in 0..100 {
            (0..BORNE).for_each(|_| assert!(!flood.refused(Verdict::Stale, now)));
            assert_eq!(flood.reads_at(), None);
            flood.good();
        }
    }
}
