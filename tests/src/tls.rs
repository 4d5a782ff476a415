//! TLS before a pool that has none, and before rigs that have none.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use orepass::config::FrontConfig;
use orepass::net::connect::{Connector, PoolConnection, Reach, Tcp};
use orepass::net::front::{Front, Greeted};
use orepass::net::socks::SocksProxy;
use orepass::net::tls::client::PoolTrust;
use orepass::net::tls::fingerprint::CertificateFingerprint;
use orepass::net::tls::server::CertificateSource;
use tokio::io::{AsyncRead, AsyncWrite, copy, split};
use tokio::net::{TcpListener, TcpStream};

/// A certificate that is made up, in a folder that goes with this.
pub struct OwnCertificate {
    folder: PathBuf,
    /// What it is known by.
    pub fingerprint: CertificateFingerprint,
    /// What listeners expect that show it.
    pub front: FrontConfig,
}

impl OwnCertificate {
    /// Makes one.
    #[must_use]
    pub fn make(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("orepass-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let certificate = CertificateSource::Own(Some(folder.clone()));
        let front = FrontConfig { certificate, ..FrontConfig::default() };
        drop(Front::new(&front, true));
        let fingerprint = front.certificate.look().unwrap().unwrap().fingerprint;
        Self { folder, fingerprint, front }
    }

    /// Where it is, with its key.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("orepass-tls.pem")
    }

    /// Trust in it alone.
    #[must_use]
    pub fn trust(&self) -> PoolTrust {
        PoolTrust::new(None, Some(self.fingerprint), None)
    }

    /// How a pool that shows it is reached, perhaps by way of a proxy.
    #[must_use]
    pub fn reach(&self, proxy: Option<SocksProxy>) -> Reach {
        Reach { trust: self.trust(), proxy }
    }

    /// Listens with TLS, and passes what comes on to `target`, which has none.
    pub async fn before(&self, target: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let front = Arc::new(Front::new(&self.front, true));
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let front = Arc::clone(&front);
                tokio::spawn(async move {
                    let Ok(Greeted { wire, .. }) = front.greet(stream, peer, true).await else {
                        return;
                    };
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    join(split(wire), split(far)).await;
                });
            }
        });
        address
    }
}

impl Drop for OwnCertificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Listens without TLS, and passes what comes on to `target` with it.
pub async fn to(target: String, reach: Reach) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (url, reach) = (format!("stratum+ssl://{target}").parse().unwrap(), reach.clone());
            tokio::spawn(async move {
                let Ok(far) = Tcp.connect(&url, &reach).await else { return };
                let PoolConnection { reader, writer, .. } = far;
                join(split(stream), (reader, writer)).await;
            });
        }
    });
    address
}

/// Passes both ways until one side ends.
async fn join<R1, W1, R2, W2>(
    (mut near_in, mut near_out): (R1, W1),
    (mut far_in, mut far_out): (R2, W2),
) where
    R1: AsyncRead + Unpin,
    W1: AsyncWrite + Unpin,
    R2: AsyncRead + Unpin,
    W2: AsyncWrite + Unpin,
{
    tokio::select! {
        _ = copy(&mut near_in, &mut far_out) => {}
        _ = copy(&mut far_in, &mut near_out) => {}
    }
}
