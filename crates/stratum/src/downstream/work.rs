//! What a rig is told to work on, and what it was told before.

mod telling;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::out::{DownstreamOut, DownstreamTimer};
use crate::channel::{ChannelView, Seat};
use crate::dialect::{BasisOf, Dialect, JobName, RigSay, RigSpace, Wanted};
use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::filters::Filters;
use crate::job::{JobFrames, JobId, Serial};
use crate::ladder::Level;
use crate::rig_silence::RigSilence;
use crate::rpc::Id;
use crate::seen::Seen;
use crate::space::{Lease, Prefix, WorkNumber};
use crate::target::{Difficulty, Target};
use crate::time::Instant;
use crate::vardiff::{Vardiff, VardiffConfig};
use crate::window::{JobWindow, WorkStanding};

/// How long shares of a place that the rig had before are still taken: miners go on with a job
/// for a moment.
const FORMER_OPEN_FOR: Duration = Duration::from_secs(10);

/// A rig's place and its jobs.
pub(super) struct Bench<D: Dialect> {
    pub(super) vardiff: Vardiff,
    /// How long it has sent nothing.
    pub(super) quiet: RigSilence,
    seat: Option<Box<Sitting>>,
    latest: Option<Arc<JobFrames<D>>>,
    /// Where the rig sat before it moved.
    former: Option<Box<FormerPlace<D>>>,
    /// The pool's target in force that the channel has shown last.
    pub(super) in_force: Arc<Wanted>,
    /// The target that the channel wants rigs to meet at least; seldom any.
    floor: Option<Box<Target>>,
    /// When the rig was last told a clean job, and which work.
    last_clean: Option<(Instant, Serial)>,
    /// The newest last.
    told: VecDeque<Told<D>>,
    /// The newest work that was told from the present seat.
    last_told: Option<Serial>,
    /// What the rig has asked about jobs and cannot be answered yet.
    questions: Vec<Question>,
}

/// What a rig asks about a job.
pub(super) struct Question {
    pub(super) id: Id,
    pub(super) job: JobId,
    /// By the dialect's own number.
    pub(super) kind: u8,
}

/// A place that the rig has left: the newest work that it could know there, and until when its
/// shares are taken. The lease is nobody else's until then.
struct FormerPlace<D: Dialect> {
    sitting: Box<Sitting>,
    latest: Arc<JobFrames<D>>,
    until: Instant,
}

pub(super) struct Sitting {
    pub(super) seat: Seat,
    nonces: Arc<SeatNonces>,
}

/// What a rig knows of its seat; all jobs that it is told there share it.
pub(super) struct SeatNonces {
    /// The rig's own: the pool's and the prefix.
    pub(super) extranonce1: Extranonce,
    /// The extranonce1 that `mining.set_extranonce` replaced by it.
    pub(super) before: Option<Box<Extranonce>>,
    /// The length of the pool's part.
    pub(super) pool_extranonce1: usize,
    pub(super) prefix: Prefix,
    pub(super) extranonce2_size: usize,
}

impl Sitting {
    /// Whether a job was told here.
    fn is_of<D: Dialect>(&self, told: &Told<D>) -> bool {
        self.seat.generation == told.frames.generation
            && *self.seat.lease.prefix() == told.asked.nonces.prefix
    }
}

/// A job as this rig was told it. A share is judged by this, whatever has changed since.
pub(super) struct Told<D: Dialect> {
    /// The id that this rig was told.
    pub(super) id: JobId,
    pub(super) frames: Arc<JobFrames<D>>,
    /// What the rig had negotiated by then.
    rig: D::Rig,
    /// Mostly the same as of the job before.
    pub(super) asked: Arc<Asked>,
    /// The work was told under this lease before: the rig may repeat what was sent for it, through no
    /// fault of its own.
    pub(super) again: bool,
    /// When its epoch ended.
    ended_at: Option<Instant>,
}

/// What is asked of a job's shares. Jobs of one seat share it as long as the target stays.
pub(super) struct Asked {
    pub(super) nonces: Arc<SeatNonces>,
    /// The easiest target that was told while this was the rig's present job.
    pub(super) easiest: Target,
    /// What that means on the rigs' scale.
    pub(super) difficulty: Difficulty,
    /// The number that was told with it, which may be by the scale of an earlier job.
    said: Difficulty,
}

/// A told job that a submit names.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundJob {
    at: usize,
    /// Whether its shares still count.
    pub(super) is_open: bool,
}

impl<D: Dialect> Bench<D> {
    pub(super) fn new(vardiff: &VardiffConfig, now: Instant) -> Self {
        Self {
            vardiff: Vardiff::new(vardiff, vardiff.start.map_or(Level::TOP, Level::nearest), now),
            quiet: RigSilence::default(),
            seat: None,
            latest: None,
            former: None,
            in_force: Arc::new(Wanted::sure(Target::MAX)),
            floor: None,
            last_clean: None,
            told: VecDeque::new(),
            last_told: None,
            questions: Vec::new(),
        }
    }

    /// Takes in what the channel shows; `true` when the rig needs a seat of a new generation.
    pub(super) fn notice(&mut self, view: &ChannelView<D>) -> bool {
        let Some(sitting) = &self.seat else { return false };
        if sitting.seat.generation != view.generation {
            // Without a ground there is nothing to sit on yet; the next view will have one.
            return view.ground.is_some();
        }
        self.in_force = Arc::clone(&view.wanted);
        match (&mut self.floor, view.floor) {
            (Some(floor), Some(shown)) => **floor = shown,
            (floor, shown) => *floor = shown.map(Box::new),
        }
        if let Some(work) = &view.work {
            self.latest = Some(Arc::clone(work));
        }
        false
    }

    pub(super) fn sit(&mut self, seat: Seat, extranonce1: Extranonce, now: Instant) {
        let former = self.seat.take();
        let nonces = Arc::new(SeatNonces {
            extranonce1,
            before: former.as_ref().map(|sitting| Box::new(sitting.nonces.extranonce1.clone())),
            pool_extranonce1: seat.split.extranonce1.len(),
            prefix: seat.lease.prefix().clone(),
            extranonce2_size: seat.split.rig_extranonce2,
        });
        self.seat = Some(Box::new(Sitting { seat, nonces }));
        self.last_told = None;
        if let (Some(latest), Some(sitting)) = (self.latest.take(), former) {
            let until = now + FORMER_OPEN_FOR;
            self.former = Some(Box::new(FormerPlace { sitting, latest, until }));
        }
    }

    /// Moves a rig that can be told so.
    pub(super) fn move_to(
        &mut self,
        seat: Seat,
        extranonce1: Extranonce,
        dialect: &D,
        rig: &D::Rig,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        let extranonce2 = seat.split.rig_extranonce2;
        let space = RigSpace { extranonce1: &extranonce1, extranonce2 };
        out.say(dialect, rig, RigSay::Extranonce(space));
        self.sit(seat, extranonce1, now);
        out.timers.set(DownstreamTimer::Former, self.former.as_ref().map(|former| former.until));
    }

    /// Gives up the place that the rig has left: its time is over.
    pub(super) fn leave_former(&mut self) {
        self.former = None;
    }

    /// Where the rig sits.
    pub(super) fn seat(&self) -> Option<&Sitting> {
        self.seat.as_deref()
    }

    /// The same, if a job was told there.
    pub(super) fn sits_where(&self, told: &Told<D>) -> Option<&Sitting> {
        self.seat().filter(|sitting| sitting.is_of(told))
    }

    /// The rig has said who works.
    pub(super) fn belongs_to(&mut self, worker: &Arc<str>) {
        if let Some(sitting) = &mut self.seat {
            sitting.seat.lease.belongs_to_worker(worker);
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.told.is_empty()
    }

    pub(super) fn told_extranonce(&self) -> Option<(&Extranonce, usize)> {
        let SeatNonces { extranonce1, extranonce2_size, .. } = &*self.seat.as_ref()?.nonces;
        Some((extranonce1, *extranonce2_size))
    }

    /// The difficulty of the rig's level, where that is not the pool's target.
    pub(super) fn level_difficulty(&self) -> Option<Difficulty> {
        self.vardiff.level().difficulty()
    }

    pub(super) fn slot(&self) -> Option<u64> {
        Some(self.seat.as_ref()?.seat.lease.number())
    }

    /// The work of a share of the rig's present job, in hashes; 0 where it has none.
    pub(super) fn asked_hashes(&self) -> f64 {
        self.told.back().map_or(0.0, |told| told.asked.easiest.hashes_lossy())
    }

    pub(super) fn told_difficulty(&self) -> Option<Difficulty> {
        let told = self.told.back()?;
        Some(told.asked.difficulty)
    }

    /// The told job of an id.
    ///
    /// # Errors
    /// [`Reject`] 21, as stale or as unknown.
    pub(super) fn find_job(&self, name: &JobName<'_>, now: Instant) -> Result<FoundJob, Reject> {
        let id = &*name.text;
        let job = name.id.ok_or_else(|| Reject::unknown_job(id))?;
        let newest = self.told.back().ok_or_else(|| Reject::unknown_job(id))?;
        let Some(at) = self.told.iter().position(|told| told.id == job) else {
            // Ids only grow, so a smaller one was told some time ago, perhaps on an earlier
            // connection.
            let past = job.get() < newest.id.get();
            return Err(if past { replaced(id) } else { Reject::unknown_job(id) });
        };
        let told = &self.told[at];
        let present = self.seat.as_ref().filter(|sitting| sitting.is_of(told));
        let former = self.former.as_ref().filter(|former| former.sitting.is_of(told));
        let latest = match (present, former) {
            (Some(_), _) => Some(self.latest.as_ref().unwrap_or(&newest.frames)),
            (None, former) => {
                former.filter(|former| now < former.until).map(|former| &former.latest)
            }
        };
        let is_open = latest.is_some_and(|latest| self.counts(told, latest, now));
        Ok(FoundJob { at, is_open })
    }

    pub(super) fn told(&self, found: FoundJob) -> &Told<D> {
        &self.told[found.at]
    }

    /// The filters of the lease under which a job was told; none where the rig has left it too long
    /// ago.
    pub(super) fn filters(&self, told: &Told<D>) -> Option<&Filters> {
        let former = self.former.as_ref().map(|former| &former.sitting);
        let places = self.seat.iter().chain(former);
        let mut there = places.filter(|sitting| sitting.is_of(told));
        there.next().map(|sitting| sitting.seat.lease.filters())
    }

    /// Makes room to remember a share of a job.
    pub(super) fn make_room(&mut self, found: FoundJob) {
        if let Some(lease) = self.lease_mut(found) {
            lease.make_room();
        }
    }

    /// The filter of a job, to remember a share.
    pub(super) fn seen_mut(&mut self, found: FoundJob) -> Option<&mut Seen> {
        let work = self.told[found.at].work();
        self.lease_mut(found)?.filters_mut().of_mut(work)
    }

    /// The lease under which a job was told; none where the rig has left it too long ago.
    fn lease_mut(&mut self, found: FoundJob) -> Option<&mut Lease> {
        let told = &self.told[found.at];
        let former = self.former.as_mut().map(|former| &mut former.sitting);
        let mut places = self.seat.as_mut().into_iter().chain(former);
        places.find(|sitting| sitting.is_of(told)).map(|sitting| &mut sitting.seat.lease)
    }

    /// The newest work that the rig could know at the place that it has left last.
    fn former_latest(&self) -> Option<Arc<JobFrames<D>>> {
        self.former.as_ref().map(|former| Arc::clone(&former.latest))
    }

    /// Whether shares of a job still count, where the newest work is `current`.
    fn counts(&self, told: &Told<D>, current: &JobFrames<D>, now: Instant) -> bool {
        // A work that came back is as new as it was told last.
        let key = (told.frames.generation, told.work());
        let last = self.told.iter().rev().find(|t| (t.frames.generation, t.work()) == key);
        let last = last.unwrap_or(told);
        let standing = WorkStanding {
            newer: current.serial.0.saturating_sub(last.frames.serial.0),
            is_of_epoch: last.frames.epoch == current.epoch,
            ended_at: last.ended_at,
        };
        JobWindow::of(&*told.frames.dialect).is_open(&standing, now)
    }

    fn remember(&mut self, told: Told<D>, now: Instant) {
        let keep = JobWindow::of(&*told.frames.dialect).remembered();
        for former in &mut self.told {
            if former.frames.epoch != told.frames.epoch {
                former.ended_at.get_or_insert(now);
            }
        }
        self.last_told = Some(told.frames.serial);
        while self.told.len() >= keep {
            self.told.pop_front();
        }
        if self.told.len() == self.told.capacity() {
            self.told.reserve_exact(2);
        }
        self.told.push_back(told);
    }
}

pub(super) fn replaced(id: &str) -> Reject {
    Reject::stale(format!("job {} has been replaced", crate::error::shown(id)))
}

impl Asked {
    /// Whether it is the same.
    fn is(
        &self,
        nonces: &Arc<SeatNonces>,
        easiest: Target,
        difficulty: Difficulty,
        said: Difficulty,
    ) -> bool {
        Arc::ptr_eq(&self.nonces, nonces)
            && self.easiest == easiest
            && self.difficulty == difficulty
            && self.said == said
    }
}

impl<D: Dialect> Told<D> {
    /// The job as the rig was told it.
    pub(super) fn basis(&self) -> BasisOf<'_, D> {
        let JobFrames { job, terms, .. } = &*self.frames;
        let SeatNonces { extranonce1, pool_extranonce1, extranonce2_size, .. } =
            &*self.asked.nonces;
        let (pool_extranonce1, extranonce2) = (*pool_extranonce1, *extranonce2_size);
        BasisOf::<D> { job, terms, rig: &self.rig, extranonce1, pool_extranonce1, extranonce2 }
    }

    /// Which work it is, by its content.
    pub(super) fn work(&self) -> WorkNumber {
        self.frames.work
    }
}
