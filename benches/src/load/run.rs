//! A whole bench: floor and proxy in turn, as often as was asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::args::Args;
use super::error::LoadError;
use super::ledger::LoadCoin;
use super::limits::make_room;
use super::phases::{Field, Figures, Until};
use super::pool::{Books, Pool};
use super::proxy::ProxyProcess;
use super::relay::RelayProcess;
use super::report::Report;
use super::rigs::Herd;
use super::roll::Roll;

/// How long the proxy may take until it has logged in at the pool.
const START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);

/// What one run with one party came to.
#[derive(Debug)]
pub struct Outcome {
    /// The figures.
    pub figures: Figures,
    /// The pool's books.
    pub books: Books,
    /// Rigs whose connection ended.
    pub lost: u64,
    /// Pool connections.
    pub channels: u64,
    /// What rigs were told that were refused, and what the party logged.
    pub remarks: Vec<String>,
}

/// Runs the bench. A signal ends it early; processes and files are gone in any case.
///
/// # Errors
/// When something does not start, does not happen in time, or a signal came.
pub async fn run(args: &Args) -> Result<Report, LoadError> {
    make_room(args)?;
    let mut terminated =
        signal(SignalKind::terminate()).map_err(LoadError::io("no signals can be had"))?;
    tokio::select! {
        report = all_runs(args) => report,
        _ = tokio::signal::ctrl_c() => Err(LoadError::Interrupted),
        _ = terminated.recv() => Err(LoadError::Interrupted),
    }
}

async fn all_runs(args: &Args) -> Result<Report, LoadError> {
    let mut report = Report::new(args);
    for run in 1..=args.runs {
        if !args.no_floor {
            progress(args, run, "relay");
            report.floor.push(relay(args).await?);
        }
        progress(args, run, "proxy");
        report.proxy.push(proxy(args).await?);
    }
    Ok(report)
}

async fn relay(args: &Args) -> Result<Outcome, LoadError> {
    let roll = Arc::new(Roll::new(args.rigs as usize));
    let pool = Pool::start(Arc::clone(&roll), LoadCoin::of(&args.dialect))?;
    let relay = RelayProcess::start(args, pool.address())?;
    let args = &Args { tls: false, ..args.clone() };
    measure(args, &roll, &pool, relay.address(), relay.pid()).await
}

async fn proxy(args: &Args) -> Result<Outcome, LoadError> {
    let roll = Arc::new(Roll::new(args.rigs as usize));
    let pool = Pool::start(Arc::clone(&roll), LoadCoin::of(&args.dialect))?;
    let mut proxy = ProxyProcess::start(args, pool.address())?;
    let until = Instant::now() + START;
    while pool.books().authorized == 0 {
        proxy.check()?;
        if Instant::now() >= until {
            return Err(LoadError::Stuck {
                what: "pool connections of the proxy",
                reached: 0,
                wanted: 1,
                seconds: START.as_secs(),
                refusals: proxy.last_lines(),
            });
        }
        sleep(LOOK).await;
    }
    let measured = measure(args, &roll, &pool, proxy.address(), proxy.pid()).await;
    // A proxy that has ended is the better reason.
    proxy.check()?;
    let mut outcome = measured?;
    outcome.remarks.extend(proxy.last_lines().lines().map(str::to_owned));
    Ok(outcome)
}

/// All phases, with a party that is ready at this address.
///
/// # Errors
/// When a phase cannot be done.
pub async fn measure(
    args: &Args,
    roll: &Arc<Roll>,
    pool: &Pool,
    address: SocketAddr,
    pid: u32,
) -> Result<Outcome, LoadError> {
    let until = Until::Elapsed(args.load_time());
    measure_until(args, roll, pool, address, pid, until).await
}

/// As [`measure`], with loads that end otherwise.
///
/// # Errors
/// When a phase cannot be done.
pub async fn measure_until(
    args: &Args,
    roll: &Arc<Roll>,
    pool: &Pool,
    address: SocketAddr,
    pid: u32,
    until: Until,
) -> Result<Outcome, LoadError> {
    let herd = Herd::start(roll, args.rigs, args.rig_threads)?;
    let field = Field { pool, herd: &herd, rigs: args.rigs, tls: args.tls, pid };
    let mut figures = Figures::default();
    let empty = field.connect(address, args.parallel, &mut figures).await?;
    if args.jobs > 0 {
        field.fan_out(args.jobs, args.job_gap(), empty, &mut figures).await?;
    }
    if args.rate > 0 {
        field.paced(args.rate.into(), until, &mut figures).await?;
    }
    for &in_flight in args.in_flight.iter().filter(|&&count| count > 0) {
        field.saturating(in_flight, until, &mut figures).await?;
    }
    let (tally, books) = (herd.tally(), pool.books());
    let channels = books.authorized;
    Ok(Outcome { figures, books, lost: tally.lost, channels, remarks: tally.refusals })
}

/// A bench takes minutes, so it says where it is.
fn progress(args: &Args, run: u32, party: &str) {
    eprintln!("run {run} of {}: {party}", args.runs);
}
