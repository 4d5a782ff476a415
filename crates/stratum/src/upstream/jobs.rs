//! The pool's jobs: which are new work, which are repeats, which are still open.

mod publish;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::dialect::{Announced, Dialect, Price, Wanted, Work};
use crate::habits::Habits;
use crate::job::{Epoch, Frames, Generation, JobFrames, JobIds, Serial};
use crate::space::{MAX_WORKS, Space, WorkNumber};
use crate::target::Target;
use crate::time::Instant;
use crate::window::{JobWindow, WorkStanding};

/// The most ids remembered under which the pool told one work.
const MAX_IDS: usize = 8;

pub(super) struct Jobs<D: Dialect> {
    ids: Arc<JobIds>,
    epoch: Epoch,
    serial: Serial,
    /// The works of the present generation, each once, the one told last at the end.
    works: VecDeque<KnownWork<D>>,
    /// Those of the generations before, of this connection, the newest last.
    former: VecDeque<FormerWork<D>>,
    /// A notify whose target may follow, which is waited for.
    pending: Option<Arc<D::Job>>,
    /// The target by which the pool judges.
    in_force: Wanted,
    /// The target by what the pool last announced, which may come into force later.
    announced: Wanted,
}

pub(super) struct KnownWork<D: Dialect> {
    frames: Arc<JobFrames<D>>,
    /// The pool's jobs that are this work, of the connection that told it last: the first one,
    /// which serves every share, and the newest ones. No two have one id, and none has an id that
    /// stands for other work by now.
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

/// A work of a former generation.
struct FormerWork<D: Dialect> {
    known: KnownWork<D>,
    /// Whether shares of it are still the pool's; blocks are worth a try anyway.
    counts: bool,
}

/// What became of a job that the pool told.
pub(super) struct Taken<D: Dialect> {
    /// Its work was not known on this connection.
    is_new: bool,
    /// The job that rigs are told for it.
    told: Arc<D::Job>,
}

impl<D: Dialect> Jobs<D> {
    pub(super) const fn new(ids: Arc<JobIds>) -> Self {
        Self {
            ids,
            epoch: Epoch(0),
            serial: Serial(0),
            works: VecDeque::new(),
            former: VecDeque::new(),
            pending: None,
            in_force: Wanted::sure(Target::MAX),
            announced: Wanted::sure(Target::MAX),
        }
    }

    pub(super) fn latest_of(&self, generation: Generation) -> Option<Arc<JobFrames<D>>> {
        let known = self.works.back()?;
        (known.frames.generation == generation).then(|| Arc::clone(&known.frames))
    }

    pub(super) const fn ids(&self) -> &Arc<JobIds> {
        &self.ids
    }

    /// The target by which the pool judges.
    pub(super) const fn in_force(&self) -> Wanted {
        self.in_force
    }

    /// The target by what the pool last announced.
    pub(super) const fn announced(&self) -> Wanted {
        self.announced
    }

    /// Whether a notify waits for its target.
    pub(super) const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The pool's job under which a share is submitted: the newest of those that are the rig's
    /// work and that the pool would take the share for.
    pub(super) fn serving(&self, frames: &JobFrames<D>, share: &D::Share) -> Option<&Arc<D::Job>> {
        self.known(frames)?.names.iter().rev().find(|job| job.serves(share))
    }

    /// The same for a share that is worth a try even if the pool should not take it.
    pub(super) fn perhaps_serving(
        &self,
        frames: &JobFrames<D>,
        share: &D::Share,
    ) -> Option<&Arc<D::Job>> {
        let known = self.known(frames).filter(|known| known.announced)?;
        self.serving(frames, share).or_else(|| known.names.back())
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
    /// or of another generation, are not open any more.
    pub(super) fn is_open(&self, frames: &JobFrames<D>, now: Instant) -> bool {
        let Some((newer, known, counts)) = self.find(frames) else { return false };
        let standing = WorkStanding {
            newer: newer as u64,
            is_of_epoch: known.epoch == self.epoch && !self.epoch_is_ending(),
            ended_at: known.ended_at,
        };
        counts && known.announced && JobWindow::of(&*frames.dialect).is_open(&standing, now)
    }

    fn known(&self, frames: &JobFrames<D>) -> Option<&KnownWork<D>> {
        self.find(frames).map(|(_, known, _)| known)
    }

    /// How many newer works there are, what is known of this one, and whether its shares are still the
    /// pool's. By its content: a work that comes back is known by all frames that it ever had.
    /// Generations are not shared even by channels of one route.
    fn find(&self, frames: &JobFrames<D>) -> Option<(usize, &KnownWork<D>, bool)> {
        let work = (frames.generation, frames.work);
        let former = self.former.iter().rev().map(|former| (&former.known, former.counts));
        let newest_first = self.works.iter().rev().map(|known| (known, true)).chain(former);
        let mut numbered = newest_first.enumerate();
        let (newer, (known, counts)) = numbered.find(|(_, (known, _))| known.key() == work)?;
        Some((newer, known, counts))
    }

    /// A notify that is still to be published makes all works before it worthless.
    fn epoch_is_ending(&self) -> bool {
        let (Some(job), Some(latest)) = (&self.pending, self.works.back()) else {
            return false;
        };
        let latest = &latest.frames.job;
        job.supersedes(latest) && job.key() != latest.key()
    }

    /// Takes in an announced target, which is in force `at_once` or from the next notify on;
    /// `true` when the one in force changed by it.
    pub(super) fn announce(
        &mut self,
        dialect: &D,
        announced: &Announced,
        habits: Habits,
        at_once: bool,
    ) -> bool {
        let Some(known) = self.works.back() else { return false };
        let job = known.names.back().unwrap_or(&known.frames.job);
        self.announced = dialect.price(job, announced, habits).wanted;
        at_once && self.enforce()
    }

    /// What was announced is in force; `true` when that changes something.
    pub(super) fn enforce(&mut self) -> bool {
        std::mem::replace(&mut self.in_force, self.announced) != self.announced
    }

    /// The connection is lost: no former job is open until the pool tells it again or resumes the
    /// session.
    pub(super) fn close_all(&mut self) {
        let worthless = self.epoch_is_ending();
        self.pending = None;
        self.former.clear();
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

    /// How many of the pool's jobs are remembered.
    #[cfg(test)]
    pub(super) fn names(&self) -> usize {
        self.works.iter().map(|known| known.names.len()).sum()
    }

    /// The generation has ended: nothing of it is work any more, but what was found of it may still
    /// be sent; shares only where they still count. A notify that is still to be published stays: it
    /// will be work of the new one.
    pub(super) fn leave(&mut self, counts: bool) {
        self.former.iter_mut().for_each(|former| former.counts &= counts);
        let works = self.works.drain(..).map(|known| FormerWork { known, counts });
        self.former.extend(works);
        let surplus = self.former.len().saturating_sub(MAX_WORKS);
        self.former.drain(..surplus);
    }

    /// The present work and the names under which the pool told it.
    pub(super) fn latest(&self) -> Option<KnownWork<D>> {
        let known = self.works.back()?;
        let (frames, names) = (Arc::clone(&known.frames), known.names.clone());
        Some(KnownWork { frames, names, ..*known })
    }

    /// Goes on with a work in another generation, under new leases.
    pub(super) fn readopt(&mut self, work: KnownWork<D>, place: &TellingPlace<'_>) {
        let KnownWork { frames, names, .. } = work;
        let JobFrames { dialect, job, terms, wanted, block, arrived, .. } = &*frames;
        let price = Price { wanted: *wanted, block: *block };
        self.adopt(dialect, Arc::clone(job), terms, price, place, *arrived);
        if let Some(known) = self.works.back_mut() {
            known.names = names;
        }
    }

    /// Takes a job.
    fn take(
        &mut self,
        dialect: &Arc<D>,
        job: Arc<D::Job>,
        announced: &Announced,
        terms: &D::Terms,
        place: &TellingPlace<'_>,
        now: Instant,
    ) -> Taken<D> {
        let price = dialect.price(&job, announced, place.known);
        (self.in_force, self.announced) = (price.wanted, price.wanted);
        self.take_id_away(&job);
        let epoch = self.epoch;
        if let Some(known) = self.repeated(dialect, &job) {
            let is_new = known.told_again(job, epoch);
            return Taken { is_new, told: Arc::clone(&known.frames.job) };
        }
        let former = || self.former.back().map(|former| &former.known);
        if let Some(latest) = self.works.back().or_else(former) {
            // A pool takes no shares for what it told on a former connection.
            if !latest.announced || job.supersedes(&latest.frames.job) {
                self.epoch.0 += 1;
            }
        }
        self.adopt(dialect, Arc::clone(&job), terms, price, place, now);
        Taken { is_new: true, told: job }
    }

    /// A pool may use an id again: from now on it stands for this job.
    fn take_id_away(&mut self, job: &D::Job) {
        let id = job.id();
        let former = self.former.iter_mut().map(|former| &mut former.known);
        for known in self.works.iter_mut().chain(former) {
            known.names.retain(|name| name.id() != id);
        }
    }

    /// The work that a job repeats. A former work is told again only where rigs cannot stay on the
    /// latest.
    fn repeated(&mut self, dialect: &D, job: &D::Job) -> Option<&mut KnownWork<D>> {
        let key = job.key();
        let known = self.works.iter().rposition(|known| known.frames.job.key() == key)?;
        let latest = self.works.back()?;
        let both_open = || {
            latest.announced
                && dialect.rules().open.linger.is_none()
                && !job.supersedes(&latest.frames.job)
        };
        if known + 1 == self.works.len() || both_open() { self.works.get_mut(known) } else { None }
    }

    fn adopt(
        &mut self,
        dialect: &Arc<D>,
        job: Arc<D::Job>,
        terms: &D::Terms,
        Price { wanted, block }: Price,
        place: &TellingPlace<'_>,
        arrived: Instant,
    ) {
        self.serial.0 += 1;
        for former in &mut self.works {
            if former.epoch != self.epoch {
                former.ended_at.get_or_insert(arrived);
            }
        }
        let frames = Arc::new(JobFrames {
            dialect: Arc::clone(dialect),
            id: self.ids.next(),
            serial: self.serial,
            work: place.space.number(job.key()),
            epoch: self.epoch,
            generation: place.generation,
            job: Arc::clone(&job),
            terms: terms.clone(),
            wanted,
            block,
            arrived,
            frames: Frames::default(),
        });
        // The same work may have come up before; rigs may still have shares of it.
        let key = (frames.generation, frames.work);
        let former = self.works.iter().position(|known| known.key() == key);
        let former = former.and_then(|at| self.works.remove(at));
        let mut names =
            former.filter(|former| former.announced).map_or_else(VecDeque::new, |f| f.names);
        names.truncate(MAX_IDS - 1);
        names.push_back(job);
        let epoch = self.epoch;
        let (ended_at, announced, resumable) = (None, true, false);
        self.works.push_back(KnownWork { frames, names, epoch, ended_at, announced, resumable });
        while self.works.len() > MAX_WORKS {
            self.works.pop_front();
        }
    }
}

/// Where a work is told, and what is known of the pool by then.
pub(super) struct TellingPlace<'a> {
    pub(super) known: Habits,
    pub(super) space: &'a Space,
    pub(super) generation: Generation,
}

impl<D: Dialect> KnownWork<D> {
    fn key(&self) -> (Generation, WorkNumber) {
        (self.frames.generation, self.frames.work)
    }

    /// The pool told the work under this name; `true` when it is open again by that.
    fn told_again(&mut self, name: Arc<D::Job>, epoch: Epoch) -> bool {
        let reopened = !std::mem::replace(&mut self.announced, true);
        if reopened {
            // On this connection the pool may have given the former names to other jobs.
            self.names.clear();
        }
        if self.names.len() >= MAX_IDS {
            self.names.remove(1);
        }
        self.names.push_back(name);
        self.epoch = epoch;
        self.ended_at = None;
        reopened
    }
}
