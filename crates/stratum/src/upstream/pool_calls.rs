//! What the pool's calls mean: its jobs, and the terms and the ground on which they are worked at.

use std::sync::Arc;

use super::out::UpstreamTimer;
use super::{DownReason, Notice, Upstream, UpstreamEvent};
use crate::dialect::{CourtesyReply, Dialect, PoolEvent, Subscribed};
use crate::error::{ParseError, Reject, shown};
use crate::rpc::{Message, PoolError, RpcCall};
use crate::time::Instant;

impl<D: Dialect, T> Upstream<D, T> {
    pub(super) fn handle_call(
        &mut self,
        method: &str,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), DownReason> {
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        let dialect = Arc::clone(&self.setup.dialect);
        let call = RpcCall { method, params: message.params };
        let event = dialect.hear_pool(call, &mut connection.terms);
        let reply = match event {
            PoolEvent::Ping => CourtesyReply::Pong,
            PoolEvent::WantsVersion => CourtesyReply::Version(&self.setup.config.agent),
            PoolEvent::Unknown => {
                let unknown = Reject::invalid(format!("unknown method {}", shown(method)));
                let reply = CourtesyReply::Unknown(&unknown);
                self.courtesy.answer(message.id, reply, &*dialect, &mut self.out, now);
                return Ok(());
            }
            PoolEvent::Unusable(error) => {
                self.note_unusable(false, method, error);
                return Ok(());
            }
            event => {
                self.handle_event(event, method, now)?;
                self.look_at_flow(now);
                return Ok(());
            }
        };
        self.courtesy.answer(message.id, reply, &*dialect, &mut self.out, now);
        Ok(())
    }

    fn note_unusable(&mut self, is_job: bool, method: &str, error: ParseError) {
        if let Some(connection) = self.link.connection_mut() {
            connection.note_unusable(is_job, &error);
        }
        self.out.notice(Notice::Unusable { method: shown(method), error });
    }

    fn handle_event(
        &mut self,
        event: PoolEvent<D::Job>,
        method: &str,
        now: Instant,
    ) -> Result<(), DownReason> {
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        match event {
            PoolEvent::Job(Err(error)) => self.note_unusable(true, method, error),
            PoolEvent::Job(Ok(job)) => {
                connection.silence.notified(now);
                if let Some(remark) = connection.remark(&job) {
                    self.out.notice(Notice::Job(remark));
                }
                if connection.is_grounded {
                    return self.take_job(job, now);
                }
                connection.early = Some(job);
            }
            PoolEvent::Difficulty(target) => {
                connection.announced.difficulty = Some(target);
                self.jobs.target_announced(false, connection, &self.setup, &mut self.out);
            }
            PoolEvent::Target(target) => {
                connection.announced.target = Some(target);
                if self.jobs.is_pending() {
                    self.publish(now);
                } else {
                    let behind = self.setup.dialect.rules().target_behind_notify.is_some();
                    self.jobs.target_announced(behind, connection, &self.setup, &mut self.out);
                }
            }
            PoolEvent::Extranonce { extranonce1, size } => {
                connection.next_extranonce = Some((extranonce1, size));
                if !connection.is_grounded && !self.link.is_subscribing() {
                    self.take_first_ground(now)?;
                    return self.grounded(now);
                }
            }
            PoolEvent::Barred(why) => return Err(DownReason::Barred(why)),
            PoolEvent::Reconnect { host, port, wait } => {
                self.out.event(UpstreamEvent::Reconnect { host, port, wait });
            }
            PoolEvent::Message(text) => self.out.notice(Notice::Message(text)),
            PoolEvent::Noted
            | PoolEvent::Ping
            | PoolEvent::WantsVersion
            | PoolEvent::Unusable(_)
            | PoolEvent::Unknown => {}
        }
        Ok(())
    }

    pub(super) fn take_job(&mut self, job: D::Job, now: Instant) -> Result<(), DownReason> {
        // It was told before the extranonce changed.
        self.publish(now);
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        let given = self.footing.subscribed();
        let given = self.jobs.divides_anew(&job, given, connection);
        if let Some(given) = given {
            self.settle(given, now)?;
        }
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        self.jobs.take_up(job, &self.footing, connection, &self.setup, &mut self.out, now);
        Ok(())
    }

    /// Takes the extranonce that the pool has given by a call of its own, since it gave none at the
    /// subscribe.
    pub(super) fn take_first_ground(&mut self, now: Instant) -> Result<(), DownReason> {
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        let given = connection.next_extranonce.take();
        given.map_or(Ok(()), |(extranonce1, announced_size)| {
            self.settle(Subscribed { extranonce1, announced_size, session: None }, now)
        })
    }

    /// The extranonce is there: the job that came before it can be taken, and shares too.
    pub(super) fn grounded(&mut self, now: Instant) -> Result<(), DownReason> {
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        connection.is_grounded = true;
        let (early, is_authorized) = (connection.early.take(), connection.is_authorized);
        early.map_or(Ok(()), |job| self.take_job(job, now))?;
        if is_authorized { self.go_live(now) } else { Ok(()) }
    }

    /// Publishes a job that waits for its target.
    pub(super) fn publish(&mut self, now: Instant) {
        if let Some(connection) = self.link.connection_mut() {
            self.jobs.publish(&self.footing, connection, &self.setup, &mut self.out, now);
        }
    }

    pub(super) fn settle(&mut self, given: Subscribed, now: Instant) -> Result<(), DownReason> {
        let is_live = self.link.is_live();
        self.footing.settle(given, is_live, &self.setup, &mut self.jobs, &mut self.out, now)
    }

    /// The pool refused a share for its form. If the split is one that stricter pools do not take,
    /// and none was taken so far, the stricter one is used from now on; `true` then.
    pub(super) fn fall_back(
        &mut self,
        error: &PoolError,
        now: Instant,
    ) -> Result<bool, DownReason> {
        let Some(given) = self.footing.subscribed().cloned() else { return Ok(false) };
        if !self.footing.should_fall_back(&error.to_string(), &self.setup, &mut self.out) {
            return Ok(false);
        }
        self.follow_habits();
        if let Some(connection) = self.link.connection_mut() {
            connection.divides_anew = false;
        }
        // The work goes on under the new leases: its shares were worth nothing under the old.
        let before = self.footing.generation();
        let work = self.jobs.latest();
        self.settle(given, now)?;
        // The same ground again would have the same leases, to which the work was told already.
        if self.footing.generation() != before
            && let (Some(work), Some(place)) = (work, self.footing.place(&self.setup))
        {
            self.jobs.readopt(work, &place);
            self.out.timers.set(UpstreamTimer::Job, None);
        }
        Ok(true)
    }
}
