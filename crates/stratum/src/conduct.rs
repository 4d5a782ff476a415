//! A rig's conduct: how many of its shares are bad, and whether its firmware can be served as it
//! is.

use std::time::Duration;

use crate::dialect::Diagnosis;
use crate::time::Instant;
use crate::verdict::Verdict;

/// How many of a rig's last shares are looked at.
pub const LOOKED_AT: u32 = 50;
/// With more bad ones among them a rig is quarantined: 20 %.
pub const MAX_BAD: u32 = 10;
/// So many duplicates among them mean that the rig repeats itself.
const MANY_DUPLICATES: u32 = 5;
/// A rig that cannot be served as it is sends this many shares before it is closed…
const SUSPECT_SHARES: u32 = 20;
/// …or this much time passes, whichever comes first.
const SUSPECT_FOR: Duration = Duration::from_secs(60);
/// So many shares found under the former extranonce1 are enough: all its work is lost until it
/// is closed.
const STUBBORN_SHARES: u32 = 3;

/// Watches one rig's shares.
///
/// ```
/// use orepass_stratum::conduct::{Conduct, Turn};
/// use orepass_stratum::verdict::Verdict;
///
/// let mut conduct = Conduct::new(true);
/// let turns: Vec<_> = (0..11).filter_map(|_| conduct.share(Verdict::Invalid)).collect();
/// assert_eq!(turns, [Turn::Quarantined]);
/// ```
#[derive(Debug)]
pub struct Conduct {
    may_quarantine: bool,
    proven: bool,
    bad: Recent,
    duplicates: Recent,
    quarantined: bool,
    diagnosis: Option<Diagnosis>,
    /// Most rigs are under none.
    suspicion: Option<Box<Suspicion>>,
}

/// A rig enters or leaves quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// From now on only those of its shares are forwarded that were checked.
    Quarantined,
    /// All its shares are forwarded again.
    Released,
}

/// A diagnosis for which another kind of service helps, while its shares still fail.
#[derive(Debug, Clone, Copy)]
struct Suspicion {
    diagnosis: Diagnosis,
    since: Instant,
    /// Failed shares since then, the first one counted.
    shares: u32,
    /// Those of them that showed the same.
    shown: u32,
}

impl Conduct {
    /// Whether a rig may be quarantined from now on. One that is stays so until it does well.
    pub const fn set_may_quarantine(&mut self, may_quarantine: bool) {
        self.may_quarantine = may_quarantine;
    }

    /// A rig that has sent nothing yet, and whether it may be quarantined at all.
    #[must_use]
    pub fn new(may_quarantine: bool) -> Self {
        Self {
            may_quarantine,
            proven: false,
            bad: Recent::default(),
            duplicates: Recent::default(),
            quarantined: false,
            diagnosis: None,
            suspicion: None,
        }
    }

    /// A share has its verdict. Only what tells about the rig counts: not that it was stale, or
    /// what befell it at the pool.
    pub fn share(&mut self, verdict: Verdict) -> Option<Turn> {
        let bad = match verdict {
            Verdict::AcceptedByPool
            | Verdict::BelowPoolTarget
            | Verdict::SecondSolution
            | Verdict::Quarantined => false,
            Verdict::Invalid | Verdict::LowDifficulty | Verdict::Duplicate => true,
            _ => return None,
        };
        self.bad.push(bad);
        self.duplicates.push(verdict == Verdict::Duplicate);
        if self.duplicates.count() == MANY_DUPLICATES {
            self.diagnosis = Some(Diagnosis::RESTARTS_COUNTER);
        }
        if !bad {
            self.proven = true;
            self.suspicion = None;
        }
        let many = self.may_quarantine && self.bad.count() > MAX_BAD;
        let turn = match self.quarantined {
            // A misfit is closed soon, and all its shares fail anyway.
            false if many && self.suspicion.is_none() => Turn::Quarantined,
            true if !many && self.bad.is_full() => Turn::Released,
            _ => return None,
        };
        self.quarantined = turn == Turn::Quarantined;
        // It is to show from now on that it has changed, or that it has not.
        self.bad = Recent::default();
        Some(turn)
    }

    /// A failed share has shown, or not, what is wrong with the rig; `helps` when another kind of
    /// service would make such shares good. To be called before [`share`](Self::share).
    pub fn failed(&mut self, diagnosis: Option<Diagnosis>, helps: bool, now: Instant) {
        self.diagnosis = diagnosis.or(self.diagnosis);
        let curable = diagnosis.filter(|_| helps);
        match (&mut self.suspicion, curable) {
            (Some(suspicion), _) => {
                suspicion.shares += 1;
                suspicion.shown += u32::from(curable == Some(suspicion.diagnosis));
            }
            (none, Some(diagnosis)) => {
                let suspicion = Suspicion { diagnosis, since: now, shares: 1, shown: 1 };
                *none = Some(Box::new(suspicion));
            }
            (None, None) => {}
        }
    }

    /// The diagnosis for which the rig should be closed now, so that it comes back to another
    /// kind of service. It is given once.
    pub fn conclude(&mut self, now: Instant) -> Option<Diagnosis> {
        let suspicion = **self.suspicion.as_ref()?;
        let ripe = if suspicion.diagnosis == Diagnosis::IGNORES_SET_EXTRANONCE {
            suspicion.shown >= STUBBORN_SHARES
        } else {
            suspicion.shares >= SUSPECT_SHARES || now >= suspicion.since + SUSPECT_FOR
        };
        if !ripe {
            return None;
        }
        self.suspicion = None;
        Some(suspicion.diagnosis)
    }

    /// When [`conclude`](Self::conclude) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let suspicion = self.suspicion.as_ref()?;
        let waits = suspicion.diagnosis != Diagnosis::IGNORES_SET_EXTRANONCE;
        waits.then(|| suspicion.since + SUSPECT_FOR)
    }

    /// Whether shares of the rig that nobody checked are held back.
    #[must_use]
    pub const fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    /// Whether the rig has sent a good share.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        self.proven
    }

    /// What is wrong with the rig, as far as its shares showed.
    #[must_use]
    pub const fn diagnosis(&self) -> Option<Diagnosis> {
        self.diagnosis
    }
}

/// A property of the last [`LOOKED_AT`] shares, the newest in the lowest bit; a one stands before the
/// oldest.
#[derive(Debug, Clone, Copy)]
struct Recent(u64);

impl Default for Recent {
    fn default() -> Self {
        Self(1)
    }
}

impl Recent {
    const FULL: u64 = 1 << LOOKED_AT;

    fn push(&mut self, bit: bool) {
        let pushed = self.0 << 1 | u64::from(bit);
        self.0 = if self.is_full() { pushed & (Self::FULL - 1) | Self::FULL } else { pushed };
    }

    const fn count(self) -> u32 {
        self.0.count_ones() - 1
    }

    const fn is_full(self) -> bool {
        self.0 >= Self::FULL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    fn shares(conduct: &mut Conduct, verdict: Verdict, count: u32) -> Vec<Turn> {
        (0..count).filter_map(|_| conduct.share(verdict)).collect()
    }

    #[test]
    fn a_fifth_of_bad_shares_is_borne_and_one_more_is_not() {
        let mut conduct = Conduct::new(true);
        for _ in 0..20 {
            assert_eq!(shares(&mut conduct, Verdict::AcceptedByPool, 4), []);
            assert_eq!(shares(&mut conduct, Verdict::Invalid, 1), []);
        }
        assert_eq!(conduct.share(Verdict::LowDifficulty), Some(Turn::Quarantined));
    }

    #[test]
    fn stale_and_lost_shares_say_nothing() {
        let mut conduct = Conduct::new(true);
        for verdict in [Verdict::Stale, Verdict::LostOnFailover, Verdict::RejectedByPool] {
            assert_eq!(shares(&mut conduct, verdict, 60), []);
        }
        assert_eq!(shares(&mut conduct, Verdict::Invalid, MAX_BAD), []);
    }

    #[test]
    fn quarantine_ends_with_fifty_shares_of_which_few_are_bad() {
        let mut conduct = Conduct::new(true);
        shares(&mut conduct, Verdict::Invalid, MAX_BAD + 1);
        assert!(conduct.is_quarantined());
        assert_eq!(shares(&mut conduct, Verdict::Quarantined, LOOKED_AT - 1), []);
        assert_eq!(conduct.share(Verdict::Quarantined), Some(Turn::Released));
        assert!(!conduct.is_quarantined());
        let again = shares(&mut conduct, Verdict::Duplicate, MAX_BAD + 1);
        assert_eq!(again, [Turn::Quarantined]);
        assert_eq!(conduct.diagnosis(), Some(Diagnosis::RESTARTS_COUNTER));
    }

    #[test]
    fn a_misfit_is_closed_after_twenty_shares_or_a_minute() {
        let now = start();
        let cut = Some(Diagnosis::TRUNCATES_EXTRANONCE1);
        let mut conduct = Conduct::new(true);
        for _ in 0..SUSPECT_SHARES - 1 {
            conduct.failed(cut, true, now);
            assert_eq!(conduct.share(Verdict::LowDifficulty), None, "no quarantine for a misfit");
            assert_eq!(conduct.conclude(now), None);
        }
        conduct.failed(None, false, now);
        assert_eq!(conduct.conclude(now), cut);
        assert_eq!(conduct.conclude(now), None, "said once");

        conduct.failed(cut, true, now);
        let minute = conduct.poll_timeout().unwrap();
        assert_eq!(minute, now + Duration::from_secs(60));
        assert_eq!(conduct.conclude(minute), cut);
    }

    #[test]
    fn a_share_that_passes_clears_the_rig() {
        let now = start();
        let mut conduct = Conduct::new(true);
        conduct.failed(Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE), true, now);
        conduct.share(Verdict::BelowPoolTarget);
        assert_eq!(conduct.poll_timeout(), None);
        // What no service helps against is only named.
        conduct.failed(Some(Diagnosis::REVERSED_NONCE), false, now);
        assert_eq!((conduct.poll_timeout(), conduct.conclude(now + SUSPECT_FOR)), (None, None));
        assert_eq!(conduct.diagnosis(), Some(Diagnosis::REVERSED_NONCE));
    }

    #[test]
    fn three_shares_under_the_former_extranonce_are_enough() {
        let now = start();
        let mut conduct = Conduct::new(true);
        let ignores = Some(Diagnosis::IGNORES_SET_EXTRANONCE);
        conduct.failed(ignores, true, now);
        conduct.failed(None, false, now);
        conduct.failed(ignores, true, now);
        assert_eq!(conduct.conclude(now + SUSPECT_FOR), None);
        conduct.failed(ignores, true, now);
        assert_eq!(conduct.conclude(now), ignores);
    }
}
