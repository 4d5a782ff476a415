//! Greetings over real sockets, on a clock that stands still while anything goes on.

use tokio::net::TcpListener;

use super::*;
use crate::net::tls::server::CertificateSource;

fn front(proxy_protocol: ProxyProtocol, headers: u8, from: &[&str]) -> Front {
    let config = FrontConfig {
        proxy_protocol,
        proxy_from: from.iter().map(|network| network.parse().unwrap()).collect(),
        proxy_headers: headers,
        certificate: CertificateSource::default(),
    };
    Front::new(&config, false)
}

const HOME: &str = "127.0.0.1/32";

/// The two ends of a connection.
async fn pair() -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    (client, server, peer)
}

/// What comes of bytes that a client sends at once: where it is, and what is left to be read.
async fn greeted(front: &Front, bytes: &[u8]) -> Result<(SocketAddr, Vec<u8>), GreetError> {
    let (mut client, server, peer) = pair().await;
    client.write_all(bytes).await.unwrap();
    let mut greeted = front.greet(server, peer, false).await?;
    client.shutdown().await.unwrap();
    let mut rest = Vec::new();
    greeted.wire.read_to_end(&mut rest).await.unwrap();
    Ok((greeted.peer, rest))
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn nothing_beyond_the_headers_is_taken() {
    let header = "PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n";
    for (protocol, bytes) in [
        (ProxyProtocol::Required, format!("{header}{{}}\n")),
        (ProxyProtocol::Optional, "{}\n".into()),
    ] {
        let front = front(protocol, 8, &[HOME]);
        let (peer, rest) = greeted(&front, bytes.as_bytes()).await.unwrap();
        assert_eq!(rest, b"{}\n");
        assert_eq!(peer == at("192.0.2.7:1"), protocol == ProxyProtocol::Required);
    }
}

#[tokio::test]
async fn headers_in_a_row_are_believed_as_long_as_balancers_speak() {
    let outer = "PROXY TCP4 10.0.0.5 127.0.0.1 1 2\r\n";
    let inner = "PROXY TCP4 192.0.2.7 10.0.0.5 3 4\r\n";
    let both = format!("{outer}{inner}{{}}\n");
    let known: &[&str] = &[HOME, "10.0.0.0/8"];
    for (headers, from, peer, rest) in [
        (2, known, "192.0.2.7:3", "{}\n".to_owned()),
        // What follows the last one is the rig's, whatever it claims.
        (1, known, "10.0.0.5:1", format!("{inner}{{}}\n")),
        (2, &[HOME], "10.0.0.5:1", format!("{inner}{{}}\n")),
    ] {
        let front = front(ProxyProtocol::Required, headers, from);
        assert_eq!(greeted(&front, both.as_bytes()).await.unwrap(), (at(peer), rest.into_bytes()));
    }
    let unknown = format!("PROXY UNKNOWN\r\n{inner}{{}}\n");
    let front = front(ProxyProtocol::Required, 2, known);
    let (peer, _) = greeted(&front, unknown.as_bytes()).await.unwrap();
    assert_eq!(peer, at("192.0.2.7:3"), "who says that it does not know is asked for the next");
}

#[tokio::test]
async fn a_health_check_is_no_rig() {
    let front = front(ProxyProtocol::Required, 1, &[HOME]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    assert!(matches!(greeted(&front, local).await, Err(GreetError::HealthCheck)));
    let (client, server, peer) = pair().await;
    drop(client);
    assert!(matches!(front.greet(server, peer, false).await, Err(GreetError::Left)));
    assert_eq!(front.health_checks(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_to_an_end_is_given_up() {
    let begun = tokio::time::Instant::now();
    let required = front(ProxyProtocol::Required, 1, &[HOME]);
    let (mut client, server, peer) = pair().await;
    client.write_all(b"PROXY TCP4 192.0.2.7").await.unwrap();
    assert!(matches!(required.greet(server, peer, false).await, Err(GreetError::NoHeader)));
    assert_eq!(begun.elapsed().as_secs(), HEADERS_WITHIN.as_secs());

    let begun = tokio::time::Instant::now();
    let (_client, server, peer) = pair().await;
    let tls = front(ProxyProtocol::Off, 1, &[]);
    assert!(matches!(tls.greet(server, peer, true).await, Err(GreetError::Slow)));
    assert_eq!(begun.elapsed().as_secs(), GREETED_WITHIN.as_secs());

    // Where a header is optional, silence is no header; how long a rig may be silent is the session's.
    let optional = front(ProxyProtocol::Optional, 1, &[HOME]);
    let (_client, server, peer) = pair().await;
    assert_eq!(optional.greet(server, peer, false).await.unwrap().peer, peer);
}

#[tokio::test]
async fn only_those_are_greeted_who_need_it() {
    let [home, away] = ["127.0.0.1", "192.0.2.1"].map(|text| text.parse().unwrap());
    let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
    let off = front(ProxyProtocol::Off, 1, &[HOME]);
    assert!(!off.greets(false, home) && off.greets(true, away));
    let optional = front(ProxyProtocol::Optional, 1, &[HOME]);
    assert!(optional.greets(false, home) && optional.greets(false, mapped));
    assert!(!optional.greets(false, away));
    let required = front(ProxyProtocol::Required, 1, &[HOME]);
    assert!(required.greets(false, home) && required.greets(false, away));
}
