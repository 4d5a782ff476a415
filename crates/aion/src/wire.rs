//! How a pool says a job and a rig a share, and back: SV1, in JSON.

pub mod event;
mod notify;
pub mod submit;
pub mod subscribe;

use orepass_stratum::field::{Field, Wrong};
use orepass_stratum::target::Target;

/// A target, most significant digit first, with or without `0x`.
///
/// No hash is below zero: servers of the Miningcore family send that for difficulty 1, whose target of
/// 2²⁵⁶ overflows. What they mean is the easiest target.
fn target(field: Field<'_>) -> Result<Target, Wrong<'_>> {
    let target = field.target()?;
    Ok(if target == Target::ZERO { Target::MAX } else { target })
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_target_of_zero_is_the_easiest() {
        let read = |text: &str| {
            let value = RawValue::from_string(format!("{text:?}")).unwrap();
            target(Field::new("f", &value)).ok()
        };
        assert_eq!(read(&"0".repeat(64)), Some(Target::MAX));
        assert_eq!(read(&format!("0x{}", "f".repeat(64))), Some(Target::MAX));
        assert_eq!(read(&"0F".repeat(32)), Some(Target::from_be_bytes([0x0f; 32])));
        for wrong in ["", "0x", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
