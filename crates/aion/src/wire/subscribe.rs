//! Both sides of `mining.subscribe`.

use orepass_stratum::dialect::{SubscribeVerdict, Subscribed};
use orepass_stratum::error::{ParseError, shown};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc;
use orepass_stratum::sv1;
use serde_json::value::RawValue;

use crate::options::ProtocolVersion;

/// The longest extranonce1 that is read, in bytes; what can be split is less.
const MAX_EXTRANONCE1: usize = 24;
/// The longest session id that is kept, in bytes.
const MAX_SESSION: usize = 64;
/// What is done with a rig's subscribe, `[agent, protocol version]`.
///
/// An absent, null or empty version is the rule and is served. So is the form of the reference
/// miner, `[agent, session, host, port]`, whose second parameter is a session to be resumed, null
/// at first. The specification calls itself version 1, servers call it `AionStratum/1.0.0`; any
/// other version is served and logged, or refused when `strict`.
#[must_use]
pub fn judge_subscribe(params: Option<&RawValue>, strict: bool) -> SubscribeVerdict {
    let Some((fields, count)) = params.and_then(rpc::array::<2>) else {
        return SubscribeVerdict::Serve;
    };
    let (0..=2, Some(version)) = (count, fields.get(1)) else { return SubscribeVerdict::Serve };
    let text = rpc::string(version);
    let known = match &text {
        Some(text) => text.is_empty() || text.eq_ignore_ascii_case(ProtocolVersion::ONE),
        None => version.get() == "null",
    };
    if known || rpc::number(version) == Some(1.0) {
        return SubscribeVerdict::Serve;
    }
    let (found, one) = (shown(version.get()), ProtocolVersion::ONE);
    let reason = format!("unknown protocol version {found}, expected {one}, 1 or none");
    if strict { SubscribeVerdict::Refuse(reason) } else { SubscribeVerdict::ServeAndLog(reason) }
}

/// Reads the result of a `mining.subscribe`: `[session, extranonce1]`.
///
/// The session is null, a string, or `["mining.notify", id, version]`. The size of extranonce2 is
/// never announced: it is what extranonce1 leaves of 32 bytes.
///
/// ```
/// use orepass_aion::wire::subscribe::parse_subscribed;
/// use serde_json::value::RawValue;
///
/// let result = r#"[["mining.notify","0HLFI5QCBNU77","AionStratum/1.0.0"],"01af"]"#;
/// let given = parse_subscribed(&RawValue::from_string(result.into())?)?;
/// assert_eq!(given.extranonce1.to_string(), "01af");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A [`ParseError`] that names the field and its value.
pub fn parse_subscribed(result: &RawValue) -> Result<Subscribed, ParseError> {
    let wrong = || ParseError::field("subscribe result", "[session, extranonce1]", result.get());
    let (fields, _) = rpc::array::<2>(result).ok_or_else(wrong)?;
    let &[session, extranonce1] = &fields[..] else { return Err(wrong()) };
    Ok(Subscribed {
        extranonce1: parse_extranonce1(extranonce1)?,
        announced_size: None,
        session: session_id(session),
    })
}

/// Reads an extranonce1 of up to 24 bytes.
pub(crate) fn parse_extranonce1(value: &RawValue) -> Result<Extranonce, ParseError> {
    sv1::extranonce1(value, MAX_EXTRANONCE1)
}

fn session_id(value: &RawValue) -> Option<Box<str>> {
    let text = rpc::string(value).or_else(|| {
        let (fields, _) = rpc::array::<2>(value)?;
        let &[_, id] = &fields[..] else { return None };
        rpc::string(id)
    });
    text.filter(|id| id.len() <= MAX_SESSION).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn results_of_every_shape() {
        let long = "ab".repeat(24);
        let cases = [
            (r#"[null,"0000000000000001"]"#, "0000000000000001", None),
            (r#"["s1","40000001"]"#, "40000001", Some("s1")),
            (r#"[["mining.notify","0HLF","AionStratum/1.0.0"],"00AF"]"#, "00af", Some("0HLF")),
            (r#"["s1","40000001","40000001"]"#, "40000001", Some("s1")),
            (r#"[[],""]"#, "", None),
            (r#"[7,"01"]"#, "01", None),
            (&format!("[null,\"{long}\"]"), &long, None),
        ];
        for (text, extranonce1, session) in cases {
            let given = parse_subscribed(&raw(text)).unwrap();
            assert_eq!(given.extranonce1.to_string(), extranonce1, "{text}");
            assert_eq!((given.session.as_deref(), given.announced_size), (session, None), "{text}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let long = format!("[null,\"{}\"]", "00".repeat(25));
        let cases = [
            ("true", "subscribe result is true"),
            ("[]", "subscribe result is []"),
            ("[null]", "subscribe result is [null]"),
            ("{}", "subscribe result is {}"),
            ("[null,null]", "extranonce1 is null"),
            ("[null,12]", "extranonce1 is 12"),
            ("[null,\"abc\"]", "extranonce1 is \"abc\""),
            ("[null,\"0x12\"]", "extranonce1 is \"0x12\""),
            (&long, "extranonce1 is \"0000"),
        ];
        for (text, expected) in cases {
            let error = parse_subscribed(&raw(text)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn versions_of_rigs() {
        let judge = |text: &str, strict| judge_subscribe(Some(&raw(text)), strict);
        let served = [
            "[]",
            "{}",
            r#"["nheqminer/0.2.1"]"#,
            r#"["nheqminer/0.2.1", null]"#,
            r#"["nheqminer/0.2.1",""]"#,
            r#"["nheqminer/0.2.1", null,"127.0.0.1","34333"]"#,
            r#"["nheqminer/0.2.1","5e55","127.0.0.1","34333"]"#,
            r#"["rig","AionStratum/1.0.0"]"#,
            r#"["rig","1"]"#,
            r#"["rig","1.0"]"#,
            r#"["rig",1]"#,
            r#"["rig",1.0]"#,
        ];
        for text in served {
            assert_eq!(judge(text, true), SubscribeVerdict::Serve, "{text}");
        }
        assert_eq!(judge_subscribe(None, true), SubscribeVerdict::Serve);
        let unknown =
            [r#"["rig","EthereumStratum/1.0.0"]"#, r#"["rig",2]"#, r#"["rig","1.1"]"#, "[1,true]"];
        for text in unknown {
            let SubscribeVerdict::ServeAndLog(remark) = judge(text, false) else {
                panic!("{text}")
            };
            assert!(remark.starts_with("unknown protocol version "), "{remark}");
            assert_eq!(judge(text, true), SubscribeVerdict::Refuse(remark));
        }
    }
}
