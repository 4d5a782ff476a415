use proptest::prelude::*;

use super::*;

fn usual() -> Scale {
    Scale::from_diff1(Target::from_compact(0x1d00_ffff).unwrap())
}

#[test]
fn compact_forms_round_trip() {
    for bits in [0x1d00_ffff, 0x1c00_ffff, 0x207f_ffff, 0x0300_ffff, 0x0412_3456, 0x1d55_5555] {
        let target = Target::from_compact(bits).unwrap();
        assert_eq!(target.to_compact_lossy(), bits, "{bits:08x}");
    }
    assert_eq!(Target::from_compact(0x1d80_ffff), None, "negative");
    assert_eq!(Target::from_compact(0x2300_ffff), None, "overflow");
    assert_eq!(Target::from_compact(0xff12_3456), None, "overflow");
    assert_eq!(Target::MAX.rounded_to_compact().to_compact_lossy(), 0x2100_ffff);
}

#[test]
fn small_and_large_difficulties() {
    let scale = usual();
    let one = scale.target(Difficulty::ONE);
    assert_eq!(one.to_compact_lossy(), 0x1d00_ffff);
    assert_eq!(scale.target(Difficulty::new(f64::MIN_POSITIVE).unwrap()), Target::MAX);
    assert_eq!(scale.target(Difficulty::new(5e-324).unwrap()), Target::MAX);
    assert_eq!(scale.target(Difficulty::new(f64::MAX).unwrap()), Target::ZERO);
    assert_eq!(scale.target(Difficulty::new(0.5).unwrap()).value(), one.value() << 1);
    assert_eq!(scale.difficulty_lossy(one), Difficulty::ONE);
    assert!(Difficulty::new(0.0).is_none());
    assert!(Difficulty::new(f64::NAN).is_none());
    assert!(Difficulty::new(-1.0).is_none());
}

#[test]
fn a_difficulty_just_above_a_whole_one_is_not_told_as_that_one() {
    let target = usual().target(Difficulty::new(1000.0009).unwrap());
    assert!(usual().difficulty_lossy(target).get() > 1000.0008);
    let target = usual().target(Difficulty::new(999.9995).unwrap());
    assert_eq!(usual().difficulty_lossy(target).get(), 1000.0, "a harder one does no harm");
    assert!(usual().target(usual().difficulty_lossy(Target::ZERO)) == Target::ZERO);
}

#[test]
fn a_numerator_of_two_to_the_256_is_clamped() {
    let scale = Scale::from_power_of_two(256);
    assert_eq!(scale.target(Difficulty::ONE), Target::MAX);
    assert_eq!(scale.target(Difficulty::new(2.0).unwrap()).value(), U256::from(1) << 255);
}

#[test]
fn work_of_a_share() {
    assert!((usual().target(Difficulty::ONE).hashes_lossy() / 4_295_032_833.0 - 1.0).abs() < 1e-9);
    assert!((Target::MAX.hashes_lossy() - 1.0).abs() < 1e-9);
}

proptest! {
    /// For whole difficulties the target is the big-integer quotient, computed here by long
    /// division over bytes, independently of the implementation.
    #[test]
    fn whole_difficulties_match_long_division(difficulty in 1_u64..1 << 53) {
        let mut diff1 = [0_u8; 32];
        diff1[4] = 0xff;
        diff1[5] = 0xff;
        let mut quotient = [0_u8; 32];
        let mut remainder = 0_u128;
        for (out, byte) in quotient.iter_mut().zip(diff1) {
            remainder = remainder << 8 | u128::from(byte);
            *out = (remainder / u128::from(difficulty)) as u8;
            remainder %= u128::from(difficulty);
        }
        let target = usual().target(Difficulty::new(difficulty as f64).unwrap());
        prop_assert_eq!(target, Target::from_be_bytes(quotient));
    }

    #[test]
    fn difficulty_and_target_are_inverse(difficulty in 1e-6_f64..1e12) {
        let target = usual().target(Difficulty::new(difficulty).unwrap());
        let back = usual().difficulty_lossy(target).get();
        prop_assert!((back / difficulty - 1.0).abs() < 2e-6, "{back} {difficulty}");
    }

    /// A rig that is told the difficulty sends no share that misses the target.
    #[test]
    fn a_told_difficulty_is_never_easier_than_its_target(
        bytes: [u8; 32],
        zeros in 0..32_usize,
        whole in 1_u32..2_000_000,
        off in -2e-6_f64..2e-6,
    ) {
        let mut near_zero = bytes;
        near_zero[..zeros].fill(0);
        let near_whole = Difficulty::new(f64::from(whole) * (1.0 + off)).unwrap();
        for scale in [usual(), Scale::from_power_of_two(256), Scale::from_power_of_two(243)] {
            for target in [Target::from_be_bytes(near_zero), scale.target(near_whole)] {
                let told = scale.difficulty_lossy(target);
                prop_assert!(scale.target(told) <= target, "{target} {told}");
                let exact = to_f64(scale.diff1) / to_f64(U512::from(target.0)).max(1.0);
                prop_assert!((told.get() / exact - 1.0).abs() < 1e-6, "{target} {told}");
            }
            let whole = Difficulty::new(whole.into()).unwrap();
            prop_assert_eq!(scale.difficulty_lossy(scale.target(whole)), whole);
        }
    }

    #[test]
    fn compact_rounding_is_never_easier(bytes: [u8; 32]) {
        let target = Target::from_be_bytes(bytes);
        prop_assert!(target.rounded_to_compact() <= target);
    }

    #[test]
    fn hex_round_trips(bytes: [u8; 32]) {
        let target = Target::from_be_bytes(bytes);
        prop_assert_eq!(Target::from_hex(&target.to_string()).unwrap(), target);
    }
}
