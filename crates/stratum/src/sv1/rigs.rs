//! The side towards rigs.

use std::borrow::Cow;

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{
    AUTHORIZE, CONFIGURE, EXTRANONCE_SUBSCRIBE, NOTIFY, PING, SET_DIFFICULTY, SET_EXTRANONCE,
    SUBSCRIBE, SUGGEST_DIFFICULTY, first,
};
use crate::dialect::{HeardSubmit, JobName, RigCall, RigSay, RigSpace, SubscribeVerdict};
use crate::error::{Reject, shown};
use crate::field::Field;
use crate::rpc::{self, Params, Quoted, RpcCall};
use crate::target::{Difficulty, Scale, Target};

/// The most extensions of one [`CONFIGURE`] that are answered.
const MAX_EXTENSIONS: usize = 16;

/// Reads a call in the form that most coins share. Neither a share nor a question about a job is
/// among them: see [`submit`] and [`query`].
#[must_use]
#[inline]
pub fn hear_rig(call: RpcCall<'_>) -> RigCall<'_> {
    let RpcCall { method, params } = call;
    match method {
        SUBSCRIBE => RigCall::Subscribe { agent: agent(params), verdict: SubscribeVerdict::Serve },
        AUTHORIZE => {
            let given = params.and_then(rpc::array::<2>).map(|(elements, _)| elements);
            let text = |at: usize| given.as_ref()?.get(at).and_then(|text| rpc::string(text));
            RigCall::Authorize { worker: text(0), password: text(1) }
        }
        EXTRANONCE_SUBSCRIBE => RigCall::WantsExtranonce,
        CONFIGURE => RigCall::Configure,
        SUGGEST_DIFFICULTY => {
            // In an array or alone.
            let number = |params| rpc::number(first(params).unwrap_or(params));
            RigCall::Suggest(params.and_then(number).and_then(Difficulty::new))
        }
        PING => RigCall::Ping,
        _ => RigCall::Unknown,
    }
}

/// Reads a wish for a target, in an array or alone, by the scale on which its rig counts difficulties. What
/// is no target, and the zero that no hash meets, are no wish.
#[must_use]
pub fn suggest_target(params: Option<&RawValue>, scale: Scale) -> RigCall<'_> {
    let read = |params| Field::new("target", first(params).unwrap_or(params)).target().ok();
    let wish = params.and_then(read).filter(|target| *target != Target::ZERO);
    RigCall::Suggest(wish.map(|target| scale.difficulty_lossy(target)))
}

/// Reads the worker and the job of a submit, which are the first two of its parameters. `arity` is
/// the refusal of one that has so many parameters only.
///
/// # Errors
/// A [`Reject`] that names what is missing or of the wrong type.
#[inline]
pub fn submit(
    params: Option<&RawValue>,
    arity: fn(usize) -> Reject,
) -> Result<HeardSubmit<'_>, Reject> {
    let params = params.ok_or_else(|| Reject::invalid("submit without parameters"))?;
    let fields = Params::read(params)?;
    let &[worker, job, ..] = fields.elements() else {
        return Err(arity(fields.count()));
    };
    let worker = text("worker", worker)?;
    let job = JobName::of(text("job id", job)?);
    Ok(HeardSubmit { worker, job, fields })
}

/// Reads a question about the job that its first parameter names; `kind` is the dialect's own number
/// of it.
#[must_use]
pub fn query(params: Option<&RawValue>, kind: u8) -> RigCall<'_> {
    let name = params.and_then(first).and_then(rpc::string);
    RigCall::Query { job: JobName::of(name.unwrap_or_default()), kind }
}

/// The name that a rig's software gives itself: the first parameter of its subscribe.
#[must_use]
pub fn agent(params: Option<&RawValue>) -> Option<Cow<'_, str>> {
    params.and_then(first).and_then(rpc::string)
}

/// Tells a rig something in the form that most coins share. Nothing is written of terms, nor in
/// answer to a question about a job.
#[inline]
pub fn tell_rig<J, T>(say: RigSay<'_, J, T>, out: &mut BytesMut) {
    match say {
        RigSay::Taken(id) | RigSay::Granted(id) => rpc::put_result(out, id, true),
        RigSay::Refused(id, reject) => rpc::put_error(out, id, reject, "null"),
        RigSay::Pong(id) => rpc::put_result(out, id, "\"pong\""),
        RigSay::Configured { id, asked } => rpc::put_result(out, id, declined(asked)),
        RigSay::Subscribed { id, session, given: RigSpace { extranonce1, extranonce2 } } => {
            let session = Quoted(session);
            let result = format_args!(
                "[[[\"{NOTIFY}\",{session}],[\"{SET_DIFFICULTY}\",{session}]],\"{extranonce1}\",\
                 {extranonce2}]"
            );
            rpc::put_result(out, id, result);
        }
        RigSay::Target { target: _, difficulty } => {
            rpc::put_notification(out, SET_DIFFICULTY, format_args!("[{difficulty}]"));
        }
        RigSay::Extranonce(RigSpace { extranonce1, extranonce2 }) => {
            let params = format_args!("[\"{extranonce1}\",{extranonce2}]");
            rpc::put_notification(out, SET_EXTRANONCE, params);
        }
        RigSay::Answered { .. } | RigSay::Terms(_) => {}
    }
}

/// The answer to a [`CONFIGURE`] of which every extension is declined.
fn declined(asked: Option<&RawValue>) -> String {
    let extensions = asked.and_then(first).and_then(rpc::array::<MAX_EXTENSIONS>);
    let names = extensions.map(|(names, _)| names).unwrap_or_default();
    let declined: Vec<String> = names
        .iter()
        .filter_map(|name| rpc::string(name))
        .map(|name| format!("{}:false", Quoted(&name)))
        .collect();
    format!("{{{}}}", declined.join(","))
}

fn text<'a>(field: &str, value: &'a RawValue) -> Result<Cow<'a, str>, Reject> {
    let wrong = || Reject::invalid(format!("{field} is {}, expected a string", shown(value.get())));
    rpc::string(value).ok_or_else(wrong)
}
