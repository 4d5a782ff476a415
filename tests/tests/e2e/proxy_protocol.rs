//! Rigs behind a balancer.

use std::process::Command;

use orepass::config::{FrontConfig, ProxyProtocol};
use orepass_tests::client::Client;
use orepass_tests::log::Log;
use orepass_tests::programs::{Running, free_port, has};
use orepass_tests::site::{Plan, Site};
use orepass_tests::tls::{OwnCertificate, to};
use orepass_tests::wait::until;
use serde_json::Value;

const SUBSCRIBE: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"test/1\"]}\n";

fn front(proxy_protocol: ProxyProtocol, from: &str) -> FrontConfig {
    let proxy_from = vec![from.parse().unwrap()];
    FrontConfig { proxy_protocol, proxy_from, ..FrontConfig::default() }
}

async fn site(front: FrontConfig) -> Site {
    let mut plan = Plan::deployed();
    plan.route.front = front;
    plan.start().await
}

/// Sends a header and a line in these pieces; gives the answer, and where the rig is by our books.
async fn come(site: &Site, pieces: &[&[u8]]) -> (Value, Vec<String>) {
    let mut client = Client::connect(&site.address).await;
    for piece in pieces {
        client.send_bytes(piece).await;
        tokio::task::yield_now().await;
    }
    let answer = client.line().await.unwrap_or_default();
    let rigs = site.route.roster().rigs();
    let peers = rigs.iter().map(|rig| rig.peer.to_string()).collect();
    drop(client);
    until("it leaves", || site.route.roster().online(), |online| *online == 0).await;
    (answer, peers)
}

#[tokio::test]
async fn a_rig_is_where_the_balancer_says() {
    let site = site(front(ProxyProtocol::Required, "127.0.0.0/8")).await;
    let header = &b"PROXY TCP4 203.0.113.7 127.0.0.1 4242 3008\r\n"[..];
    let at_once = [header, SUBSCRIBE].concat();
    let bytes: Vec<&[u8]> = at_once.chunks(1).collect();
    let v6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\x92\x0b\xc0";
    for (pieces, peer) in [
        (&[&at_once[..]][..], "203.0.113.7:4242"),
        (&[header, SUBSCRIBE], "203.0.113.7:4242"),
        (&bytes, "203.0.113.7:4242"),
        (&[v6, SUBSCRIBE], "[2001:db8::1]:4242"),
    ] {
        let (answer, peers) = come(&site, pieces).await;
        assert_eq!((answer["id"].as_u64(), peers), (Some(1), vec![peer.to_owned()]));
    }
    site.close().await;
}

#[tokio::test]
async fn headers_are_taken_from_balancers_alone() {
    let (log, _guard) = Log::capture();
    let header = &b"PROXY TCP4 203.0.113.7 127.0.0.1 4242 3008\r\n"[..];
    let strangers = site(front(ProxyProtocol::Required, "10.0.0.0/8")).await;
    let (answer, _) = come(&strangers, &[header, SUBSCRIBE]).await;
    assert_eq!(answer, Value::Null);
    log.says(&["rig.refused", "127.0.0.1", "expected a balancer", "`proxy_from`"]).await;
    strangers.close().await;

    // Where it is optional, strangers are rigs, and what they claim is rubbish.
    let strangers = site(front(ProxyProtocol::Optional, "10.0.0.0/8")).await;
    assert_eq!(come(&strangers, &[SUBSCRIBE]).await.0["id"], 1);
    assert_eq!(come(&strangers, &[header, SUBSCRIBE]).await.0, Value::Null);
    strangers.close().await;
    let balancers = site(front(ProxyProtocol::Optional, "127.0.0.1/32")).await;
    assert_eq!(come(&balancers, &[SUBSCRIBE]).await.0["id"], 1);
    let (answer, peers) = come(&balancers, &[header, SUBSCRIBE]).await;
    assert_eq!((answer["id"].as_u64(), peers), (Some(1), vec!["203.0.113.7:4242".to_owned()]));
    balancers.close().await;

    let required = site(front(ProxyProtocol::Required, "127.0.0.1/32")).await;
    assert_eq!(come(&required, &[SUBSCRIBE]).await.0, Value::Null);
    log.says(&["rig.refused", "expected a PROXY header, found \\\"{\\\"", "send-proxy-v2"]).await;
    required.close().await;
}

#[tokio::test]
async fn rigs_behind_haproxy_earn_with_and_without_tls_and_health_checks_are_none() {
    if !has("haproxy") {
        return;
    }
    let (log, _guard) = Log::capture();
    let certificate = OwnCertificate::make("haproxy");
    let mut site = site(FrontConfig {
        certificate: certificate.front.certificate.clone(),
        ..front(ProxyProtocol::Required, "127.0.0.1")
    })
    .await;
    let tls = site.listens("tls://127.0.0.1:0");
    let (plain_port, tls_port) = (free_port(), free_port());
    let backend = |name: &str, port: u16, target: &str| {
        format!(
            "listen {name}\n bind 127.0.0.1:{port}\n server us {target} send-proxy-v2 check \
             check-send-proxy inter 50ms\n"
        )
    };
    let config = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n{}{}",
        backend("plain", plain_port, &site.address),
        backend("tls", tls_port, &tls),
    );
    let file = std::env::temp_dir().join(format!("orepass-haproxy-{}.cfg", std::process::id()));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("haproxy");
    let _haproxy = Running::serving(command.args(["-db", "-f"]).arg(&file), plain_port).await;
    std::fs::remove_file(&file).unwrap();

    site.address = format!("127.0.0.1:{plain_port}");
    let plain = site.farm(4, |number| site.rig(number));
    site.address = to(format!("127.0.0.1:{tls_port}"), certificate.reach(None)).await.to_string();
    let secured = site.farm(4, |number| site.rig(number + 4));
    for farm in [&plain, &secured] {
        site.all_in(farm).await;
        site.all_earn(farm, 10).await;
    }
    until("health checks", || site.route.health_checks(), |checks| *checks >= 10).await;
    assert_eq!(site.route.roster().online(), 8);
    assert!(log.lines(&["rig.refused"]).is_empty(), "{:?}", log.lines(&["rig.refused"]));
    secured.stop_mining();
    until("answers", || secured.stats().pending, |pending| *pending == 0).await;
    secured.close().await;
    site.finish(plain).await.honesty();
}
