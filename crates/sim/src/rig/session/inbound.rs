//! What comes from the pool: calls and answers.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::BytesMut;
use orepass_stratum::rpc::{self, Message, PoolError, Quoted};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Call, Job, Next, Session};
use crate::coin::{Allotment, RigError};

impl Session<'_> {
    /// Takes a line from the pool.
    pub(in crate::rig) fn handle_line(
        &mut self,
        line: &[u8],
        now: Instant,
        out: &mut BytesMut,
    ) -> Next {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(error) => {
                self.count_malformed(&error.to_string());
                return Next::Continue;
            }
        };
        if let Some(method) = &message.method {
            return match message.params {
                Some(params) => self.handle_call(method, params, now, out),
                None => Next::Continue,
            };
        }
        self.handle_answer(&message, out)
    }

    fn handle_call(
        &mut self,
        method: &str,
        params: &RawValue,
        now: Instant,
        out: &mut BytesMut,
    ) -> Next {
        let taken = match method {
            "mining.notify" => self.take_job(params, now, out),
            "mining.set_difficulty" => self.take_difficulty(params),
            "mining.set_target" => self.take_target(params),
            "mining.set_extranonce" => self.take_extranonce(params),
            "client.reconnect" if !self.habits.follows_reconnect => return Next::Close,
            "client.reconnect" => match destination(params) {
                Ok(address) => {
                    self.memory.address = address;
                    return Next::Close;
                }
                Err(error) => Err(error),
            },
            // Rigs pass over what they do not know.
            _ => Ok(()),
        };
        if let Err(error) = taken {
            let mut stats = self.stats();
            if method == "mining.notify" {
                stats.jobs_unusable += 1;
            } else {
                stats.malformed_lines += 1;
            }
            stats.last_error = Some(error.to_string());
            if self.habits.drops_over_nonsense {
                stats.drops_over_nonsense += 1;
                return Next::Close;
            }
        }
        Next::Continue
    }

    fn take_job(
        &mut self,
        params: &RawValue,
        now: Instant,
        out: &mut BytesMut,
    ) -> Result<(), RigError> {
        let job = self.config.coin.parse_notify(params)?;
        if self.habits.ignores_soft_jobs && !job.is_clean() {
            let mut stats = self.stats();
            stats.jobs += 1;
            stats.jobs_ignored += 1;
            return Ok(());
        }
        let extranonce1 = self.allotment.as_ref().map(|given| &given.extranonce1);
        let work = hash_of((job.fingerprint(), extranonce1));
        let (id_seen, work_seen) = self.memory.note_job(hash_of(job.id()), work);
        let mut stats = self.stats();
        stats.jobs += 1;
        stats.job_ids_repeated += u64::from(id_seen);
        stats.works_repeated += u64::from(work_seen);
        if self.habits.ignores_repeated_id && self.memory.last_job.as_deref() == Some(job.id()) {
            stats.jobs_ignored += 1;
            return Ok(());
        }
        drop(stats);
        self.memory.last_job = Some(job.id().to_owned());
        let default = || self.config.coin.target(Difficulty::ONE);
        let target = job.target().or(self.announced).unwrap_or_else(default);
        if job.wants_transactions() {
            let call = Call::Transactions { job: job.id().to_owned() };
            let params = format!("[{}]", Quoted(job.id()));
            self.call(call, "mining.get_transactions", &params, out);
        }
        let next = Job { job, target, search: None, last_share: None };
        let lingers = self.habits.lingers;
        match self.search().filter(|search| !lingers.is_zero() && search.is_busy()) {
            Some(search) => {
                search.wind_down();
                // A job that comes meanwhile does not make the present one last longer.
                let until = self.lingers_until().unwrap_or(now + lingers);
                let mut next = next;
                // Begun now, so that it keeps to the extranonce of this moment.
                if let Some(allotment) = &self.allotment {
                    next.search = Some(next.job.search(allotment)?);
                }
                self.successor = Some((next, until));
                Ok(())
            }
            None => {
                self.successor = None;
                self.job = Some(next);
                self.start_search()
            }
        }
    }

    /// Starts to hash as soon as job, extranonce and transactions are known.
    fn start_search(&mut self) -> Result<(), RigError> {
        if let (Some(job), Some(allotment)) = (&mut self.job, &self.allotment)
            && job.search.is_none()
            && !job.job.wants_transactions()
        {
            job.search = Some(job.job.search(allotment)?);
        }
        Ok(())
    }

    fn take_difficulty(&mut self, params: &RawValue) -> Result<(), RigError> {
        let difficulty = self.config.coin.parse_difficulty(params)?;
        let mut stats = self.stats();
        stats.difficulties += 1;
        stats.difficulty = difficulty.map(Difficulty::get).or(stats.difficulty);
        drop(stats);
        if let Some(difficulty) = difficulty {
            self.announce(self.config.coin.target(difficulty));
        }
        Ok(())
    }

    fn take_target(&mut self, params: &RawValue) -> Result<(), RigError> {
        let target = self.config.coin.parse_target(params)?;
        self.stats().difficulties += 1;
        if let Some(target) = target {
            self.announce(target);
        }
        Ok(())
    }

    fn announce(&mut self, target: Target) {
        self.announced = Some(target);
        if self.config.difficulty_at_once {
            let waiting = self.successor.as_mut().map(|(job, _)| job);
            for job in waiting.into_iter().chain(&mut self.job) {
                job.target = target;
            }
        }
    }

    /// The present search goes on with the old extranonce; the next job uses the new one.
    fn take_extranonce(&mut self, params: &RawValue) -> Result<(), RigError> {
        let wrong = || RigError::field("extranonce", params);
        let (elements, _) = rpc::array::<2>(params).ok_or_else(wrong)?;
        let extranonce1 = elements.first().and_then(|text| rpc::string(text));
        let extranonce1 = extranonce1.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        let told = elements.get(1).and_then(|size| size.get().parse().ok());
        let size = told.or_else(|| self.allotment.as_ref().and_then(|before| before.size));
        self.stats().set_extranonces += 1;
        if !self.config.ignores_set_extranonce {
            self.allot(Allotment { extranonce1, size });
        }
        Ok(())
    }

    fn allot(&mut self, allotment: Allotment) {
        self.stats().extranonce1 = Some(allotment.extranonce1.to_string());
        self.allotment = Some(allotment);
    }

    fn handle_answer(&mut self, message: &Message<'_>, out: &mut BytesMut) -> Next {
        let refusal = refusal(message);
        let Some(id) = message.id else {
            let mut stats = self.stats();
            stats.anonymous_errors += 1;
            stats.last_error = refusal.map(|refusal| refusal.to_string());
            return Next::Continue;
        };
        let id = if self.config.string_ids {
            rpc::string(id).and_then(|id| id.parse().ok())
        } else {
            id.get().parse().ok()
        };
        let call = id.and_then(|id| self.pending.remove(&id));
        let Some(call) = call else {
            let asked = id.is_some_and(|id: u64| id > 0 && id < self.next_id);
            let mut stats = self.stats();
            let counter =
                if asked { &mut stats.double_answers } else { &mut stats.unknown_answers };
            *counter += 1;
            return Next::Continue;
        };
        let expected = match call {
            Call::Rubbish => true,
            Call::Courtesy(_) => self.habits.mines_once_authorized,
            _ => false,
        };
        if let Some(refusal) = refusal.as_ref().filter(|_| !expected) {
            self.stats().last_error = Some(refusal.to_string());
        }
        match call {
            Call::Share { hashes } => {
                let mut stats = self.stats();
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
                let mut stats = self.stats();
                let counter = match refusal {
                    None => &mut stats.rubbish_accepted,
                    Some(_) => &mut stats.rubbish_rejected,
                };
                *counter += 1;
            }
            Call::Subscribe => return self.subscribed(message.result, out),
            Call::Authorize => {
                let mut stats = self.stats();
                if refusal.is_some() {
                    stats.authorize_refused += 1;
                    self.memory.ended = self.habits.ends_when_refused;
                    return Next::Close;
                }
                stats.authorized += 1;
                drop(stats);
                self.go_on_with_login(out);
            }
            Call::Courtesy(_) => self.go_on_with_login(out),
            Call::Transactions { job } => self.learn_transactions(&job, message.result),
        }
        Next::Continue
    }

    fn subscribed(&mut self, result: Option<&RawValue>, out: &mut BytesMut) -> Next {
        let parsed = match result {
            Some(result) => self.config.coin.parse_subscribed(result),
            None => Err(RigError::field("subscribe result", "null")),
        };
        let started = parsed.and_then(|allotment| {
            self.allot(allotment);
            self.start_search()
        });
        if let Err(error) = started {
            self.stats().last_error = Some(error.to_string());
            return Next::Close;
        }
        self.go_on_with_login(out);
        Next::Continue
    }

    /// Completes the job that was asked about, if it is still the present one.
    fn learn_transactions(&mut self, id: &str, answer: Option<&RawValue>) {
        let Some(job) = self.job.as_mut().filter(|job| job.job.id() == id) else {
            return;
        };
        let learnt = match answer {
            Some(answer) => job.job.learn_transactions(answer),
            None => Err(RigError::field("transactions", "null")),
        };
        if let Err(error) = learnt.and_then(|()| self.start_search()) {
            let mut stats = self.stats();
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
