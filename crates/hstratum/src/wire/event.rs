//! Calls from a pool.

use orepass_stratum::dialect::PoolEvent;
use orepass_stratum::rpc::RpcCall;
use orepass_stratum::sv1;

use crate::header::EXTRA_NONCE_SIZE;
use crate::job::Job;

/// Reads a call from a pool. No Handshake server is known to send `mining.set_target`,
/// `mining.set_extranonce` or `client.reconnect`; they are read in their common form, so that
/// one that does is not misunderstood.
#[must_use]
pub fn hear(call: RpcCall<'_>) -> PoolEvent<Job> {
    let params = call.params_or_null();
    match call.method {
        sv1::NOTIFY => PoolEvent::Job(Job::parse(params)),
        sv1::SET_EXTRANONCE => {
            sv1::set_extranonce(params, EXTRA_NONCE_SIZE).unwrap_or_else(PoolEvent::Unusable)
        }
        _ => sv1::hear_pool(call),
    }
}

#[cfg(test)]
mod tests {
    use orepass_stratum::dialect::ShareTarget;
    use orepass_stratum::error::ParseError;
    use orepass_stratum::testing;
    use serde_json::value::RawValue;

    use super::*;

    fn parse(method: &str, params: &str) -> Result<PoolEvent<Job>, ParseError> {
        let params = RawValue::from_string(params.to_owned()).unwrap();
        testing::hear(&crate::Hstratum::default(), method, &params)
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
        assert_eq!(event("mining.ping", "[]"), "Ping");
        let target = format!("[\"{}\"]", "0f".repeat(32));
        assert!(matches!(parse("mining.set_target", &target), Ok(PoolEvent::Target(_))));
        assert!(parse("mining.set_target", "[1]").is_err());
        assert!(parse("client.reconnect", "[\"h\",70000]").is_err());
        assert!(parse("mining.set_extranonce", "[]").is_err());
    }
}
