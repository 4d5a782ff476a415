//! What a pool says instead of yes, in every shape that servers have for it.

use std::fmt;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::shown;

/// An error of any of the shapes that servers send: `[code, "text", …]`, `{"code", "message"}`,
/// a bare string, a bare number, or `true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolError {
    /// The code, where there is one.
    pub code: Option<i64>,
    /// The text, shortened; `"error"` where there is none.
    pub message: Box<str>,
}

/// What stands for the reason of a refusal without one…
const NO_REASON: &str = "no reason given";
/// …and of an error without one.
const ONLY_AN_ERROR: &str = "error";

impl PoolError {
    /// Reads an `error` field; `None` for what some servers send for "no error": `false`, 0, an
    /// empty text, list or object, and lists of nothing else. Whatever else there is is an error,
    /// also where nothing in it can be read.
    #[must_use]
    pub fn parse(error: &RawValue) -> Option<Self> {
        // What is nested too deep, or a number too large, is an error of whatever kind.
        let value = serde_json::from_str(error.get()).unwrap_or(Value::Bool(true));
        if is_nothing(&value) {
            return None;
        }
        let (code, text) = match &value {
            Value::Array(elements) => {
                // Some servers put a word in the code's place.
                (elements.first().and_then(code), elements.iter().find_map(text))
            }
            Value::Object(fields) => (fields.get("code").and_then(code), words(fields)),
            other => (code(other), text(other)),
        };
        Some(Self { code, message: shown(text.unwrap_or(ONLY_AN_ERROR)).into() })
    }

    /// A refusal without a reason.
    #[must_use]
    pub fn unexplained() -> Self {
        Self { code: None, message: NO_REASON.into() }
    }

    /// Whether it says nothing but that there is an error.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        self.code.is_none() && [NO_REASON, ONLY_AN_ERROR].contains(&&*self.message)
    }

    /// The reason of a refusal that has no `error`: in the result, or in any field beside it.
    #[must_use]
    pub fn beside(line: &[u8]) -> Self {
        const STRATUM: [&str; 5] = ["id", "jsonrpc", "method", "params", "error"];
        let mut fields: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        fields.retain(|name, _| !STRATUM.contains(&&**name));
        let reason = words(&fields);
        let code = fields.get("code").and_then(code);
        Self { code, message: shown(reason.unwrap_or(NO_REASON)).into() }
    }
}

/// Whether a value says that there is nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => {
            elements.iter().all(|element| matches!(element, Value::Null | Value::Bool(false)))
        }
        Value::Object(fields) => fields.is_empty(),
    }
}

/// A code, also where it is written with a fraction or as a string.
fn code(value: &Value) -> Option<i64> {
    match value {
        // Codes are small; what is not one ends at the type's limits.
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().map(|code| code as i64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A text that says something.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty() && code(value).is_none())
}

/// The text among some fields that most likely is the reason, one level deep.
fn words(fields: &Map<String, Value>) -> Option<&str> {
    const NAMES: [&str; 6] = ["message", "reason", "reject-reason", "msg", "error", "description"];
    let nested = || {
        fields.values().find_map(|value| match value {
            Value::Object(inner) => NAMES.iter().find_map(|name| text(inner.get(*name)?)),
            Value::Array(inner) => inner.iter().find_map(text),
            _ => None,
        })
    };
    NAMES
        .iter()
        .find_map(|name| text(fields.get(*name)?))
        .or_else(nested)
        .or_else(|| fields.values().find_map(text))
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Refusal;
    use crate::rpc::Message;
    use crate::sv1;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn errors_of_every_shape() {
        let cases = [
            ("[23,\"high-hash\",false]", Some(23), "high-hash"),
            ("[22,\"duplicate share\"]", Some(22), "duplicate share"),
            ("[\"invalid\"]", None, "invalid"),
            ("[\"21\",\"stale\"]", Some(21), "stale"),
            ("[21.0,null,\"stale\"]", Some(21), "stale"),
            ("{\"code\":\"24\",\"message\":\"unauthorized\"}", Some(24), "unauthorized"),
            ("{\"code\":24.0}", Some(24), "error"),
            ("{\"message\":[7]}", None, "error"),
            ("{\"reason\":\"stale\",\"status\":\"x\"}", None, "stale"),
            ("{\"why\":\"banned\"}", None, "banned"),
            ("{\"error\":{\"message\":\"deep\"}}", None, "deep"),
            ("{\"code\":-1,\"message\":\"stale share\",\"data\":null}", Some(-1), "stale share"),
            ("\"nope\"", None, "nope"),
            ("true", None, "error"),
            ("21", Some(21), "error"),
        ];
        for (text, code, message) in cases {
            let parsed = PoolError::parse(&raw(text)).unwrap();
            assert_eq!((parsed.code, &*parsed.message), (code, message), "{text}");
        }
        for nothing in ["false", "0", "0.0", "\"\"", "[]", "{}", "[null]", "[null,false]"] {
            assert_eq!(PoolError::parse(&raw(nothing)), None, "{nothing}");
        }
    }

    #[test]
    fn answers_of_every_shape() {
        let cases = [
            (r#"{"id":4,"result":true,"error":null}"#, Ok(())),
            (r#"{"id":4,"result":true}"#, Ok(())),
            (r#"{"id":4,"result":"true","error":[]}"#, Ok(())),
            (r#"{"id":4,"result":true,"error":""}"#, Ok(())),
            (r#"{"id":4,"result":true,"error":{}}"#, Ok(())),
            (r#"{"id":4,"result":true,"error":0}"#, Ok(())),
            (r#"{"id":4,"result":true,"error":[22,"duplicate"]}"#, Err("duplicate (22)")),
            (r#"{"id":4,"result":false,"reason":"stale share"}"#, Err("stale share")),
            (r#"{"id":4,"result":false,"error":null,"code":21,"msg":"x"}"#, Err("x (21)")),
            (r#"{"id":4,"result":false,"reject-reason":"low","error":null}"#, Err("low")),
            (r#"{"id":4,"result":{"status":"no","message":"old"}}"#, Err("old")),
            (r#"{"id":4,"result":[false,"late"],"error":null}"#, Err("late")),
            (r#"{"id":4,"result":"job not found"}"#, Err("job not found")),
            (r#"{"id":4,"result":null,"error":{"code":"24","message":"no"}}"#, Err("no (24)")),
            (r#"{"id":4,"result":null,"error":{"x":[{}]}}"#, Err("error")),
            (r#"{"id":4,"result":null,"error":true}"#, Err("error")),
            (r#"{"id":4,"result":null,"error":null}"#, Err("no reason given")),
            (r#"{"id":4}"#, Err("no reason given")),
        ];
        for (line, expected) in cases {
            let message = Message::parse(line.as_bytes()).unwrap();
            let answer = sv1::verdict(&message.reply(line.as_bytes()), Refusal::common);
            let outcome = answer.verdict().map_err(|(_, error)| error.to_string());
            assert_eq!(outcome, expected.map_err(str::to_owned), "{line}");
        }
    }
}
