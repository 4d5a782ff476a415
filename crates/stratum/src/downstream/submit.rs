//! A rig's shares.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use super::{Downstream, Event, Reply, Verify};
use crate::channel::Submission;
use crate::dialect::{Checked, Diagnosis, Dialect};
use crate::error::Reject;
use crate::rpc::{self, Id};
use crate::seen::Sighting;
use crate::verdict::Verdict;

/// A forwarded share that the rig has no answer for yet.
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) id: Id,
}

/// A share that was refused here.
struct Refused {
    reject: Reject,
    /// The work that it proves all the same.
    hashes: f64,
    diagnosis: Option<Diagnosis>,
    worker: Option<Arc<str>>,
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        Self { reject, hashes: 0.0, diagnosis: None, worker: None }
    }
}

impl<D: Dialect> Downstream<D> {
    pub(super) fn submit(&mut self, id: &Id, params: Option<&RawValue>, now: Instant) {
        self.shares += 1;
        self.events.push_back(Event::Sent);
        if let Err(refused) = self.judge(id, params, now) {
            let Refused { reject, hashes, diagnosis, worker } = refused;
            self.refuse(id, &reject);
            let reason = Some(reject.reason);
            let verdict = reject.verdict;
            self.events.push_back(Event::Ended { verdict, hashes, reason, diagnosis, worker });
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
        let share = dialect.parse_share(job, told.extranonce2_size, params).map_err(blame)?;
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
                    let pool_part = told.pool_extranonce1;
                    let easiest = &told.easiest;
                    let diagnosis =
                        dialect.diagnose(job, &told.extranonce1, pool_part, &share, easiest);
                    return Err(Refused { diagnosis, ..blame(reject) });
                }
            }
        };
        told.seen.insert(fingerprint);
        // Some pools judge by the target at the job, some by the present one.
        let wanted = frames.pool_target.harder(pool_target_now);
        let counts = hash.is_none_or(|hash| dialect.meets(&hash, &wanted));
        let second = sighting == Sighting::SecondSolution;
        if counts && !second {
            told.seen.insert_forwarded(fingerprint);
        }
        let hashes = told.easiest.hashes_lossy();
        let difficulty = told.difficulty;
        let prefix = told.prefix.clone();
        self.bench.vardiff.on_share(difficulty, now);
        if let Some(hash) = hash.filter(|hash| dialect.is_block(job, hash) == Some(true)) {
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
            return Ok(());
        }
        if second {
            return Err(Refused { hashes, ..blame(Reject::second_solution()) });
        }
        match self.config.reply {
            Reply::Local => self.transmit.write(|out| rpc::put_result(out, id, true)),
            Reply::Pool => self.in_flight.push(Pending { number: self.shares, id: id.clone() }),
        }
        let number = self.shares;
        self.submission =
            Some(Submission { number, frames, prefix, share, hash, worker, account: None, hashes });
        Ok(())
    }
}
