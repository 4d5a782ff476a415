//! A rig's shares.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::work::Told;
use super::{CloseReason, Downstream, Event, Reply, Verify};
use crate::channel::Submission;
use crate::dialect::{Announced, Checked, Diagnosis, Dialect};
use crate::error::{Reject, RejectCode};
use crate::firmware::Firmware;
use crate::rpc::{self, Id};
use crate::seen::Sighting;
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
    worker: Option<Arc<str>>,
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        Self { reject, hashes: 0.0, diagnosis: None, curable: false, worker: None }
    }
}

impl<D: Dialect> Downstream<D> {
    pub(super) fn submit(&mut self, id: &Id, params: Option<&RawValue>, now: Instant) {
        self.shares += 1;
        self.quiet.share(now);
        self.events.push_back(Event::Sent);
        if let Err(refused) = self.judge(id, params, now) {
            let Refused { reject, hashes, diagnosis, curable, worker } = refused;
            self.refuse(id, &reject);
            let reason = Some(reject.reason);
            let verdict = reject.verdict;
            self.events.push_back(Event::Ended { verdict, hashes, reason, diagnosis, worker });
            if matches!(verdict, Verdict::Invalid | Verdict::LowDifficulty) {
                self.conduct.failed(diagnosis, curable, now);
            }
            self.note(verdict);
            self.conclude(now);
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
        let worker = self.login.worker(&head.worker);
        let worker = Arc::clone(worker.ok_or_else(|| Reject::unauthorized(&head.worker))?);
        if self.in_flight.is_full() {
            return Err(Reject::overflow("too many shares wait for the pool's verdict").into());
        }
        let blame = |reject: Reject| Refused { worker: Some(Arc::clone(&worker)), ..reject.into() };

        let pool_target_now = self.bench.pool_target;
        let told = self.bench.open_job(&head.job, now).map_err(blame)?;
        let (told_id, frames) = (told.id, Arc::clone(&told.frames));
        let (dialect, job) = (&frames.dialect, &*frames.job);
        let size = told.extranonce2_size;
        let share = dialect.parse_share(job, size, params).map_err(|reject| {
            let diagnosis = dialect.diagnose_form(job, size, params);
            Refused { diagnosis, curable: told.is_curable(diagnosis), ..blame(reject) }
        })?;
        let fingerprint = dialect.fingerprint(&share);
        let sighting = told.seen.look_up(fingerprint);
        match sighting {
            Sighting::Duplicate => return Err(blame(Reject::duplicate())),
            Sighting::Full => return Err(blame(Reject::overflow("too many shares of one job"))),
            Sighting::New | Sighting::SecondSolution => {}
        }

        let hash = if self.config.verify == Verify::Off {
            None
        } else {
            let age = now.saturating_duration_since(frames.arrived);
            let scratch = &mut self.scratch;
            match dialect.check(job, &told.extranonce1, &share, &told.easiest, age, scratch) {
                Ok(Checked::Proven(hash)) => Some(hash),
                Ok(Checked::Unchecked) => None,
                Err(reject) => {
                    if self.diagnoses == 0 {
                        return Err(blame(reject));
                    }
                    self.diagnoses -= 1;
                    let diagnosis = told.diagnose(&share, age, scratch);
                    let curable = told.is_curable(diagnosis);
                    return Err(Refused { diagnosis, curable, ..blame(reject) });
                }
            }
        };
        told.seen.insert(fingerprint);
        // Some pools judge by the target at the job, some by the present one.
        let wanted = frames.pool_target.harder(pool_target_now);
        let counts = hash.is_none_or(|hash| dialect.meets(&hash, &wanted));
        let second = sighting == Sighting::SecondSolution;
        let held_back = self.conduct.is_quarantined();
        if counts && !second && !held_back {
            told.seen.insert_forwarded(fingerprint);
        }
        let hashes = told.easiest.hashes_lossy();
        let difficulty = told.difficulty;
        let prefix = told.prefix.clone();
        self.bench.vardiff.on_share(difficulty, now);
        let is_block = |hash: &_| dialect.is_block(job, &Announced::default(), hash) == Some(true);
        if let Some(hash) = hash.filter(is_block) {
            self.events.push_back(Event::Block { job: told_id, hash });
        }
        if !counts {
            self.transmit.write(|out| rpc::put_result(out, id, true));
            self.events.push_back(Event::Ended {
                verdict: Verdict::BelowPoolTarget,
                hashes,
                reason: None,
                diagnosis: None,
                worker: Some(worker),
            });
            self.note(Verdict::BelowPoolTarget);
            return Ok(());
        }
        if second {
            return Err(Refused { hashes, ..blame(Reject::second_solution()) });
        }
        if held_back {
            return Err(Refused { hashes, ..blame(Reject::quarantined()) });
        }
        match self.config.reply {
            Reply::Local => self.transmit.write(|out| rpc::put_result(out, id, true)),
            Reply::Pool => self.in_flight.push(Pending {
                number: self.shares,
                id: id.clone(),
                unchecked: hash.is_none(),
            }),
        }
        if hash.is_some() {
            self.note(Verdict::AcceptedByPool);
        }
        let number = self.shares;
        self.submission =
            Some(Submission { number, frames, prefix, share, hash, worker, account: None, hashes });
        Ok(())
    }
}

impl<D: Dialect> Told<D> {
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

    /// Whether another kind of service helps: a connection of its own does not help a rig that
    /// has one.
    fn is_curable(&self, diagnosis: Option<Diagnosis>) -> bool {
        let remedy = diagnosis.and_then(Firmware::remedy);
        remedy.is_some_and(|remedy| !remedy.dedicated || !self.prefix.is_empty())
    }
}
