//! The deadlines of a session, by what they are for.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::time::Instant;

/// What a deadline is for: an enum whose variants have no fields.
pub(crate) trait Timer: Copy + fmt::Debug + 'static {
    /// All variants, each at its own [index](Self::index).
    const ALL: &'static [Self];

    /// The variant's number.
    fn index(self) -> usize;
}

/// A deadline for each of the `N` timers of a kind. It is set where its cause changes, so that
/// asking for the next one costs a look at each.
pub(crate) struct TimerTable<T, const N: usize> {
    /// In nanoseconds after the origin, which is half of what an instant takes: there is a table for
    /// each rig.
    at: [u64; N],
    timers: PhantomData<T>,
}

/// What stands for no deadline. The latest one is just before, in 584 years.
const NEVER: u64 = u64::MAX;

impl<T: Timer, const N: usize> TimerTable<T, N> {
    /// None is set.
    pub(crate) const fn new() -> Self {
        const { assert!(T::ALL.len() == N, "a place for each timer") }
        Self { at: [NEVER; N], timers: PhantomData }
    }

    /// Sets a timer, or stops it.
    pub(crate) fn set(&mut self, timer: T, at: Option<Instant>) {
        self.at[timer.index()] = at.map_or(NEVER, |at| {
            u64::try_from(at.since_origin().as_nanos()).map_or(NEVER - 1, |at| at.min(NEVER - 1))
        });
    }

    /// When a timer rings.
    pub(crate) fn get(&self, timer: T) -> Option<Instant> {
        instant(self.at[timer.index()])
    }

    /// Whether a timer's time has come.
    pub(crate) fn is_due(&self, timer: T, now: Instant) -> bool {
        self.get(timer).is_some_and(|at| at <= now)
    }

    /// When the first of them rings.
    pub(crate) fn next(&self) -> Option<Instant> {
        instant(self.at.iter().copied().min().unwrap_or(NEVER))
    }
}

const fn instant(at: u64) -> Option<Instant> {
    if at == NEVER { None } else { Some(Instant::after_origin(Duration::from_nanos(at))) }
}

/// The timers that are set.
impl<T: Timer, const N: usize> fmt::Debug for TimerTable<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = T::ALL.iter().filter_map(|&timer| Some((timer, self.get(timer)?)));
        f.debug_map().entries(set).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    #[derive(Debug, Clone, Copy)]
    enum Meal {
        Breakfast,
        Dinner,
    }

    impl Timer for Meal {
        const ALL: &'static [Self] = &[Self::Breakfast, Self::Dinner];

        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn the_first_of_them_is_the_next_and_each_has_its_name() {
        let (now, hours) = (start(), |hours: u64| Duration::from_secs(hours * 3600));
        let mut timers = TimerTable::<Meal, 2>::new();
        assert_eq!((timers.next(), format!("{timers:?}")), (None, "{}".into()));
        timers.set(Meal::Dinner, Some(now + hours(12)));
        timers.set(Meal::Breakfast, Some(now));
        assert_eq!(timers.next(), Some(now));
        assert!(timers.is_due(Meal::Breakfast, now) && !timers.is_due(Meal::Dinner, now));
        timers.set(Meal::Breakfast, None);
        assert_eq!(timers.next(), Some(now + hours(12)));
        timers.set(Meal::Breakfast, Some(now + Duration::MAX));
        assert_eq!(timers.next(), Some(now + hours(12)), "the end of time is late");
        assert!(timers.get(Meal::Breakfast) > Some(now + hours(5_000_000)));
        timers.set(Meal::Breakfast, None);
        let shown = format!("{timers:?}");
        assert!(shown.starts_with("{Dinner: ") && !shown.contains("Breakfast"), "{shown}");
    }
}
