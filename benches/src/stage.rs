//! Aion: a recorded share, and the proxy's two sessions between a rig and a pool that are played by hand.

use std::sync::Arc;
use std::time::Duration;

use orepass_aion::{Aion, Options};
use orepass_equihash::Scratch;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::PoolEvent;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Verify};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobIds;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, check, read_share, seated_rig};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::drain;

/// A share of a real miner, recorded on the wire.
pub struct Recorded {
    notify: Value,
    submit: Value,
}

impl Recorded {
    /// The recorded lines.
    ///
    /// # Panics
    /// When they are not there.
    #[must_use]
    pub fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/aion.jsonl");
        let text = std::fs::read_to_string(path).expect("the recorded sessions");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter(|entry| entry["scenario"] == "reconnect")
            .filter_map(|entry| entry["line"].as_str().map(str::to_owned))
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect();
        let of = |method: &str| {
            lines.iter().find(|line| line["method"] == method).expect("a recorded line").clone()
        };
        Self { notify: of("mining.notify"), submit: of("mining.submit") }
    }

    /// What checks the recorded share, again and again.
    ///
    /// # Panics
    /// When the lines are not what they were.
    pub fn check(&self) -> impl FnMut() -> bool {
        let dialect = Aion::new(Options::default());
        let raw = |value: &Value| RawValue::from_string(value.to_string()).expect("JSON");
        let Ok(PoolEvent::Job(Ok(job))) =
            testing::hear(&dialect, "mining.notify", &raw(&self.notify["params"]))
        else {
            panic!("no job")
        };
        let extranonce1 = Extranonce::from_slice(&[0, 0, 0, 0, 0, 0, 0, 2]).expect("short");
        let params = raw(&self.submit["params"]);
        let share = read_share(&dialect, &job, 24, &params).expect("a share");
        let mut scratch = Scratch::default();
        move || {
            let (age, target) = (Duration::ZERO, &Target::MAX);
            check(&dialect, &job, &extranonce1, &share, target, age, &mut scratch).is_ok()
        }
    }

    /// The submit with the first bytes of its nonce taken for the pool's extranonce1 and the
    /// prefix, which are zeros, as the first lease has them.
    fn submit(&self, job: &str) -> String {
        let mut submit = self.submit.clone();
        let extranonce2 = submit["params"][3].as_str().expect("hex").to_owned();
        submit["params"][1] = job.into();
        submit["params"][3] = format!("00000002{extranonce2}").into();
        submit.to_string()
    }
}

/// A pool, a rig, and the proxy's two sessions between them.
pub struct Stage {
    /// The session with the pool.
    pub pool: Upstream<Aion, u64>,
    rig: Downstream<Aion>,
    scratch: Scratch,
    /// The rig's next line.
    pub submit: String,
    /// The present time.
    pub now: Instant,
    notify: Value,
    requests: u64,
    shares: u64,
}

impl Stage {
    /// Logged in, with the job told, the recorded share not sent yet.
    ///
    /// # Panics
    /// When a session does otherwise.
    #[must_use]
    pub fn set(recorded: &Recorded, verify: Verify) -> Self {
        let mut now = orepass::clock::now();
        let dialect = Arc::new(Aion::new(Options::default()));
        let config = UpstreamConfig::new("0xa0", "x", "bench");
        let ids = Arc::new(JobIds::new(0x6b00_0000));
        let mut pool = Upstream::new(Arc::clone(&dialect), config, ids);
        pool.handle_connected(now);
        pool.handle_line(br#"{"id":1,"result":[null,"0000"]}"#, now);
        pool.handle_line(recorded.notify.to_string().as_bytes(), now);
        pool.handle_line(br#"{"id":2,"result":true,"error":null}"#, now);
        now = pool.poll_timeout().expect("the wait for a target");
        pool.handle_timeout(now);

        let config = Arc::new(DownstreamConfig::default().with_verify(verify));
        let mut scratch = Scratch::default();
        let worker = recorded.submit["params"][0].as_str().expect("a worker");
        let mut rig = seated_rig(&dialect, &config, worker, &pool.view(), now, &mut scratch);
        drain(rig.transmit());
        drain(pool.transmit());
        while rig.poll_event().is_some() {}
        while pool.poll_event().is_some() {}
        // The work has the route's first id, and this rig's telling the second.
        let submit = recorded.submit("6b000001");
        let notify = recorded.notify.clone();
        Self { pool, rig, scratch, submit, now, notify, requests: 2, shares: 0 }
    }

    /// The recorded share goes from the rig's line to the pool, and the verdict back.
    pub fn walk(&mut self) -> bool {
        let Some(submission) = self.submission() else { return false };
        self.forward(submission);
        let answer = self.next_answer();
        self.answer_line(&answer)
    }

    /// The share on its way to the pool.
    pub fn forward(&mut self, submission: Submission<Aion>) {
        let number = submission.number;
        self.pool.handle_submission(submission, number, self.now);
        drain(self.pool.transmit());
    }

    /// What the pool will say to the next share.
    pub fn next_answer(&mut self) -> String {
        self.requests += 1;
        format!("{{\"id\":{},\"result\":true,\"error\":null}}", self.requests)
    }

    /// The pool's line, and the rig's answer; whether the pool took the share.
    pub fn answer_line(&mut self, line: &str) -> bool {
        self.pool.handle_line(line.as_bytes(), self.now);
        while let Some(event) = self.pool.poll_event() {
            if let UpstreamEvent::Verdict { ticket, outcome, .. } = event {
                self.rig.handle_verdict(ticket, &outcome.told, self.now);
                return drain(self.rig.transmit()) > 0 && outcome.told.is_ok();
            }
        }
        false
    }

    /// The next job's line. No recorded share is one of it.
    pub fn next_notify(&mut self) -> String {
        self.shares += 1;
        self.notify["params"][0] = format!("{:x}", self.shares + 1).into();
        self.notify["params"][3] = format!("{:064x}", self.shares).into();
        self.notify.to_string()
    }

    /// The pool's job, read, rendered and told; how many bytes the rig is told.
    pub fn job_line(&mut self, line: &str) -> usize {
        self.now += Duration::from_secs(10);
        self.pool.handle_line(line.as_bytes(), self.now);
        // No target follows.
        while self.pool.poll_timeout().is_some_and(|at| at <= self.now + Duration::from_millis(5)) {
            self.now = self.pool.poll_timeout().expect("just seen");
            self.pool.handle_timeout(self.now);
        }
        while self.pool.poll_event().is_some() {}
        self.rig.handle_view(&self.pool.view(), self.now);
        while self.rig.poll_event().is_some() {}
        drain(self.rig.transmit())
    }

    /// Another share of the present job as the rig's next line; its solution is none.
    pub fn make_up_submit(&mut self) {
        self.shares += 1;
        let mut submit: Value = serde_json::from_str(&self.submit).expect("a line of our own");
        submit["id"] = self.shares.into();
        submit["params"][1] = self.pool.view().work.expect("a job").id.to_string().into();
        submit["params"][3] = format!("{:056x}", self.shares).into();
        self.submit = submit.to_string();
    }

    /// The rig's line, read and checked.
    pub fn submission(&mut self) -> Option<Submission<Aion>> {
        let line = self.submit.as_bytes();
        let submission = self.rig.handle_line(line, self.now, &mut self.scratch);
        while self.rig.poll_event().is_some() {}
        submission
    }
}
