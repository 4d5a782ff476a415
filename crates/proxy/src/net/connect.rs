//! Connections to pools.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::PoolUrl;

/// How long making a connection may take, all addresses together.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// When an idle peer is asked whether it still lives, and how often until it is given up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// A stream's reading half.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// A stream's writing half.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Makes connections to pools.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Connects within [`CONNECT_WITHIN`].
    ///
    /// # Errors
    /// What the system says.
    async fn connect(&self, pool: &PoolUrl) -> io::Result<(Reader, Writer)>;
}

/// Plain TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

#[async_trait]
impl Connector for Tcp {
    async fn connect(&self, pool: &PoolUrl) -> io::Result<(Reader, Writer)> {
        let connecting = TcpStream::connect((pool.host(), pool.port()));
        let stream = tokio::time::timeout(CONNECT_WITHIN, connecting).await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no connection to {} within {CONNECT_WITHIN:?}", pool.authority()),
            )
        })?;
        let stream = stream.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", pool.authority()))
        })?;
        tune(&stream);
        let (reader, writer) = stream.into_split();
        Ok((Box::new(reader), Box::new(writer)))
    }
}

/// Sets what every stratum socket should have: no delay of small lines, and keepalive, so that a
/// peer that vanished is noticed.
pub fn tune(stream: &TcpStream) {
    let (idle, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval);
    let keepalive = keepalive.with_retries(retries);
    // A socket that refuses these still works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
