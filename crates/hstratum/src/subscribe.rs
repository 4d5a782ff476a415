//! What a pool gives at subscribe.

use orepass_stratum::dialect::Subscribed;
use orepass_stratum::error::ParseError;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc;
use serde_json::value::RawValue;

use crate::field::Field;
use crate::header::EXTRA_NONCE_SIZE;

/// The longest session id that is kept, in bytes.
const MAX_SESSION: usize = 64;

/// Reads the result of a `mining.subscribe`: `[[[method, session id], …], extranonce1, size]`.
///
/// The pairs may come in any order or be absent, a single one without its outer brackets; the
/// size may be missing. What the size is of differs by server, see [`split`](crate::split::split).
///
/// ```
/// use orepass_hstratum::subscribe::parse_subscribed;
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
    let expected = "[subscriptions, extranonce1, extranonce2_size]";
    let (fields, _) = rpc::array::<3>(result)
        .ok_or_else(|| ParseError::field("subscribe result", expected, result.get()))?;
    let &[subscriptions, extranonce1, ref size @ ..] = &fields[..] else {
        return Err(ParseError::field("subscribe result", expected, result.get()));
    };
    Ok(Subscribed {
        extranonce1: parse_extranonce1(extranonce1)?,
        announced_size: match size {
            [size, ..] => parse_size(size)?,
            [] => None,
        },
        session: session(subscriptions),
    })
}

/// Reads an extranonce1, which must leave the header's field of 24 bytes whole.
pub(crate) fn parse_extranonce1(value: &RawValue) -> Result<Extranonce, ParseError> {
    let field = Field::new("extranonce1", value);
    let parsed = field.text()?.parse().ok();
    parsed
        .filter(|extranonce1: &Extranonce| extranonce1.len() <= EXTRA_NONCE_SIZE)
        .ok_or_else(|| field.wrong("up to 24 bytes of hex").into())
}

/// Reads an announced size in bytes; null is none.
pub(crate) fn parse_size(value: &RawValue) -> Result<Option<usize>, ParseError> {
    if value.get() == "null" {
        return Ok(None);
    }
    let size = rpc::whole(value).and_then(|size| size.try_into().ok());
    let error = || ParseError::field("extranonce2_size", "a number of bytes", value.get());
    size.map(Some).ok_or_else(error)
}

/// The id that goes with `mining.notify`, or else the first.
fn session(subscriptions: &RawValue) -> Option<Box<str>> {
    const MAX_PAIRS: usize = 4;
    let pair = |value| {
        let (pair, _) = rpc::array::<2>(value)?;
        let &[method, id] = &pair[..] else { return None };
        let id = rpc::string(id).filter(|id| id.len() <= MAX_SESSION)?;
        Some((rpc::string(method)?, id))
    };
    let (pairs, _) = rpc::array::<MAX_PAIRS>(subscriptions)?;
    let nested = || pairs.iter().filter_map(|value| pair(value));
    nested()
        .find(|(method, _)| method == "mining.notify")
        .or_else(|| nested().next())
        .or_else(|| pair(subscriptions))
        .map(|(_, id)| id.into())
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
