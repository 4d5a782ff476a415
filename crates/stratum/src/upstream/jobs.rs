//! The pool's jobs: which are new work, which are repeats, which are still open.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::requests::Request;
use super::{Notice, Upstream, UpstreamEvent};
use crate::dialect::{Announced, Dialect, Subscribed};
use crate::habits::Habits;
use crate::job::{Epoch, Generation, JobFrames, JobIds, Serial, Work};
use crate::target::Target;

/// The most works remembered as open, whatever a dialect says.
const MAX_WORKS: usize = 32;
/// So many times longer than usual the first target of a connection is waited for.
const FIRST_TARGET: u32 = 20;
/// The most ids remembered under which the pool told one work.
const MAX_NAMES: usize = 8;

pub(super) struct Jobs<D: Dialect> {
    ids: Arc<JobIds>,
    epoch: Epoch,
    serial: Serial,
    /// The newest last.
    works: VecDeque<Known<D>>,
    /// The newest notify that came before the subscribe's answer.
    early: Option<D::Job>,
    /// A notify whose target may follow, and until when it is waited for.
    pending: Option<(Arc<D::Job>, Instant)>,
    /// The target by what the pool last announced.
    pool_target: Target,
}

pub(super) struct Known<D: Dialect> {
    frames: Arc<JobFrames<D>>,
    /// The pool's jobs that are this work, of the connection that told it last: the first one,
    /// which serves every share, and the newest ones.
    names: VecDeque<Arc<D::Job>>,
    /// The epoch in which the pool told it last.
    epoch: Epoch,
    /// When that ended.
    ended_at: Option<Instant>,
    /// The pool takes shares for it on the present connection, as far as its epoch allows: it told
    /// it there, or resumed the session in which it did.
    announced: bool,
    /// So it was on the connection that is lost.
    resumable: bool,
}

impl<D: Dialect> Jobs<D> {
    pub(super) const fn new(ids: Arc<JobIds>) -> Self {
        Self {
            ids,
            epoch: Epoch(0),
            serial: Serial(0),
            works: VecDeque::new(),
            early: None,
            pending: None,
            pool_target: Target::MAX,
        }
    }

    pub(super) fn latest_of(&self, generation: Generation) -> Option<Arc<JobFrames<D>>> {
        let known = self.works.back()?;
        (known.frames.generation == generation).then(|| Arc::clone(&known.frames))
    }

    pub(super) const fn ids(&self) -> &Arc<JobIds> {
        &self.ids
    }

    pub(super) const fn pool_target(&self) -> Target {
        self.pool_target
    }

    pub(super) fn settles_at(&self) -> Option<Instant> {
        self.pending.as_ref().map(|(_, until)| *until)
    }

    /// The pool's job under which a share is submitted: the newest of those that are the rig's
    /// work and that the pool would take the share for.
    pub(super) fn serving(&self, frames: &JobFrames<D>, share: &D::Share) -> Option<&Arc<D::Job>> {
        self.known(frames)?.names.iter().rev().find(|job| frames.dialect.serves(job, share))
    }

    /// Whether the pool takes a share under any of the names of its work.
    pub(super) fn serves(&self, frames: &JobFrames<D>, share: &D::Share) -> bool {
        self.serving(frames, share).is_some()
    }

    /// Whether the pool has told a work on the present connection, or resumed the session.
    pub(super) fn has_told(&self) -> bool {
        self.works.back().is_some_and(|latest| latest.announced)
    }

    /// Whether the pool still takes shares for a work. Works that are too many newer ones behind,
    /// or of another generation, are not known any more.
    pub(super) fn is_open(&self, frames: &JobFrames<D>, now: Instant) -> bool {
        let Some(known) = self.known(frames) else { return false };
        known.announced
            && match frames.dialect.open_jobs().linger {
                None => known.epoch == self.epoch && !self.epoch_is_ending(&frames.dialect),
                Some(limit) => {
                    known.ended_at.is_none_or(|at| now.saturating_duration_since(at) <= limit)
                }
            }
    }

    /// Ids, unlike serials, are not shared even by channels of one route.
    fn known(&self, frames: &JobFrames<D>) -> Option<&Known<D>> {
        self.works.iter().find(|known| known.frames.id == frames.id)
    }

    /// A notify that is still to be published makes all works before it worthless.
    fn epoch_is_ending(&self, dialect: &D) -> bool {
        let (Some((job, _)), Some(latest)) = (&self.pending, self.works.back()) else {
            return false;
        };
        let latest = &latest.frames.job;
        dialect.supersedes(latest, job) && !dialect.same_work(latest, job)
    }

    /// Takes in an announced target; `true` when the present target changed by it.
    pub(super) fn announce(&mut self, dialect: &D, announced: &Announced) -> bool {
        let Some(known) = self.works.back() else { return false };
        let job = known.names.back().unwrap_or(&known.frames.job);
        let target = dialect.pool_target(job, announced).surely(Habits::default());
        std::mem::replace(&mut self.pool_target, target) != target
    }

    /// The connection is lost: no former job is open until the pool tells it again or resumes the
    /// session.
    pub(super) fn close_all(&mut self) {
        let latest = self.works.back().map(|latest| Arc::clone(&latest.frames.dialect));
        let worthless = latest.is_some_and(|dialect| self.epoch_is_ending(&dialect));
        self.early = None;
        self.pending = None;
        for known in &mut self.works {
            known.resumable |= std::mem::take(&mut known.announced);
            known.resumable &= !worthless;
        }
    }

    /// The login of another connection has shown whether the session is resumed.
    pub(super) fn resume(&mut self, resumed: bool) {
        for known in &mut self.works {
            known.announced |= std::mem::take(&mut known.resumable) && resumed;
        }
    }

    /// Keeps a notify until the subscribe is answered.
    pub(super) fn hold(&mut self, job: D::Job) {
        self.early = Some(job);
    }

    pub(super) fn take_early(&mut self) -> Option<D::Job> {
        self.early.take()
    }

    /// How many of the pool's jobs are remembered.
    #[cfg(test)]
    pub(super) fn names(&self) -> usize {
        self.works.iter().map(|known| known.names.len()).sum()
    }

    /// The generation has ended: nothing of it is work any more. A notify that is still to be
    /// published stays: it will be work of the new one.
    pub(super) fn forget(&mut self) {
        self.works.clear();
    }

    /// The present work and the names under which the pool told it.
    pub(super) fn latest(&self) -> Option<Known<D>> {
        let known = self.works.back()?;
        let (frames, names) = (Arc::clone(&known.frames), known.names.clone());
        Some(Known { frames, names, ..*known })
    }

    /// Goes on with a work in another generation, under new leases.
    pub(super) fn readopt(&mut self, work: Known<D>, generation: Generation) {
        let former = work.frames;
        let job = Arc::clone(&former.job);
        self.adopt(&former.dialect, job, self.pool_target, generation, former.arrived);
        if let Some(known) = self.works.back_mut() {
            known.names = work.names;
        }
    }

    /// Takes a job. Gives the job that rigs are told when it is told for the first time on this
    /// connection.
    fn take(
        &mut self,
        dialect: &Arc<D>,
        job: Arc<D::Job>,
        announced: &Announced,
        generation: Generation,
        now: Instant,
    ) -> Option<Arc<D::Job>> {
        let target = dialect.pool_target(&job, announced).surely(Habits::default());
        self.pool_target = target;
        let epoch = self.epoch;
        if let Some(known) = self.repeated(dialect, &job) {
            let reopened = known.told_again(job, epoch);
            return reopened.then(|| Arc::clone(&known.frames.job));
        }
        if let Some(latest) = self.works.back() {
            // A pool takes no shares for what it told on a former connection.
            if !latest.announced || dialect.supersedes(&latest.frames.job, &job) {
                self.epoch.0 += 1;
            }
        }
        // Rigs are told it anew, but some may still have shares of it under its former id.
        let epoch = self.epoch;
        let closed = self.works.iter_mut().filter(|known| !known.announced);
        for former in closed.filter(|known| dialect.same_work(&known.frames.job, &job)) {
            former.told_again(Arc::clone(&job), epoch);
        }
        self.adopt(dialect, Arc::clone(&job), target, generation, now);
        Some(job)
    }

    /// The work that a job repeats. A repeat of a former work is one only where rigs can stay on
    /// the latest: telling them the former again would make them repeat their shares.
    fn repeated(&mut self, dialect: &D, job: &D::Job) -> Option<&mut Known<D>> {
        let known = self.works.iter().rposition(|k| dialect.same_work(&k.frames.job, job))?;
        let latest = self.works.back()?;
        let both_open = || {
            latest.announced
                && dialect.open_jobs().linger.is_none()
                && !dialect.supersedes(&latest.frames.job, job)
        };
        if known + 1 == self.works.len() || both_open() { self.works.get_mut(known) } else { None }
    }

    fn adopt(
        &mut self,
        dialect: &Arc<D>,
        job: Arc<D::Job>,
        pool_target: Target,
        generation: Generation,
        arrived: Instant,
    ) {
        self.serial.0 += 1;
        for former in &mut self.works {
            if former.epoch != self.epoch {
                former.ended_at.get_or_insert(arrived);
            }
        }
        let frames = Arc::new(JobFrames::new(Work {
            dialect: Arc::clone(dialect),
            id: self.ids.next(),
            serial: self.serial,
            epoch: self.epoch,
            generation,
            job: Arc::clone(&job),
            pool_target,
            arrived,
        }));
        let names = VecDeque::from([job]);
        let epoch = self.epoch;
        let (ended_at, announced, resumable) = (None, true, false);
        self.works.push_back(Known { frames, names, epoch, ended_at, announced, resumable });
        while self.works.len() > dialect.open_jobs().count.clamp(1, MAX_WORKS) {
            self.works.pop_front();
        }
    }
}

impl<D: Dialect> Known<D> {
    /// The pool told the work under this name; `true` when it is open again by that.
    fn told_again(&mut self, name: Arc<D::Job>, epoch: Epoch) -> bool {
        let reopened = !std::mem::replace(&mut self.announced, true);
        if reopened {
            // On this connection the pool may have given the former names to other jobs.
            self.names.clear();
        }
        if self.names.len() >= MAX_NAMES {
            self.names.remove(1);
        }
        self.names.push_back(name);
        self.epoch = epoch;
        self.ended_at = None;
        reopened
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Whether the pool goes on with the session that it was asked for.
    pub(super) fn resumes(&self, given: &Subscribed) -> bool {
        let Some(former) = &self.subscribed else { return false };
        former.session.as_deref().is_some_and(|asked| {
            given.session.as_deref() == Some(asked)
                && given.extranonce1 == former.extranonce1
                && self.dialect.resumes(asked, given)
        })
    }

    pub(super) fn take_job(&mut self, job: D::Job, now: Instant) {
        // It was told before the extranonce changed.
        self.publish_pending(now);
        if let (Some((extranonce1, size)), Some(given)) =
            (self.next_extranonce.take(), &self.subscribed)
        {
            let announced_size = size.or(given.announced_size);
            let given = Subscribed { extranonce1, announced_size, ..given.clone() };
            if !self.settle_on(given, now) {
                return;
            }
        }
        let wait = D::TARGET_FOLLOWS_NOTIFY.map_or(Duration::ZERO, |wait| self.target_wait(wait));
        self.jobs.pending = Some((Arc::new(job), now + wait));
        self.publish_settled(now);
    }

    /// Publishes a job that waits for its target, when it has waited long enough.
    pub(super) fn publish_settled(&mut self, now: Instant) {
        if self.jobs.settles_at().is_some_and(|until| until <= now) {
            self.publish_pending(now);
        }
    }

    /// Publishes a job that waits for its target.
    pub(super) fn publish_pending(&mut self, now: Instant) {
        let Some((job, _)) = self.jobs.pending.take() else { return };
        let before = self.jobs.pool_target;
        let name = Arc::clone(&job);
        let first = self.jobs.take(&self.dialect, job, &self.announced, self.generation, now);
        if self.jobs.pool_target != before {
            self.notice(Notice::Target(self.jobs.pool_target));
        }
        self.events.push_back(UpstreamEvent::View);
        if let Some(told) = first.filter(|told| !self.dialect.checkable(told)) {
            self.ask_about(&name, told, now);
        }
    }

    /// How long a job waits for its target. Pools that announce targets after their notifies do
    /// so always; before the first one there is no telling, and a job without it would cost more
    /// than the wait.
    fn target_wait(&self, usual: Duration) -> Duration {
        if self.announced.target.is_some() {
            return usual;
        }
        let first = self.jobs.works.back().is_none_or(|latest| !latest.announced);
        if first { usual * FIRST_TARGET } else { Duration::ZERO }
    }

    /// Asks about a work under the name that this connection's pool knows; what comes back is
    /// learnt by the job that rigs are told.
    fn ask_about(&mut self, name: &D::Job, told: Arc<D::Job>, now: Instant) {
        if !self.requests.has_room() {
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
