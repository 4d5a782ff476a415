//! A pool that sends its miners elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};

use orepass::net::connect::Tcp;
use orepass_hstratum::Hstratum;
use orepass_sim::net::PoolServer;
use orepass_sim::pool::PoolFault;
use orepass_sim::rig::RigConfig;
use orepass_tests::check::bad_submits;
use orepass_tests::log::Log;
use orepass_tests::relay::{self, Way};
use orepass_tests::site::{Plan, Site};

const RIGS: usize = 3;

/// A pool that sends its first connection elsewhere right after its first job, to these parameters
/// of `client.reconnect`, and a route to it.
async fn sent_to(params: String) -> Site {
    let plan = Plan::deployed();
    let pool = plan.make_pool();
    let at_pool = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    let said = AtomicBool::new(false);
    let wire = relay::start(at_pool, move |way, line| {
        let job = way == Way::Down && line.contains("mining.notify\",\"params");
        if job && !said.swap(true, Ordering::SeqCst) {
            let call = r#"{"id":null,"method":"client.reconnect","params":"#;
            return vec![line, format!("{call}{params}}}")];
        }
        vec![line]
    });
    let wire = wire.await.to_string();
    plan.start_between(pool, &wire, Hstratum::default(), Tcp).await
}

/// Another server at the same address.
async fn another() -> (PoolServer, u16) {
    let mut plan = Plan::deployed();
    plan.pool.seed = 8;
    let pool = plan.make_pool();
    let port = pool.listen("127.0.0.1:0").await.unwrap().port();
    (pool, port)
}

#[tokio::test]
async fn another_port_of_the_pool_is_followed_until_it_serves_no_more() {
    let (log, _guard) = Log::capture();
    let (other, port) = another().await;
    let site = sent_to(format!("[\"127.0.0.1\",\"{port}\",0]")).await;
    log.says(&["pool.redirected", &format!("sends us to stratum+tcp://127.0.0.1:{port}")]).await;
    let farm =
        site.farm(RIGS, |number| RigConfig { extranonce_subscribe: true, ..site.rig(number) });
    site.all_in(&farm).await;
    site.all_earn(&farm, 3).await;
    assert!(other.stats().accepted >= 3 * RIGS as u64);
    assert_eq!((site.pool.stats().submits, site.pool.stats().connections_total), (0, 1));

    other.fault(PoolFault::RefuseConnections);
    log.says(&["pool.redirected", "does not serve us; back to"]).await;
    site.all_earn(&farm, 3).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    for pool in [&accounts.pool, &other.stats()] {
        assert_eq!(pool.submits, pool.accepted, "{pool:?}");
    }
    other.close();
}

#[tokio::test]
async fn a_pool_that_wants_us_to_wait_is_left_alone_for_so_long() {
    let (log, _guard) = Log::capture();
    let site = sent_to("[\"\",0,\"300\"]".to_owned()).await;
    log.says(&["pool.reconnect", "the pool asks us to reconnect; again in 300.0 s"]).await;
    assert_eq!(site.pool.stats().connections_total, 1);
    site.close().await;
}

#[tokio::test]
async fn somebody_elses_server_is_not_followed() {
    let (log, _guard) = Log::capture();
    let (other, port) = another().await;
    let site = sent_to(format!("[\"localhost\",{port}]")).await;
    log.says(&["pool.reconnect_refused", "localhost", "not followed"]).await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_earn(&farm, 3).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    bad_submits(&accounts.pool).assert_none();
    assert_eq!((accounts.pool.connections_total, other.stats().connections_total), (1, 0));
    other.close();
}
