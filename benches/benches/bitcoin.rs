//! Bitcoin: the check of a share with 12 branches, and one share's whole way.

use std::cell::RefCell;

use criterion::{BatchSize, Criterion};
use orepass_benches::bitcoin::{BitcoinPath, check};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("bitcoin");
    let mut check = check();
    group.bench_function("check of a share, 12 branches", |bencher| {
        bencher.iter(|| assert!(check(), "the share is good"));
    });
    let path = RefCell::new(BitcoinPath::new());
    let mut shares = 0;
    group.bench_function("one share's whole way", |bencher| {
        bencher.iter_batched(
            || {
                shares += 1;
                // A rig's filter is not to fill up.
                let notify = (shares % 64 == 0).then(|| path.borrow_mut().next_notify());
                if let Some(notify) = notify {
                    path.borrow_mut().job_line(&notify);
                }
                let mut path = path.borrow_mut();
                (path.next_submit(), path.next_answer())
            },
            |(submit, answer)| {
                let mut path = path.borrow_mut();
                let share = path.submit_line(&submit).expect("a good share");
                path.forward(share);
                assert!(path.answer_line(&answer), "the pool takes the share");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    criterion.final_summary();
}
