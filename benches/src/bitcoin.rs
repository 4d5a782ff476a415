//! Bitcoin: a job of a real pool with 12 branches, and the proxy's two sessions between a rig that rolls
//! versions and a pool that is played by hand.

use std::sync::Arc;
use std::time::Duration;

use orepass_bitcoin::job::Job;
use orepass_bitcoin::rig::RigWishes;
use orepass_bitcoin::terms::{CoinbaseRoom, PoolGrant};
use orepass_bitcoin::wire::submit;
use orepass_bitcoin::{Bitcoin, VersionMask};
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::{BasisOf, Dialect};
use orepass_stratum::downstream::{Downstream, DownstreamConfig};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobIds;
use orepass_stratum::rpc::Params;
use orepass_stratum::target::Target;
use orepass_stratum::testing::seated_rig;
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::drain;

/// How many branches a job has: those of a block with some 3,000 transactions.
const BRANCHES: usize = 12;
/// How often the rig sends a share.
const SHARE_EVERY: Duration = Duration::from_secs(6);

/// A recorded job's parameters, and those of a share of it.
fn recorded() -> (Value, Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/bitcoin.json");
    let text = std::fs::read_to_string(path).expect("the vectors");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let shares = all["shares"].as_array().expect("shares");
    let share = shares.iter().find(|share| share["name"] == "rolled").expect("the share");
    let mut notify = share["notify"].clone();
    notify[4].as_array_mut().expect("branches").truncate(BRANCHES);
    (notify, share["submit"].clone())
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).expect("JSON")
}

/// What checks the recorded share, again and again; `false` where it fails.
///
/// # Panics
/// When the vectors are not what they were.
pub fn check() -> impl FnMut() -> bool {
    let (notify, params) = recorded();
    let room = CoinbaseRoom { extranonce1: 7, extranonce2: 8 };
    let job = Job::parse(&raw(&notify), Some(room)).expect("a job");
    let extranonce1: Extranonce = "31650707758de0".parse().expect("hex");
    let mask = VersionMask::ROLLABLE;
    let grant = PoolGrant { mask, room: Some(room) };
    let rig = RigWishes { mask, ..RigWishes::default() };
    let told = move |look: &mut dyn FnMut(&BasisOf<'_, Bitcoin>) -> bool| {
        look(&BasisOf::<Bitcoin> {
            job: &job,
            terms: &grant,
            rig: &rig,
            extranonce1: &extranonce1,
            pool_extranonce1: 7,
            extranonce2: 8,
        })
    };
    let params = raw(&params);
    let dialect = Bitcoin::default();
    let mut share = None;
    let read = told(&mut |basis| {
        share = submit::read(basis, &Params::read(&params).expect("an array")).ok();
        share.is_some()
    });
    assert!(read, "the share is good");
    let share = share.expect("just read");
    move || {
        told(&mut |basis| {
            dialect.check(basis, &share, &Target::MAX, Duration::ZERO, &mut ()).is_ok()
        })
    }
}

/// A rig, a pool, and the proxy's two sessions between them.
pub struct BitcoinPath {
    pool: Upstream<Bitcoin, u64>,
    rig: Downstream<Bitcoin>,
    now: Instant,
    notify: Value,
    nonce: u64,
    requests: u64,
}

impl BitcoinPath {
    /// Logged in, with a job told.
    ///
    /// # Panics
    /// When a session does otherwise.
    #[must_use]
    pub fn new() -> Self {
        let now = orepass::clock::now();
        let dialect = Arc::new(Bitcoin::default());
        let config = UpstreamConfig::new("account", "x", "bench");
        let mut pool =
            Upstream::new(Arc::clone(&dialect), config, Arc::new(JobIds::new(0x6b00_0000)));
        pool.handle_connected(now);
        let (notify, _) = recorded();
        let told = json!({ "id": null, "method": "mining.notify", "params": notify });
        for line in [
            r#"{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"}}"#,
            r#"{"id":2,"result":[[["mining.notify","5e55"]],"31650707758de0",8],"error":null}"#,
            r#"{"id":3,"result":true,"error":null}"#,
            r#"{"id":null,"method":"mining.set_difficulty","params":[1e-12]}"#,
            &told.to_string(),
        ] {
            pool.handle_line(line.as_bytes(), now);
        }
        let config = Arc::new(DownstreamConfig::default());
        let mut rig = seated_rig(&dialect, &config, "rig1", &pool.view(), now, &mut ());
        let wish = r#"{"id":9,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#;
        rig.handle_line(wish.as_bytes(), now, &mut ());
        drain(rig.transmit());
        drain(pool.transmit());
        while rig.poll_event().is_some() {}
        while pool.poll_event().is_some() {}
        let mut path = Self { pool, rig, now, notify, nonce: 0, requests: 3 };
        // What the rig has negotiated holds from its next job on.
        let notify = path.next_notify();
        path.job_line(&notify);
        path
    }

    /// The next job's line.
    pub fn next_notify(&mut self) -> String {
        self.nonce += 1;
        self.notify[1] = format!("{:064x}", self.nonce).into();
        json!({ "id": null, "method": "mining.notify", "params": self.notify }).to_string()
    }

    /// The pool's job, read, rendered and told; how many bytes the rig is told.
    pub fn job_line(&mut self, line: &str) -> usize {
        self.now += Duration::from_secs(10);
        self.pool.handle_line(line.as_bytes(), self.now);
        while self.pool.poll_event().is_some() {}
        self.rig.handle_view(&self.pool.view(), self.now);
        while self.rig.poll_event().is_some() {}
        drain(self.rig.transmit())
    }

    /// Another share of the present job as the rig's next line.
    ///
    /// # Panics
    /// When there is no job.
    pub fn next_submit(&mut self) -> String {
        self.nonce += 1;
        let work = self.pool.view().work.expect("a job");
        let (_, size) = self.rig.told_extranonce().expect("a seat");
        let (extranonce2, nonce) = ("7".repeat(2 * size), self.nonce);
        format!(
            "{{\"id\":{nonce},\"method\":\"mining.submit\",\"params\":[\"rig1\",\"{}\",\"{extranonce2}\",\
             \"{:08x}\",\"{nonce:08x}\",\"0a5fe000\"]}}",
            work.id,
            work.job.parts().time
        )
    }

    /// What the pool will say to the next share.
    pub fn next_answer(&mut self) -> String {
        self.requests += 1;
        format!("{{\"id\":{},\"result\":true,\"error\":null}}", self.requests)
    }

    /// The rig's line, read and checked.
    pub fn submit_line(&mut self, line: &str) -> Option<Submission<Bitcoin>> {
        self.now += SHARE_EVERY;
        let submission = self.rig.handle_line(line.as_bytes(), self.now, &mut ());
        while self.rig.poll_event().is_some() {}
        submission
    }

    /// The share on its way to the pool.
    pub fn forward(&mut self, submission: Submission<Bitcoin>) {
        let number = submission.number;
        self.pool.handle_submission(submission, number, self.now);
        drain(self.pool.transmit());
    }

    /// The pool's line, and the rig's answer; whether the pool took the share.
    pub fn answer_line(&mut self, line: &str) -> bool {
        self.pool.handle_line(line.as_bytes(), self.now);
        let mut taken = false;
        while let Some(event) = self.pool.poll_event() {
            if let UpstreamEvent::Verdict { ticket, outcome, .. } = event {
                self.rig.handle_verdict(ticket, &outcome.told, self.now);
                taken = outcome.told.is_ok();
            }
        }
        taken && drain(self.rig.transmit()) > 0
    }
}

impl Default for BitcoinPath {
    fn default() -> Self {
        Self::new()
    }
}
