//! What a rig is told to work on, and what it was told before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::{CloseReason, Downstream, Event, Timer, Verify};
use crate::channel::{ChannelView, Seat};
use crate::dialect::{Dialect, Telling, Wanted};
use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::filters::Filters;
use crate::job::{JobFrames, JobId, Serial};
use crate::ladder::Level;
use crate::rpc::{self, Id};
use crate::seen::Seen;
use crate::space::{Lease, Permission, Prefix, WorkNumber};
use crate::target::{Difficulty, Target};
use crate::vardiff::{Vardiff, VardiffConfig};
use crate::window::{Standing, Window};

/// The most questions of a rig that wait until the pool has told what they ask for.
const MAX_QUESTIONS: usize = 4;

/// How long shares of a place that the rig had before are still taken: miners go on with a job
/// for a moment.
const FORMER_OPEN_FOR: Duration = Duration::from_secs(10);

/// A rig's place and its jobs.
pub(super) struct Bench<D: Dialect> {
    pub(super) vardiff: Vardiff,
    seat: Option<Box<Sitting>>,
    latest: Option<Arc<JobFrames<D>>>,
    /// Where the rig sat before it moved.
    former: Option<Box<Former<D>>>,
    /// The pool's target in force that the channel has shown last.
    pub(super) in_force: Wanted,
    /// The target that the channel wants rigs to meet at least.
    floor: Option<Target>,
    /// When the rig was last told a clean job, and which work.
    last_clean: Option<(Instant, Serial)>,
    /// The newest last.
    told: VecDeque<Told<D>>,
    /// The newest work that was told from the present seat.
    last_told: Option<Serial>,
    /// What the rig has asked about jobs and cannot be answered yet.
    questions: Vec<(Id, JobId)>,
}

/// A place that the rig has left: the newest work that it could know there, and until when its
/// shares are taken. The lease is nobody else's until then.
struct Former<D: Dialect> {
    sitting: Box<Sitting>,
    latest: Arc<JobFrames<D>>,
    until: Instant,
}

pub(super) struct Sitting {
    pub(super) seat: Seat,
    nonces: Arc<Nonces>,
}

/// What a rig knows of its seat; all jobs that it is told there share it.
pub(super) struct Nonces {
    /// The rig's own: the pool's and the prefix.
    pub(super) extranonce1: Extranonce,
    /// The extranonce1 that `mining.set_extranonce` replaced by it.
    pub(super) before: Option<Extranonce>,
    /// The length of the pool's part.
    pub(super) pool_extranonce1: usize,
    pub(super) prefix: Prefix,
    pub(super) extranonce2_size: usize,
}

impl Sitting {
    /// Whether a job was told here.
    fn is_of<D: Dialect>(&self, told: &Told<D>) -> bool {
        self.seat.generation == told.frames.generation
            && *self.seat.lease.prefix() == told.nonces.prefix
    }
}

/// A job as this rig was told it. A share is judged by this, whatever has changed since.
pub(super) struct Told<D: Dialect> {
    /// The id that this rig was told.
    pub(super) id: JobId,
    pub(super) frames: Arc<JobFrames<D>>,
    pub(super) nonces: Arc<Nonces>,
    /// Mostly the same as of the job before.
    pub(super) asked: Arc<Asked>,
    /// The work was told under this lease before: the rig may repeat what was sent for it, through no
    /// fault of its own.
    pub(super) again: bool,
    /// When its epoch ended.
    ended_at: Option<Instant>,
}

/// What is asked of a job's shares.
#[derive(PartialEq)]
pub(super) struct Asked {
    /// The easiest target that was told while this was the rig's present job.
    pub(super) easiest: Target,
    /// What that means on the rigs' scale.
    pub(super) difficulty: Difficulty,
}

/// A told job that a submit names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    at: usize,
    /// Whether its shares still count.
    pub(super) is_open: bool,
}

impl<D: Dialect> Bench<D> {
    pub(super) fn new(vardiff: &VardiffConfig, now: Instant) -> Self {
        Self {
            vardiff: Vardiff::new(vardiff, vardiff.start.map_or(Level::TOP, Level::nearest), now),
            seat: None,
            latest: None,
            former: None,
            in_force: Wanted::sure(Target::MAX),
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
        self.in_force = view.wanted;
        self.floor = view.floor;
        if let Some(work) = &view.work {
            self.latest = Some(Arc::clone(work));
        }
        false
    }

    pub(super) fn sit(&mut self, seat: Seat, extranonce1: Extranonce, now: Instant) {
        let former = self.seat.take();
        let nonces = Arc::new(Nonces {
            extranonce1,
            before: former.as_ref().map(|sitting| sitting.nonces.extranonce1.clone()),
            pool_extranonce1: seat.split.extranonce1.len(),
            prefix: seat.lease.prefix().clone(),
            extranonce2_size: seat.split.rig_extranonce2,
        });
        self.seat = Some(Box::new(Sitting { seat, nonces }));
        self.last_told = None;
        if let (Some(latest), Some(sitting)) = (self.latest.take(), former) {
            let until = now + FORMER_OPEN_FOR;
            self.former = Some(Box::new(Former { sitting, latest, until }));
        }
    }

    /// Gives up the place that the rig has left: its time is over.
    pub(super) fn leave_former(&mut self) {
        self.former = None;
    }

    /// Until when the place that the rig has left is kept.
    pub(super) fn former_until(&self) -> Option<Instant> {
        self.former.as_ref().map(|former| former.until)
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
        let Nonces { extranonce1, extranonce2_size, .. } = &*self.seat.as_ref()?.nonces;
        Some((extranonce1, *extranonce2_size))
    }

    /// The difficulty of the rig's level, where that is not the pool's target.
    pub(super) fn level_difficulty(&self) -> Option<Difficulty> {
        self.vardiff.level().difficulty()
    }

    pub(super) fn slot(&self) -> Option<u64> {
        Some(self.seat.as_ref()?.seat.lease.number())
    }

    pub(super) fn told_difficulty(&self) -> Option<Difficulty> {
        let told = self.told.back()?;
        Some(told.asked.difficulty)
    }

    /// The told job of an id.
    ///
    /// # Errors
    /// [`Reject`] 21, as stale or as unknown.
    pub(super) fn find_job(&self, id: &str, now: Instant) -> Result<Found, Reject> {
        let job = JobId::parse(id).ok_or_else(|| Reject::unknown_job(id))?;
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
        Ok(Found { at, is_open })
    }

    pub(super) fn told(&self, found: Found) -> &Told<D> {
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
    pub(super) fn make_room(&mut self, found: Found) {
        if let Some(lease) = self.lease_mut(found) {
            lease.make_room();
        }
    }

    /// The filter of a job, to remember a share.
    pub(super) fn seen_mut(&mut self, found: Found) -> Option<&mut Seen> {
        let work = self.told[found.at].work();
        self.lease_mut(found)?.filters_mut().of_mut(work)
    }

    /// The lease under which a job was told; none where the rig has left it too long ago.
    fn lease_mut(&mut self, found: Found) -> Option<&mut Lease> {
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
        let standing = Standing {
            newer: current.serial.0.saturating_sub(last.frames.serial.0),
            is_of_epoch: last.frames.epoch == current.epoch,
            ended_at: last.ended_at,
        };
        Window::of(&*told.frames.dialect).is_open(&standing, now)
    }

    fn remember(&mut self, told: Told<D>, now: Instant) {
        let keep = Window::of(&*told.frames.dialect).remembered();
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

impl<D: Dialect> Told<D> {
    /// Which work it is, by its content.
    pub(super) fn work(&self) -> WorkNumber {
        self.frames.work
    }
}

impl<D: Dialect> Downstream<D> {
    /// The target that the rig would be told with a work, and the seconds between shares that it
    /// aims at; none where it is not the rig's own level: the pool's target, or the channel's floor.
    fn aim(&self, frames: &JobFrames<D>) -> (Target, Option<f64>) {
        let (dialect, bench) = (&frames.dialect, &self.bench);
        let as_pool = self.config.verify == Verify::Off || !dialect.checkable(&frames.job);
        let level = if as_pool { Level::TOP } else { bench.vardiff.level() };
        let known = bench.seat.as_ref().map(|sitting| sitting.seat.habits.known());
        let known = known.unwrap_or_default();
        // Where nothing is checked no share can be held back, nor made a question.
        let pool = if as_pool { frames.wanted.surely(known) } else { frames.wanted.perhaps(known) };
        let own = level.target(pool, |d| dialect.rig_target(&frames.job, d));
        let target = bench.floor.map_or(own, |floor| own.harder(floor));
        (target, bench.vardiff.aims_at(&self.config.vardiff).filter(|_| !as_pool && target == own))
    }

    /// Looks at a rig's difficulty when it is time to.
    pub(super) fn check_vardiff(&mut self, now: Instant) {
        if let Some(difficulty) = self.bench.told_difficulty() {
            self.bench.vardiff.on_timeout(&self.config.vardiff, difficulty, now);
            self.await_vardiff();
        }
    }

    /// The time of the next look has changed; there is none before the first work.
    pub(super) fn await_vardiff(&mut self) {
        let next = self.bench.vardiff.poll_timeout(&self.config.vardiff);
        self.timers.set(Timer::Vardiff, next.filter(|_| self.bench.has_work()));
    }

    /// How long the rig may be silent has changed.
    pub(super) fn await_share(&mut self) {
        self.timers.set(Timer::Silence, self.quiet.over_at());
    }

    /// Whether the rig has been silent for too long. Not while an easier difficulty waits for the
    /// next work, which the rig has not been offered yet: the channel's next view may end that.
    pub(super) fn is_silent(&mut self, now: Instant) -> bool {
        if !self.timers.is_due(Timer::Silence, now) {
            return false;
        }
        let eased = |told: &Told<D>| {
            let latest = self.bench.latest.as_ref();
            latest.is_some_and(|frames| self.aim(frames).0 > told.asked.easiest)
        };
        let waits = !self.quiet.was_offered() && self.bench.told.back().is_some_and(eased);
        if waits {
            self.timers.set(Timer::Silence, None);
        }
        !waits
    }

    /// Tells the rig the channel's latest work, unless it has it or cannot take it.
    pub(super) fn tell_work(&mut self, now: Instant) {
        let told = self.bench.last_told;
        if self.bench.latest.as_ref().is_some_and(|latest| told < Some(latest.serial)) {
            self.tell_latest(now);
        }
    }

    /// The rig has subscribed once more: it has forgotten the work that it was told.
    pub(super) fn tell_again(&mut self, now: Instant) {
        if self.bench.last_told.is_some() {
            self.tell_latest(now);
        }
    }

    fn tell_latest(&mut self, now: Instant) {
        if !self.login.is_done() {
            return;
        }
        let Some(frames) = self.bench.latest.clone() else { return };
        let sits_there = |sitting: &Sitting| sitting.seat.generation == frames.generation;
        if !self.bench.seat.as_deref().is_some_and(sits_there) {
            return;
        }
        let forgotten = self.bench.last_told >= Some(frames.serial);
        self.look_for_another_lease(&frames, now);
        let (target, aims_at) = self.aim(&frames);
        let bench = &mut self.bench;
        let Some(sitting) = &mut bench.seat else { return };
        let dialect = &frames.dialect;
        let again = sitting.seat.lease.may_tell(frames.work) == Permission::Again;
        let open = Window::of(&**dialect).remembered();
        if !sitting.seat.lease.tell(frames.work, open) {
            // What was sent for it under this lease is not known any more.
            return self.close(CloseReason::ExtranonceChanged);
        }

        let present = bench.told.back();
        let telling = Telling {
            first: forgotten || bench.last_told.is_none(),
            new_epoch: present.is_some_and(|told| told.frames.epoch != frames.epoch),
            new_target: forgotten || present.is_none_or(|told| told.asked.easiest != target),
            clean_job_age: bench
                .last_clean
                .map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(at)),
            clean_job_behind: bench
                .last_clean
                .map_or(0, |(_, serial)| frames.serial.0.saturating_sub(serial.0)),
        };
        let easier = present.is_some_and(|told| told.asked.easiest < target);
        self.quiet.told(aims_at, easier, now);
        self.timers.set(Timer::Silence, self.quiet.over_at());
        if telling.new_target {
            self.transmit.write(|out| dialect.put_target(&frames.job, &target, out));
        }
        let clean = dialect.clean(&telling);
        if clean {
            bench.last_clean = Some((now, frames.serial));
        }
        // A rig that has just come may know this work's id from an earlier connection, and one
        // that has come back to a channel from its former place there.
        let known = present.is_none_or(|told| told.id.get() >= frames.id.get());
        let id = if known { sitting.seat.ids.next() } else { frames.id };
        self.transmit.share(if known {
            frames.frame_under(id, target, clean)
        } else {
            frames.frame(target, clean)
        });
        self.events.push(Event::Told(id));

        let asks = |frames: &JobFrames<D>| Asked {
            easiest: target,
            difficulty: frames.dialect.rig_difficulty(&frames.job, &target),
        };
        // Some miners apply a new target to the job they have.
        if let Some(present) = bench.told.back_mut().filter(|told| told.asked.easiest < target) {
            present.asked = Arc::new(asks(&present.frames));
        }
        let asked = asks(&frames);
        let same = bench.told.back().filter(|present| *present.asked == asked);
        let asked = same.map_or_else(|| Arc::new(asked), |present| Arc::clone(&present.asked));
        let told =
            Told { id, nonces: Arc::clone(&sitting.nonces), asked, again, ended_at: None, frames };
        bench.remember(told, now);
        self.await_vardiff();
    }

    /// A work has come back that was told under the rig's lease: it does not repeat itself under
    /// another one, if it can be told so and there are plenty.
    fn look_for_another_lease(&mut self, frames: &JobFrames<D>, now: Instant) {
        let moves = self.login.takes_set_extranonce();
        let Some(sitting) = self.bench.seat.as_ref().filter(|_| moves) else { return };
        let Seat { lease, generation, split, ids, habits } = &sitting.seat;
        if self.bench.last_told.is_none() || lease.may_tell(frames.work) == Permission::First {
            return;
        }
        let Some(lease) = lease.exchange(frames.work) else { return };
        let seat = Seat {
            lease,
            generation: *generation,
            split: Arc::clone(split),
            ids: Arc::clone(ids),
            habits: habits.clone(),
        };
        if let Ok(extranonce1) = seat.extranonce1() {
            self.move_to(seat, extranonce1, now);
            self.bench.latest = self.bench.former_latest();
        }
    }

    /// Answers a rig that asks about a job it was told. What the pool has still to say is answered
    /// when it has said it.
    pub(super) fn job_query(&mut self, id: &Id, params: Option<&RawValue>) {
        let name = params
            .and_then(rpc::array::<1>)
            .and_then(|(elements, _)| elements.first().and_then(|name| rpc::string(name)))
            .unwrap_or_default();
        match JobId::parse(&name) {
            Some(job) => self.answer_or_keep(id.clone(), job),
            None => self.refuse(id, &Reject::unknown_job(&name)),
        }
    }

    /// Answers the questions that can be answered now.
    pub(super) fn answer_questions(&mut self) {
        for (id, job) in std::mem::take(&mut self.bench.questions) {
            self.answer_or_keep(id, job);
        }
    }

    fn answer_or_keep(&mut self, id: Id, job: JobId) {
        let told = self.bench.told.iter().find(|told| told.id == job);
        let Some(told) = told else {
            return self.refuse(&id, &Reject::unknown_job(&job.to_string()));
        };
        let frames = Arc::clone(&told.frames);
        let mut known = false;
        self.transmit.write(|out| known = frames.dialect.put_job_answer(&id, &frames.job, out));
        if known {
            return;
        }
        let may_come =
            !frames.dialect.checkable(&frames.job) && self.bench.questions.len() < MAX_QUESTIONS;
        if may_come {
            self.bench.questions.push((id, job));
        } else {
            self.refuse(&id, &Reject::invalid("the pool has not told it"));
        }
    }
}
