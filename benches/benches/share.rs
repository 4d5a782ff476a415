//! One share on one core: its hash, its check, and its whole way through both sessions.

#![expect(clippy::disallowed_methods, reason = "real time is measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use orepass_benches::played::ANY_HASH;
use orepass_benches::share_path::SharePath;
use orepass_benches::vectors::Case;
use orepass_hstratum::job::Job;
use orepass_hstratum::pow::{self, ShareHasher};
use orepass_hstratum::share::Nonce;
use orepass_hstratum::{DifficultyScale, Hstratum};
use orepass_stratum::dialect::Checked;
use orepass_stratum::rpc::Message;
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing::{self, read_share};
use orepass_stratum::verdict::Verdict;

/// How many shares a rig sends for one job. New jobs come outside of the measured time.
const SHARES_PER_JOB: u64 = 128;
/// Transactions of a usual block of the seed generation.
const TRANSACTIONS: usize = 255;

/// The hashes alone, and the pieces of a check.
fn hash(criterion: &mut Criterion) {
    let mut group = per_share(criterion, "hash");
    let case = Case::deployed();
    let (extranonce1, share) = case.share();
    let (Job::Deployed(job), Nonce::Deployed(nonce)) = (case.job(), share.nonce) else {
        panic!("not of the deployed generation")
    };
    let time = u64::from(share.time);
    let header = job
        .header(extranonce1.as_bytes(), share.extranonce2(), time, nonce)
        .expect("an extranonce that fits")
        .to_bytes();
    group.bench_function("deployed", |bencher| {
        bencher.iter(|| pow::share_hash(black_box(&header), black_box(job.mask_hash())));
    });
    let hasher = ShareHasher::new(&header, job.mask_hash());
    group.bench_function("deployed, next nonce", |bencher| {
        bencher.iter(|| black_box(&hasher).hash(black_box(nonce), black_box(time)));
    });
    group.bench_function("seed", |bencher| {
        bencher.iter(|| pow::seed_hash(black_box(&[7; 208]), black_box(&[9; 32])));
    });
    group.finish();
}

/// [`check`](orepass_stratum::dialect::Dialect::check) of a good share.
fn check(criterion: &mut Criterion) {
    let mut group = per_share(criterion, "check");
    let difficulty_1 = DifficultyScale::Bitcoin.scale().target(Difficulty::ONE);
    let cases = [
        ("deployed", Case::deployed(), difficulty_1),
        ("seed, no transactions", Case::seed(0), Target::MAX),
        ("seed, 255 transactions", Case::seed(TRANSACTIONS), Target::MAX),
    ];
    let dialect = Hstratum::default();
    for (name, case, target) in cases {
        let job = case.job();
        let (extranonce1, share) = case.share();
        let check = || {
            let (job, share, target) = (black_box(&job), black_box(&share), black_box(&target));
            testing::check(&dialect, job, &extranonce1, share, target, Duration::ZERO, &mut ())
        };
        assert!(matches!(check(), Ok(Checked::Proven(_))), "{name}");
        group.bench_function(name, |bencher| bencher.iter(check));
    }
    group.finish();
}

/// A rig's line taken apart, without any hashing.
fn read(criterion: &mut Criterion) {
    let mut group = per_share(criterion, "read");
    let dialect = Hstratum::default();
    for (name, case) in [("deployed", Case::deployed()), ("seed", Case::seed(TRANSACTIONS))] {
        let job = case.job();
        let line = SharePath::new(case, ANY_HASH).submits(1).remove(0);
        let read = |size| {
            let message = Message::parse(black_box(line.as_bytes())).expect("a line");
            read_share(&dialect, &job, size, message.params.expect("parameters"))
        };
        // The wide split leaves rigs all four bytes, the narrow one takes the prefix from them.
        let size = if matches!(job, Job::Deployed(_)) { 4 } else { 3 };
        assert!(read(size).is_ok(), "{line}");
        group.bench_function(name, |bencher| bencher.iter(|| read(size)));
    }
    group.finish();
}

/// The rig's line in, checked, forwarded, the pool's answer in, the rig's answer out.
fn way(criterion: &mut Criterion) {
    let mut group = per_share(criterion, "way");
    for (name, case) in [("deployed", Case::deployed()), ("seed", Case::seed(TRANSACTIONS))] {
        let mut way = SharePath::new(case, ANY_HASH);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                in_jobs(count, |some| {
                    let trips = way.trips(some);
                    let start = Instant::now();
                    let taken = trips.iter().filter(|trip| black_box(way.walk(trip)).0).count();
                    let spent = start.elapsed();
                    assert_eq!(taken as u64, some, "the pool takes all shares");
                    spent
                })
            });
        });
    }
    group.finish();
}

/// A share that misses its target: refused, and its cause looked for.
fn refusal(criterion: &mut Criterion) {
    let mut group = per_share(criterion, "refusal");
    for (name, case) in [("deployed", Case::deployed()), ("seed", Case::seed(TRANSACTIONS))] {
        // By chance a hash in four thousand million is good.
        let mut way = SharePath::new(case, 4096.0);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                in_jobs(count, |some| {
                    let submits = way.submits(some);
                    let start = Instant::now();
                    for submit in &submits {
                        assert_eq!(way.refuse(submit), Some(Verdict::LowDifficulty));
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

/// Measures `count` shares, so many at a time as a rig sends for one job.
fn in_jobs(count: u64, mut measure: impl FnMut(u64) -> Duration) -> Duration {
    let full = (0..count / SHARES_PER_JOB).map(|_| SHARES_PER_JOB);
    let rest = Some(count % SHARES_PER_JOB).filter(|rest| *rest > 0);
    full.chain(rest).map(&mut measure).sum()
}

fn per_share<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = hash, check, read, way, refusal
}
criterion_main!(benches);
