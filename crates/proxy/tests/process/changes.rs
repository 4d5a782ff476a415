//! All that an operator does to a proxy while a thousand rigs mine: he changes the config, slips, and
//! upgrades.

use orepass_sim::net::RigFarm;

use crate::support::edited::{Edited, Knocker, route, text};
use crate::support::{Orepass, all_mine, easy_pool, free_address, number, rigs, signal, until};

const RIGS: usize = 700;
const OTHER_RIGS: usize = 300;
const RIGS_OF_THE_REMOVED: usize = 10;
const EASY: &str = "max_channels = 8\nmax_pool_shares_per_second = 10000";

/// How many shares a route has read, in all processes: each says so when it has stopped.
async fn read(orepass: &Orepass, route: &str, processes: usize) -> u64 {
    let words = ["route.stopped", &format!("route={route} ")];
    let stopped = || orepass.lines(&words);
    let stopped = until("the route stops", stopped, |lines| lines.len() == processes).await;
    stopped.iter().map(|line| number(line, "stopped after")).sum()
}

/// Each share that was read has its verdict, and no connection was refused.
async fn assert_nothing_lost(farm: RigFarm, read: u64) {
    let stats = farm.close().await;
    assert_eq!(stats.accepted + stats.rejected, read, "shares that were read and lost: {stats:?}");
    assert_eq!((stats.double_answers, stats.works_repeated, stats.job_ids_repeated), (0, 0, 0));
    // On average a rig has far less than one share on its way.
    assert!(stats.unanswered <= stats.disconnects, "too many to have crossed a close: {stats:?}");
    eprintln!(
        "{read} shares were read and answered, {} of them with no; {} crossed one of {} closes",
        stats.rejected, stats.unanswered, stats.disconnects
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_thousand_rigs_at_work_reloads_and_an_upgrade_lose_and_refuse_nothing() {
    let config = Edited::new("changes");
    let ((first, first_at), (second, second_at)) = (easy_pool().await, easy_pool().await);
    let (at, other_at, removed_at) =
        (free_address().await, free_address().await, free_address().await);
    let head = format!(
        "[stop]\ndrain_seconds = 5\n[state]\nfile = \"o.db\"\n[control]\nsocket = \"{}\"\n",
        config.folder().join("s").display()
    );
    let other = route("other", &other_at, EASY, &[&first_at]);
    config.write(&format!(
        "{head}{}{other}{}",
        route("hns", &at, EASY, &[&first_at]),
        route("removed", &removed_at, EASY, &[&first_at]),
    ));
    let mut orepass = config.start();
    orepass.says(&["control.up"]).await;
    let (farm, others, removed) =
        (rigs(RIGS, &at), rigs(OTHER_RIGS, &other_at), rigs(RIGS_OF_THE_REMOVED, &removed_at));
    for farm in [&farm, &others, &removed] {
        all_mine(farm).await;
    }
    let knockers = [Knocker::start(&at), Knocker::start(&other_at)];

    // Other difficulties, a pool more, a route less.
    let vardiff = format!("{EASY}\nvardiff = {{ shares_per_minute = 20 }}");
    let after = format!("{head}{}{other}", route("hns", &at, &vardiff, &[&first_at, &second_at]));
    config.write(&after);
    let said = config.ctl(&["reload"]).await;
    assert!(said.status.success(), "{said:?}");
    let lines = text(&said.stdout);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    for what in ["hns: vardiff.shares_per_minute", "hns: pool pool1 comes", "removed ends"] {
        assert!(lines.contains(what), "{lines}");
    }
    until("the new pool", || second.stats().connections_open, |open| *open > 0).await;
    let read_of_the_removed = read(&orepass, "removed", 1).await;
    until("its rigs leave", || removed.stats().connected, |connected| *connected == 0).await;
    assert_nothing_lost(removed, read_of_the_removed).await;

    // A slip.
    config.write(&after.replacen("shares_per_minute", "shares_per_minuet", 1));
    let said = config.ctl(&["reload"]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(text(&said.stderr).contains("shares_per_minuet"), "{said:?}");
    for farm in [&farm, &others] {
        all_mine(farm).await;
        let (rigs, stats) = (farm.rigs().len() as u64, farm.stats());
        assert_eq!((stats.connects, stats.disconnects), (rigs, 0), "the reloads cost connections");
        assert_eq!((stats.unanswered, stats.rejected), (0, 0), "{:?}", stats.last_error);
    }

    // Another process, with the config that is good.
    config.write(&after);
    let said = config.ctl(&["upgrade"]).await;
    assert!(said.status.success(), "{said:?}");
    let new = number(&text(&said.stdout), "process ") as u32;
    assert!(orepass.ends().await.success());
    for farm in [&farm, &others] {
        all_mine(farm).await;
        assert_eq!(farm.stats().connect_failures, 0, "connections refused");
    }
    knockers.iter().for_each(Knocker::stop);

    signal("TERM", new);
    for (name, farm) in [("hns", farm), ("other", others)] {
        let read = read(&orepass, name, 2).await;
        until("rigs leave", || farm.stats().connected, |connected| *connected == 0).await;
        assert_nothing_lost(farm, read).await;
    }
    assert!(orepass.lines(&["panic"]).is_empty());
    for pool in [first, second] {
        assert_eq!(pool.stats().duplicates, 0);
        pool.close();
    }
}
