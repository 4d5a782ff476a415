//! Calls from a pool that want an answer.

use std::time::Duration;

use crate::error::Reject;
use crate::rpc::{self, Id, Quoted};
use crate::strikes::Patience;
use crate::transmit::Transmit;

/// How many calls are answered: so many at a time, one more every second.
pub(super) const ANSWERS: Patience =
    Patience { limit: 32, good_deeds: u16::MAX, every: Duration::from_secs(1) };

/// Answers a call that is none of the dialect's.
pub(super) fn answer(id: &Id, method: &str, agent: &str, transmit: &mut Transmit) {
    transmit.write(|out| match method {
        "mining.ping" => rpc::put_result(out, id, "\"pong\""),
        "client.get_version" => rpc::put_result(out, id, Quoted(agent)),
        _ => {
            let reason = format!("unknown method {}", crate::error::shown(method));
            rpc::put_error(out, id, &Reject::invalid(reason), "null");
        }
    });
}
