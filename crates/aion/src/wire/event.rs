//! Calls from a pool.

use orepass_stratum::dialect::{PoolEvent, ShareTarget};
use orepass_stratum::error::ParseError;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::{self, RpcCall};
use orepass_stratum::sv1;
use orepass_stratum::target::Difficulty;
use serde_json::value::RawValue;

use super::subscribe::parse_extranonce1;
use crate::job::Job;

/// Reads a call from a pool. The specification has the methods without their `mining.` in front,
/// servers with it.
///
/// ```
/// use orepass_aion::wire::event::hear;
/// use orepass_stratum::dialect::PoolEvent;
/// use orepass_stratum::rpc::RpcCall;
/// use serde_json::value::RawValue;
///
/// let params = RawValue::from_string(format!("[\"0020{}\"]", "0".repeat(60)))?;
/// let call = RpcCall { method: "mining.set_target", params: Some(&params) };
/// let PoolEvent::Target(target) = hear(call) else { panic!() };
/// assert_eq!(target.hashes_lossy().round(), 2048.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn hear(call: RpcCall<'_>) -> PoolEvent<Job> {
    let params = call.params_or_null();
    let heard = match call.method.strip_prefix("mining.").unwrap_or(call.method) {
        "notify" => return PoolEvent::Job(Job::parse(params)),
        "set_target" => target(params),
        "set_difficulty" => difficulty(params),
        "set_extranonce" => extranonce(params),
        _ => return sv1::hear_pool(call),
    };
    heard.unwrap_or_else(PoolEvent::Unusable)
}

/// Zeros are the easiest target, which overflowed.
fn target(params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    let field = Field::new("target", sv1::first(params).unwrap_or(params));
    Ok(PoolEvent::Target(super::target(field)?))
}

fn extranonce(params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    let extranonce1 = parse_extranonce1(sv1::first(params).unwrap_or(params))?;
    Ok(PoolEvent::Extranonce { extranonce1, size: None })
}

/// A number is a difficulty. The node-based servers send a target instead, 64 hex digits in a
/// string, which may happen to read as a number too.
fn difficulty(params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
    let value = sv1::first(params).unwrap_or(params);
    let field = Field::new("difficulty", value);
    if let Ok(target) = super::target(field) {
        return Ok(PoolEvent::Difficulty(ShareTarget::Target(target)));
    }
    let difficulty = rpc::number(value).and_then(Difficulty::new);
    let error = || field.wrong("a number above zero, or 64 hex digits").into();
    difficulty.map(ShareTarget::Difficulty).map(PoolEvent::Difficulty).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use orepass_stratum::testing;

    use super::*;

    fn parse(method: &str, params: &str) -> Result<PoolEvent<Job>, ParseError> {
        let params = RawValue::from_string(params.to_owned()).unwrap();
        testing::hear(&crate::Aion::default(), method, &params)
    }

    #[test]
    fn difficulties_are_numbers_or_targets() {
        let cases = [("[512]", 512.0), ("[0.5]", 0.5), ("[\"128\"]", 128.0), ("3", 3.0)];
        for (params, expected) in cases {
            match parse("mining.set_difficulty", params).unwrap() {
                PoolEvent::Difficulty(ShareTarget::Difficulty(found)) => {
                    assert_eq!(found.get(), expected, "{params}");
                }
                other => panic!("{params}: {other:?}"),
            }
        }
        for digits in
            ["0007ffff".repeat(8), "0008".repeat(16), "0x0008".to_owned() + &"0".repeat(60)]
        {
            match parse("mining.set_difficulty", &format!("[{digits:?}]")).unwrap() {
                PoolEvent::Difficulty(ShareTarget::Target(target)) => {
                    assert_eq!(target.to_string(), digits.trim_start_matches("0x"));
                }
                other => panic!("{digits}: {other:?}"),
            }
        }
        for params in ["[0]", "[-1]", "[]", "[null]", "[\"x\"]", "[1e999]", "{}", "[[1]]"] {
            let error = parse("mining.set_difficulty", params).unwrap_err().to_string();
            assert!(error.starts_with("difficulty is "), "{params}: {error}");
        }
    }

    #[test]
    fn a_method_may_lack_its_prefix() {
        let hash = "5a".repeat(32);
        for (method, params) in [
            ("notify", format!("[\"1\",true,\"{hash}\",\"{hash}\"]")),
            ("set_target", format!("[\"{hash}\"]")),
            ("set_difficulty", "[512]".to_owned()),
            ("set_extranonce", "[\"a1b2\"]".to_owned()),
        ] {
            let bare = format!("{:?}", parse(method, &params).unwrap());
            let full = format!("{:?}", parse(&format!("mining.{method}"), &params).unwrap());
            assert_eq!(bare, full);
            assert_ne!(bare, "Unknown", "{method}");
        }
        assert_eq!(format!("{:?}", parse("mining.client.reconnect", "[]").unwrap()), "Unknown");
    }

    #[test]
    fn other_calls() {
        let event = |method, params| format!("{:?}", parse(method, params).unwrap());
        for params in ["[\"A1b2\"]", "[\"a1b2\",30]"] {
            assert_eq!(
                event("mining.set_extranonce", params),
                "Extranonce { extranonce1: Extranonce(a1b2), size: None }"
            );
        }
        for params in ["[\"pool.example\",\"3333\",1]", "[\"pool.example\",3333,1]"] {
            assert_eq!(
                event("client.reconnect", params),
                "Reconnect { host: Some(\"pool.example\"), port: Some(3333), wait: 1s }"
            );
        }
        for params in ["[]", "{}", "[\"\",null,0]"] {
            assert_eq!(
                event("client.reconnect", params),
                "Reconnect { host: None, port: None, wait: 0ns }"
            );
        }
        assert_eq!(event("client.show_message", "[\"hello\"]"), "Message(\"hello\")");
        assert_eq!(event("client.get_version", "[]"), "WantsVersion");
        for (method, params, expected) in [
            ("mining.set_target", "[1]", "target is 1, expected a string"),
            ("mining.set_target", "[\"00ff\"]", "target is \"00ff\", expected 64 hex digits"),
            ("mining.set_target", "[]", "target is [], expected a string"),
            ("mining.set_extranonce", "[]", "extranonce1 is [], expected a string"),
            ("client.reconnect", "[\"h\",70000]", "port is 70000, expected 0 to 65535"),
            ("client.reconnect", "[7]", "host is 7, expected a string"),
        ] {
            assert_eq!(parse(method, params).unwrap_err().to_string(), expected);
        }
    }
}
