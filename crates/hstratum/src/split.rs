//! Dividing a pool's extranonce between rigs.

use orepass_stratum::dialect::{NoRoom, Split, Subscribed};

use crate::header::EXTRA_NONCE_SIZE;
use crate::options::SplitMode;

/// The extranonce2 that miners send in practice, in bytes, and what a server that announces no
/// size takes.
const USUAL: usize = 4;
/// The least that a rig must keep when others share the pool's extranonce: a rig with one byte
/// would be out of work within seconds.
const MIN_RIG: usize = 2;
const DEFAULT_PREFIX: usize = 1;

/// Divides what a pool gave. See [`SplitMode`] for the two ways.
///
/// The announced size is extranonce2's own when it fits the header's 24 bytes together with
/// extranonce1; upstream, extranonce2 then has exactly that size. Otherwise it is the size of the
/// whole field, which says nothing about extranonce2 but that there is room behind it.
///
/// `prefix_bytes` is 1 by default; 0 gives the whole space to one rig. `fallback` asks for the
/// narrow way, unless the wide one is forced.
///
/// # Errors
/// [`NoRoom`] with the numbers.
pub fn split(
    given: &Subscribed,
    mode: SplitMode,
    prefix_bytes: Option<usize>,
    fallback: bool,
) -> Result<Split, NoRoom> {
    let announced = given.announced_size.unwrap_or(USUAL);
    let space = Space {
        given,
        prefix: prefix_bytes.unwrap_or(DEFAULT_PREFIX),
        beyond: EXTRA_NONCE_SIZE.saturating_sub(given.extranonce1.len()),
    };
    if announced <= space.beyond {
        let unused = format!(
            "split = \"wide\" is not used: the pool announces an extranonce2 of {announced} bytes"
        );
        let remark = (mode == SplitMode::Wide && space.prefix > 0).then_some(unused.into());
        return space.narrow(announced).map(|split| Split { remark, ..split });
    }
    let usual = USUAL.min(space.beyond);
    match mode {
        _ if space.prefix == 0 => space.narrow(usual),
        SplitMode::Narrow => space.narrow(usual),
        SplitMode::Wide => space.wide(announced, false).ok_or_else(|| NoRoom {
            remedy: "set split = \"narrow\", or a smaller prefix_bytes",
            ..space.no_room(space.beyond)
        }),
        SplitMode::Auto if fallback => space.narrow(usual),
        SplitMode::Auto => match space.wide(announced, true) {
            Some(split) => Ok(split),
            None => space.narrow(usual),
        },
    }
}

struct Space<'a> {
    given: &'a Subscribed,
    prefix: usize,
    /// The bytes of the header's field that extranonce1 leaves.
    beyond: usize,
}

impl Space<'_> {
    /// Extranonce2 upstream is `size` bytes, prefix included.
    fn narrow(&self, size: usize) -> Result<Split, NoRoom> {
        let least = if self.prefix == 0 { 1 } else { MIN_RIG };
        let rig = size.checked_sub(self.prefix).filter(|rig| *rig >= least);
        Ok(Split {
            extranonce1: self.given.extranonce1.clone(),
            prefix_bytes: self.prefix,
            rig_extranonce2: rig.ok_or_else(|| self.no_room(size))?,
            wide: false,
            probe: None,
            remark: None,
        })
    }

    /// Rigs keep the usual size; the prefix comes on top, if there is room.
    fn wide(&self, announced: usize, may_fall_back: bool) -> Option<Split> {
        let upstream = self.prefix.checked_add(USUAL).filter(|size| *size <= self.beyond)?;
        let remark = format!(
            "the pool announces {announced} bytes, the size of the whole extranonce field: rigs \
             keep {USUAL} bytes of extranonce2, the pool gets {upstream}"
        );
        Some(Split {
            extranonce1: self.given.extranonce1.clone(),
            prefix_bytes: self.prefix,
            rig_extranonce2: USUAL,
            wide: may_fall_back,
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

    /// (prefix, the rig's, wide)
    fn cut(
        (extranonce1, size): (usize, Option<usize>),
        mode: SplitMode,
        prefix: Option<usize>,
        fallback: bool,
    ) -> Option<(usize, usize, bool)> {
        let split = split(&given(extranonce1, size), mode, prefix, fallback).ok()?;
        assert_eq!(split.extranonce1.len(), extranonce1);
        Some((split.prefix_bytes, split.rig_extranonce2, split.wide))
    }

    #[test]
    fn an_own_size_is_split_narrow_in_every_mode() {
        for mode in [SplitMode::Auto, SplitMode::Wide, SplitMode::Narrow] {
            for fallback in [false, true] {
                let cut = |size, prefix| cut((4, size), mode, prefix, fallback);
                assert_eq!(cut(Some(4), None), Some((1, 3, false)));
                assert_eq!(cut(None, None), Some((1, 3, false)));
                assert_eq!(cut(Some(4), Some(2)), Some((2, 2, false)));
                assert_eq!(cut(Some(4), Some(0)), Some((0, 4, false)));
                assert_eq!(cut(Some(8), Some(2)), Some((2, 6, false)));
                assert_eq!(cut(Some(20), None), Some((1, 19, false)));
                assert_eq!(cut(Some(4), Some(3)), None);
                assert_eq!(cut(Some(0), None), None);
            }
        }
    }

    #[test]
    fn a_size_of_the_whole_field_is_split_by_mode() {
        let whole = (4, Some(24));
        assert_eq!(cut(whole, SplitMode::Auto, None, false), Some((1, 4, true)));
        assert_eq!(cut(whole, SplitMode::Auto, Some(2), false), Some((2, 4, true)));
        assert_eq!(cut(whole, SplitMode::Auto, None, true), Some((1, 3, false)));
        assert_eq!(cut(whole, SplitMode::Narrow, None, false), Some((1, 3, false)));
        assert_eq!(cut(whole, SplitMode::Wide, None, true), Some((1, 4, false)));
        for mode in [SplitMode::Auto, SplitMode::Wide, SplitMode::Narrow] {
            assert_eq!(cut(whole, mode, Some(0), false), Some((0, 4, false)));
        }
        assert_eq!(cut((20, Some(24)), SplitMode::Auto, None, false), Some((1, 3, false)));
        assert_eq!(cut((20, Some(24)), SplitMode::Wide, None, false), None);
        assert_eq!(cut((24, Some(24)), SplitMode::Auto, Some(0), false), None);
    }

    #[test]
    fn errors_carry_the_numbers_and_a_remedy() {
        let error = split(&given(4, Some(4)), SplitMode::Auto, Some(3), false).unwrap_err();
        let text = error.to_string();
        for part in ["extranonce1 of 4", "extranonce2 of 4", "prefix of 3", "prefix_bytes"] {
            assert!(text.contains(part), "{text}");
        }
        let remark = split(&given(4, Some(24)), SplitMode::Auto, None, false).unwrap().remark;
        assert!(remark.unwrap().contains("24 bytes"));
        let remark = |mode| split(&given(4, Some(4)), mode, None, false).unwrap().remark;
        assert!(remark(SplitMode::Wide).unwrap().contains("not used"));
        assert_eq!(remark(SplitMode::Auto), None);
    }

    proptest! {
        #[test]
        fn a_split_fits_the_field_and_never_panics(
            extranonce1 in 0..=24_usize,
            size in prop::option::of(prop_oneof![0..=30_usize, any::<usize>()]),
            prefix in prop::option::of(prop_oneof![0..=30_usize, any::<usize>()]),
            mode in prop::sample::select(vec![SplitMode::Auto, SplitMode::Wide, SplitMode::Narrow]),
            fallback: bool,
        ) {
            if let Ok(split) = split(&given(extranonce1, size), mode, prefix, fallback) {
                let upstream = split.prefix_bytes + split.rig_extranonce2;
                prop_assert!(extranonce1 + upstream <= EXTRA_NONCE_SIZE);
                prop_assert!(split.rig_extranonce2 >= 1);
                match size {
                    Some(size) if size <= EXTRA_NONCE_SIZE - extranonce1 => {
                        prop_assert_eq!(upstream, size);
                    }
                    _ => prop_assert!(upstream <= 4 || split.rig_extranonce2 == 4),
                }
            }
        }
    }

    #[test]
    fn rigs_never_meet() {
        for (size, fallback) in [(4, false), (24, false), (24, true)] {
            let split = split(&given(4, Some(size)), SplitMode::Auto, None, fallback).unwrap();
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
