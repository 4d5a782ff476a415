//! A pool in a process of its own, which a test can kill: `pool ADDRESS SEED`.
//!
//! It says `ready` when it listens, and mines a block every few seconds.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::sync::Arc;
use std::time::Duration;

use orepass_sim::net::PoolServer;
use orepass_sim::pool::PoolConfig;
use orepass_tests::site::Plan;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap();
    let seed = arguments.next().unwrap().parse().unwrap();
    let plan = Plan::deployed();
    let pool = PoolServer::new(PoolConfig {
        coin: Arc::new(plan.coin.clone()),
        seed,
        fixed_time: None,
        block_interval: Some(Duration::from_secs(5)),
        ..plan.pool
    });
    pool.listen(&address).await.unwrap();
    println!("ready");
    std::future::pending::<()>().await;
}
