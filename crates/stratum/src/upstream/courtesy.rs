//! Answers to calls of a pool that are no news.

use std::time::Duration;

use super::out::UpstreamOut;
use crate::time::Instant;
use serde_json::value::RawValue;

use crate::dialect::{CourtesyReply, Dialect, PoolCall};
use crate::rpc::Id;
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

    /// Answers what a pool has asked, if it wants an answer.
    pub(super) fn answer<D: Dialect, T>(
        &mut self,
        id: Option<&RawValue>,
        reply: CourtesyReply<'_>,
        dialect: &D,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        let Some(id) = id.and_then(|id| Id::new(Some(id))) else { return };
        if !self.0.is_patient(now) {
            return;
        }
        self.0.strike(now);
        out.write(|out| dialect.tell_pool(PoolCall::Reply { id: &id, reply }, out));
    }
}
