//! Pools by way of a SOCKS5 proxy.

use std::process::Command;

use orepass_tests::log::Log;
use orepass_tests::programs::{Running, free_port, has};
use orepass_tests::site::Plan;
use orepass_tests::tls::OwnCertificate;

async fn microsocks(port: u16) -> Running {
    let mut command = Command::new("microsocks");
    let command = command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
    Running::serving(command.args(["-u", "me", "-P", "p@ss"]), port).await
}

#[tokio::test]
async fn rigs_earn_at_a_pool_behind_a_socks_proxy_with_and_without_tls() {
    if !has("microsocks") {
        return;
    }
    let port = free_port();
    let _microsocks = microsocks(port).await;
    let proxy = format!("socks5://me:p%40ss@127.0.0.1:{port}").parse().unwrap();
    let certificate = OwnCertificate::make("socks");
    for tls in [false, true] {
        let mut plan = Plan::deployed();
        let pool = plan.make_pool();
        let mut address = pool.listen("127.0.0.1:0").await.unwrap();
        plan.route.pools[0].reach = certificate.reach(Some(Clone::clone(&proxy)));
        if tls {
            address = certificate.before(address).await;
            plan.route.pools[0].url = "stratum+ssl://pool.example:1".parse().unwrap();
        }
        // The proxy is given the name.
        let address = format!("localhost:{}", address.port());
        let dialect = orepass_hstratum::Hstratum::new(plan.options.clone());
        let tcp = orepass::net::connect::Tcp;
        let site = plan.start_between(pool, &address, dialect, tcp).await;
        let farm = site.farm(2, |number| site.rig(number));
        site.all_in(&farm).await;
        site.all_earn(&farm, 10).await;
        site.finish(farm).await.faults().assert_none();
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_help_is_named_with_the_reason() {
    if !has("microsocks") {
        return;
    }
    let (log, _guard) = Log::capture();
    let port = free_port();
    let _microsocks = microsocks(port).await;
    for (login, reason) in [
        ("me:wrong@", "check the login in `proxy`"),
        ("", "it wants a login"),
        ("me:p%40ss@", "check `url`"),
    ] {
        let mut plan = Plan::deployed();
        let proxy = format!("socks5://{login}127.0.0.1:{port}").parse().unwrap();
        plan.route.pools[0].reach.proxy = Some(proxy);
        let nobody = format!("127.0.0.1:{}", free_port());
        let dialect = orepass_hstratum::Hstratum::new(plan.options.clone());
        let (pool, tcp) = (plan.make_pool(), orepass::net::connect::Tcp);
        let site = plan.start_between(pool, &nobody, dialect, tcp).await;
        log.says(&[&format!("proxy 127.0.0.1:{port}: "), reason]).await;
        site.close().await;
    }
    assert!(log.lines(&["p@ss"]).is_empty() && log.lines(&["p%40ss"]).is_empty());
}
