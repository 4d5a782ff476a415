//! Telling a rig its work, and answering what it asks about it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;

use super::{Asked, Bench, Question, Sitting, Told};
use crate::channel::Seat;
use crate::dialect::{Dialect, GrantedTerms, NotifyForm, RigNeeds, RigSay, Telling, Work};
use crate::downstream::login::Login;
use crate::downstream::misdeeds::Misdeeds;
use crate::downstream::out::{DownstreamOut, DownstreamTimer};
use crate::downstream::{CloseReason, DownstreamConfig, Event, Verify};
use crate::error::Reject;
use crate::job::JobFrames;
use crate::ladder::Level;
use crate::space::Permission;
use crate::target::Target;
use crate::time::Instant;
use crate::window::JobWindow;

/// The most questions of a rig that wait until the pool has told what they ask for.
const MAX_QUESTIONS: usize = 4;

impl<D: Dialect> Bench<D> {
    /// The target that the rig would be told with a work, and the seconds between shares that it
    /// aims at; none where it is not the rig's own level: the pool's target, the channel's floor, or
    /// the easiest that the rig can work at.
    fn aim(
        &self,
        frames: &JobFrames<D>,
        rig: &D::Rig,
        config: &DownstreamConfig,
    ) -> (Target, Option<f64>) {
        let dialect = &frames.dialect;
        let as_pool = config.verify == Verify::Off || !frames.job.is_complete();
        let level = if as_pool { Level::TOP } else { self.vardiff.level() };
        let known = self.seat.as_ref().map(|sitting| sitting.seat.habits.known());
        let known = known.unwrap_or_default();
        // Where nothing is checked no share can be held back, nor made a question.
        let pool = if as_pool { frames.wanted.surely(known) } else { frames.wanted.perhaps(known) };
        let scaled = |d| dialect.scale(&frames.job).target(d);
        let own = level.target(pool, scaled);
        let least = rig.firmware().least_difficulty.map(scaled);
        let floors = self.floor.as_deref().copied().into_iter().chain(least);
        let target = floors.fold(own, Target::harder);
        (target, self.vardiff.aims_at(&config.vardiff).filter(|_| !as_pool && target == own))
    }

    /// Looks at a rig's difficulty when it is time to.
    pub(in crate::downstream) fn check_vardiff(
        &mut self,
        config: &DownstreamConfig,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        if let Some(difficulty) = self.told_difficulty() {
            self.vardiff.on_timeout(&config.vardiff, difficulty, now);
            self.await_vardiff(config, out);
        }
    }

    /// The time of the next look has changed; there is none before the first work.
    pub(in crate::downstream) fn await_vardiff(
        &self,
        config: &DownstreamConfig,
        out: &mut DownstreamOut,
    ) {
        let next = self.vardiff.poll_timeout(&config.vardiff);
        out.timers.set(DownstreamTimer::Vardiff, next.filter(|_| self.has_work()));
    }

    /// How long the rig may be silent has changed.
    pub(in crate::downstream) fn await_share(&self, out: &mut DownstreamOut) {
        out.timers.set(DownstreamTimer::Silence, self.quiet.over_at());
    }

    /// Whether the rig has been silent for too long. Not while an easier difficulty waits for the
    /// next work, which the rig has not been offered yet: the channel's next view may end that.
    pub(in crate::downstream) fn is_silent(
        &self,
        rig: &D::Rig,
        config: &DownstreamConfig,
        out: &mut DownstreamOut,
        now: Instant,
    ) -> bool {
        if !out.timers.is_due(DownstreamTimer::Silence, now) {
            return false;
        }
        let eased = |told: &Told<D>| {
            let latest = self.latest.as_ref();
            latest.is_some_and(|frames| self.aim(frames, rig, config).0 > told.asked.easiest)
        };
        let waits = !self.quiet.was_offered() && self.told.back().is_some_and(eased);
        if waits {
            out.timers.set(DownstreamTimer::Silence, None);
        }
        !waits
    }

    /// Tells the rig the channel's latest work, unless it has it or cannot take it.
    pub(in crate::downstream) fn tell_work(
        &mut self,
        login: &Login<D::Rig>,
        config: &DownstreamConfig,
        misdeeds: &mut Misdeeds,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        let told = self.last_told;
        if self.latest.as_ref().is_some_and(|latest| told < Some(latest.serial)) {
            self.tell_latest(login, config, misdeeds, out, now);
        }
    }

    /// The rig has subscribed once more: it has forgotten the work that it was told.
    pub(in crate::downstream) fn tell_again(
        &mut self,
        login: &Login<D::Rig>,
        config: &DownstreamConfig,
        misdeeds: &mut Misdeeds,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        if self.last_told.is_some() {
            self.tell_latest(login, config, misdeeds, out, now);
        }
    }

    fn tell_latest(
        &mut self,
        login: &Login<D::Rig>,
        config: &DownstreamConfig,
        misdeeds: &mut Misdeeds,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        if !login.is_done() {
            return;
        }
        let Some(frames) = self.latest.clone() else { return };
        let sits_there = |sitting: &Sitting| sitting.seat.generation == frames.generation;
        if !self.seat.as_deref().is_some_and(sits_there) {
            return;
        }
        let forgotten = self.last_told >= Some(frames.serial);
        if login.takes_set_extranonce() {
            self.look_for_another_lease(&frames, &login.rig, misdeeds, out, now);
        }
        let (target, aims_at) = self.aim(&frames, &login.rig, config);
        let Some(sitting) = &mut self.seat else { return };
        let (dialect, rig) = (&*frames.dialect, &login.rig);
        let again = sitting.seat.lease.may_tell(frames.work) == Permission::Again;
        let open = JobWindow::of(dialect).remembered();
        if !sitting.seat.lease.tell(frames.work, open) {
            // What was sent for it under this lease is not known any more.
            return out.close(CloseReason::ExtranonceChanged);
        }

        let present = self.told.back();
        let telling = Telling {
            first: forgotten || self.last_told.is_none(),
            new_epoch: present.is_some_and(|told| told.frames.epoch != frames.epoch),
            new_target: forgotten || present.is_none_or(|told| told.asked.easiest != target),
            clean_job_age: self
                .last_clean
                .map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(at)),
            clean_job_behind: self
                .last_clean
                .map_or(0, |(_, serial)| frames.serial.0.saturating_sub(serial.0)),
        };
        let easier = present.is_some_and(|told| told.asked.easiest < target);
        self.quiet.told(aims_at, easier, now);
        out.timers.set(DownstreamTimer::Silence, self.quiet.over_at());
        // A rig that has just come, or wishes for something else, takes what it wished for as granted.
        let knows_terms = |told: &Told<D>| told.frames.terms == frames.terms && told.rig == *rig;
        if telling.first || !present.is_some_and(knows_terms) {
            out.say(dialect, rig, RigSay::Terms(&frames.terms));
            if let Some(missed) = frames.terms.misses(rig) {
                out.event(Event::Diagnosed(missed));
            }
        }
        let difficulty = dialect.scale(&frames.job).difficulty_lossy(target);
        if telling.new_target {
            out.say(dialect, rig, RigSay::Target { target: &target, difficulty });
        }
        let clean = dialect.rules().clean.is_clean(&telling);
        if clean {
            self.last_clean = Some((now, frames.serial));
        }
        // A rig that has just come may know this work's id from an earlier connection, and one
        // that has come back to a channel from its former place there.
        let known = present.is_none_or(|told| told.id.get() >= frames.id.get());
        let id = if known { sitting.seat.ids.next() } else { frames.id };
        let form = NotifyForm { clean, flavour: rig.flavour() };
        out.share(if known {
            frames.frame_under(id, target, form)
        } else {
            frames.frame(target, form)
        });
        out.event(Event::Told(id));

        let said = match self.told.back() {
            Some(present) if !telling.new_target => present.asked.said,
            _ => difficulty,
        };
        // Some miners apply a new target to the job they have.
        if let Some(present) = self.told.back_mut().filter(|told| told.asked.easiest < target) {
            let nonces = Arc::clone(&present.asked.nonces);
            let JobFrames { dialect, job, .. } = &*present.frames;
            let difficulty = dialect.scale(job).difficulty_lossy(target);
            present.asked = Arc::new(Asked { nonces, easiest: target, difficulty, said });
        }
        let nonces = &sitting.nonces;
        let present = self.told.back().map(|present| &present.asked);
        let same = present.filter(|asked| asked.is(nonces, target, difficulty, said));
        let asked = same.map(Arc::clone).unwrap_or_else(|| {
            Arc::new(Asked { nonces: Arc::clone(nonces), easiest: target, difficulty, said })
        });
        let rig = rig.clone();
        self.remember(Told { id, rig, asked, again, ended_at: None, frames }, now);
        self.await_vardiff(config, out);
    }

    /// Tells the rig the target again that it was told last, in the same bytes. Its present target may
    /// be another by now, and waits for the next work.
    pub(in crate::downstream) fn tell_target_again(&self, out: &mut DownstreamOut) {
        let Some(Told { frames, rig, asked, .. }) = self.told.back() else { return };
        let (target, difficulty) = (&asked.easiest, asked.said);
        out.say(&*frames.dialect, rig, RigSay::Target { target, difficulty });
    }

    /// A work has come back that was told under the rig's lease: it does not repeat itself under
    /// another one, if it can be told so and there are plenty.
    fn look_for_another_lease(
        &mut self,
        frames: &JobFrames<D>,
        rig: &D::Rig,
        misdeeds: &mut Misdeeds,
        out: &mut DownstreamOut,
        now: Instant,
    ) {
        let Some(sitting) = &self.seat else { return };
        let Seat { lease, generation, split, ids, habits } = &sitting.seat;
        if self.last_told.is_none() || lease.may_tell(frames.work) == Permission::First {
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
            self.move_to(seat, extranonce1, &frames.dialect, rig, out, now);
            misdeeds.look_again();
            self.latest = self.former_latest();
        }
    }

    /// Answers the questions that can be answered now.
    pub(in crate::downstream) fn answer_questions(
        &mut self,
        dialect: &D,
        rig: &D::Rig,
        out: &mut DownstreamOut,
    ) {
        for question in std::mem::take(&mut self.questions) {
            self.answer_or_keep(question, dialect, rig, out);
        }
    }

    /// Answers a rig that asks about a job it was told. What the pool has still to say is answered
    /// when it has said it.
    pub(in crate::downstream) fn answer_or_keep(
        &mut self,
        question: Question,
        dialect: &D,
        rig: &D::Rig,
        out: &mut DownstreamOut,
    ) {
        let Question { id, job, kind } = &question;
        let Some(told) = self.told.iter().find(|told| told.id == *job) else {
            let reject = Reject::unknown_job(&job.to_string());
            return out.say(dialect, rig, RigSay::Refused(id, &reject));
        };
        let JobFrames { dialect, job, .. } = &*told.frames;
        let before = out.transmit.remaining();
        out.say(&**dialect, rig, RigSay::Answered { id, job, kind: *kind });
        if out.transmit.remaining() > before {
            return;
        }
        if !job.is_complete() && self.questions.len() < MAX_QUESTIONS {
            self.questions.push(question);
        } else {
            let reject = Reject::invalid("the pool has not told it");
            out.say(&**dialect, rig, RigSay::Refused(id, &reject));
        }
    }
}
