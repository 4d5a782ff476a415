//! A rig's shares.

mod told;

use std::sync::Arc;

use super::in_flight::Pending;
use super::work::{Told, replaced};
use super::{CloseReason, Complaint, Downstream, Event, Reply, Verify};
use crate::channel::Submission;
use crate::dialect::{
    Basis, Diagnosis, Dialect, Fingerprint, Fingerprinted, GrantedTerms, HeardSubmit, RigSay,
    Wanted,
};
use crate::error::Reject;
use crate::evidence::ShareEvidence;
use crate::filters::Filters;
use crate::flood::is_its_fault;
use crate::habits::{Answer, Habit, Habits, Probe};
use crate::rpc::Id;
use crate::seen::Sighting;
use crate::target::{PowHash, Target};
use crate::time::Instant;
use crate::verdict::Verdict;

/// A share that was refused here.
struct Refused {
    reject: Reject,
    /// The work that it proves all the same.
    hashes: Option<f64>,
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
        Self { reject, hashes: None, diagnosis, curable: false, excused: false, worker }
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
    /// Judges a share; gives it back if it is to be forwarded.
    pub(super) fn submit(
        &mut self,
        id: &Id,
        submit: Result<&HeardSubmit<'_>, &Reject>,
        now: Instant,
        scratch: &mut D::Scratch,
    ) -> Option<Submission<D>> {
        self.judge.shares += 1;
        self.bench.quiet.share(now);
        self.bench.await_share(&mut self.out);
        self.out.event(Event::Sent);
        match self.judge(id, submit, now, scratch) {
            Ok(submission) => {
                if let Some(misdeeds) = self.misdeeds.known_mut() {
                    misdeeds.flood.good();
                }
                submission
            }
            Err(refused) => {
                let evidence = self.evidence(submit.ok(), refused.reject.verdict, now);
                self.turn_down(id, refused, evidence, now);
                None
            }
        }
    }

    /// What a refused share was made from, where its job is known and somebody is to see it.
    #[cold]
    fn evidence(
        &mut self,
        submit: Option<&HeardSubmit<'_>>,
        verdict: Verdict,
        now: Instant,
    ) -> Option<Box<ShareEvidence>> {
        if !matches!(verdict, Verdict::Invalid | Verdict::LowDifficulty | Verdict::Duplicate) {
            return None;
        }
        let HeardSubmit { job, fields, .. } = submit?;
        let told = self.bench.told(self.bench.find_job(job, now).ok()?);
        if !self.judge.evidence.lets(verdict as u8, self.config.evidence) {
            return None;
        }
        let target = told.asked.easiest;
        let Basis { terms, rig, .. } = told.basis();
        Some(Box::new(ShareEvidence {
            notify: ShareEvidence::notify(&told.frames, told.id, target)?,
            extranonce1: told.asked.nonces.extranonce1.clone(),
            extranonce2_size: Some(told.asked.nonces.extranonce2_size),
            submit: ShareEvidence::submit(fields),
            submit_job: None,
            target,
            version_mask: terms.version_mask(Some(rig)),
        }))
    }

    fn turn_down(
        &mut self,
        id: &Id,
        refused: Refused,
        evidence: Option<Box<ShareEvidence>>,
        now: Instant,
    ) {
        let Refused { reject, hashes, diagnosis, curable, excused, worker } = refused;
        self.refuse(id, &reject);
        let verdict = reject.verdict;
        let hashes = hashes.unwrap_or_else(|| self.bench.asked_hashes());
        let complaint = Some(Box::new(Complaint { reason: reject.reason, diagnosis, evidence }));
        self.out.event(Event::Ended { verdict, hashes, complaint, worker });
        if excused {
            return self.misdeeds.noted().flood.nuisance(now);
        }
        if matches!(verdict, Verdict::Invalid | Verdict::LowDifficulty) {
            self.judge.conduct.failed(diagnosis, curable, now);
        }
        self.judge.note(verdict, &mut self.out);
        self.judge.conclude(&mut self.out, now);
        if self.misdeeds.noted().flood.refused(verdict, now) && !self.misdeeds.are_borne() {
            return self.end(CloseReason::Flood);
        }
        // What proves work, or found no room, is no request.
        if is_its_fault(verdict) {
            self.request(now);
        }
    }

    fn judge(
        &mut self,
        id: &Id,
        submit: Result<&HeardSubmit<'_>, &Reject>,
        now: Instant,
        scratch: &mut D::Scratch,
    ) -> Result<Option<Submission<D>>, Refused> {
        if !self.login.is_subscribed() {
            return Err(Reject::not_subscribed().into());
        }
        let HeardSubmit { worker, job, fields } = submit.map_err(Reject::clone)?;
        let checks = self.dialect.rules().checks_workers;
        let known = self.login.worker_of_share(worker, checks);
        let worker = Arc::clone(known.ok_or_else(|| Reject::unauthorized(worker))?);
        let blame = |refused: Refused| Refused { worker: Some(Arc::clone(&worker)), ..refused };

        let found = self.bench.find_job(job, now).map_err(|reject| blame(reject.into()))?;
        self.bench.make_room(found);
        let told = self.bench.told(found);
        let Read { share, is_odd } = told.read(fields, self.odd_size(told)).map_err(blame)?;
        let frames = Arc::clone(&told.frames);
        let Fingerprint { share: whole, nonce } = share.fingerprint();
        let nonce = nonce.filter(|_| !frames.dialect.rules().second_solutions);
        let fingerprint = Fingerprint { share: whole, nonce };
        let filters = self.bench.filters(told);
        let seen = filters.and_then(|filters| filters.look_up(frames.work, fingerprint));
        let late_block = (frames.work, fingerprint.share);
        let sighting = match seen {
            Some(sighting) => sighting,
            None if self.judge.knows_late(late_block) => Sighting::Duplicate,
            None => Sighting::New,
        };
        if sighting == Sighting::Duplicate && is_odd {
            return Err(blame(told.odd(fields)));
        }
        if sighting == Sighting::Duplicate {
            let excused = told.again;
            return Err(blame(Refused { excused, ..Reject::duplicate().into() }));
        }
        // Nothing but repetition holds a block back.
        let crowded = !self.judge.in_flight.has_room(false);
        let bar: Option<Reject> = if !found.is_open || seen.is_none() {
            Some(replaced(&job.text))
        } else if crowded {
            Some(Reject::overflow("too many shares wait for the pool's verdict"))
        } else if filters.is_some_and(Filters::is_full) {
            self.misdeeds.noted().flood.nuisance(now);
            Some(Reject::overflow("too many shares to remember"))
        } else {
            None
        };

        let age = now.saturating_duration_since(frames.arrived);
        let limit = if bar.is_some() { frames.block } else { Some(told.asked.easiest) };
        let weight = match (self.config.verify, limit) {
            (Verify::Off, _) => Ok(Weight::default()),
            (Verify::Full, Some(limit)) => told.prove(&share, limit, age, scratch),
            (Verify::Full, None) => Ok(Weight::default()),
        };
        if let Some(bar) = bar
            && !weight.as_ref().is_ok_and(|weight| weight.is_block)
        {
            return Err(blame(bar.into()));
        }
        let weight = match weight {
            Ok(weight) => weight,
            Err(_) if is_odd => return Err(blame(told.odd(fields))),
            Err(reject) => {
                let diagnoses = &mut self.misdeeds.noted().diagnoses;
                if !diagnoses.is_patient(now) {
                    return Err(blame(reject.into()));
                }
                diagnoses.strike(now);
                let diagnosis = told.diagnose(&share, age, scratch);
                let curable = told.is_curable(diagnosis);
                return Err(blame(Refused { diagnosis, curable, ..reject.into() }));
            }
        };

        let surely = self.wanted(told, Wanted::surely);
        let counts = told.is_met(weight, surely);
        let probe = if weight.is_block {
            None
        } else if is_odd {
            let probe = counts.then(|| self.ask(told, Habit::Split, Answer::Other)).flatten();
            if probe.is_none() || weight.hash.is_none() {
                return Err(blame(told.odd(fields)));
            }
            probe
        } else if !counts && told.is_met(weight, self.wanted(told, Wanted::perhaps)) {
            self.doubt(told).and_then(|(habit, if_taken)| self.ask(told, habit, if_taken))
        } else {
            None
        };
        let merits = weight.hash.map_or([None; 3], |_| told.merits(is_odd));
        self.judge.proven(merits, &mut self.out);
        let (difficulty, easiest) = (told.asked.difficulty, told.asked.easiest);
        let prefix = told.asked.nonces.prefix.clone();
        let hashes = easiest.hashes_lossy();
        self.bench.vardiff.on_share(&self.config.vardiff, difficulty, now);
        self.bench.await_vardiff(&self.config, &mut self.out);
        if weight.hash.is_some_and(|hash| self.judge.margin.share(&hash, &easiest)) {
            self.out.event(Event::Diagnosed(Diagnosis::READS_TOO_HARD));
        }
        let forwarded = weight.is_block || probe.is_some() || counts;
        let second = forwarded && !weight.is_block && sighting == Sighting::SecondSolution;
        // A good share of a rig that sends much rubbish is a good share; one whose hash nobody has
        // computed is not known to be.
        let held_back = weight.hash.is_none() && self.judge.conduct.is_quarantined();
        if let Some(seen) = self.bench.seen_mut(found) {
            seen.insert(fingerprint);
            if forwarded && !second && !held_back {
                seen.insert_forwarded(fingerprint);
            }
        } else {
            self.judge.remember_late(late_block);
        }
        if !forwarded {
            self.say(RigSay::Taken(id));
            let verdict = Verdict::BelowPoolTarget;
            let (complaint, worker) = (None, Some(worker));
            self.out.event(Event::Ended { verdict, hashes, complaint, worker });
            self.judge.note(verdict, &mut self.out);
            return Ok(None);
        }
        if second {
            let hashes = Some(hashes);
            return Err(blame(Refused { hashes, ..Reject::second_solution().into() }));
        }
        if held_back {
            let hashes = Some(hashes);
            return Err(blame(Refused { hashes, ..Reject::quarantined().into() }));
        }
        let Weight { hash, is_block } = weight;
        let number = self.judge.shares;
        // Only a block finds no place: its answer cannot be waited for.
        if self.config.reply == Reply::Local || !self.judge.in_flight.has_room(true) {
            self.say(RigSay::Taken(id));
        } else {
            let unchecked = hash.is_none();
            self.judge.in_flight.push(Pending { number, id: id.clone(), unchecked });
        }
        if hash.is_some() {
            self.judge.note(Verdict::AcceptedByPool, &mut self.out);
        }
        let account = None;
        Ok(Some(Submission {
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
            credit: surely.hashes_lossy(),
        }))
    }

    /// The length of an extranonce2 that a rig sends though it was told another, and that the pool
    /// may take.
    fn odd_size(&self, told: &Told<D>) -> Option<usize> {
        let sitting = self.bench.sits_where(told)?;
        sitting.seat.split.probe.filter(|_| self.config.verify == Verify::Full)
    }

    /// What the pool wants of a share, by its job's target and by the one that is in force. What was
    /// announced since is in force from the pool's next notify on.
    fn wanted(&self, told: &Told<D>, target: fn(&Wanted, Habits) -> Target) -> Target {
        let sitting = self.bench.seat();
        let known = sitting.map_or_else(Habits::default, |sitting| sitting.seat.habits.known());
        let frames = &told.frames;
        target(&frames.wanted, known).harder(target(&self.bench.in_force, known))
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
