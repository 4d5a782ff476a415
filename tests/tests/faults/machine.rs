//! The machine and the network. What a test needs and this machine does not allow is left out aloud.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use orepass_tests::site::Plan;
use orepass_tests::wait::until;

use crate::scene::{Scene, Setting};

/// A file system of a mebibyte for what the program writes.
const SMALL_DISK: &str =
    "mkdir -p $FOLDER/small && mount -t tmpfs -o size=1m none $FOLDER/small || exit 9;";
const FAKE_CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Whether a command ends well here; where it does not the test is left out.
fn can(what: &str, words: &[&str]) -> bool {
    let can = Command::new(words[0]).args(&words[1..]).output();
    let can = can.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("left out: {what} is not possible here");
    }
    can
}

/// Writes to a file until the disk is full.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_state_and_the_log() {
    if !can(
        "a file system of one's own",
        &["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
    ) {
        return;
    }
    let scene = Scene::set(Setting {
        tables: "[state]\nfile = \"small/orepass.db\"",
        through: &["unshare", "-m"],
        before: SMALL_DISK,
        log: "2>>$FOLDER/small/log",
        ..Setting::default()
    })
    .await;
    let (filler, log) = (scene.proxy.sees("small/filler"), scene.proxy.sees("small/log"));
    let fault = || async {
        fill(&filler);
        // Something to remember and to log.
        for _ in 0..3 {
            scene.come_and_go(50).await;
            scene.all_earn().await;
        }
        fs::remove_file(&filler).unwrap();
        let written = fs::metadata(&log).unwrap().len();
        scene.come_and_go(10).await;
        let longer = || fs::metadata(&log).unwrap().len() > written;
        until("the log goes on", longer, |longer| *longer).await;
    };
    scene.twice("a full disk", fault).await;
    scene.close().await.unnoticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_takes() {
    let scene = Scene::set(Setting { log: "2>/dev/full", ..Setting::default() }).await;
    let fault = || async {
        scene.come_and_go(50).await;
        scene.all_earn().await;
    };
    scene.twice("a log that cannot be written", fault).await;
    scene.close().await.unnoticed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_jumps_by_years() {
    if !Path::new(FAKE_CLOCK).exists() {
        return eprintln!("left out: a false clock needs the package faketime");
    }
    let before = "echo +0 > $FOLDER/clock; export LD_PRELOAD=\
        /usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME_NO_CACHE=1 \
        FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_TIMESTAMP_FILE=$FOLDER/clock;";
    let tables = "[state]\nfile = \"orepass.db\"";
    let scene = Scene::set(Setting { before, tables, ..Setting::default() }).await;
    let clock = scene.proxy.folder.join("clock");
    let fault = || async {
        for jump in ["+10y", "-20y", "+0"] {
            fs::write(&clock, jump).unwrap();
            scene.pool.new_job();
            scene.come_and_go(20).await;
            scene.all_earn().await;
            if jump == "+10y" {
                // That so many came and went stands in one line, which takes some seconds.
                scene.proxy.log().says(&["\"timestamp\":\"203"]).await;
            }
        }
    };
    scene.twice("the clock jumps", fault).await;
    scene.close().await.unnoticed();
}

#[test]
fn a_network_that_loses_packets() {
    let rules = "ip link set lo up && nft add table inet loss && \
        nft add chain inet loss in '{ type filter hook input priority 0; }' && \
        nft add rule inet loss in meta l4proto tcp numgen random mod 100 '<' 2 drop";
    if !can("a network that loses packets", &["unshare", "-n", "sh", "-c", rules]) {
        return;
    }
    let test = "machine::inside_a_network_that_loses_packets";
    let inside = format!("{rules} && exec \"$0\" --ignored --exact {test} --nocapture");
    let here = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", &inside]).arg(here);
    assert!(command.status().unwrap().success());
}

#[ignore = "runs in a network of its own, by the test above"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inside_a_network_that_loses_packets() {
    let pool = Plan::deployed().make_pool();
    let at = pool.listen("127.0.0.1:0").await.unwrap();
    let scene = Scene::before(pool, at, Setting::default()).await;
    let fault = || async {
        scene.pool.new_job();
        scene.all_earn().await;
    };
    scene.twice("2 % of all packets are lost", fault).await;
    scene.close().await.unnoticed();
}
