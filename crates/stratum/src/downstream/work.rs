//! What a rig is told to work on, and what it was told before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use serde_json::value::RawValue;

use super::{Downstream, Event, Verify};
use crate::channel::{ChannelView, Seat};
use crate::dialect::{Dialect, OpenJobs, Telling};
use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::job::{JobFrames, JobId, Serial};
use crate::ladder::Level;
use crate::rpc::{self, Id};
use crate::seen::Seen;
use crate::space::Prefix;
use crate::target::{Difficulty, Target};
use crate::vardiff::{Vardiff, VardiffConfig};

/// The most questions of a rig that wait until the pool has told what they ask for.
const MAX_QUESTIONS: usize = 4;
/// The most told jobs that are remembered, whatever a dialect says is open.
const MAX_TOLD: usize = 32;

/// How long shares of a place that the rig had before are still taken: miners go on with a job
/// for a moment.
const FORMER_OPEN_FOR: Duration = Duration::from_secs(10);

/// A rig's place and its jobs.
pub(super) struct Bench<D: Dialect> {
    pub(super) vardiff: Vardiff,
    seat: Option<Sitting>,
    latest: Option<Arc<JobFrames<D>>>,
    /// Where the rig sat before it moved.
    former: Option<Former<D>>,
    /// The newest pool target that the channel has shown.
    pub(super) pool_target: Target,
    /// The target that the channel wants rigs to meet at least.
    floor: Option<Target>,
    /// When the rig was last told a clean job, and which work.
    last_clean: Option<(Instant, Serial)>,
    /// The newest last.
    told: VecDeque<Told<D>>,
    /// Filters of retired jobs, whose memory is used again.
    spare: Vec<Seen>,
    /// What the rig has asked about jobs and cannot be answered yet.
    questions: ArrayVec<(Id, JobId), MAX_QUESTIONS>,
}

/// A place that the rig has left: the newest work that it could know there, and until when its
/// shares are taken.
struct Former<D: Dialect> {
    latest: Arc<JobFrames<D>>,
    until: Instant,
}

struct Sitting {
    seat: Seat,
    extranonce1: Extranonce,
    /// What the rig was told before it was moved here.
    before: Option<Extranonce>,
}

/// A job as this rig was told it. A share is judged by this, whatever has changed since.
pub(super) struct Told<D: Dialect> {
    /// The id that this rig was told.
    pub(super) id: JobId,
    pub(super) frames: Arc<JobFrames<D>>,
    /// The rig's own: the pool's and the prefix.
    pub(super) extranonce1: Extranonce,
    /// The extranonce1 that `mining.set_extranonce` replaced by it.
    pub(super) before: Option<Extranonce>,
    pub(super) pool_extranonce1: usize,
    pub(super) prefix: Prefix,
    pub(super) extranonce2_size: usize,
    /// The easiest target that was told while this was the rig's present job.
    pub(super) easiest: Target,
    /// What that means on the rigs' scale.
    pub(super) difficulty: Difficulty,
    pub(super) seen: Seen,
    /// When its epoch ended.
    ended_at: Option<Instant>,
}

impl<D: Dialect> Bench<D> {
    pub(super) fn new(vardiff: VardiffConfig, now: Instant) -> Self {
        Self {
            vardiff: Vardiff::new(vardiff, vardiff.start.map_or(Level::TOP, Level::nearest), now),
            seat: None,
            latest: None,
            former: None,
            pool_target: Target::MAX,
            floor: None,
            last_clean: None,
            told: VecDeque::new(),
            spare: Vec::new(),
            questions: ArrayVec::new(),
        }
    }

    /// Takes in what the channel shows; `true` when the rig needs a seat of a new generation.
    pub(super) fn notice(&mut self, view: &ChannelView<D>) -> bool {
        let Some(sitting) = &self.seat else { return false };
        if sitting.seat.generation != view.generation {
            // Without a ground there is nothing to sit on yet; the next view will have one.
            return view.ground.is_some();
        }
        self.pool_target = view.pool_target;
        self.floor = view.floor;
        if let Some(work) = &view.work {
            self.latest = Some(Arc::clone(work));
        }
        false
    }

    pub(super) fn sit(&mut self, seat: Seat, extranonce1: Extranonce, now: Instant) {
        let before = self.seat.take().map(|sitting| sitting.extranonce1);
        self.seat = Some(Sitting { seat, extranonce1, before });
        if let Some(latest) = self.latest.take() {
            self.former = Some(Former { latest, until: now + FORMER_OPEN_FOR });
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.told.is_empty()
    }

    pub(super) fn told_extranonce(&self) -> Option<(&Extranonce, usize)> {
        let sitting = self.seat.as_ref()?;
        Some((&sitting.extranonce1, sitting.seat.split.rig_extranonce2))
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
        Some(told.difficulty)
    }

    pub(super) fn check_vardiff(&mut self, now: Instant) {
        if let Some(difficulty) = self.told_difficulty() {
            self.vardiff.on_timeout(difficulty, now);
        }
    }

    /// The told job of an id, if its shares still count.
    ///
    /// # Errors
    /// [`Reject`] 21, as stale or as unknown.
    pub(super) fn open_job(&mut self, id: &str, now: Instant) -> Result<&mut Told<D>, Reject> {
        let job = JobId::parse(id).ok_or_else(|| Reject::unknown_job(id))?;
        let newest = self.told.back().map(|told| (told.id, Arc::clone(&told.frames)));
        let Some((newest_id, newest)) = newest else { return Err(Reject::unknown_job(id)) };
        let current = self.latest.as_ref().unwrap_or(&newest);
        let former = self.former.as_ref().filter(|former| now <= former.until);
        let Some(told) = self.told.iter_mut().find(|told| told.id == job) else {
            // Ids only grow, so a smaller one was told some time ago, perhaps on an earlier
            // connection.
            let past = job.get() < newest_id.get();
            return Err(if past { replaced(id) } else { Reject::unknown_job(id) });
        };
        let sits_there = |frames: &JobFrames<D>| frames.generation == told.frames.generation;
        let open = if sits_there(current) {
            told.is_open(current, now)
        } else {
            former.is_some_and(|former| {
                sits_there(&former.latest) && told.is_open(&former.latest, now)
            })
        };
        if open { Ok(told) } else { Err(replaced(id)) }
    }

    fn remember(&mut self, told: Told<D>, now: Instant) {
        let keep = told.frames.dialect.open_jobs().count.clamp(1, MAX_TOLD);
        for former in &mut self.told {
            if former.frames.epoch != told.frames.epoch {
                former.ended_at.get_or_insert(now);
            }
        }
        self.told.push_back(told);
        while self.told.len() > keep {
            if let Some(retired) = self.told.pop_front() {
                let mut seen = retired.seen;
                seen.clear();
                self.spare.push(seen);
            }
        }
    }
}

fn replaced(id: &str) -> Reject {
    Reject::stale(format!("job {} has been replaced", crate::error::shown(id)))
}

impl<D: Dialect> Told<D> {
    fn is_open(&self, current: &JobFrames<D>, now: Instant) -> bool {
        let OpenJobs { count, linger } = self.frames.dialect.open_jobs();
        let newer = current.serial.0.saturating_sub(self.frames.serial.0);
        if newer >= count as u64 {
            return false;
        }
        match linger {
            None => self.frames.epoch == current.epoch,
            Some(limit) => {
                self.ended_at.is_none_or(|at| now.saturating_duration_since(at) <= limit)
            }
        }
    }
}

impl<D: Dialect> Downstream<D> {
    /// The target that the rig would be told with a work, and the seconds between shares that it
    /// aims at; none where it is not the rig's own level: the pool's target, or the channel's floor.
    fn aim(&self, frames: &JobFrames<D>) -> (Target, Option<f64>) {
        let (dialect, bench) = (&frames.dialect, &self.bench);
        let as_pool = self.config.verify == Verify::Off || !dialect.checkable(&frames.job);
        let level = if as_pool { Level::TOP } else { bench.vardiff.level() };
        let own = level.target(frames.pool_target, |d| dialect.rig_target(&frames.job, d));
        let target = bench.floor.map_or(own, |floor| own.harder(floor));
        (target, bench.vardiff.aims_at().filter(|_| !as_pool && target == own))
    }

    /// Whether the rig has been silent for too long. Not while an easier difficulty waits for the
    /// next work, which the rig has not been offered yet.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.silent_at().is_some_and(|at| now >= at)
    }

    /// When it has been, if nothing happens before.
    pub(super) fn silent_at(&self) -> Option<Instant> {
        let eased = |told: &Told<D>| {
            let latest = self.bench.latest.as_ref();
            latest.is_some_and(|frames| self.aim(frames).0 > told.easiest)
        };
        let waits = !self.quiet.was_offered() && self.bench.told.back().is_some_and(eased);
        self.quiet.over_at().filter(|_| !waits)
    }

    /// Tells the rig the channel's latest work, unless it has it or cannot take it.
    pub(super) fn tell_work(&mut self, now: Instant) {
        if !self.login.is_done() {
            return;
        }
        let Some(frames) = self.bench.latest.clone() else { return };
        let (target, aims_at) = self.aim(&frames);
        let bench = &mut self.bench;
        let Some(sitting) = &mut bench.seat else { return };
        if frames.generation != sitting.seat.generation || !sitting.seat.lease.tell(frames.serial) {
            return;
        }
        let dialect = &frames.dialect;

        let present = bench.told.back();
        let same_ground = present.filter(|told| told.frames.generation == frames.generation);
        let telling = Telling {
            first: same_ground.is_none(),
            new_epoch: present.is_some_and(|told| told.frames.epoch != frames.epoch),
            new_target: present.is_none_or(|told| told.easiest != target),
            clean_job_age: bench
                .last_clean
                .map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(at)),
            clean_job_behind: bench
                .last_clean
                .map_or(0, |(_, serial)| frames.serial.0.saturating_sub(serial.0)),
        };
        let easier = present.is_some_and(|told| told.easiest < target);
        self.quiet.told(aims_at, easier, now);
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
        self.events.push_back(Event::Told(id));

        // Some miners apply a new target to the job they have.
        if let Some(present) = bench.told.back_mut().filter(|present| present.easiest < target) {
            present.easiest = target;
            present.difficulty =
                present.frames.dialect.rig_difficulty(&present.frames.job, &target);
        }
        let told = Told {
            id,
            extranonce1: sitting.extranonce1.clone(),
            before: sitting.before.clone(),
            pool_extranonce1: sitting.seat.split.extranonce1.len(),
            prefix: sitting.seat.lease.prefix().clone(),
            extranonce2_size: sitting.seat.split.rig_extranonce2,
            easiest: target,
            difficulty: dialect.rig_difficulty(&frames.job, &target),
            seen: bench.spare.pop().unwrap_or_default(),
            ended_at: None,
            frames,
        };
        bench.remember(told, now);
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
        let may_come = !frames.dialect.checkable(&frames.job) && !self.bench.questions.is_full();
        if may_come {
            self.bench.questions.push((id, job));
        } else {
            self.refuse(&id, &Reject::invalid("the pool has not told it"));
        }
    }
}
