//! Between a socket that was accepted and a rig: what comes before the first line of stratum, on
//! listeners where something does.
//!
//! A balancer's PROXY headers come first, and TLS after them. Nothing is read beyond either, so the
//! connection goes on as if it had come without.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use orepass_stratum::time::Instant;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::proxy_protocol::{HeaderError, HeaderReader, PeerClaim, may_start};
use super::tls::facts::CertificateFacts;
use super::tls::server::ServerTls;
use super::wire::Wire;
use crate::clock::{now, on_runtime};
use crate::config::{FrontConfig, ProxyProtocol};

/// How long the PROXY headers may take, from when the connection was accepted.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long all of it may take.
pub const GREETED_WITHIN: Duration = Duration::from_secs(10);
/// How many connections are greeted at a time; the next ones wait in the system's queue.
const MOST_AT_ONCE: usize = 1024;
/// How long a client that is in the wrong place may take to read that.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);
/// The first byte of a TLS hello.
const TLS_HELLO: u8 = 0x16;
/// What a plain client is told on a port that speaks TLS.
const SPEAKS_TLS: &[u8] =
    b"{\"id\":null,\"result\":null,\"error\":[20,\"this port speaks TLS: use \
    stratum+ssl:// here, or stratum+tcp:// and a plain port\",null]}\n";

/// What a route's listeners expect before stratum.
#[derive(Debug)]
pub struct Front {
    config: FrontConfig,
    tls: OnceLock<Arc<ServerTls>>,
    places: Arc<Semaphore>,
    health_checks: AtomicU64,
    /// Where greetings run: handshakes cost time that the rigs' workers have better uses for.
    runtime: Handle,
}

/// A connection after its greeting: the next that is read is stratum.
pub struct Greeted {
    /// The connection.
    pub wire: Box<dyn Wire>,
    /// Where the rig is, in its canonical form.
    pub peer: SocketAddr,
}

/// Why a connection is no rig's.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GreetError {
    /// It said nothing and closed, as those do who look whether we live.
    #[error("closed before a word")]
    Left,
    /// A balancer looks whether we live.
    #[error("a balancer's health check")]
    HealthCheck,
    /// It broke, or ended in the middle of something.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not come from a balancer that is believed.
    #[error(
        "expected a balancer with a PROXY header, one of `proxy_from`, and this address is none of \
         them; add it there, or set `proxy_protocol` to \"optional\""
    )]
    Stranger,
    /// The balancer's header is none.
    #[error("{0}; is the balancer set to send it (HAProxy: `send-proxy-v2`)?")]
    Header(#[from] HeaderError),
    /// The balancer's header does not come.
    #[error(
        "expected a PROXY header within {HEADERS_WITHIN:?}; is the balancer set to send it (HAProxy: \
         `send-proxy-v2`)?"
    )]
    NoHeader,
    /// Its first byte is not that of TLS.
    #[error(
        "expected TLS, found a plain client (its first byte is 0x{0:02x}); it has to use \
         stratum+ssl:// here, or a port without tls:// in `listen`"
    )]
    Plain(u8),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}{rest}", rest = remedy(.0))]
    Tls(io::Error),
    /// The TLS handshake does not end.
    #[error("the TLS handshake was not done within {GREETED_WITHIN:?}")]
    Slow,
}

fn remedy(error: &io::Error) -> &'static str {
    use rustls::AlertDescription::{BadCertificate, CertificateUnknown, UnknownCA};
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match error {
        Some(rustls::Error::AlertReceived(BadCertificate | CertificateUnknown | UnknownCA)) => {
            "; the client does not trust the certificate: give it one that it does \
             (`tls_certificate`), or tell it the one's fingerprint"
        }
        _ => "",
    }
}

impl Front {
    /// What listeners of this config expect, greeted on the runtime that calls. With `has_tls` the
    /// certificate is read at once, and otherwise when somebody comes to a listener that speaks TLS.
    #[must_use]
    pub fn new(config: &FrontConfig, has_tls: bool) -> Self {
        let tls = OnceLock::new();
        if has_tls {
            tls.get_or_init(|| ServerTls::start(config.certificate.clone()));
        }
        Self {
            tls,
            config: config.clone(),
            places: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            health_checks: AtomicU64::new(0),
            runtime: Handle::current(),
        }
    }

    /// Whether a connection from an address is to be [greeted](Self::greet), or may be a rig's as it
    /// is.
    #[must_use]
    pub fn greets(&self, tls: bool, peer: IpAddr) -> bool {
        tls || match self.config.proxy_protocol {
            ProxyProtocol::Off => false,
            ProxyProtocol::Optional => self.believes(peer.to_canonical()),
            ProxyProtocol::Required => true,
        }
    }

    /// Reads the certificate again, without waiting for the next minute. Blocks while it reads.
    pub fn read_again(&self) {
        if let Some(tls) = self.tls.get() {
            tls.read_again();
        }
    }

    /// The certificate that rigs are shown, or why there is none; nothing where nobody speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<Result<CertificateFacts, String>> {
        self.tls.get().map(|tls| tls.certificate())
    }

    /// Where greetings are to run.
    #[must_use]
    pub const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// A place to be greeted in, once there is one.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// How often a balancer has looked whether we live.
    #[must_use]
    pub fn health_checks(&self) -> u64 {
        self.health_checks.load(Ordering::Relaxed)
    }

    /// Takes what comes before stratum, within [`GREETED_WITHIN`].
    ///
    /// # Errors
    /// [`GreetError`].
    pub async fn greet(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        tls: bool,
    ) -> Result<Greeted, GreetError> {
        let begun = now();
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let peer = self.real_peer(&mut stream, peer, begun + HEADERS_WITHIN).await?;
        if !tls {
            return Ok(Greeted { wire: Box::new(stream), peer });
        }
        let server = self.tls.get_or_init(|| ServerTls::start(self.config.certificate.clone()));
        let until = begun + GREETED_WITHIN;
        match within(until, first_byte(&stream)).await.ok_or(GreetError::Slow)?? {
            None => return Err(GreetError::Left),
            Some(TLS_HELLO) => {}
            Some(first) => {
                say_farewell(stream, SPEAKS_TLS).await;
                return Err(GreetError::Plain(first));
            }
        }
        let accepted = within(until, server.accept(stream)).await.ok_or(GreetError::Slow)?;
        Ok(Greeted { wire: Box::new(accepted.map_err(GreetError::Tls)?), peer })
    }

    /// Where a rig is, by the headers of those who are believed: each is believed of whom it speaks
    /// for, and that one again if it is another balancer.
    async fn real_peer(
        &self,
        stream: &mut TcpStream,
        peer: SocketAddr,
        until: Instant,
    ) -> Result<SocketAddr, GreetError> {
        let (mut real, mut headers) = (peer, 0);
        if self.config.proxy_protocol == ProxyProtocol::Off {
            return Ok(real);
        }
        loop {
            let required = headers == 0 && self.config.proxy_protocol == ProxyProtocol::Required;
            if !self.believes(real.ip()) {
                return if required { Err(GreetError::Stranger) } else { Ok(real) };
            }
            if headers == self.config.proxy_headers {
                return Ok(real);
            }
            match within(until, first_byte(stream)).await.transpose()? {
                Some(None) => return Err(GreetError::Left),
                None if required => return Err(GreetError::NoHeader),
                Some(Some(first)) if may_start(first) || required => {}
                // It says something else, or nothing yet.
                Some(Some(_)) | None => return Ok(real),
            }
            match within(until, header(stream)).await.ok_or(GreetError::NoHeader)?? {
                PeerClaim::From(address) => real = address,
                PeerClaim::Unknown => {}
                PeerClaim::Local => {
                    self.health_checks.fetch_add(1, Ordering::Relaxed);
                    return Err(GreetError::HealthCheck);
                }
            }
            headers += 1;
        }
    }

    fn believes(&self, address: IpAddr) -> bool {
        self.config.proxy_from.iter().any(|network| network.contains(&address))
    }
}

/// What comes of something by a time; `None` when it is over.
async fn within<T>(until: Instant, what: impl Future<Output = T>) -> Option<T> {
    timeout_at(on_runtime(until), what).await.ok()
}

/// The first byte that is not taken yet; `None` at the end.
async fn first_byte(stream: &TcpStream) -> io::Result<Option<u8>> {
    let mut first = [0];
    Ok((stream.peek(&mut first).await? > 0).then_some(first[0]))
}

/// Takes a PROXY header, and not a byte more.
async fn header(stream: &mut TcpStream) -> Result<PeerClaim, GreetError> {
    let (mut reader, mut buffer) = (HeaderReader::default(), [0; 256]);
    loop {
        let peeked = stream.peek(&mut buffer).await?;
        if peeked == 0 {
            return Err(GreetError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let (taken, claim) = reader.handle(&buffer[..peeked])?;
        stream.read_exact(&mut buffer[..taken]).await?;
        if let Some(claim) = claim {
            return Ok(claim);
        }
    }
}

/// Says something to who has come to the wrong place, and closes. What it says meanwhile is taken, or
/// the system would throw our words away with it.
async fn say_farewell(mut stream: TcpStream, words: &[u8]) {
    const MOST: u64 = 64 * 1024;
    let said = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(MOST), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(FAREWELL_WITHIN, said).await;
}

#[cfg(test)]
mod tests;
