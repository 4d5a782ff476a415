//! Submits: judged, counted, answered.

use bytes::BytesMut;
use orepass_stratum::rpc::{self, Id};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;

use super::{MAX_LATE, Session, put_error};
use crate::coin::Reason;
use crate::pool::ledger::Submitted;
use crate::pool::{Hall, Moment};

impl Session {
    pub(super) fn submit(&mut self, id: &Id, params: &[&RawValue], now: Moment, hall: &mut Hall) {
        let worker = params.first().and_then(|worker| rpc::string(worker));
        let outcome = self.judge(worker.as_deref(), params, now, hall);
        // Only names that authorized are counted, so a stranger cannot fill the table.
        let known = worker.as_deref().filter(|worker| self.workers.contains(*worker));
        hall.ledger.count(known, outcome.map(|_| ()));
        if let Ok(Some(block)) = outcome
            && hall.config.real_blocks
        {
            hall.begin_block(Some(block), now);
        }
        if hall.ledger.faults.no_verdicts {
            hall.ledger.stats.withheld_verdicts += 1;
            return;
        }
        self.answer(id, outcome.map(|_| ()), now, hall);
        self.ends |= hall.ledger.faults.close_after_share;
    }

    fn answer(&mut self, id: &Id, outcome: Result<(), Reason>, now: Moment, hall: &mut Hall) {
        let mut answer = BytesMut::new();
        match outcome {
            Ok(()) => hall.config.coin.put_result(id, &true, &mut answer),
            Err(Reason::Refused) if hall.ledger.faults.stale_verdicts => {
                put_error(id, Reason::Stale, hall, &mut answer);
            }
            Err(reason) => put_error(id, reason, hall, &mut answer),
        }
        if outcome == Err(Reason::HighHash) && hall.config.repeat_difficulty {
            self.put_terms_again(hall, &mut answer);
        }
        match hall.ledger.faults.late_verdicts {
            None => self.out.extend_from_slice(&answer),
            Some(_) if self.late.0 >= MAX_LATE => self.expel(hall),
            Some(delay) => {
                // A delay that was shortened meanwhile does not let answers overtake others.
                let last = self.late.1.filter(|_| self.late.0 > 0).unwrap_or(now.at);
                let at = last.max(now.at + delay);
                self.late = (self.late.0 + 1, Some(at));
                hall.answer_at(at, self.connection, answer.freeze());
            }
        }
    }

    /// The block's hash where the share is one.
    fn judge(
        &self,
        worker: Option<&str>,
        params: &[&RawValue],
        now: Moment,
        hall: &mut Hall,
    ) -> Result<Option<[u8; 32]>, Reason> {
        let Hall { config, ledger, .. } = hall;
        let worker = worker.ok_or(Reason::InvalidParams)?;
        let id = params.get(1).and_then(|id| rpc::string(id)).ok_or(Reason::InvalidParams)?;
        let extranonce1 = self.extranonce1.as_ref().ok_or(Reason::NotSubscribed)?;
        let manners = config.coin.manners();
        let stranger = manners.checks_workers && !self.workers.contains(worker);
        let barred = config.one_flag && !self.welcome;
        if self.workers.is_empty() || stranger || barred {
            return Err(Reason::Unauthorized);
        }
        let made = ledger.find_job(&id)?;
        let told = self.told.iter().rev().find(|told| told.serial == made.serial);
        let extranonce1 = told.map_or(extranonce1, |told| &told.extranonce1);
        let target = |told: Option<Difficulty>| -> Target {
            config.coin.target(told.unwrap_or(ledger.difficulty))
        };
        let present = target(self.difficulty);
        let at_job = told.map_or(present, |told| told.target);
        let target = config.judge.choose(at_job, present, target(self.announced));
        let share = made.job.check(extranonce1, params, now.at.duration_since(made.made))?;
        let submitted = Submitted {
            worker,
            connection: self.connection,
            serial: made.serial,
            target,
            share: &share,
        };
        ledger.judge(config, &submitted)
    }
}
