//! TLS, from rigs and to pools.

use std::process::Command;

use orepass_tests::client::Client;
use orepass_tests::log::Log;
use orepass_tests::programs::{has, talk};
use orepass_tests::site::{Plan, Site};
use orepass_tests::tls::{OwnCertificate, to};
use orepass_tests::wait::until;

const SUBSCRIBE: &str = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

/// A site whose route has a listener with TLS; gives where that is.
async fn site(certificate: &OwnCertificate) -> (Site, String) {
    let mut plan = Plan::deployed();
    plan.route.front = certificate.front.clone();
    let site = plan.start().await;
    let address = site.listens("tls://127.0.0.1:0");
    (site, address)
}

#[tokio::test]
async fn rigs_that_come_by_tls_earn_at_a_pool_that_has_it() {
    let (log, _guard) = Log::capture();
    let (ours, pools) = (OwnCertificate::make("rigs"), OwnCertificate::make("pool"));
    let mut plan = Plan::deployed();
    plan.route.front = ours.front.clone();
    plan.route.pools[0].url = "stratum+ssl://pool.example:1".parse().unwrap();
    plan.route.pools[0].reach = pools.reach(None);
    let pool = plan.make_pool();
    let behind = pool.listen("127.0.0.1:0").await.unwrap();
    let before = pools.before(behind).await.to_string();
    let dialect = orepass_hstratum::Hstratum::new(plan.options);
    let connector = orepass::net::connect::Tcp;
    let mut site = plan.start_between(pool, &before, dialect, connector).await;
    site.address = to(site.listens("tls://127.0.0.1:0"), ours.reach(None)).await.to_string();

    let farm = site.farm(8, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 20).await;
    // Whatever is on its way when a job comes gets through.
    let before = site.drain(&farm).await;
    site.pool.new_job();
    site.all_told(&farm, &before).await;
    site.start_mining(&farm);
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.rigs.disconnects, 0);
    let shown = log.lines(&["tls.certificate", &ours.fingerprint.to_string()]);
    assert!(!shown.is_empty(), "the fingerprint is printed");
}

#[tokio::test]
async fn a_pool_that_is_not_who_it_should_be_gets_no_account() {
    let (log, _guard) = Log::capture();
    let (right, wrong) = (OwnCertificate::make("right"), OwnCertificate::make("wrong"));
    let mut plan = Plan::deployed();
    plan.route.pools[0].url = "stratum+ssl://pool.example:1".parse().unwrap();
    plan.route.pools[0].reach = right.reach(None);
    let pool = plan.make_pool();
    let behind = pool.listen("127.0.0.1:0").await.unwrap();
    let before = wrong.before(behind).await.to_string();
    let dialect = orepass_hstratum::Hstratum::new(plan.options);
    let site = plan.start_between(pool, &before, dialect, orepass::net::connect::Tcp).await;
    let (right, wrong) = (right.fingerprint.to_string(), wrong.fingerprint.to_string());
    log.says(&["expected the certificate", &right, "found", &wrong]).await;
    assert_eq!(site.pool.stats().connections_total, 0);
    site.close().await;
}

#[tokio::test]
async fn a_plain_rig_on_a_tls_port_is_told_and_so_is_the_operator() {
    let (log, _guard) = Log::capture();
    let certificate = OwnCertificate::make("plain");
    let (site, tls) = site(&certificate).await;
    let mut client = Client::connect(&tls).await;
    client.send_bytes(SUBSCRIBE.as_bytes()).await;
    let said = client.rest().await;
    let [answer] = &said[..] else { panic!("{said:?}") };
    let reason = answer["error"][1].as_str().unwrap();
    assert!(
        reason.contains("this port speaks TLS") && reason.contains("stratum+ssl://"),
        "{reason}"
    );
    log.says(&["rig.refused", "expected TLS, found a plain client"]).await;

    // Who only looks whether it is open is nobody's business.
    for _ in 0..10 {
        drop(Client::connect(&tls).await);
    }
    let mut others = Client::connect(&tls).await;
    others.send_bytes(SUBSCRIBE.as_bytes()).await;
    others.rest().await;
    assert_eq!(log.lines(&["rig.refused"]).len(), 1, "one line a minute for an address");
    assert_eq!(site.route.roster().online(), 0);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_speaks_with_us() {
    if !has("openssl") {
        return;
    }
    let certificate = OwnCertificate::make("openssl");
    let (site, tls) = site(&certificate).await;
    let mut ways = vec![(tls.clone(), "-tls1_2"), (tls, "-tls1_3")];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        ways.push((site.listens("tls://[::1]:0"), "-tls1_3"));
    } else {
        eprintln!("left out: TLS over IPv6, which this machine does not have");
    }
    for (tls, version) in ways {
        let said = tokio::task::spawn_blocking(move || {
            let mut openssl = Command::new("openssl");
            let openssl = openssl.args(["s_client", "-quiet", version, "-connect", &tls]);
            talk(openssl, SUBSCRIBE, "\"result\"")
        });
        let said = said.await.unwrap();
        assert!(said.contains("mining.notify"), "{version}: {said}");
    }
    // On the plain port it gets nowhere.
    let plain = site.address.clone();
    let said = tokio::task::spawn_blocking(move || {
        let mut openssl = Command::new("openssl");
        talk(openssl.args(["s_client", "-quiet", "-connect", &plain]), SUBSCRIBE, "\"result\"")
    });
    assert!(!said.await.unwrap().contains("result"));
    until("all leave", || site.route.roster().online(), |online| *online == 0).await;
    site.close().await;
}
