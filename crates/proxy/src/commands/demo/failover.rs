//! The failover that a demo plays: the first pool is killed, the second serves, the first comes back.
//!
//! Each step waits for the one before, whatever the clock says.

/// From which part of the demo on the first pool is killed…
const KILLED_AT: f64 = 0.4;
/// …and from which on it may come back.
const BACK_AT: f64 = 0.52;

/// How a pool is, as far as the story goes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PoolAtPlay {
    /// Rigs that mine at it.
    pub(super) rigs: usize,
    /// Shares that it has credited.
    pub(super) credited: u64,
}

/// What is to be done with the first pool, or has come of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoryTurn {
    Kill,
    SecondServes,
    Heal,
    FirstServesAgain,
}

impl StoryTurn {
    /// In words, with how many rigs it is about.
    pub(super) fn said(self, rigs: usize) -> String {
        let rigs = if rigs == 1 { "1 rig".to_owned() } else { format!("{rigs} rigs") };
        match self {
            Self::Kill => format!("pool first is killed, with {rigs} at it"),
            Self::SecondServes => {
                format!("pool second serves: {rigs} mine at it, the rest follows")
            }
            Self::Heal => "pool first comes back".to_owned(),
            Self::FirstServesAgain => format!("pool first has all {rigs} again"),
        }
    }
}

/// How far the story has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum FailoverStory {
    #[default]
    Planned,
    Killed,
    OnSecond,
    Healed,
    Over,
}

impl FailoverStory {
    /// What comes next, at a moment of the demo that runs from 0 to 1 and has so many rigs.
    pub(super) fn turn(
        &mut self,
        progress: f64,
        rigs: usize,
        pools: [PoolAtPlay; 2],
    ) -> Option<StoryTurn> {
        let [first, second] = pools;
        let (next, turn) = match self {
            Self::Planned if progress >= KILLED_AT && first.credited > 0 => {
                (Self::Killed, StoryTurn::Kill)
            }
            Self::Killed if second.rigs > 0 && first.rigs == 0 => {
                (Self::OnSecond, StoryTurn::SecondServes)
            }
            Self::OnSecond if progress >= BACK_AT && second.credited > 0 => {
                (Self::Healed, StoryTurn::Heal)
            }
            Self::Healed if first.rigs >= rigs && second.rigs == 0 => {
                (Self::Over, StoryTurn::FirstServesAgain)
            }
            _ => return None,
        };
        *self = next;
        Some(turn)
    }

    pub(super) fn is_over(self) -> bool {
        self == Self::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_waits_for_the_one_before() {
        let at = |rigs, credited| PoolAtPlay { rigs, credited };
        let mut story = FailoverStory::default();
        let mut turn = |progress, first, second| story.turn(progress, 4, [first, second]);
        assert_eq!(turn(0.3, at(4, 9), at(0, 0)), None);
        assert_eq!(turn(0.9, at(4, 0), at(0, 0)), None, "it has nothing to lose yet");
        assert_eq!(turn(0.9, at(4, 1), at(0, 0)), Some(StoryTurn::Kill));
        assert_eq!(turn(1.5, at(4, 1), at(0, 0)), None);
        assert_eq!(turn(1.5, at(0, 1), at(3, 0)), Some(StoryTurn::SecondServes));
        assert_eq!(turn(1.5, at(0, 1), at(4, 0)), None, "nothing is credited there");
        assert_eq!(turn(1.5, at(0, 1), at(4, 1)), Some(StoryTurn::Heal));
        assert_eq!(turn(1.5, at(1, 1), at(3, 1)), None, "on trial");
        assert_eq!(turn(1.5, at(3, 1), at(0, 1)), None, "one has not come back");
        assert_eq!(turn(1.5, at(4, 1), at(0, 1)), Some(StoryTurn::FirstServesAgain));
        assert_eq!(turn(1.5, at(4, 1), at(0, 1)), None);
        assert!(story.is_over());
    }
}
