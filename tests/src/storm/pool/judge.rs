//! How a simulated pool judges shares, by what the proxy had read when it wrote them.

use std::time::Duration;

use orepass_sim::pool::PoolFault;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::testing::bound_to;
use serde_json::{Value, json};

use super::super::pipe::Mark;
use super::super::setting::{Event, Setting, tell, violation};
use super::super::weather::LATEST;
use super::{EXTRANONCE2, MAX_UNANSWERED, MAX_WORKS, Pool, SAME_INSTANT, VERDICT_WITHIN};

/// The difficulty of blocks, as a power of two.
const BLOCK: i32 = 32;

impl Pool {
    /// The proxy has read past a line.
    pub(in crate::storm) fn read(&mut self, setting: &mut Setting, number: u32, mark: Mark) {
        let now = setting.now();
        let Some(conn) = self.conns.get_mut(&number) else { return };
        match mark {
            Mark::NameRefused => conn.names.refusal_read(now),
            Mark::Job(job) => {
                conn.terms.notify_read(now);
                for told in &mut conn.told {
                    if told.number < job && told.closed.is_some() {
                        told.closed_read.get_or_insert(now);
                    }
                }
            }
            Mark::Difficulty(difficulty) => conn.terms.announcement_read(difficulty, now),
            Mark::Call(_) => {}
            Mark::Answer { came, taken, lesson } => {
                if lesson {
                    self.taught.again(now);
                }
                let in_time = now - came < VERDICT_WITHIN;
                let close = (now - came).abs_diff(VERDICT_WITHIN) < SAME_INSTANT;
                if conn.wire.blocked.is_some() || close {
                    setting.pool_fates.doubtful += 1;
                    return;
                }
                if conn.last_read.0 != now {
                    conn.last_read = (now, 0, 0);
                }
                if !in_time {
                    setting.pool_fates.late += 1;
                    conn.last_read.2 += 1;
                } else if taken {
                    setting.pool_fates.taken_in_time += 1;
                    conn.last_read.1 += 1;
                }
            }
        }
    }

    /// The proxy has dropped a connection.
    pub(in crate::storm) fn dropped(&mut self, setting: &mut Setting, number: u32) {
        let Some(conn) = self.conns.remove(&number) else { return };
        let (at, in_time, late) = conn.last_read;
        if at == setting.now() {
            setting.pool_fates.taken_in_time -= in_time;
            setting.pool_fates.late -= late;
            setting.pool_fates.doubtful += in_time + late;
        }
        let who = if conn.wire.is_ended() { "is let go of" } else { "is dropped by the proxy" };
        tell!(setting, "pool {}.{number} {who}", self.index);
    }

    /// Whether the proxy keeps a connection that it should have given up by the shares that were
    /// not answered on it.
    pub(in crate::storm) fn look(&self, setting: &mut Setting) {
        let patience = VERDICT_WITHIN + Duration::from_secs(5);
        for (number, conn) in &self.conns {
            let overdue = |at: &&Duration| {
                **at >= self.since && setting.now().saturating_sub(**at) > patience
            };
            let unanswered = conn.waiting.iter().filter(overdue).count();
            let mute = self.fault == Some(PoolFault::NoVerdicts) && conn.wire.is_open();
            if mute && unanswered >= MAX_UNANSWERED {
                violation!(
                    setting,
                    "pool {}.{number} has not answered {unanswered} shares for \
                    {patience:?} and is still used",
                    self.index
                );
            }
        }
    }

    pub(super) fn submit(
        &mut self,
        setting: &mut Setting,
        number: u32,
        id: u64,
        params: &Value,
        came: Duration,
    ) {
        setting.pool_fates.shares += 1;
        let judgement = self.judge(setting, number, params, came);
        let taken = judgement.is_ok();
        setting.pool_fates.taken += u64::from(taken);
        let (said, answer) = match &judgement {
            Ok(()) => ("taken".to_owned(), json!({"id": id, "result": true, "error": null})),
            Err((code, reason)) => (
                format!("refused: {reason} ({code})"),
                json!({"id": id, "result": null, "error": [code, reason, null]}),
            ),
        };
        tell!(setting, "pool {}.{number} share {id} {params} {said}", self.index);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.waiting.push_back(came);
        if self.fault == Some(PoolFault::NoVerdicts) {
            return;
        }
        let wait = match &self.fault {
            // Not so near to the limit that it would matter which of the two comes first.
            Some(PoolFault::LateVerdicts(_)) if setting.chance(0.5) => {
                setting.between(Duration::from_secs(32), LATEST)
            }
            Some(PoolFault::LateVerdicts(_)) => {
                setting.between(Duration::from_secs(2), Duration::from_secs(28))
            }
            _ => setting.between(Duration::from_millis(5), Duration::from_millis(150)),
        };
        let lesson = matches!(judgement, Err((23, _)));
        let mark = Some(Mark::Answer { came, taken, lesson });
        let line = answer.to_string();
        setting.after(wait, Event::Say { pool: self.index, conn: number, line, mark });
    }

    fn judge(
        &mut self,
        setting: &mut Setting,
        number: u32,
        params: &Value,
        came: Duration,
    ) -> Result<(), (u32, &'static str)> {
        let who = format!("pool {}.{number}", self.index);
        let fields: Option<Vec<&str>> =
            params.as_array().and_then(|fields| fields.iter().map(Value::as_str).collect());
        let form = fields.and_then(|fields| {
            let [worker, job, extranonce2, hash] = fields[..] else { return None };
            let extranonce2: Extranonce = extranonce2.parse().ok()?;
            let proper = extranonce2.len() == EXTRANONCE2 && hash.len() == 64;
            proper.then_some((worker.to_owned(), job.to_owned(), extranonce2, hash.to_owned()))
        });
        let Some((worker, job, extranonce2, hash)) = form else {
            violation!(setting, "{who} was sent a share of bad form: {params}");
            return Err((20, "invalid params"));
        };
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.live) else {
            violation!(setting, "{who} was sent a share before the login was done");
            return Err((24, "unauthorized"));
        };
        let blocked = conn.wire.blocked.is_some();
        if let Err(knew) = conn.names.may_submit(self.names, &worker, came) {
            if knew && !blocked {
                violation!(setting, "{who} was sent a share of {worker}, who may not submit");
            }
            setting.pool_fates.crossed += 1;
            return Err((24, "unauthorized worker"));
        }
        let Some(told) = conn.told.iter().rev().find(|told| told.work.id == job) else {
            violation!(setting, "{who} was sent a share of job {job}, which it never told here");
            return Err((21, "job not found"));
        };
        let whole = told.extranonce1.join(extranonce2.as_bytes()).unwrap_or_default();
        let tag = bound_to(&whole, &told.work.name);
        let tag = tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        if hash[48..] != *tag {
            violation!(
                setting,
                "{who} was sent a share of {} not mined under {whole}",
                told.work.name
            );
            return Err((20, "bad proof"));
        }
        let read = u128::from_str_radix(&hash[..32], 16).unwrap_or(u128::MAX);
        let meets = |difficulty: i32| read <= u128::MAX >> difficulty;
        let is_block = meets(BLOCK);
        let knows = self.taught.holds(came.saturating_sub(SAME_INSTANT));
        let known = conn.terms.known(knows, told.difficulty, came);
        if !blocked && !is_block && !meets(known) {
            violation!(
                setting,
                "{who} was sent a share below its target: {hash}, 2^{known} is known, 2^{} at \
                the job",
                told.difficulty
            );
        }
        let judged_by = conn.terms.judged_by(self.rule, told.difficulty);
        let linger = self.linger.filter(|_| !told.by_extranonce).unwrap_or_default();
        if let Some(read) = told.closed_read
            && came.saturating_sub(read) > linger + SAME_INSTANT
            && !(blocked || is_block)
        {
            violation!(
                setting,
                "{who} was sent a stale share of {}, replaced {:?} ago",
                told.work.name,
                came.saturating_sub(read)
            );
        }
        let is_new = self.shares.entry(told.work.number).or_default().insert((whole, hash.clone()));
        if self.shares.len() > MAX_WORKS {
            self.shares.pop_first();
        }
        if !is_new {
            violation!(setting, "{who} was sent the same share again: {params}");
            return Err((22, "duplicate"));
        }
        if told.closed.is_some_and(|at| setting.now() - at > linger) {
            setting.pool_fates.crossed += 1;
            return Err((21, "job not found"));
        }
        if !meets(judged_by) {
            setting.pool_fates.crossed += 1;
            return Err((23, "low difficulty share"));
        }
        let slander = match &self.fault {
            Some(PoolFault::RefuseShares) => (20, "rejected"),
            Some(PoolFault::StaleVerdicts) => (21, "job not found"),
            _ => return Ok(()),
        };
        setting.pool_fates.slandered += 1;
        self.wasted += 1;
        Err(slander)
    }
}
