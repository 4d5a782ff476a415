//! The connection to the pool, and what lives as long as it does.

use std::time::Duration;

use super::brake::Brake;
use super::names::{Names, Suspects};
use super::out::UpstreamOut;
use super::pace::Pacer;
use super::recent::RecentShares;
use super::requests::{Request, Requests};
use super::setup::Setup;
use super::silence::Silence;
use super::{BAD_LINES, OVERLONG_PARDON};
use crate::dialect::{Announced, Dialect, PoolAnswer, PoolCall, PoolQuestion, Work};
use crate::error::ParseError;
use crate::extranonce::Extranonce;
use crate::habits::Probe;
use crate::job::Generation;
use crate::rpc::RpcReply;
use crate::strikes::Strikes;
use crate::time::Instant;

/// Whether there is a connection, and how far its login has come. What belongs to a connection is in
/// here, so that the next one starts with nothing of it.
pub(super) enum LinkPhase<D: Dialect, T> {
    Offline(Past),
    /// The subscribe has no answer.
    Subscribing(Box<Connection<D, T>>),
    /// The authorize has none, or the pool has given no extranonce.
    Authorizing(Box<Connection<D, T>>),
    /// The pool takes shares.
    Live(Box<Connection<D, T>>),
}

/// What outlives a connection.
#[derive(Default)]
pub(super) struct Past {
    /// How far the last one came.
    pub(super) reached: Reached,
    /// The id of the last request. Ids go on from one connection to the next, so that no answer is
    /// taken for that to another connection's request.
    pub(super) last_id: u64,
    /// The usual time between two notifies.
    pub(super) gap: Option<Duration>,
    /// How long the pool usually takes to answer.
    pub(super) rtt: Option<Duration>,
    pub(super) suspects: Suspects,
    /// Before when the brake rests.
    pub(super) brake_rests_until: Option<Instant>,
}

/// How far a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Reached {
    #[default]
    Nothing,
    Login,
    Work,
}

/// A connection to the pool.
pub(super) struct Connection<D: Dialect, T> {
    pub(super) requests: Requests<D, T>,
    pub(super) pacer: Pacer<D, T>,
    pub(super) names: Names,
    pub(super) brake: Brake,
    pub(super) silence: Silence,
    /// The generation that the former connection ended with.
    pub(super) former: Generation,
    /// What the pool grants.
    pub(super) terms: D::Terms,
    /// What the pool announced about share targets.
    pub(super) announced: Announced,
    /// The pool's `mining.set_extranonce`, which applies with its next job.
    pub(super) next_extranonce: Option<(Extranonce, Option<usize>)>,
    /// The pool has given an extranonce.
    pub(super) is_grounded: bool,
    /// The newest notify that came before it: of a generation that is not known yet.
    pub(super) early: Option<D::Job>,
    /// The pool has authorized us.
    pub(super) is_authorized: bool,
    /// The ground is to be divided anew with the next work that the pool has not told before.
    pub(super) divides_anew: bool,
    /// The authorize whose answer has not come in time, and was gone without.
    pub(super) late_authorize: Option<u64>,
    /// The shares that were written last.
    pub(super) recent: RecentShares<D>,
    /// What was last said of one of its jobs.
    remarked: Option<Box<str>>,
    /// What was wrong with its last job, or else with the first other call that made no sense.
    pub(super) unusable: Option<ParseError>,
    /// Shares in a row without an answer.
    pub(super) unanswered: u32,
    pub(super) bad_lines: Strikes,
    overlong: Option<Instant>,
}

/// What was under way on a connection that is lost.
pub(super) struct Interrupted<D: Dialect, T> {
    /// Shares without an answer, in the order in which they were written.
    pub(super) written: Requests<D, T>,
    /// Shares that were to be written.
    pub(super) queued: Pacer<D, T>,
    /// What the pool was being asked by a name.
    pub(super) name: Option<Probe>,
}

impl<D: Dialect, T> LinkPhase<D, T> {
    /// A connection begins, in this generation.
    pub(super) fn begin(&mut self, generation: Generation, setup: &Setup<D>) {
        if let Self::Offline(past) = self {
            let connection = Connection::after(std::mem::take(past), generation, setup);
            *self = Self::Subscribing(Box::new(connection));
        }
    }

    /// The connection is lost, having come so far.
    pub(super) fn end(
        &mut self,
        reached: Reached,
        out: &mut UpstreamOut<T>,
    ) -> Option<Interrupted<D, T>> {
        match std::mem::replace(self, Self::Offline(Past::default())) {
            Self::Offline(past) => {
                *self = Self::Offline(past);
                None
            }
            Self::Subscribing(connection)
            | Self::Authorizing(connection)
            | Self::Live(connection) => {
                let (past, interrupted) = connection.end(reached, out);
                *self = Self::Offline(past);
                Some(interrupted)
            }
        }
    }

    pub(super) const fn is_online(&self) -> bool {
        !matches!(self, Self::Offline(_))
    }

    pub(super) const fn is_subscribing(&self) -> bool {
        matches!(self, Self::Subscribing(_))
    }

    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    pub(super) fn connection(&self) -> Option<&Connection<D, T>> {
        match self {
            Self::Offline(_) => None,
            Self::Subscribing(connection)
            | Self::Authorizing(connection)
            | Self::Live(connection) => Some(connection),
        }
    }

    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection<D, T>> {
        match self {
            Self::Offline(_) => None,
            Self::Subscribing(connection)
            | Self::Authorizing(connection)
            | Self::Live(connection) => Some(connection),
        }
    }

    /// The connection, where the pool takes shares.
    pub(super) fn live(&self) -> Option<&Connection<D, T>> {
        self.connection().filter(|_| self.is_live())
    }

    /// The same, to be changed.
    pub(super) fn live_mut(&mut self) -> Option<&mut Connection<D, T>> {
        match self {
            Self::Live(connection) => Some(connection),
            _ => None,
        }
    }

    /// The subscribe has its answer.
    pub(super) fn subscribed(&mut self) {
        *self = match std::mem::replace(self, Self::Offline(Past::default())) {
            Self::Subscribing(connection) => Self::Authorizing(connection),
            other => other,
        };
    }

    /// The pool has authorized us and given an extranonce.
    pub(super) fn go_live(&mut self) {
        *self = match std::mem::replace(self, Self::Offline(Past::default())) {
            Self::Authorizing(connection) => Self::Live(connection),
            other => other,
        };
    }
}

impl<D: Dialect, T> Connection<D, T> {
    /// Begins, with nothing of the one before but its past.
    fn after(past: Past, former: Generation, setup: &Setup<D>) -> Self {
        let Past { reached: _, last_id, gap, rtt, suspects, brake_rests_until } = past;
        Self {
            requests: Requests::after(last_id),
            pacer: Pacer::new(setup.dialect.rules().pace, rtt),
            names: Names::new(suspects),
            brake: Brake::new(setup.config.max_shares_per_second, brake_rests_until),
            silence: Silence::new(gap),
            former,
            terms: D::Terms::default(),
            announced: Announced::default(),
            next_extranonce: None,
            is_grounded: false,
            early: None,
            is_authorized: false,
            divides_anew: false,
            late_authorize: None,
            recent: RecentShares::new(),
            remarked: None,
            unusable: None,
            unanswered: 0,
            bad_lines: Strikes::new(&BAD_LINES),
            overlong: None,
        }
    }

    /// Says what is wished for, and asks for an extranonce.
    pub(super) fn subscribe(
        &mut self,
        former: Option<&str>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        let Setup { dialect, config, .. } = setup;
        let id = self.requests.next_id();
        if out.write(|out| dialect.tell_pool(PoolCall::Configure { id }, out)) {
            self.requests.push(Request::Configure, out, now);
        }
        let id = self.requests.push(Request::Subscribe, out, now);
        let server = config.server.as_ref().map(|(host, port)| (&**host, *port));
        let call = PoolCall::Subscribe { id, agent: &config.agent, former, server };
        out.write(|out| dialect.tell_pool(call, out));
    }

    fn end(self, reached: Reached, out: &mut UpstreamOut<T>) -> (Past, Interrupted<D, T>) {
        let Self { requests, pacer, names, brake, silence, .. } = self;
        let (suspects, name) = names.lose();
        let past = Past {
            reached,
            last_id: requests.last_id(),
            gap: silence.gap(),
            rtt: pacer.rtt(),
            suspects,
            brake_rests_until: brake.release(out),
        };
        (past, Interrupted { written: requests, queued: pacer, name })
    }

    /// What an answer of the pool means.
    #[inline]
    pub(super) fn hear(
        &mut self,
        to: PoolQuestion<'_, D::Job>,
        answer: &RpcReply<'_>,
        setup: &Setup<D>,
    ) -> PoolAnswer {
        setup.dialect.hear_answer(to, answer, &mut self.terms)
    }

    /// A call of the pool made no sense; what it takes for a job is of most interest.
    pub(super) fn note_unusable(&mut self, is_job: bool, error: &ParseError) {
        if is_job || self.unusable.is_none() {
            self.unusable = Some(error.clone());
        }
    }

    /// What there is to say of a job, unless that was said of the one before that had a remark.
    pub(super) fn remark(&mut self, job: &D::Job) -> Option<String> {
        let remark = job.remark().filter(|remark| self.remarked.as_deref() != Some(remark))?;
        self.remarked = Some(remark.as_str().into());
        Some(remark)
    }

    /// A line was too long; `true` when one was so not long ago.
    pub(super) fn overlong(&mut self, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < OVERLONG_PARDON;
        self.overlong.replace(now).is_some_and(recent)
    }
}
