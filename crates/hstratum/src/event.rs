//! Calls from a pool.

use orepass_stratum::common_calls::{self, first};
use orepass_stratum::dialect::{PoolEvent, ShareTarget};
use orepass_stratum::error::ParseError;
use orepass_stratum::rpc;
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;

use crate::field::Field;
use crate::job::Job;
use crate::subscribe::{parse_extranonce1, parse_size};

/// Reads a call from a pool. No Handshake server is known to send `mining.set_target`,
/// `mining.set_extranonce` or `client.reconnect`; they are read in their common form, so that
/// one that does is not misunderstood.
///
/// # Errors
/// A [`ParseError`] that names the field and its value.
pub fn parse_event(method: &str, params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    match method {
        "mining.notify" => Job::parse(params).map(PoolEvent::Notify),
        "mining.set_difficulty" => difficulty(params),
        "mining.set_target" => target(params),
        "mining.set_extranonce" => extranonce(params),
        _ => common_calls::common(method, params),
    }
}

/// A number in an array or alone, with or without quotes.
fn difficulty(params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    let value = first(params).unwrap_or(params);
    let difficulty = rpc::number(value).and_then(Difficulty::new);
    let error = || Field::new("difficulty", value).wrong("a number above zero").into();
    difficulty.map(ShareTarget::Difficulty).map(PoolEvent::Difficulty).ok_or_else(error)
}

fn target(params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    let value = first(params).unwrap_or(params);
    let field = Field::new("target", value);
    let target = Target::from_hex(&field.text()?).map_err(|_| field.wrong("64 hex digits"))?;
    Ok(PoolEvent::Target(target))
}

fn extranonce(params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    let expected = "[extranonce1, extranonce2_size]";
    let wrong = || ParseError::field("params", expected, params.get());
    let (fields, _) = rpc::array::<2>(params).ok_or_else(wrong)?;
    let &[extranonce1, ref size @ ..] = &fields[..] else { return Err(wrong()) };
    Ok(PoolEvent::Extranonce {
        extranonce1: parse_extranonce1(extranonce1)?,
        size: match size {
            [size, ..] => parse_size(size)?,
            [] => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, params: &str) -> Result<PoolEvent<Job>, ParseError> {
        parse_event(method, &RawValue::from_string(params.to_owned()).unwrap())
    }

    #[test]
    fn difficulties_of_every_shape() {
        let cases =
            [("[1]", 1.0), ("3", 3.0), ("[0.00390625]", 0.003_906_25), ("[\"128\"]", 128.0)];
        for (params, expected) in cases {
            match parse("mining.set_difficulty", params).unwrap() {
                PoolEvent::Difficulty(ShareTarget::Difficulty(found)) => {
                    assert_eq!(found.get(), expected, "{params}");
                }
                other => panic!("{params}: {other:?}"),
            }
        }
        for params in ["[0]", "[-1]", "[]", "[null]", "[\"x\"]", "[1e999]", "{}", "[[1]]"] {
            let error = parse("mining.set_difficulty", params).unwrap_err().to_string();
            assert!(error.starts_with("difficulty is "), "{params}: {error}");
        }
    }

    #[test]
    fn other_calls() {
        let event = |method, params| format!("{:?}", parse(method, params).unwrap());
        assert_eq!(
            event("mining.set_extranonce", "[\"a1b2\",4]"),
            "Extranonce { extranonce1: Extranonce(a1b2), size: Some(4) }"
        );
        assert_eq!(
            event("client.reconnect", "[\"pool.example\",\"3008\",5]"),
            "Reconnect { host: Some(\"pool.example\"), port: Some(3008), wait: 5s }"
        );
        for params in ["[]", "{}", "[\"\",null,0]"] {
            assert_eq!(
                event("client.reconnect", params),
                "Reconnect { host: None, port: None, wait: 0ns }"
            );
        }
        assert_eq!(event("client.show_message", "[\"hello\"]"), "Message(\"hello\")");
        assert_eq!(event("mining.ping", "[]"), "Unknown");
        let target = format!("[\"{}\"]", "0f".repeat(32));
        assert!(matches!(parse("mining.set_target", &target), Ok(PoolEvent::Target(_))));
        assert!(parse("mining.set_target", "[1]").is_err());
        assert!(parse("client.reconnect", "[\"h\",70000]").is_err());
        assert!(parse("mining.set_extranonce", "[]").is_err());
    }
}
