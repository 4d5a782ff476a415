//! Calls from a pool that every stratum server means the same by.

use serde_json::value::RawValue;

use crate::dialect::PoolEvent;
use crate::error::{ParseError, shown};
use crate::rpc;

/// The longest host name there is, in bytes.
const MAX_HOST: usize = 253;

/// Reads `client.reconnect` and `client.show_message`; any other call is
/// [`PoolEvent::Unknown`]. For the end of a [`parse_event`](crate::dialect::Dialect::parse_event).
///
/// # Errors
/// A [`ParseError`] that names the field and its value.
pub fn common<J>(method: &str, params: &RawValue) -> Result<PoolEvent<J>, ParseError> {
    match method {
        "client.reconnect" => reconnect(params),
        "client.show_message" => {
            let text = first(params).and_then(rpc::string);
            Ok(PoolEvent::Message(shown(&text.unwrap_or_default())))
        }
        _ => Ok(PoolEvent::Unknown),
    }
}

/// The first element of an array of parameters.
#[must_use]
pub fn first(params: &RawValue) -> Option<&RawValue> {
    rpc::array::<1>(params)?.0.first().copied()
}

/// `[host, port, seconds]`, of which anything may be missing, null or empty.
fn reconnect<J>(params: &RawValue) -> Result<PoolEvent<J>, ParseError> {
    let (fields, _) = rpc::array::<2>(params).unwrap_or_default();
    let given = |index: usize| fields.get(index).copied().filter(|value| value.get() != "null");
    let host = match given(0) {
        Some(value) => {
            let wrong = |expected| ParseError::field("host", expected, value.get());
            let text = rpc::string(value).ok_or_else(|| wrong("a string"))?;
            if text.len() > MAX_HOST {
                return Err(wrong("up to 253 bytes"));
            }
            Some(text.into_owned()).filter(|host| !host.is_empty())
        }
        None => None,
    };
    let port = match given(1) {
        Some(value) => {
            let quoted = rpc::string(value);
            let text = quoted.as_deref().unwrap_or_else(|| value.get());
            let port = text.trim().parse().ok().filter(|port| *port != 0);
            Some(port.ok_or_else(|| ParseError::field("port", "1 to 65535", value.get()))?)
        }
        None => None,
    };
    Ok(PoolEvent::Reconnect { host, port })
}
