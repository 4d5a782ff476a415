//! Pools: what they say and are told.

use std::borrow::Cow;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{
    AUTHORIZE, EXTRANONCE_SUBSCRIBE, PING, SET_DIFFICULTY, SET_EXTRANONCE, SET_TARGET, SUBSCRIBE,
    SUGGEST_DIFFICULTY,
};
use crate::dialect::{
    CourtesyReply, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Refusal, ShareTarget, Subscribed,
};
use crate::error::{ParseError, shown};
use crate::extranonce::{Extranonce, MAX_EXTRANONCE};
use crate::field::Field;
use crate::rpc::{self, PoolError, Quoted, RpcCall, RpcReply};
use crate::target::Difficulty;

/// The longest host name there is, in bytes.
const MAX_HOST: usize = 253;
/// The longest wait that a pool may ask for: past it a pool is to be tried all the same.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// The longest session id that is kept, in bytes.
const MAX_SESSION: usize = 64;
/// The most subscriptions that are looked at for a session id.
const MAX_PAIRS: usize = 4;

/// Reads a call of a pool that is no job: the target, the extranonce, where to go, what to show, and
/// what wants an answer. Any other is [`PoolEvent::Unknown`].
#[must_use]
pub fn hear_pool<J>(call: RpcCall<'_>) -> PoolEvent<J> {
    let params = call.params_or_null();
    let heard = match call.method {
        SET_DIFFICULTY => set_difficulty(params),
        SET_TARGET => set_target(params),
        SET_EXTRANONCE => set_extranonce(params, MAX_EXTRANONCE),
        "client.reconnect" => reconnect(params),
        "client.show_message" => {
            let text = first(params).and_then(rpc::string);
            Ok(PoolEvent::Message(shown(&text.unwrap_or_default())))
        }
        PING => Ok(PoolEvent::Ping),
        "client.get_version" => Ok(PoolEvent::WantsVersion),
        _ => Ok(PoolEvent::Unknown),
    };
    heard.unwrap_or_else(PoolEvent::Unusable)
}

/// Reads an answer of a pool in the usual form: `true` or an error, and to a subscribe
/// `[[[method, session], …], extranonce1, size]`. What was asked about a job has no usual form.
#[must_use]
pub fn hear_answer<J>(to: PoolQuestion<'_, J>, answer: &RpcReply<'_>) -> PoolAnswer {
    match to {
        PoolQuestion::Subscribe { .. } => {
            subscribed(answer, |result| read_subscribed(result, MAX_EXTRANONCE).map(Some))
        }
        // An answer that says nothing at all is taken for a welcome: shares will show.
        PoolQuestion::Login if answer.result.is_none() && answer.error.is_none() => PoolAnswer::Yes,
        PoolQuestion::Login | PoolQuestion::Name | PoolQuestion::Share => {
            verdict(answer, Refusal::common)
        }
        PoolQuestion::Probe => PoolAnswer::Yes,
        PoolQuestion::Configure | PoolQuestion::Job(_) => PoolAnswer::Nothing,
    }
}

/// The answer to a subscribe, whose result is read by `read`; `None` where it gives no extranonce.
pub fn subscribed(
    answer: &RpcReply<'_>,
    read: impl FnOnce(&RawValue) -> Result<Option<Subscribed>, ParseError>,
) -> PoolAnswer {
    let nothing = || PoolError { code: None, message: "no result".into() };
    match (answer.result, answer.error.and_then(PoolError::parse)) {
        (_, Some(error)) => PoolAnswer::No(Refusal::Other, error),
        (None, None) => PoolAnswer::No(Refusal::Other, nothing()),
        (Some(result), None) => read(result).map_or_else(PoolAnswer::Unusable, |given| {
            PoolAnswer::Subscribed { given, resumed: false }
        }),
    }
}

/// An answer that is `true`, or a refusal, which `refusal` puts into its kind.
#[inline]
pub fn verdict(answer: &RpcReply<'_>, refusal: fn(&PoolError) -> Refusal) -> PoolAnswer {
    let error = match answer.error.and_then(PoolError::parse) {
        Some(error) => error,
        None if matches!(answer.result.map(RawValue::get), Some("true" | "\"true\"")) => {
            return PoolAnswer::Yes;
        }
        None => PoolError::beside(answer.line),
    };
    PoolAnswer::No(refusal(&error), error)
}

/// What a pool was asked about a job, whose result is read by `read`.
pub fn learnt(
    answer: &RpcReply<'_>,
    read: impl FnOnce(&RawValue) -> Result<(), ParseError>,
) -> PoolAnswer {
    let Some(result) = answer.result else { return PoolAnswer::Nothing };
    read(result).map_or_else(PoolAnswer::Unusable, |()| PoolAnswer::Yes)
}

/// Says to a pool what is the same everywhere. A share, a wish before the subscribe and a question
/// about a job are a dialect's own: nothing is written for them.
pub fn tell_pool<J, S>(call: PoolCall<'_, J, S>, out: &mut BytesMut) {
    match call {
        PoolCall::Configure { .. } | PoolCall::Ask { .. } | PoolCall::Submit { .. } => {}
        PoolCall::Subscribe { id, agent, former, .. } => {
            let agent = Quoted(agent);
            match former.map(Quoted) {
                Some(former) => {
                    rpc::put_request(out, id, SUBSCRIBE, format_args!("[{agent},{former}]"));
                }
                None => rpc::put_request(out, id, SUBSCRIBE, format_args!("[{agent}]")),
            }
        }
        PoolCall::Authorize { id, user, password } => {
            let (user, password) = (Quoted(user), Quoted(password));
            rpc::put_request(out, id, AUTHORIZE, format_args!("[{user},{password}]"));
        }
        PoolCall::Suggest { id, difficulty } => {
            rpc::put_request(out, id, SUGGEST_DIFFICULTY, format_args!("[{difficulty}]"));
        }
        // Every server answers it, be it with an error.
        PoolCall::Probe { id } => {
            rpc::put_request(out, id, EXTRANONCE_SUBSCRIBE, format_args!("[]"));
        }
        PoolCall::Reply { id, reply } => match reply {
            CourtesyReply::Pong => rpc::put_result(out, id, "\"pong\""),
            CourtesyReply::Version(agent) => rpc::put_result(out, id, Quoted(agent)),
            CourtesyReply::Unknown(reject) => rpc::put_error(out, id, reject, "null"),
        },
    }
}

/// The first element of an array of parameters.
#[must_use]
pub fn first(params: &RawValue) -> Option<&RawValue> {
    rpc::array::<1>(params)?.0.first().copied()
}

/// Reads a number in an array or alone, with or without quotes.
///
/// # Errors
/// A [`ParseError`] that names the difficulty.
pub fn set_difficulty<J>(params: &RawValue) -> Result<PoolEvent<J>, ParseError> {
    let value = first(params).unwrap_or(params);
    let difficulty = rpc::number(value).and_then(Difficulty::new);
    let error = || Field::new("difficulty", value).wrong("a number above zero").into();
    difficulty.map(ShareTarget::Difficulty).map(PoolEvent::Difficulty).ok_or_else(error)
}

/// Reads 64 hex digits, in an array or alone.
///
/// # Errors
/// A [`ParseError`] that names the target.
pub fn set_target<J>(params: &RawValue) -> Result<PoolEvent<J>, ParseError> {
    let value = first(params).unwrap_or(params);
    Ok(PoolEvent::Target(Field::new("target", value).target()?))
}

/// Reads `[extranonce1, extranonce2_size]`, where the second may be missing.
///
/// # Errors
/// A [`ParseError`] that names the field; also where extranonce1 has more than `longest` bytes.
pub fn set_extranonce<J>(params: &RawValue, longest: usize) -> Result<PoolEvent<J>, ParseError> {
    let expected = "[extranonce1, extranonce2_size]";
    let wrong = || ParseError::field("params", expected, params.get());
    let (fields, _) = rpc::array::<2>(params).ok_or_else(wrong)?;
    let &[one, ref two @ ..] = &fields[..] else { return Err(wrong()) };
    let announced = two.first().copied().map(size).transpose()?.flatten();
    Ok(PoolEvent::Extranonce { extranonce1: extranonce1(one, longest)?, size: announced })
}

/// Reads `[[[method, session], …], extranonce1, size]`. The pairs may come in any order or be
/// absent, a single one without its outer brackets; the size may be missing.
///
/// # Errors
/// A [`ParseError`] that names the field; also where extranonce1 has more than `longest` bytes.
pub fn read_subscribed(result: &RawValue, longest: usize) -> Result<Subscribed, ParseError> {
    let expected = "[subscriptions, extranonce1, extranonce2_size]";
    let wrong = || ParseError::field("subscribe result", expected, result.get());
    let (fields, _) = rpc::array::<3>(result).ok_or_else(wrong)?;
    let &[subscriptions, one, ref two @ ..] = &fields[..] else { return Err(wrong()) };
    Ok(Subscribed {
        extranonce1: extranonce1(one, longest)?,
        announced_size: two.first().copied().map(size).transpose()?.flatten(),
        session: session(subscriptions),
    })
}

/// Reads an extranonce1 of up to `longest` bytes.
///
/// # Errors
/// A [`ParseError`] that shows the value.
pub fn extranonce1(value: &RawValue, longest: usize) -> Result<Extranonce, ParseError> {
    let wrong =
        |expected: Cow<'static, str>| ParseError::field("extranonce1", expected, value.get());
    let text = rpc::string(value).ok_or_else(|| wrong("a string".into()))?;
    let parsed = text.parse().ok().filter(|one: &Extranonce| one.len() <= longest);
    parsed.ok_or_else(|| wrong(format!("up to {longest} bytes of hex").into()))
}

/// Reads an announced size in bytes; null is none.
///
/// # Errors
/// A [`ParseError`] that shows the value.
pub fn size(value: &RawValue) -> Result<Option<usize>, ParseError> {
    if value.get() == "null" {
        return Ok(None);
    }
    let size = rpc::whole(value).and_then(|size| size.try_into().ok());
    let error = || ParseError::field("extranonce2_size", "a number of bytes", value.get());
    size.map(Some).ok_or_else(error)
}

/// The id that goes with `mining.notify`, or else the first.
fn session(subscriptions: &RawValue) -> Option<Box<str>> {
    let pair = |value| {
        let (pair, _) = rpc::array::<2>(value)?;
        let &[method, id] = &pair[..] else { return None };
        let id = rpc::string(id).filter(|id| id.len() <= MAX_SESSION)?;
        Some((rpc::string(method)?, id))
    };
    let (pairs, _) = rpc::array::<MAX_PAIRS>(subscriptions)?;
    let nested = || pairs.iter().filter_map(|value| pair(value));
    nested()
        .find(|(method, _)| method == super::NOTIFY)
        .or_else(|| nested().next())
        .or_else(|| pair(subscriptions))
        .map(|(_, id)| id.into())
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
        match hear_pool::<()>(RpcCall { method: "client.reconnect", params: Some(&params) }) {
            PoolEvent::Reconnect { host, port, wait } => Ok((host, port, wait)),
            PoolEvent::Unusable(error) => Err(error),
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
