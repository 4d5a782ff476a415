//! Pools, and the way to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orepass_sim::pool::PoolFault;
use orepass_tests::relay::{self, Way};
use orepass_tests::site::Plan;
use orepass_tests::wait::until;

use crate::scene::{Scene, Setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_sends_lines_of_a_mebibyte_and_answers_that_nobody_asked_for() {
    let pool = Plan::deployed().make_pool();
    let at = pool.listen("127.0.0.1:0").await.unwrap();
    let (wanted, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (due, done) = (Arc::clone(&wanted), Arc::clone(&sent));
    let relay = relay::start(at.to_string(), move |way, line| {
        let mut lines = vec![line];
        // Each of the pool's lines takes another one along.
        if way == Way::Down && done.load(Ordering::SeqCst) < due.load(Ordering::SeqCst) {
            let number = done.fetch_add(1, Ordering::SeqCst);
            lines.push(if number % 2 == 0 {
                format!(
                    r#"{{"id":null,"method":"mining.notify","params":["{}"]}}"#,
                    "x".repeat(1 << 20)
                )
            } else {
                format!(r#"{{"id":{},"result":true,"error":null}}"#, 1_000_000 + number)
            });
        }
        lines
    });
    let scene = Scene::before(pool, relay.await, Setting::default()).await;
    let fault = || async {
        let all = wanted.fetch_add(60, Ordering::SeqCst) + 60;
        until("long lines", || sent.load(Ordering::SeqCst), |sent| *sent == all).await;
    };
    // A second line of that kind costs the connection, and shares on it are answered as lost.
    scene.twice("1 MiB lines, and answers to nothing", fault).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_writes_nonsense() {
    let scene = Scene::set(Setting::default()).await;
    let fault = || async {
        for fault in [
            PoolFault::UnusableNotify,
            PoolFault::OverlongNotify,
            PoolFault::RepeatNotify,
            PoolFault::ErrorObjects,
        ] {
            scene.pool.fault(fault);
            scene.all_earn().await;
        }
        scene.pool.heal();
    };
    scene.twice("a pool's nonsense", fault).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_three_hundred_milliseconds_away() {
    let pool = Plan::deployed().make_pool();
    let at = pool.listen("127.0.0.1:0").await.unwrap();
    let far = relay::delayed(at.to_string(), Duration::from_millis(150)).await;
    let scene = Scene::before(pool, far, Setting::default()).await;
    let fault = || async {
        scene.pool.new_job();
        scene.all_earn().await;
        scene.pool.new_block();
        scene.all_earn().await;
    };
    scene.twice("300 ms to the pool and back", fault).await;
    scene.close().await.unnoticed_by_rigs();
}
