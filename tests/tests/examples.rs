//! The examples of the libraries do what they say: over loopback, with the simulator at the other end.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use orepass_sim::bitcoin::BitcoinRig;
use orepass_sim::net::{PoolServer, RigDriver};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::{RigConfig, RigStats};
use orepass_tests::wait::until;

/// The programs themselves; each `main` is for the command line.
macro_rules! examples {
    ($($name:ident: $path:literal)*) => {
        $(
            #[path = $path]
            #[allow(dead_code, reason = "its `main` is called by nobody here")]
            #[allow(clippy::duplicate_mod, reason = "each has what it shares with others")]
            mod $name;
        )*
    };
}

examples! {
    aion_pool: "../../crates/aion/examples/aion_pool.rs"
    bitcoin_pool: "../../crates/bitcoin/examples/bitcoin_pool.rs"
    handshake_pool: "../../crates/hstratum/examples/handshake_pool.rs"
    judge: "../../crates/hstratum/examples/judge.rs"
    miner: "../../crates/hstratum/examples/miner.rs"
    monitor: "../../crates/hstratum/examples/monitor.rs"
    verify: "../../crates/aion/examples/verify.rs"
    zcash_pool: "../../crates/zcash/examples/zcash_pool.rs"
}

/// How often a pool has a new block: rigs see a few while they find their shares.
const BLOCKS: Duration = Duration::from_millis(500);
/// Where rigs solve Equihash there is one that stays: a solution takes so long that it would often come too
/// late for its job.
const NEVER: Duration = Duration::from_secs(3_600);

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Rigs mine at a pool until each has had so many shares taken, and so many jobs.
async fn mine_at(
    address: SocketAddr,
    rigs: Vec<RigConfig>,
    (shares, jobs): (u64, u64),
) -> Vec<RigStats> {
    let started = rigs.into_iter().map(|config| {
        let (rig, handle) = RigDriver::new(config);
        (tokio::spawn(rig.run_tcp(address.to_string())), handle)
    });
    let started: Vec<_> = started.collect();
    let mut ends = Vec::new();
    for (running, handle) in started {
        let enough = |stats: &RigStats| stats.accepted >= shares && stats.jobs >= jobs;
        until("shares are taken", || handle.stats(), enough).await;
        handle.close();
        ends.push(running.await.unwrap());
    }
    ends
}

fn assert_nothing_was_refused(stats: &RigStats) {
    // A share may have been on its way when its block was replaced.
    let stale = stats.rejected_by_code.get(&21).copied().unwrap_or(0);
    assert_eq!(stats.rejected, stale, "{stats:?}");
    assert_eq!((stats.malformed_lines, stats.unknown_answers, stats.double_answers), (0, 0, 0));
    assert_eq!((stats.jobs_unusable, stats.works_repeated), (0, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_of_two_kinds_mine_at_the_handshake_pool() {
    let (listener, address) = listener();
    thread::spawn(move || handshake_pool::serve(listener, BLOCKS).map_err(|e| e.to_string()));
    let rigs = [RigConfig::default(), RigConfig::handyminer()];
    let rigs = rigs.map(|rig| RigConfig { hashrate: 20_000.0, ..rig });
    let stats = mine_at(address, rigs.into(), (5, 3)).await;
    stats.iter().for_each(assert_nothing_was_refused);
    assert_ne!(stats[0].extranonce1, stats[1].extranonce1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rig_that_solves_mines_at_the_aion_pool() {
    let (listener, address) = listener();
    thread::spawn(move || aion_pool::serve(listener, NEVER).map_err(|e| e.to_string()));
    let stats = mine_at(address, vec![RigConfig::aion()], (2, 1)).await;
    stats.iter().for_each(assert_nothing_was_refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rig_that_solves_mines_at_the_zcash_pool() {
    let (listener, address) = listener();
    thread::spawn(move || zcash_pool::serve(listener, NEVER).map_err(|e| e.to_string()));
    let stats = mine_at(address, vec![RigConfig::zcash()], (2, 1)).await;
    stats.iter().for_each(assert_nothing_was_refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_that_roll_versions_and_that_do_not_mine_at_the_bitcoin_pool() {
    let (listener, address) = listener();
    thread::spawn(move || bitcoin_pool::serve(listener, BLOCKS).map_err(|e| e.to_string()));
    let rolls = BitcoinRig { needs_version_rolling: true, ..BitcoinRig::default() };
    let plain = BitcoinRig { version_mask: 0, ..BitcoinRig::default() };
    let rigs = [rolls, plain].map(|rig| RigConfig {
        coin: Arc::new(rig),
        hashrate: 20_000.0,
        ..RigConfig::bitcoin()
    });
    let stats = mine_at(address, rigs.into(), (5, 3)).await;
    stats.iter().for_each(assert_nothing_was_refused);
    assert_ne!(stats[0].extranonce1, stats[1].extranonce1);
    let (job, _) = bitcoin_pool::next_block(900_000).unwrap();
    let coinbase = job.coinbase().unwrap().expect("a transaction");
    assert_eq!(coinbase.payouts.iter().map(|payout| payout.satoshis).sum::<u64>(), 312_500_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_miners_shares_are_taken() {
    let pool = PoolServer::new(PoolConfig::default());
    let stream = TcpStream::connect(pool.listen("127.0.0.1:0").await.unwrap()).unwrap();
    let mining = thread::spawn(move || miner::mine(stream, "account").map_err(|e| e.to_string()));
    until("shares are taken", || pool.stats(), |stats| stats.accepted >= 5).await;
    pool.new_block();
    let before = pool.stats().accepted;
    let stats =
        until("the next block is mined", || pool.stats(), |stats| stats.accepted > before + 5);
    let stats = stats.await;
    assert_eq!((stats.submits, stats.duplicates), (stats.accepted + stats.stale, 0), "{stats:?}");
    pool.close();
    assert_eq!(tokio::task::spawn_blocking(|| mining.join().unwrap()).await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_monitor_shows_each_job_once() {
    let pool = PoolServer::new(PoolConfig::default());
    let stream = TcpStream::connect(pool.listen("127.0.0.1:0").await.unwrap()).unwrap();
    let (sender, lines) = sync_channel(16);
    let watching = thread::spawn(move || {
        let show = |line| sender.send(line).unwrap();
        monitor::watch(stream, "account", show).map_err(|error| error.to_string())
    });
    let mut seen = Vec::new();
    for _ in 0..3 {
        // Its line comes when the job is known there, so none is overtaken.
        until("a job is shown", || lines.try_recv().map(|line| seen.push(line)).is_ok(), |is| *is)
            .await;
        pool.new_block();
    }
    pool.close();
    assert_eq!(tokio::task::spawn_blocking(|| watching.join().unwrap()).await.unwrap(), Ok(()));
    assert!(seen.iter().all(|line| line.starts_with("job ") && line.contains(" target ")));
    let last: Vec<String> = lines.iter().collect();
    assert!(last.len() <= 1, "{last:?}");
    seen.extend(last);
    let shown = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), shown, "{seen:?}");
}

#[test]
fn a_share_is_judged_as_its_pool_did() {
    let [notify, extranonce1, submit, difficulty] = judge::TAKEN;
    let taken = judge::judge(judge::TAKEN).unwrap();
    assert!(taken.starts_with("a share\nhash   00000000cce0362e"), "{taken}");
    let harder = judge::judge([notify, extranonce1, submit, "1000"]).unwrap();
    assert!(harder.starts_with("above the target\n"), "{harder}");
    assert!(judge::judge([notify, extranonce1, submit, "0"]).is_err());
    assert!(judge::judge([submit, extranonce1, submit, difficulty]).is_err());
}

#[test]
fn solutions_are_verified_and_what_is_none_is_refused() {
    let blocks = verify::verify_blocks().unwrap();
    assert!(blocks.len() > 5, "{blocks:?}");
    let (hash, nonce) = ("00".repeat(32), "00".repeat(32));
    let error = verify::verify(&hash, &nonce, &"00".repeat(1408)).unwrap_err().to_string();
    assert!(error.contains("more than once"), "{error}");
    assert!(verify::verify(&hash, &nonce, "0x").is_err());
}
