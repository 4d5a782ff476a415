//! What comes from the pool: calls and answers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use orepass_stratum::rpc::{self, Message, PoolError, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;

use super::mining::SearchedJob;
use super::{Call, Rig};
use crate::coin::{Allotment, RigError};

impl Rig {
    /// Takes a line from the pool, without its end.
    pub fn handle_line(&mut self, line: &[u8], now: Instant) {
        if !self.link.open {
            return;
        }
        match Message::parse(line) {
            Err(error) => self.count_malformed(error.to_string()),
            Ok(message) => match (&message.method, message.params) {
                (Some(method), Some(params)) => self.handle_call(method, params, now),
                (Some(_), None) => {}
                (None, _) => self.handle_answer(&message),
            },
        }
    }

    fn handle_call(&mut self, method: &str, params: &RawValue, now: Instant) {
        let taken = match method {
            "mining.notify" => self.take_job(params, now),
            "mining.set_difficulty" => self.take_difficulty(params),
            "mining.set_target" => self.take_target(params),
            "mining.set_extranonce" => self.take_extranonce(params),
            "client.reconnect" if !self.habits.follows_reconnect => {
                self.link.open = false;
                Ok(())
            }
            "client.reconnect" => destination(params).map(|address| {
                self.memory.address = address;
                self.link.open = false;
            }),
            // Rigs pass over what they do not know.
            other => self.take_grant(other, params),
        };
        if let Err(error) = taken {
            let stats = &mut self.stats;
            if method == "mining.notify" {
                stats.jobs_unusable += 1;
            } else {
                stats.malformed_lines += 1;
            }
            stats.last_error = Some(error.to_string());
            if self.habits.drops_over_nonsense {
                stats.drops_over_nonsense += 1;
                self.link.open = false;
            }
        }
    }

    fn take_job(&mut self, params: &RawValue, now: Instant) -> Result<(), RigError> {
        let job = self.config.coin.parse_notify(params)?;
        if self.habits.ignores_soft_jobs && !job.is_clean() {
            let stats = &mut self.stats;
            stats.jobs += 1;
            stats.jobs_ignored += 1;
            return Ok(());
        }
        let extranonce1 = self.link.allotment.as_ref().map(|given| &given.extranonce1);
        let work = hash_of((job.fingerprint(), extranonce1));
        let (id_seen, work_seen) = self.memory.note_job(hash_of(job.id()), work);
        let stats = &mut self.stats;
        stats.jobs += 1;
        stats.job_ids_repeated += u64::from(id_seen);
        stats.works_repeated += u64::from(work_seen);
        if self.habits.ignores_repeated_id && self.memory.last_job.as_deref() == Some(job.id()) {
            stats.jobs_ignored += 1;
            return Ok(());
        }
        self.memory.last_job = Some(job.id().to_owned());
        let default = || self.config.coin.target(Difficulty::ONE);
        let target = job.target().or(self.link.announced).unwrap_or_else(default);
        if job.wants_transactions() {
            let call = Call::Transactions { job: job.id().to_owned() };
            let params = format!("[{}]", Quoted(job.id()));
            self.call(call, "mining.get_transactions", &params);
        }
        let mut next = SearchedJob { job, target, search: None, last_share: None };
        let lingers = self.habits.lingers;
        match self.search().filter(|search| !lingers.is_zero() && search.is_busy()) {
            Some(search) => {
                search.wind_down();
                // A job that comes meanwhile does not make the present one last longer.
                let until = self.poll_timeout().unwrap_or(now + lingers);
                // Begun now, so that it keeps to the extranonce of this moment.
                if let Some(allotment) = &self.link.allotment {
                    next.search = Some(next.job.search(allotment)?);
                }
                self.link.successor = Some((next, until));
                Ok(())
            }
            None => {
                self.link.successor = None;
                self.link.job = Some(next);
                self.start_search()
            }
        }
    }

    /// Starts to hash as soon as job, extranonce and transactions are known.
    fn start_search(&mut self) -> Result<(), RigError> {
        if let (Some(job), Some(allotment)) = (&mut self.link.job, &self.link.allotment)
            && job.search.is_none()
            && !job.job.wants_transactions()
        {
            job.search = Some(job.job.search(allotment)?);
        }
        Ok(())
    }

    fn take_difficulty(&mut self, params: &RawValue) -> Result<(), RigError> {
        let difficulty = self.config.coin.parse_difficulty(params)?;
        let stats = &mut self.stats;
        stats.difficulties += 1;
        stats.difficulty = difficulty.map(Difficulty::get).or(stats.difficulty);
        if let Some(difficulty) = difficulty {
            self.announce(self.config.coin.target(difficulty));
        }
        Ok(())
    }

    fn take_target(&mut self, params: &RawValue) -> Result<(), RigError> {
        let target = self.config.coin.parse_target(params)?;
        self.stats.difficulties += 1;
        if let Some(target) = target {
            self.announce(target);
        }
        Ok(())
    }

    fn announce(&mut self, target: Target) {
        self.link.announced = Some(target);
        if self.config.difficulty_at_once {
            let waiting = self.link.successor.as_mut().map(|(job, _)| job);
            for job in waiting.into_iter().chain(&mut self.link.job) {
                job.target = target;
            }
        }
    }

    /// The present search goes on with the old extranonce, if there is one; the next job uses the new
    /// one.
    fn take_extranonce(&mut self, params: &RawValue) -> Result<(), RigError> {
        let wrong = || RigError::field("extranonce", params);
        let (elements, _) = rpc::array::<2>(params).ok_or_else(wrong)?;
        let extranonce1 = elements.first().and_then(|text| rpc::string(text));
        let extranonce1 = extranonce1.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        let told = elements.get(1).and_then(|size| size.get().parse().ok());
        let before = self.link.allotment.as_ref();
        let size = told.or_else(|| before.and_then(|before| before.size));
        let is_first = before.is_none();
        self.stats.set_extranonces += 1;
        if is_first || !self.config.ignores_set_extranonce {
            self.allot(Allotment { extranonce1, size, granted: None });
        }
        if is_first { self.start_search() } else { Ok(()) }
    }

    fn allot(&mut self, allotment: Allotment) {
        self.stats.extranonce1 = Some(allotment.extranonce1.to_string());
        let granted = self.link.granted.clone();
        self.link.allotment = Some(Allotment { granted, ..allotment });
    }

    /// It applies to the jobs that are begun from now on.
    fn take_grant(&mut self, method: &str, said: &RawValue) -> Result<(), RigError> {
        if let Some(granted) = self.config.coin.parse_grant(method, said)? {
            if let Some(allotment) = &mut self.link.allotment {
                allotment.granted = Some(granted.clone());
            }
            self.link.granted = Some(granted);
        }
        Ok(())
    }

    fn handle_answer(&mut self, message: &Message<'_>) {
        let refusal = refusal(message);
        let Some(id) = message.id else {
            self.stats.anonymous_errors += 1;
            self.stats.last_error = refusal.map(|refusal| refusal.to_string());
            return;
        };
        let id = if self.config.string_ids {
            rpc::string(id).and_then(|id| id.parse().ok())
        } else {
            id.get().parse().ok()
        };
        let call = id.and_then(|id| self.link.pending.remove(&id));
        let Some(call) = call else {
            let asked = id.is_some_and(|id: u64| id > 0 && id < self.link.last_id + 1);
            let stats = &mut self.stats;
            let counter =
                if asked { &mut stats.double_answers } else { &mut stats.unknown_answers };
            *counter += 1;
            return;
        };
        let expected = match call {
            Call::Rubbish => true,
            Call::Courtesy(_) => self.habits.mines_once_authorized,
            _ => false,
        };
        if let Some(refusal) = refusal.as_ref().filter(|_| !expected) {
            self.stats.last_error = Some(refusal.to_string());
        }
        match call {
            Call::Share { hashes } => {
                let stats = &mut self.stats;
                stats.pending -= 1;
                match refusal {
                    None => {
                        stats.accepted += 1;
                        stats.work += hashes;
                    }
                    Some(refusal) => stats.count_rejected(refusal.code),
                }
            }
            Call::Rubbish => {
                let stats = &mut self.stats;
                let counter = match refusal {
                    None => &mut stats.rubbish_accepted,
                    Some(_) => &mut stats.rubbish_rejected,
                };
                *counter += 1;
            }
            Call::Configure => self.configured(message.result.filter(|_| refusal.is_none())),
            Call::Subscribe => self.subscribed(message.result),
            Call::Authorize if refusal.is_some() => {
                self.stats.authorize_refused += 1;
                self.memory.ended = self.habits.ends_when_refused;
                self.link.open = false;
            }
            Call::Authorize => {
                self.stats.authorized += 1;
                self.go_on_with_login();
            }
            Call::Courtesy(_) => self.go_on_with_login(),
            Call::Transactions { job } => self.learn_transactions(&job, message.result),
        }
    }

    /// Firmware whose wishes are refused goes on without.
    fn configured(&mut self, result: Option<&RawValue>) {
        let granted = result.map_or(Ok(()), |result| self.take_grant("mining.configure", result));
        if let Err(error) = granted {
            self.count_malformed(error.to_string());
        }
        self.go_on_with_login();
    }

    fn subscribed(&mut self, result: Option<&RawValue>) {
        let parsed = match result {
            Some(result) => self.config.coin.parse_subscribed(result),
            None => Err(RigError::field("subscribe result", "null")),
        };
        let started = parsed.and_then(|given| {
            given.into_iter().for_each(|allotment| self.allot(allotment));
            self.start_search()
        });
        if let Err(error) = started {
            self.stats.last_error = Some(error.to_string());
            self.link.open = false;
            return;
        }
        self.go_on_with_login();
    }

    /// Completes the job that was asked about, if it is still the present one.
    fn learn_transactions(&mut self, id: &str, answer: Option<&RawValue>) {
        let Some(job) = self.link.job.as_mut().filter(|job| job.job.id() == id) else {
            return;
        };
        let learnt = match answer {
            Some(answer) => job.job.learn_transactions(answer),
            None => Err(RigError::field("transactions", "null")),
        };
        if let Err(error) = learnt.and_then(|()| self.start_search()) {
            let stats = &mut self.stats;
            stats.jobs_unusable += 1;
            stats.last_error = Some(error.to_string());
        }
    }
}

/// Where a `client.reconnect` with a host and a port points; the port is a string.
fn destination(params: &RawValue) -> Result<String, RigError> {
    let named = rpc::array::<2>(params).and_then(|(elements, _)| {
        let text = |at: usize| rpc::string(elements.get(at)?);
        Some(format!("{}:{}", text(0)?, text(1)?))
    });
    named.ok_or_else(|| RigError::field("reconnect", params))
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Why an answer is a no; `None` for a yes.
fn refusal(message: &Message<'_>) -> Option<PoolError> {
    if let Some(error) = message.error.and_then(PoolError::parse) {
        return Some(error);
    }
    let refused = message.result.is_none_or(|result| result.get() == "false");
    refused.then(|| PoolError { code: None, message: "answered false".into() })
}
