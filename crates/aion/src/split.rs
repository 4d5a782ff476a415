//! Dividing a pool's extranonce between rigs.

use std::borrow::Cow;

use orepass_stratum::dialect::{NoRoom, Split, Subscribed};
use orepass_stratum::space::MAX_PREFIX;

use crate::share::NONCE_SIZE;

/// The longest extranonce1 that a rig is told, in bytes.
///
/// The reference miner and its descendants count in the bytes behind extranonce1, up to byte 18,
/// and put the number of their thread into byte 19. With 16 bytes told, a thread has 2²⁴ nonces
/// for a job; with more it soon runs out of them, or hashes what it does not submit.
pub const MAX_TOLD: usize = 16;
/// The longest extranonce1 that every miner known takes, in bytes.
const TAKEN_BY_ALL: usize = 12;
const DEFAULT_PREFIX: usize = 2;

/// Divides what a pool gave: a nonce has 32 bytes, of which the pool's extranonce1 and the prefix
/// together are at most [`MAX_TOLD`].
///
/// `prefix_bytes` is 2 by default, for 65,536 rigs. Behind an extranonce1 of 15 bytes it is 1, and
/// behind one of 16 it is 0: a pool connection for each rig. Where 0 is chosen, extranonce1 may be
/// longer, with a remark: whoever connects a miner to such a pool directly has the same.
///
/// # Errors
/// [`NoRoom`] with the numbers.
pub fn split(given: &Subscribed, prefix_bytes: Option<usize>) -> Result<Split, NoRoom> {
    let extranonce1 = given.extranonce1.len();
    let room = MAX_TOLD.saturating_sub(extranonce1);
    let prefix = prefix_bytes.unwrap_or_else(|| DEFAULT_PREFIX.min(room));
    let fits = match prefix_bytes {
        Some(0) => extranonce1 < NONCE_SIZE,
        _ => extranonce1 <= MAX_TOLD && prefix <= room.min(MAX_PREFIX),
    };
    if !fits {
        return Err(NoRoom {
            extranonce1,
            extranonce2: NONCE_SIZE.saturating_sub(extranonce1),
            prefix,
            remedy: remedy(extranonce1, room),
        });
    }
    let told = extranonce1 + prefix;
    Ok(Split {
        extranonce1: given.extranonce1.clone(),
        prefix_bytes: prefix,
        rig_extranonce2: NONCE_SIZE - told,
        needs: None,
        probe: None,
        remark: remark(extranonce1, prefix, prefix_bytes.is_some()),
    })
}

/// What becomes of miners that are told so much.
const fn hazard(told: usize) -> &'static str {
    match told {
        19.. => {
            "miners put their thread's number into byte 19 of the nonce, and would hash nonces that \
             they do not submit"
        }
        17.. => {
            "miners count in bytes up to 18 of the nonce, and a thread would run out of nonces \
             within seconds of a job"
        }
        _ => "some miners refuse more than 12",
    }
}

const fn remedy(extranonce1: usize, room: usize) -> &'static str {
    match (extranonce1, room) {
        (17.., _) => {
            "use another server, or set prefix_bytes = 0 for a pool connection per rig if your \
             miners can do with it: most count in bytes up to 18 of the nonce and have none, or \
             too few, to count in, and put their thread's number into byte 19"
        }
        (_, 0) => "set prefix_bytes = 0 for a pool connection per rig",
        (_, ..MAX_PREFIX) => {
            "set a smaller prefix_bytes; extranonce1 and prefix may have 16 bytes together"
        }
        _ => "set a smaller prefix_bytes; a prefix has at most 4 bytes",
    }
}

fn remark(extranonce1: usize, prefix: usize, chosen: bool) -> Option<Cow<'static, str>> {
    let told = extranonce1 + prefix;
    if told <= TAKEN_BY_ALL {
        return None;
    }
    let alone = if prefix == 0 && !chosen {
        "; that leaves nothing to split, so each rig needs a pool connection of its own"
    } else {
        ""
    };
    Some(Cow::Owned(format!(
        "the pool's extranonce1 has {extranonce1} bytes and rigs are told {told}{alone}; {}",
        hazard(told)
    )))
}

#[cfg(test)]
mod tests {
    use orepass_stratum::extranonce::Extranonce;
    use proptest::prelude::*;

    use super::*;

    fn given(extranonce1: usize) -> Subscribed {
        Subscribed {
            extranonce1: Extranonce::from_slice(&vec![0xa5; extranonce1]).unwrap(),
            announced_size: None,
            session: None,
        }
    }

    /// (prefix, the rig's, whether there is a remark)
    fn cut(extranonce1: usize, prefix: Option<usize>) -> Option<(usize, usize, bool)> {
        let split = split(&given(extranonce1), prefix).ok()?;
        assert_eq!((split.extranonce1.len(), split.needs), (extranonce1, None));
        Some((split.prefix_bytes, split.rig_extranonce2, split.remark.is_some()))
    }

    #[test]
    fn the_default_leaves_miners_their_counter() {
        for (extranonce1, expected) in [
            (0, Some((2, 30, false))),
            (2, Some((2, 28, false))),
            (4, Some((2, 26, false))),
            (8, Some((2, 22, false))),
            (10, Some((2, 20, false))),
            (11, Some((2, 19, true))),
            (14, Some((2, 16, true))),
            (15, Some((1, 16, true))),
            (16, Some((0, 16, true))),
            (17, None),
            (20, None),
            (24, None),
        ] {
            assert_eq!(cut(extranonce1, None), expected, "{extranonce1}");
        }
    }

    #[test]
    fn a_chosen_prefix_must_fit() {
        assert_eq!(cut(8, Some(0)), Some((0, 24, false)));
        assert_eq!(cut(8, Some(4)), Some((4, 20, false)));
        assert_eq!(cut(8, Some(5)), None, "a lease has at most 4 bytes");
        assert_eq!(cut(12, Some(4)), Some((4, 16, true)));
        assert_eq!(cut(13, Some(4)), None);
        assert_eq!(cut(16, Some(0)), Some((0, 16, true)));
        assert_eq!(cut(16, Some(1)), None);
        assert_eq!(cut(17, Some(0)), Some((0, 15, true)), "as a miner without us");
        assert_eq!(cut(24, Some(0)), Some((0, 8, true)));
        assert_eq!(cut(31, Some(0)), Some((0, 1, true)));
        assert_eq!(cut(32, Some(0)), None, "no nonce is left");
        assert_eq!(cut(17, Some(1)), None);
    }

    #[test]
    fn errors_and_remarks_carry_numbers_and_a_remedy() {
        for (extranonce1, prefix, parts) in [
            (8, 5, ["extranonce2 of 24", "at most 4"]),
            (14, 3, ["a prefix of 3", "16 bytes together"]),
            (16, 1, ["extranonce1 of 16", "prefix_bytes = 0"]),
            (18, 1, ["extranonce1 of 18", "prefix_bytes = 0"]),
            (20, 2, ["extranonce2 of 12", "byte 19"]),
        ] {
            let error = split(&given(extranonce1), Some(prefix)).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        let remark = |extranonce1, prefix| {
            split(&given(extranonce1), prefix).unwrap().remark.unwrap_or_default()
        };
        assert!(remark(16, None).contains("a pool connection of its own"));
        assert!(!remark(16, Some(0)).contains("a pool connection of its own"));
        assert!(remark(12, None).contains("told 14; some miners refuse more than 12"));
        assert_eq!(remark(10, None), "");
        assert!(remark(18, Some(0)).contains("18 bytes and rigs are told 18; miners count in"));
        assert!(remark(20, Some(0)).contains("byte 19 of the nonce"));
    }

    proptest! {
        #[test]
        fn nothing_overflows(
            extranonce1 in 0..=32_usize,
            prefix in prop::option::of(prop_oneof![0..=30_usize, any::<usize>()]),
        ) {
            if let Ok(split) = split(&given(extranonce1), prefix) {
                prop_assert_eq!(extranonce1 + split.prefix_bytes + split.rig_extranonce2, 32);
                prop_assert!(extranonce1 + split.prefix_bytes <= MAX_TOLD || prefix == Some(0));
                prop_assert!(split.prefix_bytes <= MAX_PREFIX);
            }
        }
    }
}
