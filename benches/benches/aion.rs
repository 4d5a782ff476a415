//! Aion: one share's whole way with and without its Equihash check, and how many shares a second
//! one pool connection carries within its window.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use orepass_aion::equihash::Scratch;
use orepass_aion::{Aion, Options};
use orepass_benches::drain;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Verify};
use orepass_stratum::job::JobIds;
use orepass_stratum::rpc::Params;
use orepass_stratum::space::Wish;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use serde_json::Value;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("aion, one share's whole way");
    for (name, verify) in [("checked", Verify::Full), ("unchecked", Verify::Off)] {
        let recorded = Recorded::read();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Stage::set(&recorded, verify),
                |mut stage| assert!(stage.walk(), "the pool takes the share"),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    criterion.final_summary();
    for round_trip in [0, 50, 150] {
        let rate = windowed_rate(Duration::from_millis(round_trip));
        println!("one pool connection at {round_trip} ms round trip: {rate}");
    }
}

/// A share of a real miner, recorded on the wire.
struct Recorded {
    notify: String,
    submit: Value,
}

impl Recorded {
    fn read() -> Self {
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
        Self { notify: of("mining.notify").to_string(), submit: of("mining.submit") }
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
struct Stage {
    pool: Upstream<Aion, u64>,
    rig: Downstream<Aion>,
    scratch: Scratch,
    submit: String,
    now: Instant,
}

impl Stage {
    fn set(recorded: &Recorded, verify: Verify) -> Self {
        let mut now = Instant::now();
        let dialect = Arc::new(Aion::new(Options::default()));
        let config = UpstreamConfig::new("0xa0", "x", "bench");
        let ids = Arc::new(JobIds::new(0x6b00_0000));
        let mut pool = Upstream::new(Arc::clone(&dialect), config, ids);
        pool.handle_connected(now);
        pool.handle_line(br#"{"id":1,"result":[null,"0000"]}"#, now);
        pool.handle_line(recorded.notify.as_bytes(), now);
        pool.handle_line(br#"{"id":2,"result":true,"error":null}"#, now);
        now = pool.poll_timeout().expect("the wait for a target");
        pool.handle_timeout(now);
        let view = pool.view();

        let config = DownstreamConfig::default().with_verify(verify);
        let mut rig = Downstream::new(dialect, Arc::new(config), "00000001".into(), now);
        let mut scratch = Scratch::default();
        let subscribe = br#"{"id":1,"method":"mining.subscribe","params":["a",null]}"#;
        rig.handle_line(subscribe, now, &mut scratch);
        rig.handle_seat(view.seat(&Wish::default()).expect("an empty channel"), &view, now);
        let worker = recorded.submit["params"][0].as_str().expect("a worker");
        let line =
            format!("{{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{worker}\"]}}");
        rig.handle_line(line.as_bytes(), now, &mut scratch);
        drain(rig.transmit());
        drain(pool.transmit());
        while rig.poll_event().is_some() {}
        while pool.poll_event().is_some() {}
        // The work has the route's first id, and this rig's telling the second.
        let submit = recorded.submit("6b000001");
        Self { pool, rig, scratch, submit, now }
    }

    /// The share goes from the rig's line to the pool, and the verdict back.
    fn walk(&mut self) -> bool {
        let Some(submission) = self.submission() else { return false };
        let number = submission.number;
        self.pool.handle_submission(submission, number, self.now);
        drain(self.pool.transmit());
        self.pool.handle_line(br#"{"id":3,"result":true,"error":null}"#, self.now);
        while let Some(event) = self.pool.poll_event() {
            if let UpstreamEvent::Verdict { ticket, outcome, .. } = event {
                self.rig.handle_verdict(ticket, &outcome.told);
                return drain(self.rig.transmit()) > 0 && outcome.told.is_ok();
            }
        }
        false
    }

    fn submission(&mut self) -> Option<Submission<Aion>> {
        let line = self.submit.as_bytes();
        let submission = self.rig.handle_line(line, self.now, &mut self.scratch);
        while self.rig.poll_event().is_some() {}
        submission
    }
}

/// Keeps the queue full for a while of made-up time, in which the pool answers each line one round
/// trip after it was written; what the window lets through.
fn windowed_rate(round_trip: Duration) -> String {
    const SHARES: u64 = 2_000;
    const QUEUED: usize = 200;
    let mut stage = Stage::set(&Recorded::read(), Verify::Off);
    let first = stage.submission().expect("a good share");
    let job = Arc::clone(&first.frames);
    let raw = serde_json::from_str::<Value>(&stage.submit).expect("JSON")["params"].to_string();
    let params = serde_json::value::RawValue::from_string(raw).expect("JSON");
    let share = || {
        job.dialect
            .parse_share(&job.job, 28, &Params::read(&params).expect("an array"))
            .expect("a good share")
    };
    let start = stage.now;
    let processor = Instant::now();
    let mut answers = std::collections::VecDeque::new();
    let (mut next_id, mut queued, mut answered) = (3_u64, 0_usize, 0_u64);
    while answered < SHARES {
        while queued + answers.len() < QUEUED {
            let submission = Submission {
                is_block: false,
                probe: None,
                number: 0,
                frames: Arc::clone(&job),
                prefix: first.prefix.clone(),
                share: share(),
                hash: None,
                worker: Arc::clone(&first.worker),
                account: None,
                hashes: 1.0,
            };
            stage.pool.handle_submission(submission, 0, stage.now);
            queued += 1;
        }
        let mut written = Vec::new();
        bytes::BufMut::put(&mut written, stage.pool.transmit());
        for _ in written.iter().filter(|byte| **byte == b'\n') {
            answers.push_back((next_id, stage.now + round_trip));
            next_id += 1;
            queued -= 1;
        }
        let Some((id, at)) = answers.pop_front() else { break };
        stage.now = stage.now.max(at);
        let line = format!("{{\"id\":{id},\"result\":true,\"error\":null}}");
        stage.pool.handle_line(line.as_bytes(), stage.now);
        answered += 1;
        while stage.pool.poll_event().is_some() {}
    }
    let made_up = stage.now.saturating_duration_since(start).as_secs_f64();
    if made_up > 0.0 {
        return format!("{:.0} shares/s", answered as f64 / made_up);
    }
    let spent = processor.elapsed().as_secs_f64();
    format!("{:.0} shares/s (bounded by the processor alone)", answered as f64 / spent)
}
