//! The proxy under load on one machine: rigs that send a good share as soon as the last one is
//! answered, a route, and a simulated pool that checks every share again.
//!
//! The three have a thread each, so that the processor time of the route is told apart from that
//! of its surroundings. `load [rigs] [seconds]`; Linux only, since threads' times come from /proc.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use orepass::net::connect::Tcp;
use orepass::route::{PoolConfig as Account, Route, RouteConfig};
use orepass_benches::played::ANY_HASH;
use orepass_hstratum::Hstratum;
use orepass_sim::pool::{Pool, PoolConfig};
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::vardiff::VardiffConfig;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// How many rigs one pool connection serves.
const RIGS_PER_CHANNEL: usize = 250;
/// New jobs come more often than in life, so that no rig fills a job's duplicate filter.
const JOB_EVERY: Duration = Duration::from_millis(250);
/// The unit of the times in /proc, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let rigs = numbers.next().transpose()?.unwrap_or(200);
    let seconds = numbers.next().transpose()?.unwrap_or(5);

    let (pools, routes, farm) = (runtime("pool")?, runtime("route")?, runtime("rigs")?);
    let (pool, pool_address) = pools.block_on(pools.spawn(pool()))??;
    let (route, address) = routes.block_on(routes.spawn(route(pool_address, rigs)))??;
    let tally = Arc::new(Tally::default());
    let mut sessions = JoinSet::new();
    for number in 0..rigs {
        sessions.spawn_on(rig(address.clone(), number, Arc::clone(&tally)), farm.handle());
    }
    while tally.ready.load(Ordering::Relaxed) < rigs as u64 {
        if let Some(ended) = sessions.try_join_next() {
            ended??;
            return Err("a rig's session ended before the start".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    let before = Figures::now(&tally)?;
    tally.go.store(true, Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(seconds as u64));
    Figures::now(&tally)?.report(&before, rigs);

    tally.over.store(true, Ordering::Relaxed);
    farm.block_on(async {
        while let Some(ended) = sessions.join_next().await {
            ended??;
        }
        Ok::<(), Failure>(())
    })?;
    routes.block_on(routes.spawn(async move { route.stop().await }))?;
    pool.close();
    Ok(())
}

/// One thread, whose name tells its processor time.
fn runtime(name: &str) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()
}

/// A pool for which any hash is good, and its address.
async fn pool() -> std::io::Result<(Pool, String)> {
    let pool = Pool::new(PoolConfig {
        difficulty: ANY_HASH,
        real_blocks: false,
        job_interval: Some(JOB_EVERY),
        ..PoolConfig::default()
    });
    let address = pool.listen("127.0.0.1:0").await?;
    pool.spawn_schedule();
    Ok((pool, address.to_string()))
}

/// A route to the pool, and its address.
async fn route(pool: String, rigs: usize) -> Result<(Arc<Route<Hstratum>>, String), Failure> {
    let url = format!("stratum+tcp://{pool}").parse().map_err(|_| "no URL")?;
    let account = Account::new("pool", url, "account".parse().map_err(|_| "no user")?);
    let config = RouteConfig {
        downstream: DownstreamConfig::default()
            .with_vardiff(VardiffConfig { enabled: false, ..VardiffConfig::default() }),
        max_channels: rigs.div_ceil(RIGS_PER_CHANNEL).max(1),
        max_rigs_per_channel: RIGS_PER_CHANNEL,
        max_pool_shares_per_second: 10_000,
        ..RouteConfig::new("load", vec![account])
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let dialects = vec![Arc::new(Hstratum::default())];
    Ok((Route::start(config, dialects, Arc::new(Tcp), vec![listener]), address))
}

/// What the rigs count and are told.
#[derive(Debug, Default)]
struct Tally {
    ready: AtomicU64,
    go: AtomicBool,
    over: AtomicBool,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// A rig from its login to the end: a share, its answer, the next share.
async fn rig(address: String, number: usize, tally: Arc<Tally>) -> Result<(), Failure> {
    let mut rig = Rig::log_in(&address, &format!("rig{number}")).await?;
    tally.ready.fetch_add(1, Ordering::Relaxed);
    while !tally.go.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while !tally.over.load(Ordering::Relaxed) {
        let count = if rig.share().await? { &tally.accepted } else { &tally.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

struct Rig {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    worker: String,
    extranonce2: String,
    job: Option<(String, String)>,
    shares: u32,
    line: String,
    out: String,
}

impl Rig {
    async fn log_in(address: &str, worker: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let mut rig = Self {
            reader: BufReader::new(reader),
            writer,
            worker: worker.into(),
            extranonce2: String::new(),
            job: None,
            shares: 0,
            line: String::new(),
            out: String::new(),
        };
        rig.writer
            .write_all(b"{\"id\":\"s\",\"method\":\"mining.subscribe\",\"params\":[]}\n")
            .await?;
        let subscribed = rig.answer().await?;
        let size = subscribed["result"][2].as_u64().ok_or("no extranonce2 size")?;
        rig.extranonce2 = "00".repeat(usize::try_from(size)?);
        let line = format!(
            "{{\"id\":\"a\",\"method\":\"mining.authorize\",\"params\":[\"{worker}\",\"x\"]}}\n"
        );
        rig.writer.write_all(line.as_bytes()).await?;
        rig.answer().await?;
        while rig.job.is_none() {
            rig.read().await?;
        }
        Ok(rig)
    }

    /// Sends a share and waits for its answer: whether it is accepted.
    async fn share(&mut self) -> Result<bool, Failure> {
        use std::fmt::Write;
        let (job, time) = self.job.as_ref().ok_or("no job")?;
        let Self { worker, extranonce2, shares, out, .. } = self;
        *shares += 1;
        out.clear();
        writeln!(
            out,
            "{{\"id\":{shares},\"method\":\"mining.submit\",\"params\":[\"{worker}\",\"{job}\",\
             \"{extranonce2}\",\"{time}\",\"{shares:08x}\"]}}"
        )?;
        self.writer.write_all(self.out.as_bytes()).await?;
        loop {
            // Answers are not parsed: the rigs should leave the processor to the route.
            self.read().await?;
            if !self.line.contains("\"method\"") {
                return Ok(self.line.contains("\"result\":true"));
            }
        }
    }

    async fn answer(&mut self) -> Result<Value, Failure> {
        loop {
            self.read().await?;
            let value: Value = serde_json::from_str(&self.line)?;
            if value["method"].is_null() {
                return Ok(value);
            }
        }
    }

    /// Reads a line, and takes in the job that it may tell.
    async fn read(&mut self) -> Result<(), Failure> {
        self.line.clear();
        if self.reader.read_line(&mut self.line).await? == 0 {
            return Err("the route closed a rig's connection".into());
        }
        if self.line.contains("mining.notify\",\"params\"") {
            let value: Value = serde_json::from_str(&self.line)?;
            let text = |at: usize| value["params"][at].as_str().map(str::to_owned);
            self.job = text(0).zip(text(8));
        }
        Ok(())
    }
}

/// What was reached at some instant.
struct Figures {
    at: Instant,
    accepted: u64,
    refused: u64,
    /// Seconds of processor time of the route, the rigs and the pool.
    times: [f64; THREADS.len()],
}

const THREADS: [&str; 3] = ["route", "rigs", "pool"];

impl Figures {
    fn now(tally: &Tally) -> std::io::Result<Self> {
        let mut times = [0.0; THREADS.len()];
        for task in std::fs::read_dir("/proc/self/task")? {
            // A thread may end while it is looked at.
            let Ok(stat) = std::fs::read_to_string(task?.path().join("stat")) else { continue };
            let Some((head, tail)) = stat.rsplit_once(')') else { continue };
            let Some((_, name)) = head.split_once('(') else { continue };
            let Some(thread) = THREADS.iter().position(|thread| *thread == name) else { continue };
            let ticks =
                tail.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
            times[thread] += ticks.sum::<f64>() / TICKS_PER_SECOND;
        }
        let [accepted, refused] =
            [&tally.accepted, &tally.refused].map(|count| count.load(Ordering::Relaxed));
        Ok(Self { at: Instant::now(), accepted, refused, times })
    }

    fn report(&self, before: &Self, rigs: usize) {
        let seconds = (self.at - before.at).as_secs_f64();
        let accepted = self.accepted - before.accepted;
        let refused = self.refused - before.refused;
        let shares = (accepted + refused) as f64;
        println!(
            "{rigs} rigs, {seconds:.1} s: {accepted} shares accepted, {refused} refused, {:.0} a \
             second",
            shares / seconds
        );
        for (thread, (now, then)) in THREADS.iter().zip(self.times.iter().zip(before.times)) {
            let (time, busy) = ((now - then) / shares * 1e6, (now - then) / seconds * 100.0);
            println!("{thread:>6}: {time:.1} µs of processor time a share ({busy:.0} % busy)");
        }
    }
}
