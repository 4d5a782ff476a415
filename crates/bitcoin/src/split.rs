//! Dividing a pool's extranonce between rigs.

use std::borrow::Cow;

use orepass_stratum::dialect::{NoRoom, Split, Splits, Subscribed};
use orepass_stratum::firmware::USUAL_EXTRANONCE2 as USUAL;

use crate::terms::MAX_USED;

/// The least that a rig must keep when others share the pool's extranonce: with one byte it would be out
/// of work within a second, unless it rolls versions.
const MIN_RIG: usize = 2;
/// The least, in bytes, that hash rate markets and some firmware want.
const MIN_USUAL: usize = 4;

/// How to divide what a pool gave, of which an extranonce2 of [`MAX_USED`] bytes at most is used.
///
/// Without a wish for `prefix_bytes` two bytes tell rigs apart where each is left with four, else one; 0
/// gives the whole space to one rig.
///
/// ```
/// use orepass_bitcoin::split::splits;
/// use orepass_stratum::dialect::Subscribed;
///
/// let given = |size| Subscribed {
///     extranonce1: "f0000001".parse().unwrap(),
///     announced_size: Some(size),
///     session: None,
/// };
/// let own = |size| splits(&given(size), None).choose(None).unwrap().rig_extranonce2;
/// assert_eq!([4, 6, 8, 16].map(own), [3, 4, 6, 6]);
/// ```
#[must_use]
pub fn splits(given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
    let announced = given.announced_size.unwrap_or(USUAL);
    let size = announced.min(MAX_USED);
    let prefix = prefix_bytes.unwrap_or(if size >= 2 + MIN_USUAL { 2 } else { 1 });
    let least = if prefix == 0 { 1 } else { MIN_RIG };
    let rig = size.checked_sub(prefix).filter(|rig| *rig >= least);
    let Some(rig_extranonce2) = rig else {
        let remedy = match prefix {
            0 => "this pool leaves its miners no extranonce2 at all",
            1 => "set prefix_bytes = 0 for a pool connection per rig; a rig needs 2 bytes",
            _ => "set a smaller prefix_bytes; a rig needs 2 bytes",
        };
        let (extranonce1, extranonce2) = (given.extranonce1.len(), size);
        return Splits::sure(Err(NoRoom { extranonce1, extranonce2, prefix, remedy }));
    };
    Splits::sure(Ok(Split {
        extranonce1: given.extranonce1.clone(),
        prefix_bytes: prefix,
        rig_extranonce2,
        needs: None,
        probe: None,
        remark: remark(announced, rig_extranonce2),
    }))
}

fn remark(announced: usize, rig: usize) -> Option<Cow<'static, str>> {
    if rig < MIN_USUAL {
        return Some(
            format!(
                "the pool announces an extranonce2 of {announced} bytes: rigs keep {rig}. Hash rate \
                 markets and some firmware want 4 at least; with prefix_bytes = 0 each rig has a pool \
                 connection of its own, and all {announced}"
            )
            .into(),
        );
    }
    (announced > MAX_USED).then(|| {
        format!(
            "the pool announces an extranonce2 of {announced} bytes: {MAX_USED} are used, since much \
             firmware fails past that, and the rest is zeros"
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use orepass_stratum::extranonce::Extranonce;

    use super::*;

    fn split(size: Option<usize>, prefix: Option<usize>) -> Result<Split, NoRoom> {
        let given = Subscribed {
            extranonce1: Extranonce::from_slice(&[0xa5; 4]).unwrap(),
            announced_size: size,
            session: None,
        };
        splits(&given, prefix).choose(None)
    }

    #[test]
    fn rigs_keep_four_to_eight_bytes_where_the_pool_has_them() {
        let cut = |size, prefix| {
            let split = split(size, prefix).ok()?;
            Some((split.prefix_bytes, split.rig_extranonce2, split.remark.is_some()))
        };
        assert_eq!(cut(None, None), Some((1, 3, true)));
        assert_eq!(cut(Some(3), None), Some((1, 2, true)));
        assert_eq!(cut(Some(5), None), Some((1, 4, false)));
        for size in 6..=8 {
            assert_eq!(cut(Some(size), None), Some((2, size - 2, false)));
        }
        for size in [9, 16, 28, usize::MAX] {
            assert_eq!(cut(Some(size), None), Some((2, 6, true)));
            for prefix in 0..=4 {
                assert_eq!(cut(Some(size), Some(prefix)), Some((prefix, 8 - prefix, true)));
            }
        }
        assert_eq!(cut(Some(4), Some(0)), Some((0, 4, false)));
        assert_eq!(cut(Some(1), Some(0)), Some((0, 1, true)));
        for (size, prefix) in [(0, Some(0)), (2, None), (4, Some(3)), (0, None)] {
            assert_eq!(cut(Some(size), prefix), None, "{size} {prefix:?}");
        }
    }

    #[test]
    fn errors_carry_the_numbers_and_a_remedy() {
        let text = split(Some(2), None).unwrap_err().to_string();
        for part in ["extranonce1 of 4", "extranonce2 of 2", "prefix of 1", "prefix_bytes = 0"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
