//! `mining.configure` and `mining.set_version_mask` (BIP 310).
//!
//! A miner sends `[names, {name.parameter: value}]`, the server answers `{name: true or false,
//! name.parameter: value}`. A mask is 8 hex digits, most significant first.

use std::fmt;

use orepass_stratum::error::ParseError;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::Quoted;
use orepass_stratum::sv1;
use orepass_stratum::target::Difficulty;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::rig::{LeastDifficulty, RigWishes};
use crate::version::VersionMask;

/// Another mask, by the server; `[mask]`.
pub const SET_VERSION_MASK: &str = "mining.set_version_mask";

const VERSION_ROLLING: &str = "version-rolling";
const MASK: &str = "version-rolling.mask";
const MIN_BIT_COUNT: &str = "version-rolling.min-bit-count";
const MINIMUM_DIFFICULTY: &str = "minimum-difficulty";
const MINIMUM_DIFFICULTY_VALUE: &str = "minimum-difficulty.value";
const SUBSCRIBE_EXTRANONCE: &str = "subscribe-extranonce";
/// What a rig tells of itself; nothing comes of it.
const INFO: &str = "info";
/// The most extensions of one call that are answered.
const MAX_EXTENSIONS: usize = 16;

/// Notes what a rig wishes for, of which it may roll the bits that are `allowed`. What it does not name
/// stays as it was.
///
/// ```
/// use orepass_bitcoin::VersionMask;
/// use orepass_bitcoin::rig::RigWishes;
/// use orepass_bitcoin::wire::configure::note_wishes;
/// use serde_json::value::RawValue;
///
/// let params = r#"[["version-rolling"],{"version-rolling.mask":"0000ffff"}]"#;
/// let mut rig = RigWishes::default();
/// note_wishes(&RawValue::from_string(params.into())?, VersionMask::ROLLABLE, &mut rig);
/// assert_eq!(rig.mask, VersionMask(0x0000_e000));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn note_wishes(params: &RawValue, allowed: VersionMask, rig: &mut RigWishes) {
    let (names, options) = read(params);
    for name in &names {
        match &**name {
            VERSION_ROLLING => {
                // A miner that names no mask can roll every bit.
                let mask = options.get(MASK).map_or(Some(VersionMask(u32::MAX)), mask_of);
                rig.asks_to_roll = true;
                rig.mask = mask.unwrap_or_default().and(allowed);
                rig.least_bits = options.get(MIN_BIT_COUNT).and_then(count).unwrap_or_default();
            }
            MINIMUM_DIFFICULTY => {
                let value = options.get(MINIMUM_DIFFICULTY_VALUE).and_then(Value::as_f64);
                let least = value.and_then(Difficulty::new).map(LeastDifficulty::at);
                rig.least = least.unwrap_or_default();
            }
            SUBSCRIBE_EXTRANONCE => rig.follows = true,
            _ => {}
        }
    }
}

/// Displays as what a rig is granted of its wishes: each extension that it named is there.
pub fn granted(asked: Option<&RawValue>, rig: &RigWishes) -> impl fmt::Display {
    let (names, _) = asked.map(read).unwrap_or_default();
    let RigWishes { mask, .. } = *rig;
    fmt::from_fn(move |f| {
        f.write_str("{")?;
        for (index, name) in names.iter().enumerate() {
            let is_granted = match &**name {
                VERSION_ROLLING => !mask.is_none(),
                MINIMUM_DIFFICULTY | SUBSCRIBE_EXTRANONCE | INFO => true,
                _ => false,
            };
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{is_granted}", Quoted(name))?;
            if name == VERSION_ROLLING && is_granted {
                write!(f, ",\"{MASK}\":\"{mask}\"")?;
            }
        }
        f.write_str("}")
    })
}

/// Displays as the parameters by which a pool is asked for these bits.
pub fn wish(mask: VersionMask) -> impl fmt::Display {
    let bits = u32::from(!mask.is_none());
    fmt::from_fn(move |f| {
        write!(f, "[[\"{VERSION_ROLLING}\"],{{\"{MASK}\":\"{mask}\",\"{MIN_BIT_COUNT}\":{bits}}}]")
    })
}

/// The bits that a pool's answer grants; none where it grants nothing.
#[must_use]
pub fn grant(result: &RawValue) -> VersionMask {
    let Ok(Value::Object(grant)) = serde_json::from_str(result.get()) else {
        return VersionMask::NONE;
    };
    let is_granted = grant.get(VERSION_ROLLING) == Some(&Value::Bool(true));
    grant.get(MASK).and_then(mask_of).filter(|_| is_granted).unwrap_or_default()
}

/// Reads the parameters of a [`SET_VERSION_MASK`]: the mask in an array or alone.
///
/// # Errors
/// A [`ParseError`] that shows the value.
pub fn set_version_mask(params: &RawValue) -> Result<VersionMask, ParseError> {
    let mask = Field::new("version mask", sv1::first(params).unwrap_or(params)).hex_u32()?;
    Ok(VersionMask(mask))
}

/// The names, each once, and all parameters.
fn read(params: &RawValue) -> (Vec<String>, Map<String, Value>) {
    let (mut names, mut options) = (Vec::new(), Map::new());
    let Ok(Value::Array(params)) = serde_json::from_str(params.get()) else {
        return (names, options);
    };
    let mut params = params.into_iter();
    if let Some(Value::Array(given)) = params.next() {
        for name in given.into_iter().take(MAX_EXTENSIONS) {
            if let Value::String(name) = name
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
    }
    if let Some(Value::Object(given)) = params.next() {
        options = given;
    }
    (names, options)
}

fn mask_of(value: &Value) -> Option<VersionMask> {
    value.as_str()?.parse().ok()
}

/// A number of bits; some firmware writes it as a mask, of digits in quotes.
fn count(value: &Value) -> Option<u8> {
    let count = value.as_u64().or_else(|| u64::from_str_radix(value.as_str()?, 16).ok())?;
    u8::try_from(count).ok().filter(|count| u32::from(*count) <= u32::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn asked(params: &str) -> (RigWishes, String) {
        let (mut rig, params) = (RigWishes::default(), raw(params));
        note_wishes(&params, VersionMask::ROLLABLE, &mut rig);
        (rig, granted(Some(&params), &rig).to_string())
    }

    #[test]
    fn each_extension_that_is_named_has_an_answer() {
        let (rig, answer) = asked(
            r#"[["minimum-difficulty","version-rolling","subscribe-extranonce","info","magic"],
                {"minimum-difficulty.value":2048,"version-rolling.mask":"18FFFFFF",
                 "version-rolling.min-bit-count":2,"info.hw-version":"s9"}]"#,
        );
        assert_eq!(
            answer,
            "{\"minimum-difficulty\":true,\"version-rolling\":true,\
             \"version-rolling.mask\":\"18ffe000\",\"subscribe-extranonce\":true,\"info\":true,\
             \"magic\":false}"
        );
        assert_eq!(rig.least.get(), Difficulty::new(2048.0));
        assert!(rig.follows && rig.asks_to_roll && rig.least_bits == 2);
    }

    #[test]
    fn what_is_left_out_or_makes_no_sense_is_borne() {
        let (rig, answer) = asked(r#"[["version-rolling"],{}]"#);
        assert_eq!(rig.mask, VersionMask::ROLLABLE);
        assert!(answer.contains("1fffe000"), "{answer}");
        let bits = r#"[["version-rolling"],{"version-rolling.min-bit-count":"00000002"}]"#;
        assert_eq!(asked(bits).0.least_bits, 2, "as some firmware writes it");
        for none in ["\"x\"", "7", "\"00000001\""] {
            let params = format!(r#"[["version-rolling"],{{"version-rolling.mask":{none}}}]"#);
            let (rig, answer) = asked(&params);
            assert_eq!((rig.mask, &*answer), (VersionMask::NONE, "{\"version-rolling\":false}"));
            assert!(rig.asks_to_roll);
        }
        for (params, expected) in [
            ("[]", "{}"),
            ("{}", "{}"),
            ("[[7,\"a\\\"b\",\"a\\\"b\"]]", "{\"a\\\"b\":false}"),
            (
                r#"[["minimum-difficulty"],{"minimum-difficulty.value":0}]"#,
                "{\"minimum-difficulty\":true}",
            ),
        ] {
            let (rig, answer) = asked(params);
            assert_eq!((rig, &*answer), (RigWishes::default(), expected), "{params}");
        }
    }

    #[test]
    fn a_second_call_changes_what_it_names_alone() {
        let (mut rig, _) = asked(r#"[["version-rolling"],{"version-rolling.mask":"0000e000"}]"#);
        let again = raw(r#"[["minimum-difficulty"],{"minimum-difficulty.value":0.5}]"#);
        note_wishes(&again, VersionMask::ROLLABLE, &mut rig);
        assert_eq!(rig.mask, VersionMask(0x0000_e000));
        assert_eq!(rig.least.get(), Difficulty::new(0.5));
    }

    #[test]
    fn a_pool_grants_in_so_many_words_or_not_at_all() {
        let granted = |text: &str| grant(&raw(text)).0;
        let yes = r#"{"version-rolling":true,"version-rolling.mask":"18000000"}"#;
        assert_eq!(granted(yes), 0x1800_0000);
        for no in [
            r#"{"version-rolling":false,"version-rolling.mask":"18000000"}"#,
            r#"{"version-rolling":"not today","version-rolling.mask":"18000000"}"#,
            r#"{"version-rolling":true}"#,
            "{}",
            "null",
            "true",
        ] {
            assert_eq!(granted(no), 0, "{no}");
        }
        assert_eq!(set_version_mask(&raw("[\"00003000\"]")), Ok(VersionMask(0x3000)));
        let error = set_version_mask(&raw("[7]")).unwrap_err().to_string();
        assert!(error.starts_with("version mask is 7"), "{error}");
    }
}
