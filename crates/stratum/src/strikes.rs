//! Counts of misdeeds that are forgiven.

use std::time::Duration;

use crate::time::Instant;

/// How many misdeeds are borne, and what one of them is forgiven for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// So many are too many.
    pub limit: u16,
    /// One is forgiven for so many good deeds.
    pub good_deeds: u16,
    /// One is forgiven after so long.
    pub every: Duration,
}

/// A count of one kind of misdeed.
///
/// ```
/// use std::time::Duration;
/// use orepass_stratum::strikes::{Patience, Strikes};
///
/// const BORNE: Patience =
///     Patience { limit: 2, good_deeds: 10, every: Duration::from_secs(60) };
/// let (mut strikes, now) = (Strikes::new(&BORNE), orepass_stratum::time::Instant::after_origin(std::time::Duration::ZERO));
/// assert!(!strikes.strike(now));
/// assert!(!strikes.strike(now + Duration::from_secs(60)), "the first is forgiven");
/// assert!(strikes.strike(now + Duration::from_secs(61)));
/// ```
#[derive(Debug)]
pub struct Strikes {
    patience: Patience,
    count: u16,
    good: u16,
    /// Since when the oldest of them has been waiting to be forgiven.
    since: Option<Instant>,
}

impl Strikes {
    /// None yet.
    #[must_use]
    pub const fn new(patience: &Patience) -> Self {
        Self { patience: *patience, count: 0, good: 0, since: None }
    }

    /// From now on so many are too many.
    pub const fn set_limit(&mut self, limit: u16) {
        self.patience.limit = limit;
    }

    /// A misdeed; `true` when it is one too many.
    pub fn strike(&mut self, now: Instant) -> bool {
        self.forgive(now);
        if self.count == 0 {
            self.since = Some(now);
            self.good = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count >= self.patience.limit
    }

    /// A good deed.
    pub const fn good_deed(&mut self) {
        if self.count == 0 {
            return;
        }
        self.good += 1;
        if self.good >= self.patience.good_deeds {
            self.good = 0;
            self.count -= 1;
        }
    }

    /// Whether one more is borne.
    #[must_use]
    pub fn is_patient(&mut self, now: Instant) -> bool {
        self.forgive(now);
        self.count < self.patience.limit
    }

    fn forgive(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let every = self.patience.every.as_nanos().max(1);
        let forgiven = now.saturating_duration_since(since).as_nanos() / every;
        if forgiven >= u128::from(self.count) {
            (self.count, self.since) = (0, None);
        } else {
            // Fewer than the count, which is a u16.
            let forgiven = forgiven as u16;
            self.count -= forgiven;
            self.since = Some(since + self.patience.every * u32::from(forgiven));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    const MINUTE: Duration = Duration::from_secs(60);
    const PATIENCE: Patience = Patience { limit: 5, good_deeds: 100, every: MINUTE };

    #[test]
    fn five_in_a_row_are_too_many() {
        let mut strikes = Strikes::new(&PATIENCE);
        let now = start();
        let verdicts: Vec<bool> = (0..5).map(|_| strikes.strike(now)).collect();
        assert_eq!(verdicts, [false, false, false, false, true]);
        assert!(!strikes.is_patient(now));
        assert!(strikes.is_patient(now + MINUTE));
    }

    #[test]
    fn good_deeds_and_time_forgive() {
        let mut strikes = Strikes::new(&PATIENCE);
        let now = start();
        for _ in 0..1000 {
            assert!(!strikes.strike(now));
            (0..100).for_each(|_| strikes.good_deed());
        }
        for minute in 0..1000 {
            assert!(!strikes.strike(now + MINUTE * minute));
        }
    }

    #[test]
    fn good_deeds_are_no_capital() {
        let mut strikes = Strikes::new(&PATIENCE);
        (0..100_000).for_each(|_| strikes.good_deed());
        let now = start();
        assert_eq!((0..5).filter(|_| strikes.strike(now)).count(), 1);
    }
}
