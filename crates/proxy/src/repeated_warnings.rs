//! Repeated warnings: said once in a while, with the count of those left out.
//!
//! What is left out is told by the next line about the same thing.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use orepass_stratum::time::Instant;

/// A count for a field of the log that is left out where there is nothing to count.
#[must_use]
pub fn nonzero(left_out: u64) -> Option<u64> {
    (left_out > 0).then_some(left_out)
}

/// One thing that may be said once in `every`, or a few times.
#[derive(Debug, Clone, Copy)]
pub struct Fold {
    every: Duration,
    times: u32,
    begun: Option<Instant>,
    /// How often it was said since then.
    said: u32,
    left_out: u64,
}

impl Fold {
    /// A thing that was not said yet.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, times: 1, begun: None, said: 0, left_out: 0 }
    }

    /// The same for a thing that may be said so often in `every`.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Whether it may be said now, and how often it was left out since it was said last; `None`
    /// leaves it out.
    pub fn say(&mut self, now: Instant) -> Option<u64> {
        if self.is_over(now) {
            self.begun = Some(now);
            self.said = 0;
        }
        if self.said >= self.times {
            self.leave_out();
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// Whether [`say`](Self::say) would say it now.
    #[must_use]
    pub fn may_say(&self, now: Instant) -> bool {
        self.said < self.times || self.is_over(now)
    }

    /// Counts it without a word.
    pub const fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }

    /// Whether the time is over in which it was said.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= self.every)
    }
}

/// Many things, each of which may be said once in `every`. At most `most` are remembered, at least
/// one; past that those said longest ago are forgotten, with what they have left out.
#[derive(Debug)]
pub struct Folds<K> {
    every: Duration,
    most: usize,
    things: HashMap<K, Fold>,
}

impl<K: Eq + Hash> Folds<K> {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(every: Duration, most: usize) -> Self {
        Self { every, most, things: HashMap::new() }
    }

    /// As [`Fold::say`], for one of them.
    pub fn say(&mut self, thing: K, now: Instant) -> Option<u64> {
        self.fold(thing, 1).say(now)
    }

    /// As [`say`](Self::say) for one that may be said so often. It must always be the same number.
    pub fn say_times(&mut self, thing: K, times: u32, now: Instant) -> Option<u64> {
        self.fold(thing, times).say(now)
    }

    /// As [`Fold::leave_out`], for one of them.
    pub fn leave_out(&mut self, thing: K) {
        self.fold(thing, 1).leave_out();
    }

    fn fold(&mut self, thing: K, times: u32) -> &mut Fold {
        if self.things.len() >= self.most && !self.things.contains_key(&thing) {
            self.forget_oldest();
        }
        self.things.entry(thing).or_insert_with(|| Fold::new(self.every).times(times))
    }

    /// Forgets a sixteenth at once, so that a crowd of new things does not cost a walk each.
    fn forget_oldest(&mut self) {
        let mut times: Vec<Option<Instant>> = self.things.values().map(|fold| fold.begun).collect();
        if times.is_empty() {
            return;
        }
        let last = times.len() / 16;
        let newest_of_them = *times.select_nth_unstable(last).1;
        self.things.retain(|_, fold| fold.begun > newest_of_them);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_thing_is_said_at_once_and_then_once_in_a_while_with_the_count_of_the_rest() {
        let start = crate::clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut fold = Fold::new(MINUTE);
        assert_eq!(fold.say(at(0)), Some(0));
        assert_eq!((fold.say(at(1)), fold.say(at(59))), (None, None));
        fold.leave_out();
        assert_eq!(fold.say(at(60)), Some(3));
        assert_eq!(fold.say(at(61)), None);
        assert_eq!(fold.say(at(500)), Some(1));
        // A clock that is read by several tasks may seem to go back.
        assert_eq!(fold.say(at(499)), None);
    }

    #[test]
    fn a_thing_that_changes_may_be_said_a_few_times() {
        let start = crate::clock::now();
        let mut fold = Fold::new(MINUTE).times(3);
        let said =
            (0..10).filter(|second| fold.say(start + Duration::from_secs(*second)).is_some());
        assert_eq!(said.count(), 3);
        assert!(!fold.may_say(start + Duration::from_secs(59)));
        assert!(fold.may_say(start + MINUTE));
        assert_eq!(fold.say(start + MINUTE), Some(7));
        assert_eq!(fold.say(start + MINUTE), Some(0));
    }

    #[test]
    fn things_do_not_silence_each_other_and_the_oldest_are_forgotten_first() {
        let start = crate::clock::now();
        let mut folds = Folds::new(MINUTE, 64);
        for thing in 0..64_u64 {
            assert_eq!(folds.say(thing, start + Duration::from_millis(thing)), Some(0));
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(folds.say(64, later), Some(0), "there is room for one more");
        assert_eq!(folds.say(0, later), Some(0), "the oldest was forgotten");
        assert_eq!(folds.say(63, later), None, "the newest was not");
        for thing in 1000..10_000 {
            folds.say(thing, later);
            assert!(folds.things.len() <= 64);
        }
    }

    #[test]
    fn a_table_of_one_holds_the_last_thing() {
        let now = crate::clock::now();
        let mut folds = Folds::new(MINUTE, 1);
        assert_eq!((folds.say('a', now), folds.say('a', now)), (Some(0), None));
        assert_eq!((folds.say('b', now), folds.say('b', now)), (Some(0), None));
        assert_eq!(folds.things.len(), 1);
    }
}
