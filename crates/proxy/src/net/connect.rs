//! Connections to pools.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use orepass_stratum::time::Instant;
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::race::{Failure, Race};
use super::socks::{SocksError, SocksProxy};
use super::tls::client::{PoolTrust, TlsError};
use super::tls::facts::TlsFacts;
use crate::clock::{now, on_runtime};
use crate::config::PoolUrl;

/// How long making a connection may take: the look-up of the name, all addresses, what a proxy takes
/// and the TLS handshake together.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// When an idle peer is asked whether it still lives, and how often until it is given up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// A stream's reading half.
pub type PoolReader = Box<dyn AsyncRead + Send + Unpin>;
/// A stream's writing half.
pub type PoolWriter = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection to a pool.
pub struct PoolConnection {
    /// What the pool says.
    pub reader: PoolReader,
    /// What is said to it.
    pub writer: PoolWriter,
    /// Which of its addresses answered; the proxy's, where one is used.
    pub peer: SocketAddr,
    /// What is known of its TLS; none on a plain connection.
    pub tls: Option<Box<TlsFacts>>,
}

impl PoolConnection {
    /// A plain connection.
    #[must_use]
    pub fn new(reader: PoolReader, writer: PoolWriter, peer: SocketAddr) -> Self {
        Self { reader, writer, peer, tls: None }
    }
}

/// How a pool is reached, beside its URL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reach {
    /// Whom to believe that it is the pool, over TLS.
    pub trust: PoolTrust,
    /// By way of whom.
    pub proxy: Option<SocksProxy>,
}

/// Makes connections to pools.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Connects within [`CONNECT_WITHIN`], with TLS where the URL says so. A name is looked up anew
    /// each time.
    ///
    /// # Errors
    /// [`ConnectError`], which names what was tried.
    async fn connect(&self, pool: &PoolUrl, reach: &Reach) -> Result<PoolConnection, ConnectError>;
}

/// Why there is no connection to a pool.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name of the pool or of the proxy could not be looked up.
    #[error("cannot resolve {host}: {error}; check the host in `{key}` and this machine's DNS")]
    Resolve {
        /// The config's key that has it.
        key: &'static str,
        /// The name.
        host: Box<str>,
        /// What the system says.
        error: io::Error,
    },
    /// The look-up took too long.
    #[error("cannot resolve {host}: no answer within {CONNECT_WITHIN:?}; check this machine's DNS")]
    ResolveTimeout {
        /// The name.
        host: Box<str>,
    },
    /// None of its addresses could be connected to.
    #[error("{authority}: {}", listed(.failures))]
    Unreachable {
        /// The host as configured, and the port.
        authority: Box<str>,
        /// The addresses that were tried; none where the name stands for none.
        failures: Vec<Failure>,
    },
    /// The proxy does not take us there.
    #[error("proxy {proxy}: {}", said(.error.as_ref(), SILENT))]
    Proxy {
        /// Which one.
        proxy: Box<str>,
        /// What it says; `None` where it said nothing in time.
        error: Option<SocksError>,
    },
    /// The connection is there, and TLS is not.
    #[error("{}", said(.0.as_ref(), NO_HANDSHAKE))]
    Tls(Option<TlsError>),
    /// What another kind of connector says.
    #[error(transparent)]
    Other(#[from] io::Error),
}

/// What is said of who says nothing.
const SILENT: &str = "no answer in time";
const NO_HANDSHAKE: &str = "the server said nothing in the TLS handshake; is this its plain port? \
     Then the URL starts with stratum+tcp://";

fn said(error: Option<&impl ToString>, silent: &str) -> String {
    error.map_or_else(|| silent.to_owned(), ToString::to_string)
}

impl ConnectError {
    /// Of what kind it is; that of the first address where there were several.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Resolve { error, .. } | Self::Other(error) => error.kind(),
            Self::ResolveTimeout { .. } | Self::Proxy { error: None, .. } | Self::Tls(None) => {
                io::ErrorKind::TimedOut
            }
            Self::Proxy { .. } => io::ErrorKind::ConnectionRefused,
            Self::Tls(Some(_)) => io::ErrorKind::InvalidData,
            Self::Unreachable { failures, .. } => {
                let first = failures.first().map(|failure| failure.error.as_ref());
                first.map_or(io::ErrorKind::NotFound, |error| {
                    error.map_or(io::ErrorKind::TimedOut, io::Error::kind)
                })
            }
        }
    }
}

/// TCP, with TLS where the URL says so, and by way of a proxy where there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

#[async_trait]
impl Connector for Tcp {
    async fn connect(&self, pool: &PoolUrl, reach: &Reach) -> Result<PoolConnection, ConnectError> {
        let until = now() + CONNECT_WITHIN;
        let Reach { trust, proxy } = reach;
        let (stream, peer) = match proxy {
            None => reached("url", pool.host(), pool.port(), pool.authority(), until).await?,
            Some(proxy) => {
                let authority = format!("proxy {proxy}");
                let reached = reached("proxy", proxy.host(), proxy.port(), authority, until);
                let (stream, peer) = reached.await?;
                let asked = tokio::time::timeout_at(on_runtime(until), proxy.ask(pool, stream));
                let failed = |error| ConnectError::Proxy { proxy: proxy.to_string().into(), error };
                let stream = asked.await.map_err(|_| failed(None))?;
                (stream.map_err(|error| failed(Some(error)))?, peer)
            }
        };
        if !pool.is_tls() {
            let (reader, writer) = stream.into_split();
            return Ok(PoolConnection::new(Box::new(reader), Box::new(writer), peer));
        }
        let handshake = tokio::time::timeout_at(on_runtime(until), trust.connect(pool, stream));
        let handshake = handshake.await.map_err(|_| ConnectError::Tls(None))?;
        let (stream, facts) = handshake.map_err(|error| ConnectError::Tls(Some(error)))?;
        let (reader, writer) = tokio::io::split(stream);
        let tls = facts.map(Box::new);
        Ok(PoolConnection { reader: Box::new(reader), writer: Box::new(writer), peer, tls })
    }
}

/// A connection to a host, which is looked up first; the config's key has its name.
async fn reached(
    key: &'static str,
    host: &str,
    port: u16,
    authority: String,
    until: Instant,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let looked_up = tokio::net::lookup_host((host, port));
    let addresses = tokio::time::timeout_at(on_runtime(until), looked_up)
        .await
        .map_err(|_| ConnectError::ResolveTimeout { host: host.into() })?
        .map_err(|error| ConnectError::Resolve { key, host: host.into(), error })?;
    let (stream, peer) = first_of(addresses, until)
        .await
        .map_err(|failures| ConnectError::Unreachable { authority: authority.into(), failures })?;
    tune(&SockRef::from(&stream));
    Ok((stream, peer))
}

/// The first of the addresses that answers; the attempts that are left are given up.
async fn first_of(
    addresses: impl Iterator<Item = SocketAddr>,
    until: Instant,
) -> Result<(TcpStream, SocketAddr), Vec<Failure>> {
    let mut race = Race::new(addresses, now(), until);
    let mut attempts = JoinSet::new();
    loop {
        while let Some(address) = race.poll_start(now()) {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let Some(wake) = race.poll_timeout(now()) else { return Err(race.into_failures()) };
        tokio::select! {
            Some(Ok((address, connected))) = attempts.join_next() => match connected {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => race.handle_failed(address, error, now()),
            },
            () = tokio::time::sleep_until(on_runtime(wake)) => {}
        }
    }
}

/// `ADDRESS: why` for each; without the address where there is one alone, as it stands in the URL.
fn listed(failures: &[Failure]) -> String {
    let mut text = String::new();
    for (index, Failure { address, error }) in failures.iter().enumerate() {
        if index > 0 {
            text.push_str("; ");
        }
        if failures.len() > 1 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}: ", address.ip());
        }
        match error {
            Some(error) => text.push_str(&error.to_string()),
            None => text.push_str(SILENT),
        }
    }
    if failures.is_empty() {
        text.push_str("the name stands for no address");
    }
    text
}

/// Sets what every stratum socket should have: no delay of small lines, and keepalive, so that a
/// peer that vanished is noticed.
pub fn tune(socket: &SockRef<'_>) {
    let (idle, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval);
    let keepalive = keepalive.with_retries(retries);
    // A socket that refuses these still works.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_address_that_listens_is_found_behind_those_that_do_not() {
        let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let all = [1, 2, 3, 4].map(|last| SocketAddr::from(([127, 0, 0, last], port)));
        let (stream, peer) = first_of(all.into_iter(), now() + CONNECT_WITHIN).await.unwrap();
        assert_eq!((peer, stream.peer_addr().unwrap()), (all[2], all[2]));

        let dead = all.into_iter().filter(|address| *address != all[2]);
        let failures = first_of(dead, now() + CONNECT_WITHIN).await.unwrap_err();
        let authority = "pool.example:3008".into();
        let error = ConnectError::Unreachable { authority, failures };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            error.to_string(),
            "pool.example:3008: 127.0.0.1: Connection refused (os error 111); 127.0.0.2: \
             Connection refused (os error 111); 127.0.0.4: Connection refused (os error 111)"
        );
    }

    #[tokio::test]
    async fn a_name_that_stands_for_nothing_is_looked_for_in_its_key() {
        let pool = "stratum+tcp://pool.invalid:3008".parse().unwrap();
        let proxy = "socks5://proxy.invalid:1080".parse().ok();
        for (reach, what) in [
            (Reach::default(), "cannot resolve pool.invalid: "),
            (Reach { proxy, ..Reach::default() }, "cannot resolve proxy.invalid: "),
        ] {
            let key = if reach.proxy.is_some() { "`proxy`" } else { "`url`" };
            let error = Tcp.connect(&pool, &reach).await.err().unwrap().to_string();
            assert!(error.starts_with(what), "{error}");
            assert!(error.contains(key) || error.contains("no answer within"), "{error}");
        }
    }

    #[test]
    fn an_error_about_one_address_names_it_once() {
        let failure = |error| Failure { address: "192.0.2.1:3008".parse().unwrap(), error };
        let unreachable =
            |failures| ConnectError::Unreachable { authority: "192.0.2.1:3008".into(), failures };
        let silent = unreachable(vec![failure(None)]);
        assert_eq!(silent.to_string(), "192.0.2.1:3008: no answer in time");
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        let none = unreachable(vec![]).to_string();
        assert_eq!(none, "192.0.2.1:3008: the name stands for no address");
    }
}
