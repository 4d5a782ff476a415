//! One process of the program hands over to the next.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::PoolConfig;

use crate::support::{
    Folder, Orepass, Plan, all_mine, earners, easy_pool, number, rigs, signal, until,
};

const RIGS: usize = 500;
const EASY: &str =
    "max_channels = 8\nmax_pool_shares_per_second = 10000\nvardiff = { enabled = false }";

/// A copy of the program that can be replaced.
fn program(folder: &Folder) -> PathBuf {
    let path = folder.0.join("orepass");
    fs::copy(env!("CARGO_BIN_EXE_orepass"), &path).unwrap();
    path
}

/// Puts a script in the program's place.
fn replace(program: &Path, script: &str) {
    let other = program.with_extension("new");
    fs::write(&other, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&other, program).unwrap();
}

fn socket(folder: &Folder) -> PathBuf {
    folder.0.join("ctl.sock")
}

/// Asks for something by `orepass ctl`: its exit code, and what it says.
async fn ctl(folder: &Folder, what: &'static str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
    command.args(["ctl", what, "--socket"]).arg(socket(folder));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

async fn at_work(folder: &Folder, at_pool: &str, count: usize) -> (Orepass, RigFarm, PathBuf) {
    at_work_with(folder, at_pool, count, 5).await
}

/// With rigs that leave within so many seconds.
async fn at_work_with(
    folder: &Folder,
    at_pool: &str,
    count: usize,
    drain_seconds: u32,
) -> (Orepass, RigFarm, PathBuf) {
    let program = program(folder);
    let mut plan = Plan { route: EASY, program: Some(program.clone()), ..Plan::new(at_pool).await };
    let file = folder.0.join("o.db");
    plan.more = format!(
        "[stop]\ndrain_seconds = {drain_seconds}\n[state]\nfile = \"{}\"\n",
        file.display()
    );
    plan.more += &format!("[control]\nsocket = \"{}\"\n", socket(folder).display());
    let listen = plan.listen.clone();
    let orepass = plan.start();
    orepass.says(&["control.up"]).await;
    let farm = rigs(count, &listen);
    let all = count as u64;
    until("rigs mine", || farm.stats().mining, |mining| *mining == all).await;
    until("shares", || farm.stats().accepted, |accepted| *accepted > all / 2).await;
    (orepass, farm, program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_500_rigs_at_work_no_share_is_lost_and_no_connection_refused() {
    let (pool, at_pool) = easy_pool().await;
    let folder = Folder::new("upgrade");
    let (mut orepass, farm, _) = at_work(&folder, &at_pool, RIGS).await;
    // Rigs that come at any time of it find somebody who accepts.
    let address = orepass.address.clone();
    let knocking = tokio::spawn(async move {
        let mut knocks = 0_u32;
        loop {
            tokio::net::TcpStream::connect(&address).await.map_err(|error| (knocks, error))?;
            knocks += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        #[expect(unreachable_code, reason = "it is ended from outside")]
        Ok::<(), (u32, std::io::Error)>(())
    });
    let earners = earners(&farm) as u64;
    let (code, said) = ctl(&folder, "upgrade").await;
    assert_eq!(code, Some(0), "{said}");
    let new = number(&said, "process ") as u32;
    assert!(orepass.ends().await.success());
    let (_, status) = ctl(&folder, "status").await;
    assert!(status.contains(&new.to_string()), "the socket is the new one's: {status}");
    assert!(!knocking.is_finished(), "{:?}", knocking.await);
    knocking.abort();
    until("rigs mine again", || farm.stats().mining, |mining| *mining == RIGS as u64).await;
    let earned = farm.stats().accepted + RIGS as u64 / 2;
    until("shares", || farm.stats().accepted, |accepted| *accepted > earned).await;
    // Known workers: their difficulty and their slot went over.
    let read = || orepass.lines(&["state.read"]);
    let read = until("both read the state", read, |lines| lines.len() == 2).await;
    let known = number(&read[1], "remembering ");
    assert!((earners..=RIGS as u64).contains(&known) && earners > RIGS as u64 / 4, "{known}");
    assert_eq!(orepass.lines(&["state.unusable"]), Vec::<String>::new());

    signal("TERM", new);
    let stopped = || orepass.lines(&["route.stopped"]);
    let stopped = until("both stop", stopped, |lines| lines.len() == 2).await;
    until("rigs leave", || farm.stats().connected, |connected| *connected == 0).await;
    let stats = farm.close().await;
    let read: u64 = stopped.iter().map(|line| number(line, "stopped after")).sum();
    assert_eq!(stats.accepted + stats.rejected, read, "shares that were read have their verdicts");
    assert_eq!((stats.works_repeated, stats.job_ids_repeated), (0, 0));
    assert_eq!(pool.stats().duplicates, 0);
    eprintln!(
        "{read} shares were read and answered, {} rejected, {} crossed the end of their connection",
        stats.rejected, stats.unanswered
    );
    pool.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_ends_at_once_or_is_not_there_leaves_the_old_one_serving() {
    let (pool, at_pool) = easy_pool().await;
    let folder = Folder::new("upgrade-bad");
    let (mut orepass, farm, program) = at_work(&folder, &at_pool, 50).await;
    replace(&program, "exit 3");
    let (code, said) = ctl(&folder, "upgrade").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("exit status: 3"), "{said}");
    orepass.says(&["upgrade.failed", "exit status: 3"]).await;
    fs::remove_file(&program).unwrap();
    orepass.signal("USR2");
    let failed = orepass.says(&["upgrade.failed", "cannot start"]).await;
    assert!(failed.contains("No such file"), "{failed}");

    let before = farm.stats();
    let more = before.accepted + 50;
    until("shares", || farm.stats().accepted, |accepted| *accepted > more).await;
    assert_eq!(farm.stats().disconnects, 0, "no rig has noticed");
    orepass.terminate();
    assert!(orepass.ends().await.success());
    farm.close().await;
    pool.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_with_the_file_or_hangs_gives_all_back() {
    let (pool, at_pool) = easy_pool().await;
    let folder = Folder::new("upgrade-hang");
    let (mut orepass, farm, program) = at_work(&folder, &at_pool, 50).await;
    // It says that it has the sockets, and then nothing: the state file is closed by then.
    replace(&program, "printf '\"bound\"\\n' >&0; exec sleep 1000");
    orepass.signal("USR2");
    let failed = orepass.says(&["upgrade.failed"]).await;
    assert!(failed.contains("was not warm within 20s"), "{failed}");
    let more = farm.stats().accepted + 50;
    until("shares", || farm.stats().accepted, |accepted| *accepted > more).await;
    assert_eq!(farm.stats().disconnects, 0, "no rig has noticed");
    // It has its file again, and hands it over to one that works.
    fs::remove_file(&program).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_orepass"), &program).unwrap();
    orepass.signal("USR2");
    let upgraded = orepass.says(&["upgraded"]).await;
    let new = number(&upgraded, "process=") as u32;
    assert!(orepass.ends().await.success());
    assert_eq!(orepass.lines(&["state.unusable"]), Vec::<String>::new());
    signal("TERM", new);
    until("the end", || orepass.lines(&["stopped"]).len(), |lines| *lines >= 4).await;
    farm.close().await;
    pool.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_come_back_from_a_new_process_that_is_killed_and_a_signal_hurries_the_end() {
    let (pool, at_pool) = easy_pool().await;
    let folder = Folder::new("upgrade-killed");
    let (mut orepass, farm, _) = at_work_with(&folder, &at_pool, 100, 3600).await;
    let upgraded = async || {
        let (code, said) = ctl(&folder, "upgrade").await;
        assert_eq!(code, Some(0), "{said}");
        number(&said, "process ") as u32
    };
    signal("KILL", upgraded().await);
    orepass.says(&["upgrade.failed", "whose rigs were leaving, serves again"]).await;
    all_mine(&farm).await;
    let (_, status) = ctl(&folder, "status").await;
    assert!(status.contains(&format!("process {},", orepass.id())), "{status}");

    // The rigs of the old one would leave within an hour.
    let new = upgraded().await;
    orepass.terminate();
    assert!(orepass.ends().await.success());
    all_mine(&farm).await;
    signal("TERM", new);
    orepass.says(&["stopping", "second signal"]).await;
    signal("TERM", new);
    orepass.says(&["stopped at once"]).await;
    until("rigs leave", || farm.stats().connected, |connected| *connected == 0).await;
    assert_eq!(farm.close().await.works_repeated, 0);
    pool.close();
}

/// Each connection is to a pool of its own, so that all have the same extranonce1.
async fn forgetful_pools() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let config = PoolConfig { difficulty: 1e-8, ..PoolConfig::default() };
                PoolServer::new(config).serve(stream).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_gives_all_connections_one_extranonce_keeps_the_old_process() {
    let at_pool = forgetful_pools().await;
    let folder = Folder::new("upgrade-same");
    let (mut orepass, farm, _) = at_work(&folder, &at_pool, 5).await;
    orepass.signal("USR2");
    let failed = orepass.says(&["upgrade.failed"]).await;
    assert!(failed.contains("not every route that is served now had a pool"), "{failed}");
    let more = farm.stats().accepted + 5;
    until("shares", || farm.stats().accepted, |accepted| *accepted > more).await;
    assert_eq!(farm.stats().disconnects, 0, "no rig has noticed");
    orepass.terminate();
    assert!(orepass.ends().await.success());
    assert_eq!(farm.close().await.works_repeated, 0);
}
