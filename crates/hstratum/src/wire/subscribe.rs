//! What a pool gives at subscribe.

use orepass_stratum::dialect::Subscribed;
use orepass_stratum::error::ParseError;
use orepass_stratum::sv1;
use serde_json::value::RawValue;

use crate::header::EXTRA_NONCE_SIZE;

/// Reads the result of a `mining.subscribe`: `[[[method, session id], …], extranonce1, size]`.
///
/// The pairs may come in any order or be absent, a single one without its outer brackets; the
/// size may be missing. What the size is of differs by server, see [`splits`](crate::split::splits).
///
/// ```
/// use orepass_hstratum::wire::subscribe::parse_subscribed;
/// use serde_json::value::RawValue;
///
/// let result = r#"[[["mining.set_difficulty","0a"],["mining.notify","0a"]],"02c05bfd",24]"#;
/// let given = parse_subscribed(&RawValue::from_string(result.into())?)?;
/// assert_eq!((given.extranonce1.to_string().as_str(), given.announced_size), ("02c05bfd", Some(24)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A [`ParseError`] that names the field and its value.
pub fn parse_subscribed(result: &RawValue) -> Result<Subscribed, ParseError> {
    sv1::read_subscribed(result, EXTRA_NONCE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Subscribed, ParseError> {
        parse_subscribed(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn every_known_shape() {
        let cases = [
            (
                r#"[[["mining.notify","a1"],["mining.set_difficulty","a1"]],"a1",4]"#,
                1,
                Some(4),
                "a1",
            ),
            (
                r#"[[["mining.set_difficulty","x"],["mining.notify","y"]],"00c05bfd",24]"#,
                4,
                Some(24),
                "y",
            ),
            (r#"[["mining.notify","a1"],"00c05bfd","4"]"#, 4, Some(4), "a1"),
            (r#"[["mining.notify","a1"],"00c05bfd",4.0]"#, 4, Some(4), "a1"),
            (r#"[[["mining.notify","a1"]],"00C05BFD00000000",16]"#, 8, Some(16), "a1"),
            (r#"[[["mining.notify","a1"]],"",24]"#, 0, Some(24), "a1"),
            (r#"[[["mining.notify","a1"]],"00c05bfd"]"#, 4, None, "a1"),
            (r#"[[],"00c05bfd",4]"#, 4, Some(4), ""),
            (r#"[null,"00c05bfd",null,1]"#, 4, None, ""),
        ];
        for (text, len, size, session) in cases {
            let given = parse(text).unwrap();
            assert_eq!((given.extranonce1.len(), given.announced_size), (len, size), "{text}");
            assert_eq!(given.session.as_deref().unwrap_or_default(), session, "{text}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let long = format!("[null,\"{}\",24]", "00".repeat(25));
        let cases = [
            ("\"5f1a\"", "subscribe result is \"5f1a\""),
            ("[]", "subscribe result"),
            ("[[]]", "subscribe result"),
            ("{}", "subscribe result"),
            ("[[],7,4]", "extranonce1 is 7"),
            ("[[],\"0x1234\",4]", "extranonce1 is \"0x1234\""),
            ("[[],\"abc\",4]", "extranonce1 is \"abc\""),
            (&long, "extranonce1"),
            ("[[],\"ab\",-4]", "extranonce2_size is -4"),
            ("[[],\"ab\",4.5]", "extranonce2_size is 4.5"),
            ("[[],\"ab\",[4]]", "extranonce2_size is [4]"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
