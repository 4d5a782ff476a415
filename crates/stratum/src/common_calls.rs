//! Calls from a pool that every stratum server means the same by.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::dialect::PoolEvent;
use crate::error::{ParseError, shown};
use crate::rpc;

/// The longest host name there is, in bytes.
const MAX_HOST: usize = 253;
/// The longest wait that a pool may ask for: past it a pool is to be tried all the same.
const MAX_WAIT: Duration = Duration::from_secs(600);

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

/// `[host, port, seconds]`, of which anything may be missing, null or empty, and numbers may be
/// quoted. A port of 0 is none; a wait that is no number of seconds is none either.
fn reconnect<J>(params: &RawValue) -> Result<PoolEvent<J>, ParseError> {
    let (fields, _) = rpc::array::<3>(params).unwrap_or_default();
    let given = |index: usize| {
        let empty = |value: &&RawValue| matches!(value.get(), "null" | "\"\"");
        fields.get(index).copied().filter(|value| !empty(value))
    };
    Ok(PoolEvent::Reconnect {
        host: given(0).map(host).transpose()?,
        port: given(1).map(port).transpose()?.flatten(),
        wait: given(2).map(wait).unwrap_or_default(),
    })
}

fn host(value: &RawValue) -> Result<String, ParseError> {
    let wrong = |expected| ParseError::field("host", expected, value.get());
    let text = rpc::string(value).ok_or_else(|| wrong("a string"))?;
    if text.len() > MAX_HOST {
        return Err(wrong("up to 253 bytes"));
    }
    Ok(text.into_owned())
}

fn port(value: &RawValue) -> Result<Option<u16>, ParseError> {
    let port = rpc::whole(value).and_then(|port| port.try_into().ok());
    let error = || ParseError::field("port", "0 to 65535", value.get());
    port.map(|port| Some(port).filter(|port| *port != 0)).ok_or_else(error)
}

fn wait(value: &RawValue) -> Duration {
    let seconds = rpc::number(value).unwrap_or_default();
    Duration::from_secs_f64(seconds.clamp(0.0, MAX_WAIT.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Result<(Option<String>, Option<u16>, Duration), ParseError> {
        let params = RawValue::from_string(params.to_owned()).unwrap();
        match common::<()>("client.reconnect", &params)? {
            PoolEvent::Reconnect { host, port, wait } => Ok((host, port, wait)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reconnect_may_leave_out_whatever_stays_the_same() {
        let seconds = Duration::from_secs;
        let (host, here) = (Some("pool.example".to_owned()), None);
        let cases = [
            ("[]", (here.clone(), None, seconds(0))),
            ("null", (here.clone(), None, seconds(0))),
            ("{}", (here.clone(), None, seconds(0))),
            ("[\"pool.example\"]", (host.clone(), None, seconds(0))),
            ("[\"pool.example\",null]", (host.clone(), None, seconds(0))),
            ("[\"pool.example\",\"\"]", (host.clone(), None, seconds(0))),
            ("[\"pool.example\",0]", (host.clone(), None, seconds(0))),
            ("[\"pool.example\",\"0\",\"\"]", (host.clone(), None, seconds(0))),
            ("[\"pool.example\",\"3333\"]", (host.clone(), Some(3333), seconds(0))),
            ("[\"pool.example\",3333.0,5]", (host.clone(), Some(3333), seconds(5))),
            ("[\"\",3333,\"5\"]", (here.clone(), Some(3333), seconds(5))),
            ("[null,null,0.5]", (here.clone(), None, Duration::from_millis(500))),
            ("[\"\",\"\",601]", (here.clone(), None, seconds(600))),
            ("[\"\",\"\",1e300]", (here.clone(), None, seconds(600))),
            ("[\"\",\"\",-5]", (here.clone(), None, seconds(0))),
            ("[\"\",\"\",\"soon\",7]", (here, None, seconds(0))),
        ];
        for (params, expected) in cases {
            assert_eq!(read(params), Ok(expected), "{params}");
        }
    }

    #[test]
    fn a_host_or_a_port_that_is_none_is_named() {
        let long = format!("[\"{}\"]", "x".repeat(254));
        for (params, expected) in [
            ("[7]", "host is 7, expected a string"),
            (&long, "host is \"xxx"),
            ("[\"h\",70000]", "port is 70000, expected 0 to 65535"),
            ("[\"h\",-1]", "port is -1, expected 0 to 65535"),
            ("[\"h\",\"x\"]", "port is \"x\", expected 0 to 65535"),
        ] {
            let error = read(params).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{params}: {error}");
        }
    }
}
