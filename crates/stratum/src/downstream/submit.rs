//! A rig's shares.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::work::{Told, replaced};
use super::{CloseReason, Downstream, Event, MAX_IN_FLIGHT, Reply, Verify};
use crate::channel::Submission;
use crate::dialect::{Checked, Diagnosis, Dialect, Wanted};
use crate::error::{Reject, RejectCode};
use crate::filters::Filters;
use crate::firmware::{Firmware, Merit, USUAL_EXTRANONCE2};
use crate::habits::{Answer, Habit, Habits, Probe};
use crate::job::JobFrames;
use crate::rpc::{self, Id};
use crate::seen::Sighting;
use crate::target::{PowHash, Target};
use crate::verdict::Verdict;

/// A share found under the former extranonce1 shows that a rig goes on with it only where the
/// target is one that a random hash meets so seldom.
const MIN_EVIDENCE: f64 = 128.0;

/// A forwarded share that the rig has no answer for yet.
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) id: Id,
    /// Its proof of work was left to the pool.
    pub(super) unchecked: bool,
}

/// A share that was refused here.
struct Refused {
    reject: Reject,
    /// The work that it proves all the same.
    hashes: f64,
    diagnosis: Option<Diagnosis>,
    /// Whether another kind of service would help against what the diagnosis names.
    curable: bool,
    /// It is no fault of the rig's.
    excused: bool,
    worker: Option<Arc<str>>,
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        let (diagnosis, worker) = (None, None);
        Self { reject, hashes: 0.0, diagnosis, curable: false, excused: false, worker }
    }
}

/// A share as it was read.
struct Read<S> {
    share: S,
    /// It has the length of the wide split, and the rig was told another: only a block is forwarded
    /// so, or one share by which the pool is asked whether it takes that.
    is_odd: bool,
}

/// What a share's proof came to.
#[derive(Clone, Copy, Default)]
struct Weight {
    /// None where it is left to the pool.
    hash: Option<PowHash>,
    is_block: bool,
}

impl<D: Dialect> Downstream<D> {
    pub(super) fn submit(&mut self, id: &Id, params: Option<&RawValue>, now: Instant) {
        self.shares += 1;
        self.quiet.share(now);
        self.events.push_back(Event::Sent);
        let Err(refused) = self.judge(id, params, now) else { return self.flood.good() };
        let Refused { reject, hashes, diagnosis, curable, excused, worker } = refused;
        self.refuse(id, &reject);
        let verdict = reject.verdict;
        let reason = Some(reject.reason);
        self.events.push_back(Event::Ended { verdict, hashes, reason, diagnosis, worker });
        if excused {
            return self.flood.nuisance(now);
        }
        if matches!(verdict, Verdict::Invalid | Verdict::LowDifficulty) {
            self.conduct.failed(diagnosis, curable, now);
        }
        self.note(verdict);
        self.conclude(now);
        if self.flood.refused(verdict, now) {
            self.close(CloseReason::Flood);
        }
    }

    /// A share that was left to the pool has its verdict: it tells about the rig as ours would.
    pub(super) fn judged_by_pool(&mut self, verdict: &Result<(), Reject>) {
        match verdict {
            Ok(()) => self.note(Verdict::AcceptedByPool),
            // That the account is refused is no fault of the rig's.
            Err(reject) if reject.code == RejectCode::Unauthorized => {}
            Err(reject) if reject.verdict == Verdict::RejectedByPool => self.note(Verdict::Invalid),
            Err(_) => {}
        }
    }

    fn note(&mut self, verdict: Verdict) {
        if let Some(turn) = self.conduct.share(verdict) {
            self.events.push_back(Event::Conduct(turn, self.conduct.diagnosis()));
        }
    }

    /// Lets the rig go when it has shown long enough that it should be served otherwise.
    pub(super) fn conclude(&mut self, now: Instant) {
        if let Some(diagnosis) = self.conduct.conclude(now) {
            self.events.push_back(Event::Misfit(diagnosis));
            self.close(CloseReason::Misfit(diagnosis));
        }
    }

    fn judge(&mut self, id: &Id, params: Option<&RawValue>, now: Instant) -> Result<(), Refused> {
        if !self.login.is_subscribed() {
            return Err(Reject::not_subscribed().into());
        }
        let params = params.ok_or_else(|| Reject::invalid("submit without parameters"))?;
        let head = self.dialect.submit_head(params)?;
        let worker = self.login.worker_of_share(&head.worker, D::CHECKS_WORKERS);
        let worker = Arc::clone(worker.ok_or_else(|| Reject::unauthorized(&head.worker))?);
        let blame = |refused: Refused| Refused { worker: Some(Arc::clone(&worker)), ..refused };

        let found = self.bench.find_job(&head.job, now).map_err(|reject| blame(reject.into()))?;
        self.bench.make_room(found);
        let told = self.bench.told(found);
        let Read { share, is_odd } = told.read(params, self.odd_size(told)).map_err(blame)?;
        let frames = Arc::clone(&told.frames);
        let fingerprint = frames.dialect.fingerprint(&share);
        let filters = self.bench.filters(told);
        let seen = filters.and_then(|filters| filters.of(frames.work));
        let late_block = (frames.work, fingerprint.share);
        let sighting = match seen {
            Some(seen) => seen.look_up(fingerprint),
            None if self.late_blocks.contains(&late_block) => Sighting::Duplicate,
            None => Sighting::New,
        };
        if sighting == Sighting::Duplicate && is_odd {
            return Err(blame(told.odd(params)));
        }
        if sighting == Sighting::Duplicate {
            let excused = told.again;
            return Err(blame(Refused { excused, ..Reject::duplicate().into() }));
        }
        // Nothing but repetition holds a block back.
        let crowded = self.in_flight.len() + 1 >= MAX_IN_FLIGHT;
        let bar: Option<Reject> = if !found.is_open || seen.is_none() {
            Some(replaced(&head.job))
        } else if crowded {
            Some(Reject::overflow("too many shares wait for the pool's verdict"))
        } else if filters.is_some_and(Filters::is_full) {
            self.flood.nuisance(now);
            Some(Reject::overflow("too many shares to remember"))
        } else {
            None
        };

        let age = now.saturating_duration_since(frames.arrived);
        let limit = if bar.is_some() { frames.block } else { Some(told.easiest) };
        let weight = match (self.config.verify, limit) {
            (Verify::Off, _) => Ok(Weight::default()),
            (Verify::Full, Some(limit)) => told.prove(&share, limit, age, &mut self.scratch),
            (Verify::Full, None) => Ok(Weight::default()),
        };
        if let Some(bar) = bar
            && !weight.as_ref().is_ok_and(|weight| weight.is_block)
        {
            return Err(blame(bar.into()));
        }
        let weight = match weight {
            Ok(weight) => weight,
            Err(_) if is_odd => return Err(blame(told.odd(params))),
            Err(reject) => {
                if !self.diagnoses.is_patient(now) {
                    return Err(blame(reject.into()));
                }
                self.diagnoses.strike(now);
                let diagnosis = told.diagnose(&share, age, &mut self.scratch);
                let curable = told.is_curable(diagnosis);
                return Err(blame(Refused { diagnosis, curable, ..reject.into() }));
            }
        };

        let counts = self.is_wanted(told, weight, Wanted::surely);
        let probe = if weight.is_block {
            None
        } else if is_odd {
            let probe = counts.then(|| self.ask(told, Habit::Split, Answer::Other)).flatten();
            if probe.is_none() || weight.hash.is_none() {
                return Err(blame(told.odd(params)));
            }
            probe
        } else if !counts && self.is_wanted(told, weight, Wanted::perhaps) {
            self.doubt(told).and_then(|(habit, if_taken)| self.ask(told, habit, if_taken))
        } else {
            None
        };
        let merits = weight.hash.map_or([None; 3], |_| told.merits(is_odd));
        for merit in merits.into_iter().flatten() {
            if !self.merits.contains(&merit) {
                // There is room for each kind.
                let _ = self.merits.try_push(merit);
                self.events.push_back(Event::Proven(merit));
            }
        }
        let (difficulty, easiest) = (told.difficulty, told.easiest);
        let prefix = told.prefix.clone();
        let hashes = easiest.hashes_lossy();
        self.bench.vardiff.on_share(difficulty, now);
        if weight.hash.is_some_and(|hash| self.margin.share(&hash, &easiest)) {
            self.events.push_back(Event::Diagnosed(Diagnosis::ReadsTooHard));
        }
        let forwarded = weight.is_block || probe.is_some() || counts;
        let second = forwarded && !weight.is_block && sighting == Sighting::SecondSolution;
        // A good share of a rig that sends much rubbish is a good share; one whose hash nobody has
        // computed is not known to be.
        let held_back = weight.hash.is_none() && self.conduct.is_quarantined();
        if let Some(seen) = self.bench.seen_mut(found) {
            seen.insert(fingerprint);
            if forwarded && !second && !held_back {
                seen.insert_forwarded(fingerprint);
            }
        } else {
            if self.late_blocks.is_full() {
                self.late_blocks.remove(0);
            }
            self.late_blocks.push(late_block);
        }
        if !forwarded {
            self.transmit.write(|out| rpc::put_result(out, id, true));
            let verdict = Verdict::BelowPoolTarget;
            let (reason, diagnosis, worker) = (None, None, Some(worker));
            self.events.push_back(Event::Ended { verdict, hashes, reason, diagnosis, worker });
            self.note(verdict);
            return Ok(());
        }
        if second {
            return Err(blame(Refused { hashes, ..Reject::second_solution().into() }));
        }
        if held_back {
            return Err(blame(Refused { hashes, ..Reject::quarantined().into() }));
        }
        let Weight { hash, is_block } = weight;
        let number = self.shares;
        // Only a block finds no place: its answer cannot be waited for.
        if self.config.reply == Reply::Local || self.in_flight.is_full() {
            self.transmit.write(|out| rpc::put_result(out, id, true));
        } else {
            let unchecked = hash.is_none();
            self.in_flight.push(Pending { number, id: id.clone(), unchecked });
        }
        if hash.is_some() {
            self.note(Verdict::AcceptedByPool);
        }
        let account = None;
        self.submission = Some(Submission {
            number,
            frames,
            prefix,
            share,
            hash,
            is_block,
            probe,
            worker,
            account,
            hashes,
        });
        Ok(())
    }

    /// The length of an extranonce2 that a rig sends though it was told another, and that the pool
    /// may take.
    fn odd_size(&self, told: &Told<D>) -> Option<usize> {
        let sitting = self.bench.sits_where(told)?;
        sitting.seat.split.probe.filter(|_| self.config.verify == Verify::Full)
    }

    /// Whether the pool wants a share, by its job's target and by the one that is in force. What was
    /// announced since is in force from the pool's next notify on.
    fn is_wanted(
        &self,
        told: &Told<D>,
        weight: Weight,
        target: fn(&Wanted, Habits) -> Target,
    ) -> bool {
        let sitting = self.bench.seat();
        let known = sitting.map_or_else(Habits::default, |sitting| sitting.seat.habits.known());
        let frames = &told.frames;
        let target = target(&frames.wanted, known).harder(target(&self.bench.in_force, known));
        weight.hash.is_none_or(|hash| frames.dialect.meets(&hash, &target))
    }

    /// What the pool would show by taking a share that it perhaps wants, or by refusing it.
    fn doubt(&self, told: &Told<D>) -> Option<(Habit, Answer)> {
        let known = self.bench.sits_where(told)?.seat.habits.known();
        told.frames.wanted.doubt(known).or_else(|| self.bench.in_force.doubt(known))
    }

    fn ask(&self, told: &Told<D>, habit: Habit, if_taken: Answer) -> Option<Probe> {
        self.bench.sits_where(told)?.seat.habits.ask(habit, if_taken)
    }
}

impl<D: Dialect> Told<D> {
    /// Reads a submit; with an extranonce2 of the `odd` length too.
    fn read(&self, params: &RawValue, odd: Option<usize>) -> Result<Read<D::Share>, Refused> {
        let (dialect, job) = (&self.frames.dialect, &*self.frames.job);
        let read = |size| dialect.parse_share(job, size, params);
        match read(self.extranonce2_size) {
            Ok(share) => Ok(Read { share, is_odd: false }),
            Err(reject) => match odd.map(read) {
                Some(Ok(share)) => Ok(Read { share, is_odd: true }),
                _ => Err(self.malformed(reject, params)),
            },
        }
    }

    /// The refusal of a share whose extranonce2 has the odd length.
    fn odd(&self, params: &RawValue) -> Refused {
        let (dialect, size) = (&self.frames.dialect, self.extranonce2_size);
        let reject = dialect.parse_share(&self.frames.job, size, params).err();
        let unreadable =
            || Reject::invalid("extranonce2 is of another length than the rig was told");
        self.malformed(reject.unwrap_or_else(unreadable), params)
    }

    fn malformed(&self, reject: Reject, params: &RawValue) -> Refused {
        let size = self.extranonce2_size;
        let diagnosis = self.frames.dialect.diagnose_form(&self.frames.job, size, params);
        Refused { diagnosis, curable: self.is_curable(diagnosis), ..reject.into() }
    }

    /// What a share comes to that must meet `limit`, or be a block.
    fn prove(
        &self,
        share: &D::Share,
        limit: Target,
        age: Duration,
        scratch: &mut D::Scratch,
    ) -> Result<Weight, Reject> {
        let JobFrames { dialect, job, block, .. } = &*self.frames;
        let mut check = |limit| dialect.check(job, &self.extranonce1, share, &limit, age, scratch);
        let checked = check(limit).or_else(|reject| {
            // Where blocks are easier than shares, or a scale is set too hard.
            let missed = reject.verdict == Verdict::LowDifficulty;
            match block.filter(|block| missed && *block > limit).map(check) {
                Some(Ok(checked)) => Ok(checked),
                _ => Err(reject),
            }
        })?;
        let Checked::Proven(hash) = checked else { return Ok(Weight::default()) };
        let is_block = block.is_some_and(|block| dialect.meets(&hash, &block));
        Ok(Weight { hash: Some(hash), is_block })
    }

    /// What the rig may have done to send a share that fails.
    fn diagnose(
        &self,
        share: &D::Share,
        job_age: Duration,
        scratch: &mut D::Scratch,
    ) -> Option<Diagnosis> {
        let (dialect, job, easiest) = (&self.frames.dialect, &*self.frames.job, &self.easiest);
        let before = self.before.as_ref().filter(|_| easiest.hashes_lossy() >= MIN_EVIDENCE);
        let stubborn = before.is_some_and(|before| {
            let checked = dialect.check(job, before, share, easiest, job_age, scratch);
            matches!(checked, Ok(Checked::Proven(_)))
        });
        if stubborn {
            return Some(Diagnosis::IgnoresSetExtranonce);
        }
        dialect.diagnose(job, &self.extranonce1, self.pool_extranonce1, share, easiest)
    }

    /// What a good share of it shows of its rig; a target that any hash meets shows nothing.
    fn merits(&self, is_odd: bool) -> [Option<Merit>; 3] {
        let tells = !is_odd && self.easiest.hashes_lossy() >= MIN_EVIDENCE;
        [
            (tells && !self.prefix.is_empty()).then_some(Merit::Shares),
            (tells && self.extranonce2_size != USUAL_EXTRANONCE2).then_some(Merit::Sizes),
            (tells && self.before.is_some()).then_some(Merit::Follows),
        ]
    }

    /// Whether another kind of service helps: a connection of its own does not help a rig that
    /// has one.
    fn is_curable(&self, diagnosis: Option<Diagnosis>) -> bool {
        let remedy = diagnosis.and_then(Firmware::remedy);
        remedy.is_some_and(|remedy| !remedy.is_particular() || !self.prefix.is_empty())
    }
}
