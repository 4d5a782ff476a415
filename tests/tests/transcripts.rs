//! What real servers said, told to a session with a pool: it goes live, takes their jobs and
//! understands every verdict.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use orepass::clock::now;
use orepass_hstratum::job::Job;
use orepass_hstratum::share::{Nonce, Share};
use orepass_hstratum::{DifficultyScale, Hstratum, Options};
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Work;
use orepass_stratum::error::RejectCode;
use orepass_stratum::job::JobIds;
use orepass_stratum::testing::written;
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Notice, Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::verdict::Verdict;
use serde_json::{Value, json};

/// One line of a record.
struct Row {
    from_server: bool,
    message: Value,
}

fn rows(file: &str) -> VecDeque<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        // One line of the first record is no JSON, on purpose, and has no answer.
        let message = serde_json::from_str(row["line"].as_str().unwrap()).ok()?;
        Some(Row { from_server: row["dir"] == "S>C", message })
    };
    text.lines().filter_map(row).collect()
}

/// A session that is told a record.
struct Replay {
    upstream: Upstream<Hstratum, u32>,
    now: Instant,
    /// The ids of our own calls that have no answer yet, by method, in their order.
    asked: HashMap<String, VecDeque<u64>>,
    shares: u32,
    verdicts: Vec<Result<(), (RejectCode, Verdict)>>,
    complaints: Vec<Notice>,
}

impl Replay {
    fn new() -> Self {
        let options = Options::default().with_difficulty_scale(DifficultyScale::Hstratum);
        let dialect = Hstratum::new(options);
        let config =
            UpstreamConfig::new("alice", "x", "test/1").with_prefix_bytes(0).with_max_rigs(1);
        let ids = Arc::new(JobIds::new(1));
        let mut replay = Self {
            upstream: Upstream::new(Arc::new(dialect), config, ids),
            now: now(),
            asked: HashMap::new(),
            shares: 0,
            verdicts: Vec::new(),
            complaints: Vec::new(),
        };
        replay.upstream.handle_connected(replay.now);
        replay.listen();
        replay
    }

    /// Notes what the session says.
    fn listen(&mut self) {
        for line in written(self.upstream.transmit()).lines() {
            let call: Value = serde_json::from_str(line).unwrap();
            let method = call["method"].as_str().unwrap().to_owned();
            self.asked.entry(method).or_default().push_back(call["id"].as_u64().unwrap());
        }
        while let Some(event) = self.upstream.poll_event() {
            match event {
                UpstreamEvent::Verdict { ticket, outcome, .. } => {
                    assert_eq!(ticket as usize, self.verdicts.len(), "verdicts come in order");
                    let told = outcome.told.map_err(|reject| (reject.code, reject.verdict));
                    self.verdicts.push(told);
                }
                UpstreamEvent::Down(reason) => panic!("{reason}"),
                UpstreamEvent::Notice(
                    notice @ (Notice::Unusable { .. }
                    | Notice::UnusableAnswer(_)
                    | Notice::BadLine(_)
                    | Notice::Learnt { .. }),
                ) => self.complaints.push(notice),
                _ => {}
            }
        }
    }

    fn hear(&mut self, message: &Value) {
        self.upstream.handle_line(message.to_string().as_bytes(), self.now);
        self.listen();
    }

    /// Tells the answer to a call of this method, where the session has asked.
    fn answer(&mut self, method: &str, recorded: &Value) -> bool {
        let asked = self.asked.get_mut(method).and_then(VecDeque::pop_front);
        if let Some(id) = asked {
            let mut answer = recorded.clone();
            answer["id"] = json!(id);
            self.hear(&answer);
        }
        asked.is_some()
    }

    /// Submits any share of the present job.
    fn submit(&mut self) {
        let frames = self.upstream.view().work.unwrap();
        let (time, nonce) = match &*frames.job {
            Job::Deployed(job) => (job.parts().time, Nonce::Deployed(self.shares)),
            Job::Seed(job) => (job.parts().time, Nonce::Seed([self.shares as u8; 32])),
        };
        let submission = Submission {
            number: self.shares.into(),
            frames,
            prefix: [].into_iter().collect(),
            share: Share::new(&[0; 4], time as u32, nonce).unwrap(),
            hash: None,
            is_block: false,
            probe: None,
            worker: "rig".into(),
            account: None,
            hashes: 1.0,
            credit: 1.0,
        };
        self.upstream.handle_submission(submission, self.shares, self.now);
        self.shares += 1;
        self.listen();
    }

    /// Tells a whole record. We subscribe first, which the client of the record did not.
    fn run(&mut self, file: &str) {
        let rows = rows(file);
        let mut calls: HashMap<u64, &str> = HashMap::new();
        let mut welcome = None;
        let mut live_jobs = Vec::new();
        for Row { from_server, message } in &rows {
            let id = message["id"].as_u64();
            if !from_server {
                let method = message["method"].as_str().unwrap();
                calls.insert(id.unwrap(), method);
                if method == "mining.submit" {
                    // Refused a share for its worker, the session authorizes again before the next,
                    // which the client of the record did not.
                    self.answer("mining.authorize", &json!({"result": true, "error": null}));
                    self.submit();
                }
                continue;
            }
            match id.and_then(|id| calls.remove(&id)) {
                None => self.hear(message),
                Some("mining.authorize") if message["result"] == true => welcome = Some(message),
                Some("mining.subscribe") => {
                    assert!(self.answer("mining.subscribe", message));
                    assert!(self.answer("mining.authorize", welcome.unwrap()));
                    assert!(self.upstream.is_live());
                }
                Some(method @ "mining.submit") => assert!(self.answer(method, message)),
                Some(method) => {
                    self.answer(method, message);
                }
            }
            live_jobs.extend(self.upstream.view().work.map(|work| work.job.id().to_owned()));
        }
        live_jobs.dedup();
        let told: Vec<_> = rows
            .iter()
            .filter(|row| row.message["method"] == "mining.notify")
            .map(|row| row.message["params"][0].as_str().unwrap())
            .collect();
        assert_eq!(live_jobs, told, "each job of the record was the present one");
        assert_eq!(self.complaints, []);
        assert_eq!(self.upstream.in_flight(), 0);
        let given = self.upstream.subscribed().unwrap();
        assert_eq!(
            (given.extranonce1.to_string().as_str(), given.announced_size),
            ("00000000", Some(4))
        );
    }
}

#[test]
fn a_session_of_a_deployed_server_is_understood() {
    let mut replay = Replay::new();
    replay.run("handshake.jsonl");
    let no = |code, verdict| Err((code, verdict));
    assert_eq!(
        replay.verdicts,
        [
            no(RejectCode::LowDifficulty, Verdict::RejectedByPool),
            no(RejectCode::Other, Verdict::RejectedByPool),
            no(RejectCode::Unauthorized, Verdict::RejectedByPool),
            no(RejectCode::JobNotFound, Verdict::Stale),
            Ok(()),
            no(RejectCode::JobNotFound, Verdict::Stale),
            Ok(()),
            Ok(()),
        ]
    );
}

#[test]
fn a_session_of_a_seed_generation_server_is_understood() {
    let mut replay = Replay::new();
    replay.run("handshake-seed-12field.jsonl");
    assert_eq!(replay.verdicts, [Ok(()); 6]);
    // The transactions were asked for and told.
    let work = replay.upstream.view().work.unwrap();
    let Job::Seed(_) = &*work.job else { panic!("{work:?}") };
    assert!(replay.asked.contains_key("mining.get_transactions"), "{:?}", replay.asked);
}
