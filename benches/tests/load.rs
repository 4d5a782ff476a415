//! The parties of the load bench in one process: all phases are gone through and the books close.

use std::sync::Arc;

use clap::Parser;
use orepass::config::{PoolAccount, RouteConfig};
use orepass::net::connect::Tcp;
use orepass::route::{Route, Surroundings};
use orepass_benches::load::args::Args;
use orepass_benches::load::ledger::LoadCoin;
use orepass_benches::load::phases::Until;
use orepass_benches::load::pool::Pool;
use orepass_benches::load::relay;
use orepass_benches::load::report::Report;
use orepass_benches::load::roll::Roll;
use orepass_benches::load::run::{Outcome, measure_until};
use orepass_bitcoin::Bitcoin;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::vardiff::VardiffConfig;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

const RIGS: usize = 20;

fn args() -> Args {
    Args::parse_from([
        "load",
        "--rigs",
        "20",
        "--rigs-per-channel",
        "10",
        "--jobs",
        "10",
        "--job-gap",
        "0",
        "--rate",
        "500",
        "--rig-threads",
        "2",
    ])
}

/// Every load ends with so many answers, however long they take.
const LOAD: Until = Until::Answered(300);

#[tokio::test(flavor = "multi_thread")]
async fn all_parties_agree_about_every_share_through_the_proxy() {
    through_the_proxy::<Hstratum>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parties_agree_about_every_share_of_bitcoin() {
    through_the_proxy::<Bitcoin>().await;
}

async fn through_the_proxy<D: Dialect + Default>() {
    let roll = Arc::new(Roll::new(RIGS));
    let pool = Pool::start(Arc::clone(&roll), LoadCoin::of(D::NAME)).unwrap();
    let url = format!("stratum+tcp://{}", pool.address()).parse().unwrap();
    let account = PoolAccount::new("pool".parse().unwrap(), url, "account".parse().unwrap());
    let config = RouteConfig {
        downstream: DownstreamConfig::default()
            .with_vardiff(VardiffConfig { enabled: false, ..VardiffConfig::default() }),
        max_channels: 3,
        max_rigs_per_channel: 10,
        max_pool_shares_per_second: 10_000,
        ..RouteConfig::new("load".parse().unwrap(), D::NAME, vec![account])
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialects = vec![Arc::new(D::default())];
    let route = Route::start(config, dialects, Surroundings::new(Arc::new(Tcp)), vec![listener]);

    let own = std::process::id();
    let outcome = measure_until(&args(), &roll, &pool, address, own, LOAD).await.unwrap();
    books_close(&outcome);
    route.stop().await;

    let mut report = Report::new(&args());
    report.proxy.push(outcome);
    assert!(report.is_sound());
    assert!(report.to_string().contains("4 in flight: CPU ms per 1,000 good shares"), "{report}");
    let figures = &report.to_json()["proxy"]["figures"];
    assert!(figures["memory.kib_per_rig_after_jobs"]["median"].is_f64(), "{figures}");
}

#[tokio::test]
async fn all_parties_agree_about_every_share_through_the_relay() {
    let tasks = LocalSet::new();
    let relayed = async {
        let roll = Arc::new(Roll::new(RIGS));
        let pool = Pool::start(Arc::clone(&roll), LoadCoin::Hstratum).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(relay::serve(listener, pool.address(), 2, 10));
        let own = std::process::id();
        books_close(&measure_until(&args(), &roll, &pool, address, own, LOAD).await.unwrap());
    };
    tasks.run_until(relayed).await;
}

/// Three loads, and no share that was refused, lost, changed or sent twice.
fn books_close(outcome: &Outcome) {
    let Outcome { figures, books, .. } = outcome;
    let sum = |name: &str| -> f64 {
        let of_loads = figures.0.iter().filter(|figure| figure.key.ends_with(name));
        of_loads.map(|figure| figure.value).sum()
    };
    assert!(sum(".shares") >= 900.0, "{outcome:?}");
    assert_eq!(sum(".shares"), books.accepted as f64, "{outcome:?}");
    assert_eq!(sum(".refused") + sum(".unanswered"), 0.0, "{outcome:?}");
    assert_eq!((books.duplicates, books.unknown_jobs, books.altered), (0, 0, 0));
    assert_eq!((books.unreadable, books.authorized, outcome.lost), (0, 2, 0), "{outcome:?}");
    let keys = ["connect.wall_ms", "job.last_us", "paced.to_pool_p99_us", "memory.kib_per_rig"];
    for key in keys {
        assert!(figures.0.iter().any(|figure| figure.key == key), "no {key}: {figures:?}");
    }
}
