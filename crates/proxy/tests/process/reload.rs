//! The config is edited while hundreds of rigs mine.

use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::rig::{RigConfig, RigStats};
use serde_json::Value;

use crate::support::edited::{Edited, Knocker, route, text};
use crate::support::{PATIENCE, all_mine, free_address, pool, until};

const RIGS: usize = 300;
const OTHER_RIGS: usize = 30;
const RIGS_OF_THE_REMOVED: usize = 10;

fn farm(rigs: usize, address: &str) -> RigFarm {
    RigFarm::start(rigs, address, Duration::from_millis(1), |number| RigConfig {
        worker: format!("rig{number}"),
        hashrate: 400.0,
        reconnect_min: Duration::from_millis(50),
        reconnect_max: Duration::from_millis(200),
        seed: number as u64,
        ..RigConfig::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_touches_what_is_different_and_a_refused_one_nothing() {
    let config = Edited::new("reload");
    let ((first, first_at), (second, second_at)): ((PoolServer, _), (PoolServer, _)) =
        (pool().await, pool().await);
    let (at, other_at, removed_at, new_at) =
        (free_address().await, free_address().await, free_address().await, free_address().await);
    let other = route("other", &other_at, "", &[&first_at]);
    let before = format!(
        "{}{other}{}",
        route("hns", &at, "", &[&first_at]),
        route("removed", &removed_at, "", &[&first_at]),
    );
    let socket = config.folder().join("s");
    let head = format!("[stop]\ndrain_seconds = 3\n[control]\nsocket = \"{}\"\n", socket.display());
    config.write(&format!("{head}{before}"));
    let mut orepass = config.start();
    orepass.says(&["control.up"]).await;
    let (rigs, others, removed) =
        (farm(RIGS, &at), farm(OTHER_RIGS, &other_at), farm(RIGS_OF_THE_REMOVED, &removed_at));
    for farm in [&rigs, &others, &removed] {
        all_mine(farm).await;
    }
    let knockers = [Knocker::start(&at), Knocker::start(&other_at)];

    // Other difficulties, a pool more, a route less and a new one.
    let vardiff = "[route.vardiff]\nshares_per_minute = 20";
    let after = format!(
        "{}{other}{}",
        route("hns", &at, vardiff, &[&first_at, &second_at]),
        route("new", &new_at, "", &[&second_at]),
    );
    config.write(&format!("{head}{after}"));
    let said = config.ctl(&["reload"]).await;
    assert!(said.status.success(), "{said:?}");
    let lines = text(&said.stdout);
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "route hns: vardiff.shares_per_minute 10 → 20",
            &format!("route hns: pool pool1 comes: stratum+tcp://{second_at} as account"),
            &format!("route new starts: hstratum on {new_at}"),
            "route removed ends: its rigs are closed, and find nobody where they come back",
        ]
    );
    orepass.says(&["reload.changed", "vardiff.shares_per_minute 10"]).await;
    until("the new pool", || second.stats().connections_open, |open| *open >= 2).await;
    let newcomers = farm(3, &new_at);
    all_mine(&newcomers).await;
    until("refused", || removed.stats().connect_failures, |failures| *failures > 0).await;
    all_mine(&rigs).await;
    let status = config.ctl(&["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let named: Vec<_> =
        status["routes"].as_array().unwrap().iter().map(|route| &route["name"]).collect();
    assert_eq!(named, ["hns", "other", "new"]);
    assert_eq!(status["reloads"], 1);

    // A slip, and an address that somebody else has.
    config.write(&format!("{head}{}", after.replacen("listen", "listne", 1)));
    let said = config.ctl(&["reload"]).await;
    assert_eq!(said.status.code(), Some(1));
    let error = text(&said.stderr);
    assert!(error.contains("orepass.toml:8:1: "), "{error}");
    assert!(error.contains("`listne`") && error.contains("`listen`"), "{error}");
    let said = config.ctl(&["reload", "--json"]).await;
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        (&answer["problems"][0]["line"], &answer["problems"][0]["column"]),
        (&8.into(), &1.into())
    );
    orepass.says(&["reload.refused", "listne"]).await;
    let extra = route("more", &first_at, "", &[&second_at]);
    config.write(&format!("{head}{after}{extra}"));
    let said = config.ctl(&["reload"]).await;
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains(&format!("cannot listen on {first_at}")), "{said:?}");

    // The signal does the same.
    config.write(&format!("workers = 3\n{head}[log]\nlevel = \"debug\"\n{after}"));
    orepass.signal("HUP");
    orepass.says(&["reload.put_off", "workers"]).await;
    orepass.says(&["reload.changed", "log.level info"]).await;
    // This does not end it.
    orepass.signal("USR1");
    for farm in [&rigs, &others] {
        all_mine(farm).await;
    }

    knockers.iter().for_each(Knocker::stop);
    for farm in [rigs, others, newcomers] {
        farm.drain(PATIENCE).await.unwrap();
        let count = farm.rigs().len() as u64;
        let stats = farm.close().await;
        assert_eq!((stats.connects, stats.disconnects), (count, 0), "rigs were disconnected");
        let lost = (stats.unanswered, stats.pending, stats.double_answers, stats.rejected);
        assert_eq!(lost, (0, 0, 0, 0), "{stats:?}");
    }
    drop(removed);
    assert!(orepass.lines(&["hunter2"]).is_empty());
    orepass.terminate();
    assert!(orepass.ends().await.success());
    first.close();
    second.close();
    let said = config.ctl(&["status"]).await;
    assert_eq!(said.status.code(), Some(69));
    assert!(!config.folder().join("s").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_has_to_start_anew_does_so_on_its_own_socket() {
    let config = Edited::new("anew");
    let (first, first_at) = pool().await;
    let at = free_address().await;
    config.write(&format!("[control]\nsocket = \"s\"\n{}", route("hns", &at, "", &[&first_at])));
    let mut orepass = config.start();
    orepass.says(&["control.up"]).await;
    let rigs = farm(20, &at);
    all_mine(&rigs).await;
    let knocker = Knocker::start(&at);
    config.write(&format!(
        "[control]\nsocket = \"s\"\n{}",
        route("hns", &at, "prefix_bytes = 2", &[&first_at])
    ));
    let said = config.ctl(&["reload"]).await;
    assert_eq!(
        text(&said.stdout).trim_end(),
        "route hns: prefix_bytes auto → 2: starts anew on the same sockets, and its rigs come back \
         to it"
    );
    until("they come back", || rigs.stats(), |stats: &RigStats| stats.connects == 40).await;
    all_mine(&rigs).await;
    until("only the new one", || orepass.lines(&["route.stopped"]), |lines| lines.len() == 1).await;
    knocker.stop();
    let stats = rigs.close().await;
    assert_eq!((stats.connect_failures, stats.double_answers), (0, 0));
    // To and fro at once: each edit is done after the other.
    for prefix in ["", "prefix_bytes = 2"].repeat(4) {
        let text = route("hns", &at, prefix, &[&first_at]);
        config.write(&format!("[control]\nsocket = \"s\"\n{text}"));
        assert!(config.ctl(&["reload"]).await.status.success());
    }
    let rigs = farm(5, &at);
    all_mine(&rigs).await;
    drop(rigs);
    orepass.terminate();
    assert!(orepass.ends().await.success());
    first.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_that_a_reload_bars_are_closed_in_turn_and_told_of_in_one_line() {
    let config = Edited::new("barred");
    let (pool, pool_at) = pool().await;
    let (at, other_at) = (free_address().await, free_address().await);
    let other = route("other", &other_at, "", &[&pool_at]);
    let write = |more| {
        let head = "[control]\nsocket = \"s\"\n";
        config.write(&format!("{head}{}{other}", route("hns", &at, more, &[&pool_at])));
    };
    write("");
    let orepass = config.start();
    orepass.says(&["control.up"]).await;
    let (rigs, others) = (farm(100, &at), farm(10, &other_at));
    all_mine(&rigs).await;
    all_mine(&others).await;

    // Nobody has given it.
    write("access_password = \"let me in\"");
    let said = config.ctl(&["reload"]).await;
    assert_eq!(
        text(&said.stdout).trim_end(),
        "route hns: access_password changed: rigs that logged in without the new one are closed"
    );
    let barred = orepass.says(&["rig.barred", "route=hns"]).await;
    assert!(barred.contains("100 rigs may not connect any more"), "{barred}");
    until("all were closed", || rigs.stats().disconnects, |closed| *closed >= 100).await;
    write("");
    assert!(config.ctl(&["reload"]).await.status.success());
    all_mine(&rigs).await;

    write("[route.limits]\ndeny = [\"127.0.0.0/8\"]");
    let said = config.ctl(&["reload"]).await;
    assert!(said.status.success(), "{said:?}");
    until("all are closed", || rigs.stats().connected, |connected| *connected == 0).await;
    let said = || orepass.lines(&["rig.barred"]);
    until("it is said", said, |lines| lines.len() == 2).await;
    all_mine(&others).await;
    assert_eq!(others.stats().disconnects, 0, "the other route's rigs");
    rigs.close().await;
    others.close().await;
    pool.close();
}
