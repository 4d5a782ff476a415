//! A pool's job on its way to the rigs: under which ground it is told, and whether its target follows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Place, Taken};
use crate::dialect::{Dialect, Subscribed};
use crate::habits::{Answer, Habit, Habits};
use crate::upstream::requests::Request;
use crate::upstream::{Notice, Upstream, UpstreamEvent};

/// So many times longer than usual the first target of a connection is waited for.
const FIRST_TARGET: u32 = 20;
impl<D: Dialect, T> Upstream<D, T> {
    /// Whether the pool goes on with the session that it was asked for.
    pub(in crate::upstream) fn resumes(&self, given: &Subscribed) -> bool {
        let Some(former) = &self.subscribed else { return false };
        former.session.as_deref().is_some_and(|asked| {
            given.session.as_deref() == Some(asked)
                && given.extranonce1 == former.extranonce1
                && self.dialect.resumes(asked, given)
        })
    }

    pub(in crate::upstream) fn take_job(&mut self, job: D::Job, now: Instant) {
        // It was told before the extranonce changed.
        self.publish_pending(now);
        if !self.settle_before(&job, now) {
            return;
        }
        let wait = D::TARGET_FOLLOWS_NOTIFY.map_or(Duration::ZERO, |wait| self.target_wait(wait));
        self.jobs.pending = Some((Arc::new(job), now + wait));
        self.publish_settled(now);
    }

    /// Takes up another extranonce, or another division of the present one, with a job that is new
    /// work: rigs must not do the same under both. `false` when the connection is down by it.
    fn settle_before(&mut self, job: &D::Job, now: Instant) -> bool {
        let (Some(given), Some(connection)) = (&self.subscribed, self.link.connection_mut()) else {
            return true;
        };
        if let Some((extranonce1, size)) = connection.next_extranonce.take() {
            let announced_size = size.or(given.announced_size);
            let given = Subscribed { extranonce1, announced_size, ..given.clone() };
            return self.settle_on(given, now);
        }
        let repeats = self.jobs.works.iter().any(|k| self.dialect.same_work(&k.frames.job, job));
        if connection.divides_anew && !repeats {
            connection.divides_anew = false;
            let given = given.clone();
            return self.settle_on(given, now);
        }
        true
    }

    /// Publishes a job that waits for its target, when it has waited long enough.
    pub(in crate::upstream) fn publish_settled(&mut self, now: Instant) {
        if self.jobs.settles_at().is_some_and(|until| until <= now) {
            self.publish_pending(now);
        }
    }

    /// Publishes a job that waits for its target.
    pub(in crate::upstream) fn publish_pending(&mut self, now: Instant) {
        let Some((job, _)) = self.jobs.pending.take() else { return };
        let (Some(ground), Some(connection)) = (&self.ground, self.link.connection()) else {
            return;
        };
        let known = self.habits.known();
        let place = Place { known, space: &ground.space, generation: self.generation };
        let before = self.jobs.in_force;
        let name = Arc::clone(&job);
        let Taken { is_new, told } =
            self.jobs.take(&self.dialect, job, &connection.announced, &place, now);
        if self.jobs.in_force != before {
            self.say_target();
        }
        self.events.push_back(UpstreamEvent::View);
        if is_new && !self.dialect.checkable(&told) {
            self.ask_about(&name, told, now);
        }
    }

    /// What the pool announced about targets has changed. It comes into force with the next notify,
    /// which may repeat the present job; at once where the pool is known to do so, or where it
    /// announces targets behind its notifies.
    pub(in crate::upstream) fn target_announced(&mut self, behind_notify: bool) {
        let known = self.habits.known().get(Habit::DifficultyFrom);
        let at_once = behind_notify || known == Some(Answer::Other);
        let Some(connection) = self.link.connection() else { return };
        if self.jobs.announce(&self.dialect, &connection.announced, at_once) {
            self.target_changed();
        }
    }

    /// The target in force has changed without a notify.
    pub(in crate::upstream) fn target_changed(&mut self) {
        self.say_target();
        self.events.push_back(UpstreamEvent::View);
    }

    fn say_target(&mut self) {
        let known: Habits = self.habits.known();
        self.notice(Notice::Target(self.jobs.in_force.surely(known)));
    }

    /// How long a job waits for its target. Pools that announce targets after their notifies do
    /// so always; before the first one there is no telling, and a job without it would cost more
    /// than the wait.
    fn target_wait(&self, usual: Duration) -> Duration {
        if self.link.connection().is_some_and(|there| there.announced.target.is_some()) {
            return usual;
        }
        let first = self.jobs.works.back().is_none_or(|latest| !latest.announced);
        if first { usual * FIRST_TARGET } else { Duration::ZERO }
    }

    /// Asks about a work under the name that this connection's pool knows; what comes back is
    /// learnt by the job that rigs are told.
    fn ask_about(&mut self, name: &D::Job, told: Arc<D::Job>, now: Instant) {
        if !self.requests.has_room(false) {
            return;
        }
        let id = self.requests.push(Request::Question(told), now);
        let mut asked = false;
        self.transmit.write(|out| asked = self.dialect.put_question(id, name, out));
        if !asked {
            self.requests.withdraw(id);
        }
    }
}
