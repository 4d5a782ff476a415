//! What is asked.

use orepass_stratum::secret::Secret;
use serde_json::Value;
use url::form_urlencoded;

/// What a process at work is asked.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) struct ApiRequest {
    method: &'static str,
    /// Behind `/api/v1/`.
    path: String,
    body: Option<Value>,
}

impl ApiRequest {
    pub(in crate::commands) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: None }
    }

    pub(in crate::commands) fn post(path: impl Into<String>, body: Option<Value>) -> Self {
        Self { method: "POST", path: path.into(), body }
    }

    pub(in crate::commands) fn delete(path: impl Into<String>) -> Self {
        Self { method: "DELETE", path: path.into(), body: None }
    }

    /// As it goes over the wire.
    pub(super) fn said(&self, host: &str, prefix: &str, token: Option<&Secret>) -> String {
        let Self { method, path, body } = self;
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        let length = body.len();
        let token = token.map(|token| format!("Authorization: Bearer {}\r\n", token.reveal()));
        let token = token.unwrap_or_default();
        format!(
            "{method} {prefix}/api/v1/{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\
             {token}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }
}

/// The part of a path behind the name, `?` and all.
pub(in crate::commands) fn query(
    pairs: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        if let Some(value) = value {
            query.append_pair(key, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// A name as a part of a path.
pub(in crate::commands) fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}
