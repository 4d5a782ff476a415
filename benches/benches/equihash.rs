//! Equihash: our verifier beside that of the `equihash` crate on the parameters
//! both can do, which are Zcash's, Aion's own, the cost of refusals, and the solver.

#![expect(clippy::disallowed_methods, reason = "real time is measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use orepass_aion::pow::{EQUIHASH as AION, share_hash};
use orepass_benches::zcash::ZcashBlock;
use orepass_equihash::solver::Solver;
use orepass_equihash::{Equihash, EquihashError, Scratch};
use orepass_zcash::pow::EQUIHASH as ZCASH;
use serde_json::Value;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    verification(&mut criterion);
    solver(&mut criterion);
    criterion.final_summary();
    if std::env::args().any(|arg| arg == "--bench") {
        report_ratios();
    }
}

fn verification(criterion: &mut Criterion) {
    let [aion, zcash] = [Share::aion(), Share::zcash()];
    let mut scratch = Scratch::new(ZCASH.params());
    let mut group = criterion.benchmark_group("equihash");
    group.bench_function("verify (200,9)", |b| b.iter(|| zcash.verify(&mut scratch)));
    group.bench_function("verify (200,9), equihash crate", |b| b.iter(|| zcash.verify_by_crate()));
    let mut scratch = Scratch::new(AION.params());
    group.bench_function("verify (210,9)", |b| b.iter(|| aion.verify(&mut scratch)));
    for (reason, share) in aion.refused() {
        group.bench_function(format!("refuse (210,9), {reason}"), |b| {
            b.iter(|| share.verify(&mut scratch));
        });
    }
    let mut check = ZcashBlock::read().check();
    group.bench_function("a share of Zcash, checked", |b| b.iter(&mut check));
    group.bench_function("share hash", |b| {
        b.iter(|| share_hash(black_box(&aion.header), &aion.nonce, &aion.solution));
    });
    group.finish();
}

fn solver(criterion: &mut Criterion) {
    let aion = Share::aion();
    let mut solver = Solver::new(AION).unwrap();
    let mut group = criterion.benchmark_group("equihash");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("solve (210,9)", |b| b.iter(|| solver.solve(&aion.header, &aion.nonce)));
    group.finish();
}

/// Times all in turns, so that each of them meets the machine in the same
/// state, and prints how the best times compare.
fn report_ratios() {
    let [aion, zcash] = [Share::aion(), Share::zcash()];
    let [mut aion_scratch, mut zcash_scratch] =
        [AION, ZCASH].map(|equihash| Scratch::new(equihash.params()));
    let refused = aion.refused();
    let mut best = [Duration::MAX; 8];
    for _ in 0..200 {
        let mut times = vec![
            time(|| zcash.verify_by_crate()),
            time(|| zcash.verify(&mut zcash_scratch)),
            time(|| aion.verify(&mut aion_scratch)),
        ];
        times.extend(refused.iter().map(|(_, share)| time(|| share.verify(&mut aion_scratch))));
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let ratio = |time: Duration, to: Duration| time.as_secs_f64() / to.as_secs_f64();
    let [by_crate, zcash, aion, refusals @ ..] = best;
    println!("(200,9), equihash crate: {by_crate:?}");
    println!("(200,9): {zcash:?}, {:.3} of the equihash crate's", ratio(zcash, by_crate));
    println!("(210,9): {aion:?}, {:.3} of (200,9)'s", ratio(aion, zcash));
    for ((reason, _), time) in refused.iter().zip(refusals) {
        println!("(210,9), {reason}: refused in {time:?}, 1/{:.0} of (210,9)'s", ratio(aion, time));
    }
}

/// The time of one call, on average over some.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    const CALLS: u32 = 50;
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(call());
    }
    start.elapsed() / CALLS
}

#[derive(Clone)]
struct Share {
    equihash: Equihash,
    header: Vec<u8>,
    nonce: Vec<u8>,
    solution: Vec<u8>,
}

impl Share {
    /// A block of Aion's main network.
    fn aion() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/aion.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let bytes = |name| const_hex::decode(vectors["valid"][2][name].as_str().unwrap()).unwrap();
        let share = Self {
            equihash: AION,
            header: bytes("header_hash"),
            nonce: bytes("nonce"),
            solution: bytes("solution"),
        };
        assert_eq!(share.verify(&mut Scratch::default()), Ok(()));
        share
    }

    /// A header and nonce of the usual lengths, for which the equihash crate
    /// has its fastest code.
    fn zcash() -> Self {
        let (header, nonce): (Vec<u8>, _) = ((0..108).collect(), vec![2; 32]);
        let solution = Solver::new(ZCASH).unwrap().solve(&header, &nonce).swap_remove(0);
        let share = Self { equihash: ZCASH, header, nonce, solution };
        assert_eq!(share.verify(&mut Scratch::default()), Ok(()));
        assert!(share.verify_by_crate().is_ok());
        share
    }

    /// The share with various faults.
    fn refused(&self) -> [(&'static str, Self); 5] {
        let [mut length, mut order, mut duplicate, mut other, mut last] =
            std::array::from_fn(|_| self.clone());
        length.solution.pop();
        order.solution[0] ^= 0x80;
        // The last index becomes the one before it.
        let tail = duplicate.solution.last_chunk_mut().unwrap();
        let bits = u64::from_be_bytes(*tail);
        let mask = (1 << 22) - 1;
        *tail = (bits & !mask | bits >> 22 & mask).to_be_bytes();
        other.nonce[0] ^= 1;
        *last.solution.last_mut().unwrap() ^= 1;

        let shares = [
            ("wrong length", length),
            ("out of order", order),
            ("duplicate index", duplicate),
            ("other nonce", other),
            ("last leaf", last),
        ];
        let errors =
            shares.each_ref().map(|(_, share)| share.verify(&mut Scratch::default()).unwrap_err());
        assert!(matches!(errors[0], EquihashError::Length { .. }));
        assert!(matches!(errors[1], EquihashError::Order { .. }));
        assert!(matches!(errors[2], EquihashError::DuplicateIndex { .. }));
        assert!(matches!(errors[3], EquihashError::Collision { level: 1, .. }));
        assert!(matches!(errors[4], EquihashError::Collision { level: 1, node: 255, .. }));
        shares
    }

    fn verify(&self, scratch: &mut Scratch) -> Result<(), EquihashError> {
        let Self { equihash, header, nonce, solution } = black_box(self);
        equihash.verify(header, nonce, solution, scratch)
    }

    fn verify_by_crate(&self) -> Result<(), equihash::Error> {
        let Self { header, nonce, solution, .. } = black_box(self);
        equihash::is_valid_solution(200, 9, header, nonce, solution)
    }
}
