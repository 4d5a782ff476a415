//! What a rig and a pool know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use orepass_stratum::downstream::{Downstream, Event, Reply};
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing::{TestCoin, scale};
use serde_json::{Value, json};

use crate::{Line, is_call, take, text};

/// What a call or an answer holds.
fn value(line: &Line, key: &str) -> Value {
    serde_json::from_str(text(line, key)).unwrap_or_default()
}

/// A hash a little better than this difficulty, as a power of two.
fn hash(power: u8) -> String {
    let difficulty = f64::from(power).exp2() * 1.01;
    scale().target(Difficulty::new(difficulty).expect("above zero")).to_string()
}

fn meets(hash: &str, difficulty: f64) -> bool {
    let asked = scale().target(Difficulty::new(difficulty).expect("a difficulty"));
    Target::from_hex(hash).expect("hex").value() <= asked.value()
}

/// A job as a rig was told it.
#[derive(Debug, Clone)]
struct ToldJob {
    block: String,
    work: String,
    extranonce1: String,
    /// The easiest that was told while it was the newest.
    difficulty: f64,
}

/// What tells a share from all others: the work, the rig's extranonce1, its extranonce2 and the hash.
pub(super) type ShareKey = (String, String, String, String);

/// A share as a rig sends it.
pub(super) struct Submit {
    pub(super) line: String,
    id: u64,
    /// Of which job; none that the rig knows when absent.
    job: Option<ToldJob>,
    is_newest: bool,
    key: ShareKey,
    hash: String,
}

pub(super) struct ModelRig {
    pub(super) number: usize,
    pub(super) session: Downstream<TestCoin>,
    /// It has subscribed once more, and has to be told all that it knew.
    pub(super) has_forgotten: bool,
    extranonce1: String,
    next_extranonce1: Option<String>,
    difficulty: Option<f64>,
    target_line: String,
    told: Vec<(String, ToldJob)>,
    /// Works by block and extranonce1.
    works: BTreeSet<(String, String, String)>,
    /// Shares without an answer.
    owed: BTreeSet<u64>,
    /// The answer to the last line.
    answers: BTreeMap<u64, Line>,
    next_id: u64,
}

impl ModelRig {
    pub(super) fn new(number: usize, session: Downstream<TestCoin>) -> Self {
        Self {
            number,
            session,
            has_forgotten: false,
            extranonce1: String::new(),
            next_extranonce1: None,
            difficulty: None,
            target_line: String::new(),
            told: Vec::new(),
            works: BTreeSet::new(),
            owed: BTreeSet::new(),
            answers: BTreeMap::new(),
            next_id: 100,
        }
    }

    pub(super) fn owed(&self) -> usize {
        self.owed.len()
    }

    pub(super) fn note(&self, event: &Event) {
        if let Event::Ended { hashes, .. } = event {
            assert!(hashes.is_finite() && *hashes >= 0.0);
        }
    }

    /// Takes in what it was told.
    pub(super) fn listen(&mut self) {
        for line in take(self.session.transmit()) {
            let params = value(&line, "params");
            match value(&line, "method").as_str() {
                Some("mining.set_difficulty") => {
                    self.difficulty = params[0].as_f64();
                    self.target_line = format!("{line:?}");
                }
                Some("mining.set_extranonce") => {
                    self.next_extranonce1 = params[0].as_str().map(str::to_owned);
                }
                Some("mining.notify") => self.hear_job(&params),
                Some(method) => panic!("{method} is told"),
                None => self.hear_answer(line),
            }
        }
    }

    /// Time has passed, and nothing else.
    pub(super) fn listen_in_silence(&mut self) {
        let lines = take(self.session.transmit());
        for line in &lines {
            assert_eq!(format!("{line:?}"), self.target_line, "not what it was told last");
        }
        assert!(lines.len() <= 1, "{lines:?}");
    }

    fn hear_answer(&mut self, line: Line) {
        let result = value(&line, "result");
        if let Some(extranonce1) = result[1].as_str() {
            extranonce1.clone_into(&mut self.extranonce1);
        }
        let Some(id) = value(&line, "id").as_u64().filter(|id| *id >= 100) else { return };
        assert!(self.owed.remove(&id), "a second answer, or one to nothing: {line:?}");
        self.answers.insert(id, line);
    }

    fn hear_job(&mut self, params: &Value) {
        let part = |at: usize| params[at].as_str().expect("a text").to_owned();
        let (id, block, work) = (part(0), part(1), part(2));
        let difficulty = self.difficulty.expect("a target before the first job");
        if let Some(extranonce1) = self.next_extranonce1.take() {
            self.extranonce1 = extranonce1;
        }
        assert!(self.told.iter().all(|(known, _)| *known < id), "ids only grow");
        let key = (block.clone(), work.clone(), self.extranonce1.clone());
        let is_new = self.works.insert(key);
        assert!(is_new || std::mem::take(&mut self.has_forgotten), "a work is told twice");
        if let Some((_, newest)) = self.told.last_mut() {
            newest.difficulty = newest.difficulty.min(difficulty);
        }
        let extranonce1 = self.extranonce1.clone();
        self.told.push((id, ToldJob { block, work, extranonce1, difficulty }));
    }

    /// A share of the newest job, of an older one, or of none; new, or sent before.
    pub(super) fn submit(&mut self, argument: u8, operation: u8) -> Option<Submit> {
        let back = match operation >> 4 & 7 {
            0..=3 => 0,
            back => usize::from(back) - 3,
        };
        let at = self.told.len().checked_sub(back + 1);
        let known = at.map(|at| self.told[at].clone());
        if known.is_none() && self.told.is_empty() {
            return None;
        }
        let (power, salt) = (argument >> 4, argument & 3);
        let (hash, extranonce2) = (hash(power), format!("{salt:06x}"));
        self.next_id += 1;
        let id = self.next_id;
        self.owed.insert(id);
        let job_id = known.as_ref().map_or("7fffffff", |(id, _)| id);
        let params = json!(["w", job_id, extranonce2, hash]);
        let line = json!({ "id": id, "method": "mining.submit", "params": params }).to_string();
        let job = known.map(|(_, job)| job);
        let (work, extranonce1) =
            job.as_ref().map(|job| (job.work.clone(), job.extranonce1.clone())).unwrap_or_default();
        let key = (work, extranonce1, extranonce2, hash.clone());
        Some(Submit { line, id, job, is_newest: back == 0, key, hash })
    }

    /// Holds what came of a share against what may come of it; `taken` are all that were good.
    pub(super) fn judge(
        &self,
        submit: &Submit,
        is_forwarded: bool,
        reply: Reply,
        taken: &mut BTreeSet<ShareKey>,
    ) {
        let answer = self.answers.get(&submit.id);
        let waits = is_forwarded && reply == Reply::Pool;
        assert_eq!(answer.is_none(), waits, "one answer, at once or later: {}", submit.line);
        let code = answer.and_then(|answer| value(answer, "error")[0].as_u64());
        let Some(job) = &submit.job else { return assert_eq!(code, Some(21), "{answer:?}") };
        let newest = self.told.last().map(|(_, newest)| newest.clone());
        // Jobs of a place that it has left are taken for a while.
        let is_over = newest.is_some_and(|newest| {
            newest.block != job.block && newest.extranonce1 == job.extranonce1
        });
        let is_again = taken.contains(&submit.key);
        let is_good = meets(&submit.hash, job.difficulty);
        match code {
            None => {
                let wrong = (is_over, is_again, !is_good);
                assert_eq!(wrong, (false, false, false), "it is taken: {} of {job:?}", submit.line);
                taken.insert(submit.key.clone());
            }
            Some(21) => assert!(!submit.is_newest, "its newest job is stale: {answer:?}"),
            Some(22) => assert!(is_again, "no duplicate: {answer:?}"),
            Some(23) => assert!(!is_good, "good enough: {answer:?}"),
            // Too many at a time, of a session that sends nothing but rubbish, or that is closed.
            Some(20) => {}
            Some(_) => panic!("refused with another code: {answer:?}"),
        }
    }
}

/// A job as the pool told it.
#[derive(Debug, Clone)]
struct PoolJob {
    block: String,
    work: String,
}

/// A pool of the test coin.
#[derive(Default)]
pub(super) struct ModelPool {
    is_connected: bool,
    extranonce1: String,
    jobs: BTreeMap<String, PoolJob>,
    newest: Option<PoolJob>,
    count: u32,
    blocks: u32,
    /// The easiest that it asked for on this connection, as a power of two.
    easiest: u8,
    present: u8,
    /// What it was asked and has not answered: the login, and shares.
    asked: VecDeque<(u64, String)>,
    shares: BTreeSet<(String, String, String)>,
}

impl ModelPool {
    pub(super) fn connected(&mut self, extranonce: u8) {
        self.is_connected = true;
        self.extranonce1 = format!("aabbcc{extranonce:02x}");
        self.jobs.clear();
        self.asked.clear();
        self.easiest = self.present;
    }

    pub(super) fn disconnected(&mut self) {
        self.is_connected = false;
        self.asked.clear();
    }

    /// How it answers subscribe and authorize, and what it tells first.
    pub(super) fn login(&mut self) -> Vec<String> {
        let given = json!(["s1", self.extranonce1, 4]);
        let mut lines = vec![json!({ "id": 1, "result": given, "error": null }).to_string()];
        lines.push(json!({ "id": 2, "result": true, "error": null }).to_string());
        lines.push(self.difficulty(self.present));
        // Ids of ours go on from one connection to the next.
        if let Some((id, _)) = self.asked.pop_front() {
            lines[0] = json!({ "id": id, "result": given, "error": null }).to_string();
            lines[1] = json!({ "id": id + 1, "result": true, "error": null }).to_string();
        }
        if self.newest.is_some() {
            lines.push(self.repeat());
        }
        lines
    }

    pub(super) fn difficulty(&mut self, power: u8) -> String {
        self.present = power;
        self.easiest = self.easiest.min(power);
        let difficulty = f64::from(power).exp2();
        json!({ "id": null, "method": "mining.set_difficulty", "params": [difficulty] }).to_string()
    }

    pub(super) fn new_work(&mut self) -> String {
        self.count += 1;
        let (block, work) = (format!("p{}", self.blocks), format!("w{}", self.count));
        self.newest = Some(PoolJob { block, work });
        self.repeat()
    }

    pub(super) fn new_block(&mut self) -> String {
        self.blocks += 1;
        self.new_work()
    }

    /// The newest work, under another id.
    pub(super) fn repeat(&mut self) -> String {
        self.count += 1;
        let id = format!("j{}", self.count);
        let Some(job) = self.newest.clone() else { return self.new_work() };
        let params = json!([id, job.block, job.work, false]);
        self.jobs.insert(id, job);
        json!({ "id": null, "method": "mining.notify", "params": params }).to_string()
    }

    pub(super) fn hear(&mut self, lines: Vec<Line>) {
        for line in lines {
            assert!(is_call(&line), "an answer to nothing: {line:?}");
            let id = value(&line, "id").as_u64().expect("an id of ours");
            let method = value(&line, "method");
            if method == "mining.submit" {
                self.hear_share(&value(&line, "params"));
            }
            self.asked.push_back((id, method.as_str().expect("a method").to_owned()));
        }
    }

    fn hear_share(&mut self, params: &Value) {
        let part = |at: usize| params[at].as_str().expect("a text");
        let (job, extranonce2, hash) = (part(1), part(2), part(3));
        let job =
            self.jobs.get(job).unwrap_or_else(|| panic!("a job that it has not told: {params}"));
        assert!(
            meets(hash, f64::from(self.easiest).exp2()),
            "easier than was ever asked: {params}"
        );
        assert_eq!(extranonce2.len(), 8, "extranonce2 is of another length: {params}");
        let key = (job.work.clone(), format!("{}{extranonce2}", self.extranonce1), hash.to_owned());
        assert!(self.shares.insert(key), "the same share twice: {params}");
    }

    /// Answers what it was asked first.
    pub(super) fn answer(&mut self, argument: u8) -> Option<String> {
        let (id, method) = self.asked.pop_front()?;
        let refused = method == "mining.submit" && argument & 3 == 0;
        let line = match argument >> 2 & 3 {
            _ if !refused => json!({ "id": id, "result": true, "error": null }),
            0 => json!({ "id": id, "result": null, "error": [21, "stale", null] }),
            1 => json!({ "id": id, "result": false, "error": null }),
            _ => json!({ "id": id, "result": null, "error": [20, "hunter2", null] }),
        };
        Some(line.to_string())
    }
}
