//! How a nonce is divided.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass_stratum::dialect::Subscribed;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::space::MAX_PREFIX;
use orepass_zcash::split::{MAX_TOLD, split};
use proptest::prelude::*;

fn given(extranonce1: usize) -> Subscribed {
    let extranonce1 = Extranonce::from_slice(&vec![0xa5; extranonce1]).unwrap();
    Subscribed { extranonce1, announced_size: None, session: None }
}

/// (prefix, the rig's, whether there is a remark)
fn cut(extranonce1: usize, prefix: Option<usize>) -> Option<(usize, usize, bool)> {
    let split = split(&given(extranonce1), prefix).ok()?;
    assert_eq!((split.extranonce1.len(), split.needs), (extranonce1, None));
    Some((split.prefix_bytes, split.rig_extranonce2, split.remark.is_some()))
}

#[test]
fn rigs_are_told_twelve_bytes_at_most() {
    for (extranonce1, expected) in [
        (0, Some((2, 30, false))),
        (3, Some((2, 27, false))),
        (4, Some((2, 26, false))),
        (8, Some((2, 22, false))),
        (10, Some((2, 20, false))),
        (11, Some((1, 20, false))),
        (12, Some((0, 20, true))),
        (13, None),
        (16, None),
        (32, None),
    ] {
        assert_eq!(cut(extranonce1, None), expected, "{extranonce1}");
    }
}

#[test]
fn a_chosen_prefix_must_fit() {
    assert_eq!(cut(4, Some(4)), Some((4, 24, false)));
    assert_eq!(cut(4, Some(5)), None, "a lease has at most 4 bytes");
    assert_eq!(cut(8, Some(4)), Some((4, 20, false)));
    assert_eq!(cut(9, Some(4)), None);
    assert_eq!(cut(11, Some(1)), Some((1, 20, false)));
    assert_eq!(cut(12, Some(1)), None);
    assert_eq!(cut(4, Some(0)), Some((0, 28, false)));
    assert_eq!(cut(12, Some(0)), Some((0, 20, false)));
    assert_eq!(cut(16, Some(0)), Some((0, 16, true)), "as a miner without us");
    assert_eq!(cut(31, Some(0)), Some((0, 1, true)));
    assert_eq!(cut(32, Some(0)), None, "no nonce is left");
}

#[test]
fn errors_and_remarks_carry_numbers_and_a_remedy() {
    for (extranonce1, prefix, parts) in [
        (4, Some(5), ["extranonce2 of 28", "at most 4"]),
        (10, Some(3), ["a prefix of 3", "12 bytes together"]),
        (12, Some(1), ["extranonce1 of 12", "prefix_bytes = 0"]),
        (16, None, ["extranonce1 of 16", "prefix_bytes = 0"]),
    ] {
        let error = split(&given(extranonce1), prefix).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let remark = |extranonce1, prefix| split(&given(extranonce1), prefix).unwrap().remark.unwrap();
    assert!(remark(12, None).contains("a pool connection of its own"));
    assert!(remark(16, Some(0)).contains("16 bytes; many miners refuse more than 12"));
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
            prop_assert!(split.prefix_bytes <= MAX_PREFIX && split.rig_extranonce2 > 0);
        }
    }
}
