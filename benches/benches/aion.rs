//! Aion: one share's whole way with and without its Equihash check, and how many shares a second
//! one pool connection carries within its window.

#![expect(clippy::disallowed_methods, reason = "real time is measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use orepass_benches::stage::{Recorded, Stage};
use orepass_stratum::channel::Submission;
use orepass_stratum::downstream::Verify;
use orepass_stratum::testing::read_share;
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
    let share = || read_share(&*job.dialect, &job.job, 28, &params).expect("a good share");
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
                credit: 1.0,
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
