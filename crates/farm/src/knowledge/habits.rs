//! What was found out about the route's pools, and how old that is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::habits::{Habit, HabitBook, Habits, Learnt};
use orepass_stratum::time::Instant;

use super::{Change, HabitRecord};
use crate::pools::PoolIndex;

/// What was found out so long ago is found out again.
pub(super) const TRUSTED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The books of the route's pools. Pools of one server show the same.
#[derive(Debug)]
pub(crate) struct PoolHabits {
    /// By their servers, with what the operator says of them.
    pools: Vec<(Arc<str>, Habits, HabitBook)>,
    /// Until when what a server has shown is trusted; no more than there are pools and habits.
    trusted: BTreeMap<(Arc<str>, Habit), Instant>,
}

impl PoolHabits {
    /// Pools by their servers and what the operator says of them, with what earlier runs found out.
    pub(crate) fn new(
        pools: impl Iterator<Item = (Arc<str>, Habits)>,
        remembered: &[HabitRecord],
        now: Instant,
    ) -> Self {
        let mut trusted = BTreeMap::new();
        let mut pool = |(server, configured): (Arc<str>, Habits)| {
            let mut known = Habits::default();
            for record in remembered.iter().filter(|record| record.server == server) {
                let Some(left) = TRUSTED_FOR.checked_sub(record.age) else { continue };
                if !left.is_zero() {
                    known = known.with(record.habit, Some(record.answer));
                    trusted.insert((Arc::clone(&server), record.habit), now + left);
                }
            }
            (server, configured, HabitBook::new(configured, known))
        };
        let pools = pools.map(&mut pool).collect();
        Self { pools, trusted }
    }

    /// What is trusted of servers at the moment.
    pub(crate) fn export(&self, now: Instant) -> Vec<HabitRecord> {
        let record = |(key, until): (&(Arc<str>, Habit), &Instant)| {
            let (server, habit) = key;
            let left = until.saturating_duration_since(now);
            let book = self.pools.iter().rfind(|(of, ..)| of == server).map(|(.., book)| book)?;
            let (server, habit, answer) = (Arc::clone(server), *habit, book.known().get(*habit)?);
            let age = TRUSTED_FOR.saturating_sub(left);
            (!left.is_zero()).then_some(HabitRecord { server, habit, answer, age })
        };
        self.trusted.iter().filter_map(record).collect()
    }

    /// A pool comes. What its server has shown to others that the operator says the same of is known
    /// of it too, and goes on to be.
    pub(crate) fn add(&mut self, server: Arc<str>, configured: Habits) {
        let known = self.pools.iter().rfind(|(of, ..)| *of == server);
        let book = match known {
            Some((.., said, book)) if *said == configured => book.clone(),
            Some((.., book)) => HabitBook::new(configured, book.known()),
            None => HabitBook::new(configured, Habits::default()),
        };
        self.pools.push((server, configured, book));
    }

    /// The book of a pool.
    pub(crate) fn book(&self, pool: PoolIndex) -> Option<&HabitBook> {
        Some(&self.pools.get(pool)?.2)
    }

    /// A connection to a pool has shown something; what is to be remembered of it.
    pub(crate) fn learnt(
        &mut self,
        pool: PoolIndex,
        learnt: Learnt,
        now: Instant,
    ) -> Option<Change> {
        let (server, ..) = self.pools.get(pool)?;
        let Learnt { habit, answer } = learnt;
        self.trusted.insert((Arc::clone(server), habit), now + TRUSTED_FOR);
        Some(Change::Habit { server: Arc::clone(server), habit, answer })
    }

    /// What was found out about a pool too long ago is found out again; how its extranonce is
    /// divided only after a restart, since every change of that moves all rigs.
    pub(crate) fn refresh(&mut self, pool: PoolIndex, now: Instant) {
        let Some((server, _, book)) = self.pools.get(pool) else { return };
        for habit in Habit::ALL.into_iter().filter(|habit| *habit != Habit::Split) {
            if self.trusted.get(&(Arc::clone(server), habit)).is_some_and(|until| *until <= now) {
                book.forget(habit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use orepass_stratum::habits::Answer;
    use orepass_stratum::testing::start;

    use super::*;

    fn pools(remembered: &[HabitRecord], now: Instant) -> PoolHabits {
        PoolHabits::new([("pool:1".into(), Habits::default())].into_iter(), remembered, now)
    }

    fn record(habit: Habit, age: Duration) -> HabitRecord {
        HabitRecord { server: "pool:1".into(), habit, answer: Answer::Other, age }
    }

    #[test]
    fn what_was_found_out_a_month_ago_is_found_out_again_but_for_the_split() {
        let mut now = start();
        let day = Duration::from_secs(24 * 3600);
        let remembered = [
            record(Habit::Names, 29 * day),
            record(Habit::Split, 29 * day),
            record(Habit::DifficultyScale, 30 * day),
        ];
        let mut habits = pools(&remembered, now);
        let known = |habits: &PoolHabits, habit| habits.book(0).unwrap().known().get(habit);
        habits.refresh(0, now);
        assert_eq!(known(&habits, Habit::Names), Some(Answer::Other));
        assert_eq!(known(&habits, Habit::DifficultyScale), None, "too old at the start");
        now += day;
        assert_eq!(known(&habits, Habit::Names), Some(Answer::Other), "until a connection is made");
        habits.refresh(0, now);
        assert_eq!(known(&habits, Habit::Names), None);
        assert_eq!(known(&habits, Habit::Split), Some(Answer::Other));
        let learnt = habits.book(0).unwrap().learn(Habit::Names, Answer::Usual).unwrap();
        let change = habits.learnt(0, learnt, now);
        let (server, answer) = ("pool:1".into(), Answer::Usual);
        assert_eq!(change, Some(Change::Habit { server, habit: Habit::Names, answer }));
        habits.refresh(0, now + 29 * day);
        assert_eq!(known(&habits, Habit::Names), Some(Answer::Usual));

        let exported = |now| {
            let records = habits.export(now);
            records.iter().filter(|record| record.habit == Habit::Names).map(|r| r.age).collect()
        };
        let ages: Vec<Duration> = exported(now + 29 * day);
        assert_eq!(ages, [29 * day]);
        let ages: Vec<Duration> = exported(now + TRUSTED_FOR);
        assert_eq!(ages, [], "nothing that is not trusted any more");
    }
}
