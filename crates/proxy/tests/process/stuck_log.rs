//! A log that nobody reads, or that cannot be written.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use crate::support::{Plan, Rig, pool};

/// Far more lines than a pipe holds, each with an answer.
const PINGS: usize = 3000;

async fn ping(rig: &mut Rig) {
    for _ in 0..PINGS {
        rig.send(r#"{"id":"p","method":"mining.ping","params":[]}"#).await;
        assert_eq!(rig.answer("p").await["result"], "pong");
    }
}

#[tokio::test]
async fn rigs_are_served_and_the_end_comes_though_nobody_reads_the_log() {
    let (_pool, at_pool) = pool().await;
    let plan = Plan { arguments: &["-vv"], ..Plan::new(&at_pool).await };
    let (mut orepass, unread) = plan.start_unread();
    let mut rig = Rig::login(&orepass.address, "rig1").await;
    ping(&mut rig).await;
    Rig::login(&orepass.address, "rig2").await;
    orepass.terminate();
    assert!(orepass.ends().await.success());
    drop(unread);
}

#[tokio::test]
async fn the_last_lines_are_written_before_the_end() {
    let (_pool, at_pool) = pool().await;
    let plan = Plan { arguments: &["-vv"], ..Plan::new(&at_pool).await };
    let (mut orepass, mut stderr) = plan.start_unread();
    let mut rig = Rig::login(&orepass.address, "rig1").await;
    // More than the pipe takes: the lines wait within the program.
    ping(&mut rig).await;
    let reading = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).unwrap();
        log
    });
    orepass.terminate();
    assert!(orepass.ends().await.success());
    let log = reading.join().unwrap();
    assert!(log.lines().count() > PINGS, "{} lines", log.lines().count());
    assert!(log.ends_with("INFO stopped event=stopped\n"), "{:?}", log.lines().last());
    assert!(!log.contains("log.dropped"));
}

#[tokio::test]
async fn a_log_whose_reader_has_gone_stops_nothing() {
    let (_pool, at_pool) = pool().await;
    let plan = Plan { arguments: &["-vv"], ..Plan::new(&at_pool).await };
    let (mut orepass, unread) = plan.start_unread();
    drop(unread);
    let mut rig = Rig::login(&orepass.address, "rig1").await;
    ping(&mut rig).await;
    orepass.terminate();
    assert!(orepass.ends().await.success());
}

/// A device on which there is never any room.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_on_a_full_disk_stops_nothing() {
    let (_pool, at_pool) = pool().await;
    let plan = Plan { arguments: &["-vv"], ..Plan::new(&at_pool).await };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut orepass = plan.start_with_log(Stdio::from(full));
    let mut rig = Rig::login(&orepass.address, "rig1").await;
    ping(&mut rig).await;
    orepass.terminate();
    assert!(orepass.ends().await.success());
}
