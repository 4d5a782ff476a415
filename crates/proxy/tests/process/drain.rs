//! The end: rigs leave in turn, each with its verdicts.

use std::time::Duration;

use orepass_sim::pool::PoolFault;
use tokio::time::Instant;

use crate::support::{Folder, Plan, Rig, earners, easy_pool, number, pool, rigs, until};

const RIGS: usize = 1000;
const OVER: Duration = Duration::from_secs(5);
/// No vardiff: every rig has the pool's own target, and more shares than it would like.
const EASY: &str =
    "max_channels = 8\nmax_pool_shares_per_second = 10000\nvardiff = { enabled = false }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rigs_leave_spread_over_the_time_with_all_verdicts() {
    let (pool, at_pool) = easy_pool().await;
    let mut plan = Plan { route: EASY, ..Plan::new(&at_pool).await };
    plan.more = format!("[stop]\ndrain_seconds = {}\n", OVER.as_secs());
    let listen = plan.listen.clone();
    let mut orepass = plan.start();
    orepass.says(&["route.up"]).await;
    let farm = rigs(RIGS, &listen);
    until("rigs mine", || farm.stats().mining, |mining| *mining == RIGS as u64).await;
    until("shares", || farm.stats().accepted, |accepted| *accepted > RIGS as u64 / 2).await;

    let began = Instant::now();
    orepass.terminate();
    let mut left = Vec::new();
    until(
        "all leave",
        || farm.stats().connected,
        |connected| {
            left.push((began.elapsed(), RIGS as u64 - connected));
            *connected == 0
        },
    )
    .await;
    assert!(orepass.ends().await.success());
    // Never more than a third of them in a fifth of the time.
    for (at, gone) in &left {
        let soon = left.iter().rfind(|(then, _)| *then <= *at + OVER / 5).unwrap();
        assert!(soon.1 - gone <= RIGS as u64 / 3, "{gone} at {at:?}, {} at {:?}", soon.1, soon.0);
    }
    let stats = farm.close().await;
    let stopped = orepass.says(&["route.stopped"]).await;
    assert_eq!(stats.accepted + stats.rejected, number(&stopped, "stopped after"), "{stopped}");
    assert_eq!(stats.rejected, 0, "{:?}", stats.last_error);
    eprintln!("{} shares crossed the end of their connection", stats.unanswered);
    pool.close();
}

#[tokio::test]
async fn a_rig_mines_on_until_its_turn_and_another_signal_ends_it_at_once() {
    let (pool, at_pool) = easy_pool().await;
    let mut plan = Plan { route: EASY, ..Plan::new(&at_pool).await };
    plan.more = "[stop]\ndrain_seconds = 3600\n".to_owned();
    let listen = plan.listen.clone();
    let mut orepass = plan.start();
    orepass.says(&["route.up"]).await;
    // So many have their turns within half a minute.
    let farm = rigs(1000, &listen);
    until("rigs mine", || farm.stats().mining, |mining| *mining == 1000).await;
    orepass.terminate();
    orepass.says(&["stopping", "second signal"]).await;
    let before = farm.stats().accepted;
    until("shares", || farm.stats().accepted, |accepted| *accepted > before + 100).await;
    assert!(farm.stats().connected > 0);
    orepass.terminate();
    assert!(orepass.ends().await.success());
    orepass.says(&["stopped at once"]).await;
    farm.close().await;
    pool.close();
}

#[tokio::test]
async fn what_a_rig_sends_while_it_is_closed_does_not_take_its_answers_from_it() {
    let (pool, at_pool) = pool().await;
    let plan = Plan::new(&at_pool).await;
    let listen = plan.listen.clone();
    let mut orepass = plan.start();
    let mut rig = Rig::login(&listen, "rig1").await;
    pool.fault(PoolFault::LateVerdicts(Duration::from_millis(700)));
    rig.send(r#"{"id":"bad","method":"mining.submit","params":["rig1","none","00","00","00"]}"#)
        .await;
    orepass.terminate();
    // More than it takes: nobody reads this any more, and a reset would follow a close.
    for _ in 0..200 {
        rig.send(
            r#"{"id":"late","method":"mining.submit","params":["rig1","none","00","00","00"]}"#,
        )
        .await;
    }
    rig.answer("bad").await;
    while rig.line().await.is_some() {}
    assert!(orepass.ends().await.success());
}

#[tokio::test]
async fn the_state_is_written_before_the_last_rig_has_left() {
    let (pool, at_pool) = easy_pool().await;
    let folder = Folder::new("drain");
    let file = folder.0.join("o.db");
    let mut plan = Plan { route: EASY, ..Plan::new(&at_pool).await };
    plan.more = format!("[stop]\ndrain_seconds = 3600\n[state]\nfile = \"{}\"\n", file.display());
    let listen = plan.listen.clone();
    let mut orepass = plan.start();
    orepass.says(&["route.up"]).await;
    let farm = rigs(400, &listen);
    until("rigs mine", || farm.stats().mining, |mining| *mining == 400).await;
    let known = until("shares", || earners(&farm), |earners| *earners > 200).await;
    orepass.terminate();
    // The first turns come after the state is written.
    until("a rig leaves", || farm.stats().connected, |connected| *connected < 400).await;
    // As by the service manager's patience's end.
    orepass.signal("KILL");
    orepass.ends().await;
    farm.close().await;
    let state = orepass::store::Store::look(&file).unwrap();
    assert!((known..=400).contains(&state.route("hns").take().workers.len()));
    pool.close();
}
