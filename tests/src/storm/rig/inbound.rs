//! What a simulated rig makes of what the proxy says.

use orepass_stratum::extranonce::Extranonce;
use serde_json::Value;

use super::super::checks::ToldWorks;
use super::super::setting::{Setting, tell, violation};
use super::{Call, Job, Kind, MAX_JOBS, Rig, Waiting};

impl Rig {
    /// The proxy says a line.
    pub(in crate::storm) fn hear(
        &mut self,
        setting: &mut Setting,
        number: u32,
        line: &[u8],
        told: &mut ToldWorks,
    ) {
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.heard = setting.now();
        }
        let who = format!("rig {}.{number}", self.index);
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            return violation!(setting, "{who} hears {:?}", String::from_utf8_lossy(line));
        };
        let params = &message["params"];
        match message["method"].as_str() {
            None => self.answered(setting, number, &message),
            Some("mining.set_difficulty") => {
                let at_once = self.at_once;
                let Some(conn) = self.conns.get_mut(&number) else { return };
                let Some(difficulty) = params[0].as_f64().filter(|d| *d >= 1.0) else {
                    return violation!(setting, "{who} is set difficulty {params}");
                };
                conn.difficulty = Some(difficulty);
                if at_once && let Some(job) = conn.jobs.back_mut() {
                    job.difficulty = difficulty;
                }
                tell!(setting, "{who} has difficulty {difficulty}");
            }
            Some("mining.set_extranonce") => {
                let extranonce1: Option<Extranonce> =
                    params[0].as_str().and_then(|text| text.parse().ok());
                let Some(conn) = self.conns.get_mut(&number) else { return };
                let Some(extranonce1) = extranonce1 else {
                    return violation!(setting, "{who} is set extranonce {params}");
                };
                if !self.kind.takes_set_extranonce() || conn.extranonce1.is_none() {
                    violation!(setting, "{who} is set an extranonce and did not ask for it");
                }
                tell!(setting, "{who} is to have {extranonce1}");
                conn.next_extranonce1 = Some(extranonce1);
            }
            Some("mining.notify") => self.take_job(setting, number, params, told),
            Some(other) => violation!(setting, "{who} is called {other}"),
        }
    }

    fn take_job(
        &mut self,
        setting: &mut Setting,
        number: u32,
        params: &Value,
        told: &mut ToldWorks,
    ) {
        let who = format!("rig {}.{number}", self.index);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let texts =
            (params[0].as_str(), params[1].as_str(), params[2].as_str(), params[3].as_bool());
        let (Some(id), Some(block), Some(work), Some(clean)) = texts else {
            return violation!(setting, "{who} is told a job of bad form: {params}");
        };
        let moved = conn.next_extranonce1.take();
        let honours = self.kind != Kind::Ignores;
        if let Some(next) = &moved {
            conn.extranonce1 = Some(next.clone());
        }
        let (Some(lent), Some(difficulty)) = (conn.extranonce1.clone(), conn.difficulty) else {
            return violation!(setting, "{who} is told a job before an extranonce or a difficulty");
        };
        let name = work.strip_prefix("bound-").and_then(|rest| rest.split_once('-'));
        let pool_and_serial =
            name.and_then(|(pool, serial)| Some((pool.parse().ok()?, serial.parse().ok()?)));
        let (Some((pool, serial)), true) = (pool_and_serial, block.starts_with("block-")) else {
            return violation!(setting, "{who} is told a work of no pool: {params}");
        };
        let number_of_id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8);
        let relative = number_of_id.map(|id| self.ids.note(id, told.first_id(id)));
        match relative {
            None => violation!(setting, "{who} is told job id {id}"),
            Some((id, true)) => violation!(setting, "{who} is told job id +{id} again"),
            Some((id, false)) => {
                tell!(setting, "{who} is told {work} as +{id} clean {clean} under {lent}");
            }
        }
        let again = match told.note(pool, serial, &lent, self.index) {
            Ok(again) => again,
            Err(other) => {
                violation!(setting, "{who} is told {work} under {lent}, as rig {other} was before");
                false
            }
        };
        if moved.is_some() && !clean {
            violation!(setting, "{who} is moved to {lent} without a clean job");
        }
        // A rig that ignores its new extranonce goes on with its first one.
        let extranonce1 = match conn.jobs.front() {
            Some(first) if !honours => first.extranonce1.clone(),
            _ => lent,
        };
        setting.rig_fates.jobs += 1;
        let keeps_old = self.kind == Kind::Late;
        if clean && !keeps_old {
            let first = conn.jobs.pop_front();
            conn.jobs.clear();
            if !honours {
                conn.jobs.extend(first);
            }
        }
        if conn.jobs.len() >= MAX_JOBS {
            conn.jobs.remove(1);
        }
        let rescheduled = conn.jobs.back().is_none_or(|job| job.difficulty != difficulty);
        let (id, work) = (id.to_owned(), work.to_owned());
        let job = Job { id, pool, work, extranonce1, difficulty, again };
        conn.jobs.push_back(job);
        if rescheduled || conn.jobs.len() == 1 {
            self.plan_find(setting, difficulty);
        }
    }

    fn answered(&mut self, setting: &mut Setting, number: u32, message: &Value) {
        let who = format!("rig {}.{number}", self.index);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        // Why a connection is closed, which is its last word.
        if message["id"].is_null() && message["error"].is_array() {
            return;
        }
        let waiting = message["id"].as_u64().and_then(|id| conn.waiting.remove(&id));
        let Some(Waiting { call, .. }) = waiting else {
            return violation!(
                setting,
                "{who} is answered what it did not ask, or twice: {message}"
            );
        };
        let result = &message["result"];
        match call {
            Call::Subscribe => {
                let extranonce1 = result[1].as_str().and_then(|text| text.parse().ok());
                let (Some(extranonce1), Some(size)) = (extranonce1, result[2].as_u64()) else {
                    return violation!(setting, "{who} is refused its subscribe: {message}");
                };
                tell!(setting, "{who} has {extranonce1}");
                conn.extranonce1 = Some(extranonce1);
                conn.size = size as usize;
            }
            Call::Other => {}
            Call::Share { honest } => {
                let taken = result == &Value::Bool(true);
                if taken {
                    setting.rig_fates.taken += 1;
                } else {
                    setting.rig_fates.refused += 1;
                }
                let (code, reason) = (&message["error"][0], message["error"][1].as_str());
                let reason = reason.unwrap_or_default();
                // Job ids differ from run to run.
                let shown =
                    reason.rsplit_once("job ").map_or(reason, |(_, id)| id.get(8..).unwrap_or(id));
                tell!(setting, "{who} is answered {result} {code}{shown}");
                let excuses = [
                    "pool: ",
                    "pool connection lost",
                    "the pool did not answer",
                    "has been replaced",
                    "pool connection saturated",
                ];
                if honest && !taken && !excuses.iter().any(|excuse| reason.contains(excuse)) {
                    violation!(setting, "{who} is refused a good share: {message}");
                }
            }
        }
    }
}
