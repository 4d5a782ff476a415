//! A pool's process is killed again and again under 200 rigs.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orepass::clock::now;
use orepass_farm::pools::Standing;
use orepass_sim::net::RigFarm;
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{answers, books};
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::wait::{until, within};
use tokio::net::TcpListener;

const RIGS: usize = 200;
const KILLS: u64 = 100;
/// How long a rig waits at most before it connects again.
const RECONNECT: Duration = Duration::from_millis(50);
/// How long a rig may be without a job beyond its own wait.
const JOBLESS: Duration = Duration::from_secs(1);
/// How much the process may grow after it has warmed up.
const GROWTH: u64 = 8 << 20;

/// A pool in a process of its own.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(address: String, seed: u64) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pool"))
            .args([&address, &seed.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        Self { child, address }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The bytes of memory that this process has.
fn memory() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// How long it took until each rig has been told a job since `before`.
async fn all_told(farm: &RigFarm, before: &[u64]) -> Duration {
    let since = now();
    let waiting =
        || farm.rigs().iter().zip(before).filter(|(rig, jobs)| rig.stats().jobs == **jobs);
    until("a job at every rig", || waiting().count(), |rigs| *rigs == 0).await;
    now() - since
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_times() {
    let mut processes = Vec::new();
    for number in 0..2 {
        processes.push(Process::start(free_address().await, number));
    }
    let standing = |rank| Standing { rank, weight: 1.0 };
    let pools = processes.iter().enumerate();
    let pools = pools.map(|(rank, process)| (process.address.clone(), standing(rank)));
    let (route, address) = Plan::deployed().start_route(pools).await;
    let farm = RigFarm::start(RIGS, &address, Duration::ZERO, |number| RigConfig {
        hashrate: 200.0,
        reconnect_max: RECONNECT,
        ..mixed_rig(number)
    });
    until("rigs log in", || farm.stats(), |stats| stats.mining == RIGS as u64).await;

    let mut worst = Duration::ZERO;
    let mut warm = None;
    for kill in 0..KILLS {
        // The next one is warm, and the rigs have work in flight.
        until("a standby", || route.live_channels(), |channels| *channels == 2).await;
        let earned = farm.stats().accepted + RIGS as u64;
        until("shares", || farm.stats().accepted, |accepted| *accepted >= earned).await;

        let before: Vec<u64> = farm.rigs().iter().map(|rig| rig.stats().jobs).collect();
        let active = (kill % 2) as usize;
        processes[active].kill();
        worst = worst.max(all_told(&farm, &before).await);
        let address = processes[active].address.clone();
        processes[active] = Process::start(address, 2 + kill);
        if kill == KILLS / 5 {
            warm = memory();
        }
    }
    println!("the longest time without a job: {worst:?}");
    assert!(worst <= RECONNECT + JOBLESS, "{worst:?}");
    if let (Some(warm), Some(now)) = (warm, memory()) {
        println!("memory: {} KiB warm, {} KiB at the end", warm >> 10, now >> 10);
        assert!(now <= warm + GROWTH, "{} KiB more", (now - warm) >> 10);
    }

    farm.stop_mining();
    until("answers", || farm.stats(), |stats| stats.pending == 0).await;
    until("verdicts", || route.totals(), |totals| totals.sent == totals.ended()).await;
    let rigs = farm.close().await;
    within("the route stops", route.stop()).await;
    let totals = route.totals();
    books(&totals).assert_none();
    answers(&rigs).assert_none();
    assert_eq!((rigs.works_repeated, rigs.job_ids_repeated), (0, 0));
    assert_eq!(totals.count(Verdict::RejectedByPool), 0);
    assert!(totals.count(Verdict::LostOnFailover) > 0, "some were in flight at each kill");
    assert!(totals.count(Verdict::AcceptedByPool) >= KILLS * RIGS as u64);
}
