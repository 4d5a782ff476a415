//! Answers to calls of a pool that are none of the dialect's.

use std::time::{Duration, Instant};

use super::out::UpstreamOut;
use crate::error::Reject;
use crate::rpc::{self, Id, Message, Quoted};
use crate::strikes::{Patience, Strikes};

/// How many calls are answered: so many at a time, one more every second.
const ANSWERS: Patience =
    Patience { limit: 32, good_deeds: u16::MAX, every: Duration::from_secs(1) };

/// The pool's calls that were answered.
pub(super) struct Courtesy(Strikes);

impl Courtesy {
    pub(super) const fn new() -> Self {
        Self(Strikes::new(&ANSWERS))
    }

    /// Answers a call that is none of the dialect's, if it wants an answer.
    pub(super) fn answer<T>(
        &mut self,
        call: &Message<'_>,
        method: &str,
        agent: &str,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        let Some(id) = call.id.and_then(|id| Id::new(Some(id))) else { return };
        if !self.0.is_patient(now) {
            return;
        }
        self.0.strike(now);
        out.write(|out| match method {
            "mining.ping" => rpc::put_result(out, &id, "\"pong\""),
            "client.get_version" => rpc::put_result(out, &id, Quoted(agent)),
            _ => {
                let reason = format!("unknown method {}", crate::error::shown(method));
                rpc::put_error(out, &id, &Reject::invalid(reason), "null");
            }
        });
    }
}
