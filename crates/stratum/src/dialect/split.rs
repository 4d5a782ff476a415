//! Dividing a pool's extranonce between rigs.

use std::borrow::Cow;

use thiserror::Error;

use crate::extranonce::Extranonce;
use crate::habits::Answer;

/// How a channel's extranonce space is divided.
///
/// A rig is told `extranonce1 ‖ prefix`; the extranonce2 sent upstream is
/// `prefix ‖ the rig's extranonce2`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// The pool's part.
    pub extranonce1: Extranonce,
    /// How many bytes tell rigs apart; 0 means one rig for the whole connection.
    pub prefix_bytes: usize,
    /// How many bytes are the rig's own.
    pub rig_extranonce2: usize,
    /// Which way it is of [two](Splits::either), so which answer the pool must give to the question
    /// of its [habit](crate::habits::Habit::Split); `None` where there is only this one. By
    /// [`Other`](Answer::Other) the upstream extranonce2 is longer than stricter pools take, and a
    /// refusal of its form shows the habit.
    pub needs: Option<Answer>,
    /// The length of the rig's extranonce2, longer than the rig is told, with which a pool may be
    /// asked for its habit.
    pub probe: Option<usize>,
    /// What the operator should know about this split, said once.
    pub remark: Option<Cow<'static, str>>,
}

impl Split {
    /// Whether the other one gives each rig the same part of the same extranonce.
    #[must_use]
    pub fn divides_as(&self, other: &Self) -> bool {
        let parts = |split: &Self| (split.prefix_bytes, split.rig_extranonce2);
        self.extranonce1 == other.extranonce1 && parts(self) == parts(other)
    }
}

/// The ways in which a dialect can divide what a pool gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    first: Result<Split, NoRoom>,
    /// The other way, and what the pool must be known to answer for it.
    second: Option<(Answer, Result<Split, NoRoom>)>,
}

impl Splits {
    /// There is one way, with any pool.
    #[must_use]
    pub const fn sure(split: Result<Split, NoRoom>) -> Self {
        Self { first: split, second: None }
    }

    /// There are two, by the answer to the question of the pool's habit. As long as that is not known
    /// the one for the `likely` answer holds.
    #[must_use]
    pub fn either(
        usual: Result<Split, NoRoom>,
        other: Result<Split, NoRoom>,
        likely: Answer,
    ) -> Self {
        let needs = |answer| move |split| Split { needs: Some(answer), ..split };
        let (usual, other) = (usual.map(needs(Answer::Usual)), other.map(needs(Answer::Other)));
        match likely {
            Answer::Usual => Self { first: usual, second: Some((Answer::Other, other)) },
            Answer::Other => Self { first: other, second: Some((Answer::Usual, usual)) },
        }
    }

    /// The one for a pool of which so much is `known`. A pool is asked only what it has not shown.
    ///
    /// # Errors
    /// [`NoRoom`] for that one.
    pub fn choose(self, known: Option<Answer>) -> Result<Split, NoRoom> {
        let split = match self.second {
            Some((answer, second)) if known == Some(answer) => second,
            _ => self.first,
        }?;
        Ok(Split { probe: split.probe.filter(|_| known.is_none()), ..split })
    }
}

/// A pool's extranonce that cannot be divided as configured.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the pool leaves no room to split: extranonce1 of {extranonce1} bytes, extranonce2 of \
     {extranonce2} bytes, a prefix of {prefix} wanted ({remedy})"
)]
pub struct NoRoom {
    /// Bytes of the pool's extranonce1.
    pub extranonce1: usize,
    /// Bytes that the pool leaves to its miner.
    pub extranonce2: usize,
    /// Bytes that were to be split off.
    pub prefix: usize,
    /// What the operator can do.
    pub remedy: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pool_has_shown_decides_and_else_what_is_likely() {
        const USUAL: Option<Answer> = Some(Answer::Usual);
        const OTHER: Option<Answer> = Some(Answer::Other);
        let split = |rig_extranonce2, probe| {
            let extranonce1 = Extranonce::from_slice(&[7]).unwrap();
            let (needs, remark) = (None, None);
            Ok(Split { extranonce1, prefix_bytes: 1, rig_extranonce2, needs, probe, remark })
        };
        let cut = |splits: Splits, known| {
            let split = splits.choose(known).ok()?;
            Some((split.rig_extranonce2, split.needs, split.probe))
        };
        let either = |likely| Splits::either(split(3, Some(4)), split(4, None), likely);
        assert_eq!(cut(either(Answer::Usual), None), Some((3, USUAL, Some(4))));
        assert_eq!(cut(either(Answer::Other), None), Some((4, OTHER, None)));
        for likely in [Answer::Usual, Answer::Other] {
            assert_eq!(cut(either(likely), USUAL), Some((3, USUAL, None)));
            assert_eq!(cut(either(likely), OTHER), Some((4, OTHER, None)));
        }
        for known in [None, USUAL, OTHER] {
            let probe = Some(4).filter(|_| known.is_none());
            assert_eq!(cut(Splits::sure(split(3, Some(4))), known), Some((3, None, probe)));
        }
        let no_room = NoRoom { extranonce1: 1, extranonce2: 4, prefix: 3, remedy: "none" };
        let either = || Splits::either(Err(no_room.clone()), split(4, None), Answer::Usual);
        assert_eq!(either().choose(None).unwrap_err(), no_room);
        assert_eq!(cut(either(), OTHER), Some((4, OTHER, None)));
    }
}
