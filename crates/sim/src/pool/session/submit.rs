//! Submits: judged, counted, answered.

use bytes::BytesMut;
use orepass_stratum::rpc::{self, Id};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{MAX_LATE, Next, Outbox, Session};
use crate::coin::Reason;
use crate::pool::config::Judge;
use crate::pool::ledger::Submitted;

impl Session {
    pub(super) fn submit(
        &mut self,
        id: &Id,
        params: &[&RawValue],
        now: Instant,
        out: &mut Outbox,
    ) -> Next {
        let worker = params.first().and_then(|worker| rpc::string(worker));
        let outcome = self.judge(worker.as_deref(), params, now);
        let mut ledger = self.pool.ledger();
        // Only names that authorized are counted, so a stranger cannot fill the table.
        let known = worker.as_deref().filter(|worker| self.workers.contains(*worker));
        ledger.count(known, outcome.map(|_| ()));
        let (late, withhold) = (ledger.faults.late_verdicts, ledger.faults.no_verdicts);
        let (stale, close) = (ledger.faults.stale_verdicts, ledger.faults.close_after_share);
        if withhold {
            ledger.stats.withheld_verdicts += 1;
        }
        drop(ledger);
        if let Ok(Some(block)) = outcome
            && self.pool.config.real_blocks
        {
            self.pool.begin_block(Some(block));
        }
        if withhold {
            return Next::Continue;
        }
        let mut answer = BytesMut::new();
        match outcome {
            Ok(_) => self.pool.config.coin.put_result(id, &true, &mut answer),
            Err(Reason::Refused) if stale => self.put_error(id, Reason::Stale, &mut answer),
            Err(reason) => self.put_error(id, reason, &mut answer),
        }
        if outcome == Err(Reason::HighHash) && self.pool.config.repeat_difficulty {
            self.repeat_terms(&mut answer);
        }
        match late {
            None => out.now.extend_from_slice(&answer),
            Some(_) if out.late.len() >= MAX_LATE => return Next::Expel,
            Some(delay) => {
                // A delay that was shortened meanwhile does not let answers overtake others.
                let last = out.late.back().map_or(now, |(due, _)| *due);
                out.late.push_back((last.max(now + delay), answer.freeze()));
            }
        }
        if close { Next::Close } else { Next::Continue }
    }

    /// The block's hash where the share is one.
    fn judge(
        &self,
        worker: Option<&str>,
        params: &[&RawValue],
        now: Instant,
    ) -> Result<Option<[u8; 32]>, Reason> {
        let worker = worker.ok_or(Reason::InvalidParams)?;
        let id = params.get(1).and_then(|id| rpc::string(id)).ok_or(Reason::InvalidParams)?;
        let extranonce1 = self.extranonce1.as_ref().ok_or(Reason::NotSubscribed)?;
        let manners = self.pool.config.coin.manners();
        let stranger = manners.checks_workers && !self.workers.contains(worker);
        let barred = self.pool.config.one_flag && !self.welcome;
        if self.workers.is_empty() || stranger || barred {
            return Err(Reason::Unauthorized);
        }
        let made = self.pool.ledger().find_job(&id)?;
        let told = self.told.iter().rev().find(|told| told.serial == made.serial);
        let extranonce1 = told.map_or(extranonce1, |told| &told.extranonce1);
        let present = self.target(self.difficulty);
        let target = match self.pool.config.judge {
            Judge::AtJob => told.map_or(present, |told| told.target),
            Judge::Present => present,
            Judge::AtOnce => self.target(self.announced),
        };
        let share = made.job.check(extranonce1, params, now.duration_since(made.made))?;
        self.pool.ledger().judge(
            &self.pool.config,
            &Submitted {
                worker,
                connection: self.connection,
                serial: made.serial,
                target,
                share: &share,
            },
        )
    }

    fn target(&self, told: Option<Difficulty>) -> Target {
        let difficulty = told.unwrap_or_else(|| self.pool.ledger().difficulty);
        self.pool.config.coin.target(difficulty)
    }
}
