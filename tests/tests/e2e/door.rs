//! Strangers, scanners and broken lines at a rigs' port.

use orepass_tests::client::Client;
use orepass_tests::log::Log;
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;

const SUBSCRIBE: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

/// Sends these bytes as the first ones of a connection; gives what comes back until its end.
async fn knock(site: &Site, bytes: &[u8]) -> Vec<serde_json::Value> {
    let mut client = Client::connect(&site.address).await;
    client.send_bytes(bytes).await;
    client.rest().await
}

/// These lines are the reason for which the connection was closed, and nothing else.
fn is_told(lines: &[serde_json::Value], reason: &str) {
    let [line] = lines else { panic!("{lines:?}") };
    assert!(line["id"].is_null() && line["error"][0] == 20, "{line}");
    assert!(line["error"][1].as_str().unwrap().contains(reason), "{line}");
}

fn overlong(newline: bool) -> Vec<u8> {
    let mut line = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"".to_vec();
    line.resize(20 * 1024, b'x');
    line.extend_from_slice(b"\"]}");
    line.extend(newline.then_some(b'\n'));
    line
}

#[tokio::test]
async fn what_is_no_stratum_is_closed_without_a_word_and_logged_once() {
    let (log, _guard) = Log::capture();
    let site = Plan::deployed().start().await;
    let farm = site.farm(2, |number| site.rig(number));
    site.all_in(&farm).await;
    let tls_hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 512]].concat();
    let strangers: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        &tls_hello,
        b"\x03\x00\x00\x13\x0e\xe0\x00\x00",
        b"\x05\x01\x00",
        b"hello\n",
        b"[1,\"mining.subscribe\",[]]\n",
        b"\xff\xfe\xfd",
    ];
    for bytes in strangers {
        assert!(knock(&site, bytes).await.is_empty(), "{}", String::from_utf8_lossy(bytes));
    }
    for bytes in [overlong(false), overlong(true)] {
        is_told(&knock(&site, &bytes).await, "longer than 16384 bytes");
    }
    until("strangers leave", || site.route.roster().online(), |online| *online == 2).await;
    let lines = log.lines(&["rig.refused"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("HTTP?"), "{lines:?}");

    site.all_earn(&farm, 10).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.rigs.disconnects, 0);
}

#[tokio::test]
async fn four_lines_without_sense_are_borne_and_the_fifth_ends_the_connection() {
    let nonsense: [&[u8]; 7] = [
        b"{\"id\":1,\"method\":\"mining.subscribe\"\n",
        b"{\"id\":\"\xff\xfe\",\"method\":\"mining.ping\"}\n",
        b"not json\n",
        b"[1,2,3]\n",
        b"{}\n",
        b"{\"id\":{},\"method\":\"mining.ping\"}\n",
        b"{\"id\":1,\"method\":7}\n",
    ];
    let site = Plan::deployed().start().await;
    let farm = site.farm(2, |number| site.rig(number));
    site.all_in(&farm).await;
    for line in nonsense {
        let shown = String::from_utf8_lossy(line);
        // The first line of all must look like stratum.
        let ping = b"{\"id\":0,\"method\":\"mining.ping\"}\n";
        let four = [ping, &line.repeat(4)[..], SUBSCRIBE].concat();
        let mut client = Client::connect(&site.address).await;
        client.send_bytes(&four).await;
        assert_eq!(client.line().await.unwrap()["result"], "pong", "{shown}");
        let subscribed = client.line().await.unwrap_or_else(|| panic!("{shown} was not borne"));
        assert_eq!(subscribed["id"], 1, "{subscribed}");
        client.send_bytes(line).await;
        is_told(&client.rest().await, "too many lines made no sense");
    }
    site.all_earn(&farm, 10).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.rigs.disconnects, 0);
}

#[tokio::test]
async fn a_rig_that_is_logged_in_is_closed_for_an_overlong_line_too() {
    let (log, _guard) = Log::capture();
    let site = Plan::deployed().start().await;
    let (mut client, _) = Client::login(&site.address, "rig").await;
    client.send_bytes(&overlong(true)).await;
    is_told(&client.rest().await, "longer than 16384 bytes");
    log.says(&["rig.down", "longer than 16384 bytes", "limit=\"line_bytes\""]).await;
    site.close().await;
}
