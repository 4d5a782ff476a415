//! A pool's job on its way to the rigs: whether its target follows, and what is in force by it.

use std::sync::Arc;
use std::time::Duration;

use super::{Jobs, Taken};
use crate::dialect::{Dialect, PoolCall, Subscribed, Work};
use crate::habits::{Answer, Habit};
use crate::time::Instant;
use crate::upstream::footing::Footing;
use crate::upstream::link::Connection;
use crate::upstream::out::{UpstreamOut, UpstreamTimer};
use crate::upstream::requests::{Request, Requests};
use crate::upstream::setup::Setup;
use crate::upstream::{Notice, UpstreamEvent};

/// So many times longer than usual the first target of a connection is waited for.
const FIRST_TARGET: u32 = 20;

impl<D: Dialect> Jobs<D> {
    /// Takes up a job; publishes it at once unless its target may follow.
    pub(in crate::upstream) fn take_up<T>(
        &mut self,
        job: D::Job,
        footing: &Footing,
        connection: &mut Connection<D, T>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        let has_target = connection.announced.target.is_some();
        let wait = setup.dialect.rules().target_behind_notify;
        let wait = wait.map(|usual| self.target_wait(usual, has_target));
        self.pending = Some(Arc::new(job));
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => out.timers.set(UpstreamTimer::Target, Some(now + wait)),
            None => self.publish(footing, connection, setup, out, now),
        }
    }

    /// How long a job waits for its target. Pools that announce targets after their notifies do
    /// so always; before the first one there is no telling, and a job without it would cost more
    /// than the wait.
    fn target_wait(&self, usual: Duration, has_target: bool) -> Duration {
        if has_target {
            return usual;
        }
        let first = self.works.back().is_none_or(|latest| !latest.announced);
        if first { usual * FIRST_TARGET } else { Duration::ZERO }
    }

    /// What the pool was given, where that has to be taken up anew with a job that is new work: rigs
    /// must not do the same under both.
    pub(in crate::upstream) fn divides_anew<T>(
        &self,
        job: &D::Job,
        given: Option<&Subscribed>,
        connection: &mut Connection<D, T>,
    ) -> Option<Subscribed> {
        let given = given?;
        if let Some((extranonce1, size)) = connection.next_extranonce.take() {
            let announced_size = size.or(given.announced_size);
            return Some(Subscribed { extranonce1, announced_size, ..given.clone() });
        }
        let key = job.key();
        let repeats = self.works.iter().any(|known| known.frames.job.key() == key);
        if !connection.divides_anew || repeats {
            return None;
        }
        connection.divides_anew = false;
        Some(given.clone())
    }

    /// Publishes a job that waits for its target.
    pub(in crate::upstream) fn publish<T>(
        &mut self,
        footing: &Footing,
        connection: &mut Connection<D, T>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        let Some(job) = self.pending.take() else { return };
        out.timers.set(UpstreamTimer::Target, None);
        let Some(place) = footing.place(setup) else { return };
        let before = self.in_force;
        let name = Arc::clone(&job);
        let Taken { is_new, told } =
            self.take(&setup.dialect, job, &connection.announced, &connection.terms, &place, now);
        out.timers.set(UpstreamTimer::Job, None);
        if self.in_force != before {
            self.say_target(setup, out);
        }
        out.event(UpstreamEvent::View);
        if is_new && !told.is_complete() {
            let requests = &mut connection.requests;
            ask_about::<D, T>(&name, told, &setup.dialect, requests, out, now);
        }
    }

    /// What the pool announced about targets has changed. It comes into force with the next notify,
    /// which may repeat the present job; at once where the pool is known to do so, or where it
    /// announces targets behind its notifies.
    pub(in crate::upstream) fn target_announced<T>(
        &mut self,
        behind_notify: bool,
        connection: &Connection<D, T>,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
    ) {
        let known = setup.known();
        let at_once = behind_notify || known.get(Habit::DifficultyFrom) == Some(Answer::Other);
        if self.announce(&setup.dialect, &connection.announced, known, at_once) {
            self.target_changed(setup, out);
        }
    }

    /// The target in force has changed without a notify.
    pub(in crate::upstream) fn target_changed<T>(
        &self,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
    ) {
        self.say_target(setup, out);
        out.event(UpstreamEvent::View);
    }

    fn say_target<T>(&self, setup: &Setup<D>, out: &mut UpstreamOut<T>) {
        out.notice(Notice::Target(self.in_force.surely(setup.known())));
    }
}

/// Asks about a work under the name that this connection's pool knows; what comes back is
/// learnt by the job that rigs are told.
fn ask_about<D: Dialect, T>(
    name: &D::Job,
    told: Arc<D::Job>,
    dialect: &D,
    requests: &mut Requests<D, T>,
    out: &mut UpstreamOut<T>,
    now: Instant,
) {
    if !requests.has_room(false) {
        return;
    }
    let call = PoolCall::Ask { id: requests.next_id(), job: name };
    if out.write(|out| dialect.tell_pool(call, out)) {
        requests.push(Request::Question(told), out, now);
    }
}
