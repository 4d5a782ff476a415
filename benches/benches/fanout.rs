//! A pool's job on its way to 10,000 rigs: read, rendered, told.
//!
//! What is measured is the sessions' work, up to the bytes that a socket would be given; a
//! counting sink stands in for the sockets.

#![expect(clippy::disallowed_methods, reason = "real time is measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use orepass_benches::drain;
use orepass_benches::played::Played;
use orepass_benches::vectors::Case;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{Downstream, DownstreamConfig};
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::Message;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, form};
use orepass_stratum::vardiff::VardiffConfig;

const RIGS: usize = 10_000;
/// Transactions of a usual block of the seed generation.
const TRANSACTIONS: usize = 255;
/// A pool's difficulty, hard enough that there are levels below it.
const POOL_DIFFICULTY: f64 = 4096.0;
/// Over so many rungs a farm of mixed rigs is spread.
const RUNGS: usize = 8;

/// What the rigs' levels do from job to job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Levels {
    /// All rigs have the pool's target.
    One,
    /// Each rig has its own and keeps it.
    Mixed,
    /// Each rig gets another one with every job, and is told so.
    Changing,
}

struct Farm {
    played: Played,
    rigs: Vec<Downstream<Hstratum>>,
    levels: Levels,
    round: usize,
}

impl Farm {
    fn new(case: Case, levels: Levels) -> Self {
        let vardiff = VardiffConfig { enabled: levels != Levels::One, ..VardiffConfig::default() };
        let config = Arc::new(DownstreamConfig::default().with_vardiff(vardiff));
        let played = Played::new(case, POOL_DIFFICULTY, 2);
        let rigs = (0..RIGS).map(|number| played.rig(&format!("rig{number}"), &config)).collect();
        let mut farm = Self { played, rigs, levels, round: 0 };
        farm.suggest();
        farm.tell();
        farm
    }

    /// What happens between two jobs, outside of the measured time.
    fn prepare(&mut self) {
        self.round += 1;
        if self.levels == Levels::Changing {
            self.suggest();
        }
    }

    /// The rigs suggest difficulties of 1 and up, each another than in the round before.
    fn suggest(&mut self) {
        if self.levels == Levels::One {
            return;
        }
        for (number, rig) in self.rigs.iter_mut().enumerate() {
            let difficulty = 1 << ((number + self.round) % RUNGS);
            let line = format!(
                "{{\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[{difficulty}]}}"
            );
            rig.handle_line(line.as_bytes(), self.played.now, &mut ());
            drain(rig.transmit());
        }
    }

    /// The pool's line comes, and all rigs are told; how many bytes that is.
    fn tell(&mut self) -> (usize, Duration) {
        let notify = self.played.case.next_notify();
        self.played.now += Duration::from_secs(30);
        let start = Instant::now();
        self.played.hears(black_box(notify.as_bytes()));
        let view = self.played.pool.view();
        let mut bytes = 0;
        for rig in &mut self.rigs {
            rig.handle_view(&view, self.played.now);
            while rig.poll_event().is_some() {}
            bytes += drain(rig.transmit());
        }
        (bytes, start.elapsed())
    }
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan-out to 10,000 rigs");
    group.throughput(Throughput::Elements(RIGS as u64));
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    let cases = [
        ("deployed, one level", Case::deployed(), Levels::One),
        ("deployed, mixed levels", Case::deployed(), Levels::Mixed),
        ("deployed, changing levels", Case::deployed(), Levels::Changing),
        ("seed, mixed levels", Case::seed(TRANSACTIONS), Levels::Mixed),
    ];
    for (name, case, levels) in cases {
        let least = case.params().get().len();
        let mut farm = Farm::new(case, levels);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|jobs| {
                let mut spent = Duration::ZERO;
                for _ in 0..jobs {
                    farm.prepare();
                    let (bytes, time) = farm.tell();
                    assert!(bytes > RIGS * least, "all rigs are told the job");
                    spent += time;
                }
                spent
            });
        });
    }
    group.finish();
}

/// What is done once per job, however many rigs there are.
fn once(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("once per job");
    group.throughput(Throughput::Elements(1));
    let dialect = Hstratum::default();
    for (name, mut case) in [("deployed", Case::deployed()), ("seed", Case::seed(TRANSACTIONS))] {
        let notify = case.next_notify();
        group.bench_function(format!("read, {name}"), |bencher| {
            bencher.iter(|| {
                let message = Message::parse(black_box(notify.as_bytes())).expect("a line");
                let params = message.params.expect("parameters");
                testing::hear(&dialect, "mining.notify", params).expect("a job")
            });
        });
        let (job, mut out) = (case.job(), BytesMut::new());
        group.bench_function(format!("render, {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let id = JobId::new(0x6b00_0001);
                dialect.notify(id, black_box(&job), &Target::MAX, form(true), &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = once, fan_out
}
criterion_main!(benches);
