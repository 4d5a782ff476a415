//! Habits of a pool that the protocol leaves open: what the operator says of them, what the pool
//! has shown, and the one question that it is being asked.
//!
//! All connections to a pool share one [`HabitBook`]. A habit that nobody knows is found out by a
//! [`Probe`]: something that the pool takes under one answer and refuses under the other. One probe
//! at most is under way at a pool, so that a wrong guess costs one share. Where questions get no clear
//! answer, or cost the connection, the [third](UNDECIDED) is the last: the answer is then the one
//! that the pool would have shown by a refusal, with which nothing doubtful is sent.

use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many probes that the pool neither took nor refused for the reason that tells decide for a
/// refusal.
pub const UNDECIDED: u8 = 3;

/// A question about a pool to which servers give two answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Habit {
    /// Whether a connection may authorize several workers: yes, or no.
    Names,
    /// What rules where the pool announces a difficulty and its notify has a target too: what was
    /// announced, the notify's being the network's, or the notify's.
    NotifyTarget,
    /// From when on an announced difficulty is in force: from the pool's next notify, or at once.
    DifficultyFrom,
    /// Which extranonce2 it takes: of the announced size alone (the narrow split), or a longer one
    /// (the wide split).
    Split,
    /// What it means by a difficulty: what is usual in its dialect, or the other scale.
    DifficultyScale,
}

/// One of the two answers to a habit's question, in the order of its [description](Habit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The first.
    Usual,
    /// The second.
    Other,
}

impl Answer {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Usual => Self::Other,
            Self::Other => Self::Usual,
        }
    }
}

impl Habit {
    /// All habits.
    pub const ALL: [Self; 5] =
        [Self::Names, Self::NotifyTarget, Self::DifficultyFrom, Self::Split, Self::DifficultyScale];

    /// The key in configs, files and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::NotifyTarget => "notify_target",
            Self::DifficultyFrom => "difficulty_from",
            Self::Split => "split",
            Self::DifficultyScale => "difficulty_scale",
        }
    }

    /// The habit of a [name](Self::name).
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|habit| habit.name() == name)
    }

    /// The word for an answer in configs, files and the log. What a scale is called is the
    /// dialect's to say: [`Rules::scale_names`](crate::dialect::Rules::scale_names).
    #[must_use]
    pub const fn word(self, answer: Answer) -> &'static str {
        let [usual, other] = match self {
            Self::Names => ["true", "false"],
            Self::NotifyTarget => ["network", "share"],
            Self::DifficultyFrom => ["notify", "at_once"],
            Self::Split => ["narrow", "wide"],
            Self::DifficultyScale => ["usual", "other"],
        };
        match answer {
            Answer::Usual => usual,
            Answer::Other => other,
        }
    }

    /// The [word](Self::word) for an answer, with what the dialect calls its
    /// [scales](crate::dialect::Rules::scale_names).
    #[must_use]
    pub const fn word_among(self, answer: Answer, scales: [&'static str; 2]) -> &'static str {
        match (self, answer) {
            (Self::DifficultyScale, Answer::Usual) => scales[0],
            (Self::DifficultyScale, Answer::Other) => scales[1],
            _ => self.word(answer),
        }
    }

    /// The answer of a [word](Self::word).
    #[must_use]
    pub fn of_word(self, word: &str) -> Option<Answer> {
        [Answer::Usual, Answer::Other].into_iter().find(|answer| self.word(*answer) == word)
    }
}

impl fmt::Display for Habit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a pool's habits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habits(u16);

impl Habits {
    /// The usual answer to every question, for whoever has no pool to ask.
    pub const USUAL: Self = Self(0b01_0101_0101);

    /// The answer to a habit's question, where it is known.
    #[must_use]
    pub const fn get(self, habit: Habit) -> Option<Answer> {
        match self.0 >> (2 * habit as u16) & 3 {
            1 => Some(Answer::Usual),
            2 => Some(Answer::Other),
            _ => None,
        }
    }

    /// These, with the answer to one more question, or with one forgotten.
    #[must_use]
    pub const fn with(self, habit: Habit, answer: Option<Answer>) -> Self {
        let shift = 2 * habit as u16;
        let bits = match answer {
            None => 0,
            Some(Answer::Usual) => 1,
            Some(Answer::Other) => 2,
        };
        Self(self.0 & !(3 << shift) | bits << shift)
    }

    /// These, and where they are silent the other ones.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Habit::ALL.into_iter().fold(self, |known, habit| {
            known.with(habit, known.get(habit).or_else(|| other.get(habit)))
        })
    }
}

/// Something that was found out about a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learnt {
    /// What about.
    pub habit: Habit,
    /// What it is.
    pub answer: Answer,
}

/// One pool's habits, shared by all connections to it.
///
/// ```
/// use orepass_stratum::habits::{Answer, Habit, HabitBook, Habits};
///
/// let book = HabitBook::new(Habits::default(), Habits::default());
/// let probe = book.ask(Habit::Split, Answer::Other).expect("nobody knows it");
/// assert!(book.ask(Habit::Names, Answer::Usual).is_none(), "one question at a time");
/// assert!(probe.refused().is_some());
/// assert_eq!(book.known().get(Habit::Split), Some(Answer::Usual));
/// ```
#[derive(Debug, Clone, Default)]
pub struct HabitBook(Arc<SharedHabits>);

#[derive(Debug, Default)]
struct SharedHabits {
    /// [`Habits`], which everyone may read without waiting for anyone.
    known: AtomicU16,
    state: Mutex<HabitsState>,
}

#[derive(Debug, Default)]
struct HabitsState {
    configured: Habits,
    asked: Option<Habit>,
    /// How many probes of each habit in a row decided nothing.
    undecided: [u8; Habit::ALL.len()],
}

impl HabitBook {
    /// A book in which stands what the operator has `configured`, which nothing changes, and what
    /// is `remembered` from earlier.
    #[must_use]
    pub fn new(configured: Habits, remembered: Habits) -> Self {
        let known = AtomicU16::new(configured.or(remembered).0);
        let state = HabitsState { configured, ..HabitsState::default() };
        Self(Arc::new(SharedHabits { known, state: Mutex::new(state) }))
    }

    /// What is known at present.
    #[must_use]
    pub fn known(&self) -> Habits {
        Habits(self.0.known.load(Ordering::Relaxed))
    }

    /// Begins to ask the pool something; `if_taken` is the answer when it takes what it is sent.
    /// `None` where the answer is known, or another question is still open.
    #[must_use]
    pub fn ask(&self, habit: Habit, if_taken: Answer) -> Option<Probe> {
        if self.known().get(habit).is_some() {
            return None;
        }
        let mut state = self.state();
        if state.asked.is_some() {
            return None;
        }
        state.asked = Some(habit);
        Some(Probe { book: self.clone(), habit, if_taken })
    }

    /// The pool has shown a habit. `None` where that is no news, or the operator says otherwise.
    pub fn learn(&self, habit: Habit, answer: Answer) -> Option<Learnt> {
        let mut state = self.state();
        state.undecided[habit as usize] = 0;
        let known = self.known();
        if state.configured.get(habit).is_some() || known.get(habit) == Some(answer) {
            return None;
        }
        self.0.known.store(known.with(habit, Some(answer)).0, Ordering::Relaxed);
        Some(Learnt { habit, answer })
    }

    /// What the pool once showed of a habit is too old to be trusted.
    pub fn forget(&self, habit: Habit) {
        let state = self.state();
        let known = self.known().with(habit, state.configured.get(habit));
        self.0.known.store(known.0, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, HabitsState> {
        // What is locked is whole at every unlock, also where a session panicked.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question on its way to a pool. Where it is dropped, it did not come to be asked, and another
/// may be.
#[derive(Debug)]
pub struct Probe {
    book: HabitBook,
    habit: Habit,
    if_taken: Answer,
}

impl Probe {
    /// What it asks.
    #[must_use]
    pub const fn habit(&self) -> Habit {
        self.habit
    }

    /// The pool has taken what it was sent.
    pub fn taken(self) -> Option<Learnt> {
        self.book.learn(self.habit, self.if_taken)
    }

    /// The pool has refused it, for the reason that tells the habit.
    pub fn refused(self) -> Option<Learnt> {
        self.book.learn(self.habit, self.if_taken.opposite())
    }

    /// The pool has answered it beside the point, or not at all, or the connection was lost with it.
    pub fn undecided(self) -> Option<Learnt> {
        let count = {
            let mut state = self.book.state();
            let count = &mut state.undecided[self.habit as usize];
            *count += 1;
            *count
        };
        if count < UNDECIDED { None } else { self.refused() }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.book.state().asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_round_trip_and_differ() {
        for habit in Habit::ALL {
            assert_eq!(Habit::of_name(habit.name()), Some(habit));
            for answer in [Answer::Usual, Answer::Other] {
                assert_eq!(habit.of_word(habit.word(answer)), Some(answer), "{habit}");
            }
        }
        assert_eq!(Habit::of_name("name"), None);
        assert_eq!(Habit::Split.of_word("broad"), None);
    }

    #[test]
    fn habits_do_not_get_in_each_others_way() {
        let mut known = Habits::default();
        for (at, habit) in Habit::ALL.into_iter().enumerate() {
            let answer = if at % 2 == 0 { Answer::Usual } else { Answer::Other };
            known = known.with(habit, Some(answer));
            assert_eq!(known.get(habit), Some(answer));
        }
        assert!(Habit::ALL.iter().all(|habit| Habits::USUAL.get(*habit) == Some(Answer::Usual)));
        known = known.with(Habit::Split, None);
        assert_eq!(known.get(Habit::Split), None);
        assert_eq!(known.get(Habit::DifficultyFrom), Some(Answer::Usual));
        assert_eq!(known.get(Habit::DifficultyScale), Some(Answer::Usual));
    }

    #[test]
    fn one_question_at_a_time_and_none_twice() {
        let book = HabitBook::default();
        let probe = book.ask(Habit::Split, Answer::Other).unwrap();
        assert!(book.ask(Habit::Split, Answer::Other).is_none());
        assert!(book.clone().ask(Habit::NotifyTarget, Answer::Other).is_none());
        drop(probe);
        assert_eq!(book.known().get(Habit::Split), None, "it was lost, which tells nothing");
        let probe = book.ask(Habit::Split, Answer::Other).unwrap();
        assert_eq!(probe.taken(), Some(Learnt { habit: Habit::Split, answer: Answer::Other }));
        assert!(book.ask(Habit::Split, Answer::Other).is_none(), "it is known");
        assert!(book.ask(Habit::NotifyTarget, Answer::Other).is_some());
    }

    #[test]
    fn what_is_configured_stays() {
        let configured = Habits::default().with(Habit::Names, Some(Answer::Other));
        let remembered = Habits::default()
            .with(Habit::Names, Some(Answer::Usual))
            .with(Habit::Split, Some(Answer::Other));
        let book = HabitBook::new(configured, remembered);
        assert_eq!(book.known().get(Habit::Names), Some(Answer::Other));
        assert_eq!(book.learn(Habit::Names, Answer::Usual), None);
        assert_eq!(book.learn(Habit::Split, Answer::Other), None, "no news");
        assert!(book.learn(Habit::Split, Answer::Usual).is_some());
        for habit in [Habit::Names, Habit::Split] {
            book.forget(habit);
        }
        assert_eq!(book.known(), configured);
    }
}
