//! Has the program serve a farm for a long time that never comes to rest, and looks whether it grows.
//!
//! 2,000 rigs mine; a part of them leaves and comes back all the time; guests log in with names that
//! nobody had before and leave; every few seconds the pool misbehaves for a while, in a random way.
//! `cargo build --release && cargo run --release -p orepass-tests --bin soak -- --minutes 30`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use orepass::clock::now;
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_sim::rig::RigConfig;
use orepass_tests::proxy::ProxyProcess;
use orepass_tests::site::{Plan, mixed_rig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How often the memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How many names a guest authorizes, which is all that a connection may.
const NAMES: u64 = 16;
/// How many guests may be there at a time.
const GUESTS: usize = 200;
/// From then on it must not grow any more.
const WARM: Duration = Duration::from_mins(5);
/// What it has goes up and down with what the pool does, so that the medians of so long are compared: of what
/// it has when it is warm, and at the end.
const COMPARED: Duration = Duration::from_mins(5);
/// As a part of what it has when it is warm.
const MAX_GROWTH: f64 = 0.02;

/// A farm that never comes to rest, and the memory of the program that serves it
#[derive(Debug, Parser)]
struct Args {
    /// For how many minutes
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// How many rigs mine
    #[arg(long, default_value_t = 2_000)]
    rigs: usize,
    /// How many names guests have, in all
    #[arg(long, default_value_t = 1_000_000)]
    names: u64,
    /// Of what is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program
    #[arg(long, default_value = "target/release/orepass")]
    proxy: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut random = fastrand::Rng::with_seed(args.seed);
    let (pool, at) = pool(args.seed).await;
    let keys = ["max_channels = 32", "[state]\nfile = \"orepass.db\""];
    let proxy = ProxyProcess::start(Command::new(&args.proxy), at, keys).await;
    let farm = RigFarm::start(args.rigs, &proxy.address, Duration::from_secs(5), |number| {
        RigConfig { hashrate: 40.0, reconnect_max: Duration::from_secs(1), ..mixed_rig(number) }
    });
    let named = Arc::new(AtomicU64::new(0));
    let over = now() + Duration::from_secs(60 * args.minutes);
    let pace =
        Duration::from_secs_f64(60.0 * args.minutes as f64 * NAMES as f64 / args.names as f64);
    tokio::spawn(guests(proxy.address.clone(), pace, Arc::clone(&named)));

    println!("seconds,resident KiB,open files,rigs mining,shares accepted,names");
    let (start, mut next_look, mut looks) = (now(), now(), Vec::new());
    while now() < over {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // A fiftieth of the farm each half second, so that each rig leaves about every 25 s.
        for _ in 0..args.rigs / 50 {
            farm.rigs()[random.usize(..args.rigs)].drop_connection();
        }
        misbehave(&pool, &mut random);
        if now() < next_look {
            continue;
        }
        next_look += LOOK_EVERY;
        let Some(resident) = resident(&proxy) else { break };
        let (stats, files) = (farm.stats(), proxy.open_files().unwrap_or_default());
        let (seconds, names) = ((now() - start).as_secs(), named.load(Ordering::Relaxed));
        println!("{seconds},{resident},{files},{},{},{names}", stats.mining, stats.accepted);
        looks.push((now() - start, resident));
    }
    let told_again = farm.close().await.works_repeated;
    verdict(&looks, told_again, pool.stats().duplicates)
}

async fn pool(seed: u64) -> (PoolServer, SocketAddr) {
    let plan = Plan::deployed();
    let pool = PoolServer::new(PoolConfig {
        coin: Arc::new(plan.coin.clone()),
        seed,
        fixed_time: None,
        job_interval: Some(Duration::from_secs(5)),
        block_interval: Some(Duration::from_secs(60)),
        ..plan.pool
    });
    pool.begin_schedule();
    let at = pool.listen("127.0.0.1:0").await.unwrap_or_else(|error| panic!("{error}"));
    (pool, at)
}

/// Now and then the pool does something wrong, and stops it soon after.
fn misbehave(pool: &PoolServer, random: &mut fastrand::Rng) {
    match random.u32(..40) {
        0 => {
            let faults = [
                PoolFault::DropConnections,
                PoolFault::RefuseConnections,
                PoolFault::Stall,
                PoolFault::NewExtranonce1,
                PoolFault::Restart,
                PoolFault::SetExtranonce,
                PoolFault::RefuseShares,
                PoolFault::NoVerdicts,
                PoolFault::LateVerdicts(Duration::from_secs(2)),
                PoolFault::UnusableNotify,
                PoolFault::OverlongNotify,
                PoolFault::StaleVerdicts,
                PoolFault::CloseAfterShare,
            ];
            pool.fault(faults[random.usize(..faults.len())].clone());
        }
        1..10 => pool.heal(),
        _ => {}
    }
}

/// Guests come one after the other, each with names that nobody had before.
async fn guests(address: String, pace: Duration, named: Arc<AtomicU64>) {
    let room = Arc::new(tokio::sync::Semaphore::new(GUESTS));
    let mut due = tokio::time::interval(pace);
    loop {
        due.tick().await;
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (address, first) = (address.clone(), named.fetch_add(NAMES, Ordering::Relaxed));
        tokio::spawn(async move {
            // Where the farm has no room for it, it leaves unserved.
            let _ = tokio::time::timeout(Duration::from_secs(20), guest(&address, first)).await;
            drop(place);
        });
    }
}

async fn guest(address: &str, first: u64) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let subscribe = json!({"id": 0, "method": "mining.subscribe", "params": ["guest/1"]});
    let mut lines = format!("{subscribe}\n");
    for name in first..first + NAMES {
        let name = format!("guest{name:07}");
        let call = json!({"id": name, "method": "mining.authorize", "params": [name, "x"]});
        lines.push_str(&format!("{call}\n"));
    }
    stream.write_all(lines.as_bytes()).await?;
    let (mut heard, mut answered) = (vec![0; 4096], 0);
    while answered < NAMES as usize {
        let count = stream.read(&mut heard).await?;
        if count == 0 {
            break;
        }
        answered += heard[..count].windows(5).filter(|bytes| bytes == b"guest").count();
    }
    Ok(())
}

/// The resident memory, in KiB.
fn resident(proxy: &ProxyProcess) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// `looks` is what was resident when.
fn verdict(looks: &[(Duration, u64)], told_again: u64, duplicates: u64) -> ExitCode {
    let end = looks.last().map_or(Duration::ZERO, |(at, _)| *at);
    let median = |from: Duration| {
        let those = looks.iter().filter(|(at, _)| (from..from + COMPARED).contains(at));
        let mut those: Vec<u64> = those.map(|(_, resident)| *resident).collect();
        those.sort_unstable();
        those.get(those.len() / 2).copied()
    };
    let last = median(end.saturating_sub(COMPARED));
    let (Some(warm), Some(last), true) = (median(WARM), last, end >= WARM + 2 * COMPARED) else {
        println!("it did not run for long enough");
        return ExitCode::FAILURE;
    };
    let growth = last as f64 / warm as f64 - 1.0;
    println!(
        "{warm} KiB in the {COMPARED:?} after the first {WARM:?}, {last} KiB in the last, as medians: \
         {:+.1} %",
        100.0 * growth
    );
    // A rig that comes back when leases are short has its own again, with the filter of what it sent.
    println!("works that a rig was told again: {told_again}; duplicates at the pool: {duplicates}");
    if growth < MAX_GROWTH && duplicates == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
