//! Dividing a pool's extranonce between rigs.

use orepass_stratum::dialect::{NoRoom, Split, Splits, Subscribed};
use orepass_stratum::firmware::USUAL_EXTRANONCE2 as USUAL;
use orepass_stratum::habits::Answer;

use crate::header::EXTRA_NONCE_SIZE;
use crate::options::SplitMode;

/// The least that a rig must keep when others share the pool's extranonce: a rig with one byte
/// would be out of work within seconds.
const MIN_RIG: usize = 2;
const DEFAULT_PREFIX: usize = 1;

/// The ways to divide what a pool gave. See [`SplitMode`] for the two.
///
/// The announced size is extranonce2's own when it fits the header's 24 bytes together with
/// extranonce1; servers differ in whether they take more. Otherwise it is the size of the whole
/// field, which says nothing about extranonce2 but that there is room behind it. Where the mode leaves
/// it open, the pool's [habit](orepass_stratum::habits::Habit::Split) decides.
///
/// `prefix_bytes` is 1 by default; 0 gives the whole space to one rig.
#[must_use]
pub fn splits(given: &Subscribed, mode: SplitMode, prefix_bytes: Option<usize>) -> Splits {
    let announced = given.announced_size.unwrap_or(USUAL);
    let space = SplitSpace {
        given,
        prefix: prefix_bytes.unwrap_or(DEFAULT_PREFIX),
        beyond: EXTRA_NONCE_SIZE.saturating_sub(given.extranonce1.len()),
    };
    let is_own = announced <= space.beyond;
    let usual = if is_own { announced } else { USUAL.min(space.beyond) };
    let narrow = space.narrow(usual);
    if space.prefix == 0 {
        return Splits::sure(narrow);
    }
    let wide = space.wide(if is_own { announced.max(USUAL) } else { USUAL });
    match (mode, wide) {
        (SplitMode::Narrow, _) | (SplitMode::Auto, None) => Splits::sure(narrow),
        (SplitMode::Auto, Some(wide)) if is_own => {
            // A rig that sends the usual length whatever it is told sends what the wide split needs.
            let probe = (usual <= USUAL).then_some(wide.rig_extranonce2);
            let narrow = narrow.map(|split| Split { probe, ..split });
            Splits::either(narrow, Ok(wide), Answer::Usual)
        }
        (SplitMode::Auto, Some(wide)) => Splits::either(narrow, Ok(wide), Answer::Other),
        (SplitMode::Wide, Some(wide)) => Splits::sure(Ok(wide)),
        (SplitMode::Wide, None) if is_own => {
            let remark = format!(
                "the wide split is not used: extranonce1 of {} bytes and an extranonce2 of \
                 {announced} leave no room for a prefix of {}",
                given.extranonce1.len(),
                space.prefix
            );
            Splits::sure(narrow.map(|split| Split { remark: Some(remark.into()), ..split }))
        }
        (SplitMode::Wide, None) => Splits::sure(Err(NoRoom {
            remedy: "set split = \"narrow\", or a smaller prefix_bytes",
            ..space.no_room(space.beyond)
        })),
    }
}

struct SplitSpace<'a> {
    given: &'a Subscribed,
    prefix: usize,
    /// The bytes of the header's field that extranonce1 leaves.
    beyond: usize,
}

impl SplitSpace<'_> {
    /// Extranonce2 upstream is `size` bytes, prefix included.
    fn narrow(&self, size: usize) -> Result<Split, NoRoom> {
        let least = if self.prefix == 0 { 1 } else { MIN_RIG };
        let rig = size.checked_sub(self.prefix).filter(|rig| *rig >= least);
        Ok(Split {
            extranonce1: self.given.extranonce1.clone(),
            prefix_bytes: self.prefix,
            rig_extranonce2: rig.ok_or_else(|| self.no_room(size))?,
            needs: None,
            probe: None,
            remark: None,
        })
    }

    /// Rigs keep so many bytes; the prefix comes on top, if there is room.
    fn wide(&self, rig: usize) -> Option<Split> {
        let upstream = self.prefix.checked_add(rig).filter(|size| *size <= self.beyond)?;
        let remark = match self.given.announced_size {
            Some(announced) if announced > self.beyond => format!(
                "the pool announces {announced} bytes, the size of the whole extranonce field: rigs \
                 keep {rig} bytes of extranonce2, the pool gets {upstream}"
            ),
            announced => format!(
                "the pool announces an extranonce2 of {} bytes: rigs keep {rig} bytes, the pool gets \
                 {upstream}",
                announced.unwrap_or(USUAL)
            ),
        };
        Some(Split {
            extranonce1: self.given.extranonce1.clone(),
            prefix_bytes: self.prefix,
            rig_extranonce2: rig,
            needs: None,
            probe: None,
            remark: Some(remark.into()),
        })
    }

    fn no_room(&self, extranonce2: usize) -> NoRoom {
        let remedy = match self.prefix {
            0 => "this pool leaves its miners no extranonce2 at all",
            1 => "set prefix_bytes = 0 for a pool connection per rig; a rig needs 2 bytes",
            _ => "set a smaller prefix_bytes; a rig needs 2 bytes",
        };
        let extranonce1 = self.given.extranonce1.len();
        NoRoom { extranonce1, extranonce2, prefix: self.prefix, remedy }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use orepass_stratum::extranonce::Extranonce;
    use proptest::prelude::*;

    use super::*;

    fn given(extranonce1: usize, size: Option<usize>) -> Subscribed {
        Subscribed {
            extranonce1: Extranonce::from_slice(&vec![0xa5; extranonce1]).unwrap(),
            announced_size: size,
            session: None,
        }
    }

    fn split(
        given: &Subscribed,
        mode: SplitMode,
        prefix: Option<usize>,
        known: Option<Answer>,
    ) -> Result<Split, NoRoom> {
        splits(given, mode, prefix).choose(known)
    }

    const USUAL: Option<Answer> = Some(Answer::Usual);
    const OTHER: Option<Answer> = Some(Answer::Other);
    const MODES: [SplitMode; 3] = [SplitMode::Auto, SplitMode::Wide, SplitMode::Narrow];

    /// (prefix, the rig's, falls back, asks with)
    type Cut = (usize, usize, bool, Option<usize>);

    fn cut(
        (extranonce1, size): (usize, Option<usize>),
        mode: SplitMode,
        prefix: Option<usize>,
        known: Option<Answer>,
    ) -> Option<Cut> {
        let split = split(&given(extranonce1, size), mode, prefix, known).ok()?;
        assert_eq!(split.extranonce1.len(), extranonce1);
        let falls_back = split.needs == OTHER;
        Some((split.prefix_bytes, split.rig_extranonce2, falls_back, split.probe))
    }

    #[test]
    fn an_own_size_is_split_narrow_until_the_pool_has_taken_more() {
        let auto = |size, prefix, known| cut((4, size), SplitMode::Auto, prefix, known);
        for size in [Some(4), None] {
            assert_eq!(auto(size, None, None), Some((1, 3, false, Some(4))));
            assert_eq!(auto(size, None, USUAL), Some((1, 3, false, None)));
            assert_eq!(auto(size, None, OTHER), Some((1, 4, true, None)));
            assert_eq!(auto(size, Some(2), None), Some((2, 2, false, Some(4))));
            assert_eq!(auto(size, Some(2), OTHER), Some((2, 4, true, None)));
            assert_eq!(auto(size, Some(3), None), None);
            assert_eq!(auto(size, Some(3), OTHER), Some((3, 4, true, None)));
            for known in [None, USUAL, OTHER] {
                assert_eq!(auto(size, Some(0), known), Some((0, 4, false, None)));
            }
        }
        assert_eq!(auto(Some(8), Some(2), None), Some((2, 6, false, None)), "4 bytes fit none");
        assert_eq!(auto(Some(8), Some(2), OTHER), Some((2, 8, true, None)));
        assert_eq!(auto(Some(20), None, None), Some((1, 19, false, None)));
        assert_eq!(auto(Some(20), None, OTHER), Some((1, 19, false, None)), "there is no room");
        assert_eq!(auto(Some(0), None, None), None);
    }

    #[test]
    fn a_mode_that_is_chosen_holds_on_any_pool() {
        for size in [Some(4), Some(24), None] {
            for known in [None, USUAL, OTHER] {
                let cut = |mode| cut((4, size), mode, None, known);
                assert_eq!(cut(SplitMode::Wide), Some((1, 4, false, None)));
                assert_eq!(cut(SplitMode::Narrow), Some((1, 3, false, None)));
            }
        }
        let remark =
            |size| split(&given(4, Some(size)), SplitMode::Wide, None, None).unwrap().remark;
        assert!(remark(20).unwrap().contains("not used"));
        assert!(remark(4).unwrap().contains("the pool gets 5"));
    }

    #[test]
    fn a_size_of_the_whole_field_is_split_wide_until_the_pool_has_refused_that() {
        let whole = (4, Some(24));
        assert_eq!(cut(whole, SplitMode::Auto, None, None), Some((1, 4, true, None)));
        assert_eq!(cut(whole, SplitMode::Auto, Some(2), None), Some((2, 4, true, None)));
        assert_eq!(cut(whole, SplitMode::Auto, None, USUAL), Some((1, 3, false, None)));
        assert_eq!(cut(whole, SplitMode::Auto, None, OTHER), Some((1, 4, true, None)));
        for mode in MODES {
            assert_eq!(cut(whole, mode, Some(0), None), Some((0, 4, false, None)));
        }
        assert_eq!(cut((20, Some(24)), SplitMode::Auto, None, None), Some((1, 3, false, None)));
        assert_eq!(cut((20, Some(24)), SplitMode::Wide, None, None), None);
        assert_eq!(cut((24, Some(24)), SplitMode::Auto, Some(0), None), None);
    }

    #[test]
    fn errors_carry_the_numbers_and_a_remedy() {
        let error = split(&given(4, Some(4)), SplitMode::Auto, Some(3), None).unwrap_err();
        let text = error.to_string();
        for part in ["extranonce1 of 4", "extranonce2 of 4", "prefix of 3", "prefix_bytes"] {
            assert!(text.contains(part), "{text}");
        }
        let remark = split(&given(4, Some(24)), SplitMode::Auto, None, None).unwrap().remark;
        assert!(remark.unwrap().contains("24 bytes"));
        assert_eq!(split(&given(4, Some(4)), SplitMode::Auto, None, None).unwrap().remark, None);
    }

    proptest! {
        #[test]
        fn a_split_fits_the_field_and_never_panics(
            extranonce1 in 0..=24_usize,
            size in prop::option::of(prop_oneof![0..=30_usize, any::<usize>()]),
            prefix in prop::option::of(prop_oneof![0..=30_usize, any::<usize>()]),
            mode in prop::sample::select(MODES.to_vec()),
            known in prop::sample::select(vec![None, USUAL, OTHER]),
        ) {
            if let Ok(split) = split(&given(extranonce1, size), mode, prefix, known) {
                let upstream = split.prefix_bytes + split.rig_extranonce2;
                prop_assert!(extranonce1 + upstream <= EXTRA_NONCE_SIZE);
                prop_assert!(split.rig_extranonce2 >= 1);
                if let Some(asked) = split.probe {
                    prop_assert!(asked > split.rig_extranonce2);
                    prop_assert!(extranonce1 + split.prefix_bytes + asked <= EXTRA_NONCE_SIZE);
                }
                match size {
                    Some(size) if size <= EXTRA_NONCE_SIZE - extranonce1 => {
                        let wide = split.rig_extranonce2 == size.max(super::USUAL);
                        prop_assert!(upstream == size || wide);
                    }
                    _ => prop_assert!(upstream <= 4 || split.rig_extranonce2 == 4),
                }
            }
        }
    }

    #[test]
    fn rigs_never_meet() {
        for (size, known) in [(4, None), (4, OTHER), (24, None), (24, USUAL)] {
            let split = split(&given(4, Some(size)), SplitMode::Auto, None, known).unwrap();
            let mut seen = HashSet::new();
            for prefix in 0..=255_u8 {
                for counter in [0_u32, 1, 0xffff] {
                    let own = &counter.to_be_bytes()[4 - split.rig_extranonce2..];
                    assert!(seen.insert([&[prefix], own].concat()));
                }
            }
        }
    }
}
