//! TLS to pools.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::info;

use super::facts::TlsFacts;
use super::fingerprint::CertificateFingerprint;
use super::provider;
pub use super::verifier::CertificateRefused;
use super::verifier::Verifier;
use crate::config::PoolUrl;

/// The longest file of certificates; all that the world trusts together are a third of it.
const MAX_CA_FILE: u64 = 1024 * 1024;

/// Whom to believe that it is the pool. Clones share what is worked out of it.
#[derive(Debug, Clone, Default)]
pub struct PoolTrust {
    /// By whom the pool's certificate must be signed; the system's authorities when absent.
    pub ca: Option<Authorities>,
    /// The pool's certificate; nothing else is asked of it then.
    pub pin: Option<CertificateFingerprint>,
    /// The name that is asked for, and that the certificate must be for; the URL's host when absent.
    pub server_name: Option<TlsName>,
    /// Made at the first connection, and kept for the tickets that shorten the next ones.
    client: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl PartialEq for PoolTrust {
    fn eq(&self, other: &Self) -> bool {
        (&self.ca, &self.pin, &self.server_name) == (&other.ca, &other.pin, &other.server_name)
    }
}

impl PoolTrust {
    /// Trust in what is configured.
    #[must_use]
    pub fn new(
        ca: Option<Authorities>,
        pin: Option<CertificateFingerprint>,
        server_name: Option<TlsName>,
    ) -> Self {
        Self { ca, pin, server_name, client: Arc::default() }
    }

    /// Whether anything is configured that means nothing without TLS.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.ca.is_some() || self.pin.is_some() || self.server_name.is_some()
    }

    /// Does a handshake as the client of a pool.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(in crate::net) async fn connect(
        &self,
        pool: &PoolUrl,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<TlsFacts>), TlsError> {
        let name = match &self.server_name {
            Some(name) => name.0.clone(),
            None => pool.host().parse::<TlsName>().map_err(|_| TlsError::Name)?.0,
        };
        let connector = TlsConnector::from(self.client().await?);
        let stream = connector.connect(name, stream).await.map_err(TlsError::of)?;
        let facts = TlsFacts::of(stream.get_ref().1);
        Ok((stream, facts))
    }

    /// The client's side of all handshakes.
    pub(crate) async fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(client) = self.client.get() {
            return Ok(Arc::clone(client));
        }
        let trust = self.clone();
        // The system's authorities are read from files.
        let made = tokio::task::spawn_blocking(move || trust.make_client()).await;
        let made = made.map_err(io::Error::from)??;
        Ok(Arc::clone(self.client.get_or_init(|| made)))
    }

    /// Reads what is to be believed, which blocks.
    pub(crate) fn make_client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let verifier = match (&self.pin, &self.ca) {
            (Some(pin), _) => Verifier::Pin(*pin, provider().signature_verification_algorithms),
            (None, Some(ca)) => with_roots(ca.roots(), "those in `ca_file`")?,
            (None, None) => {
                let (roots, called) = system_roots();
                with_roots(roots, called)?
            }
        };
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        // What is called dangerous is a verifier of one's own. Ours only ever asks for more than the
        // chain, or for the one certificate.
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Arc::new(builder.with_no_client_auth()))
    }
}

fn with_roots(roots: RootCertStore, called: &'static str) -> Result<Verifier, TlsError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
    Ok(Verifier::Roots(verifier, called))
}

/// The authorities that the system believes; those that browsers believe where it has none, as in a
/// bare container.
fn system_roots() -> (RootCertStore, &'static str) {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system_certificates());
    if !roots.is_empty() {
        return (roots, "this machine's authorities");
    }
    info!(
        event = "tls.bundled_roots",
        "this machine has no certificates of authorities (Debian: ca-certificates): using those \
         that came with orepass"
    );
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    (roots, "the authorities that came with orepass")
}

/// The certificates of the authorities that the system believes; none in a bare container.
pub(crate) fn system_certificates() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// A file of certificates of authorities, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    path: PathBuf,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl Authorities {
    /// Reads a PEM file. Blocks while it does.
    ///
    /// # Errors
    /// [`AuthoritiesError`], which names it.
    pub fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        let wrong = |what: String| AuthoritiesError { path: path.to_owned(), what };
        let text = read_small(path, MAX_CA_FILE).map_err(|error| wrong(error.to_string()))?;
        let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| wrong(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            let none = "there is no certificate in it (`-----BEGIN CERTIFICATE-----`)";
            return Err(wrong(none.to_owned()));
        }
        Ok(Self { path: path.to_owned(), certificates: certificates.into() })
    }

    /// Where they were read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The certificates.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates.iter().cloned());
        roots
    }
}

/// A file that is no larger than it may be.
pub(super) fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} bytes")));
    }
    Ok(bytes)
}

/// Why a file gives no authorities.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot use {}: {what}", .path.display())]
pub struct AuthoritiesError {
    path: PathBuf,
    what: String,
}

/// A name, or an address, that a certificate can be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsName(ServerName<'static>);

impl fmt::Display for TlsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_str())
    }
}

impl FromStr for TlsName {
    type Err = TlsNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse::<IpAddr>().ok().map(ServerName::from);
        // The root's dot is for resolvers; no certificate has it.
        let name = || ServerName::try_from(text.trim_end_matches('.').to_owned());
        address.map_or_else(name, Ok).map(Self).map_err(|_| TlsNameError)
    }
}

/// Why a text is no name of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a host's name as its certificate has it, such as \"pool.example\"")]
pub struct TlsNameError;

/// Why there is no TLS with a pool.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Its certificate is not taken.
    #[error("{0}")]
    CertificateRefused(CertificateRefused),
    /// No certificate can be for the host.
    #[error("no certificate can be for that host; configure `server_name`")]
    Name,
    /// Something else came than TLS.
    #[error(
        "expected TLS, and the server speaks something else: is this its plain port? Then the URL \
         starts with stratum+tcp://"
    )]
    NotTls,
    /// It hung up.
    #[error(
        "the server closed the connection in the TLS handshake; is this its plain port? Then the \
         URL starts with stratum+tcp://"
    )]
    HungUp,
    /// It says no.
    #[error("the server refused TLS: {0:?}{rest}", rest = remedy(*.0))]
    Alert(AlertDescription),
    /// Anything else that is wrong with its TLS.
    #[error("TLS failed: {0}")]
    Protocol(#[from] rustls::Error),
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl TlsError {
    fn of(error: io::Error) -> Self {
        use io::ErrorKind::{ConnectionReset, UnexpectedEof};
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(tls) => match (CertificateRefused::found_in(tls), tls) {
                (Some(refused), _) => Self::CertificateRefused(refused),
                (None, rustls::Error::InvalidMessage(_)) => Self::NotTls,
                (None, rustls::Error::AlertReceived(alert)) => Self::Alert(*alert),
                (None, other) => Self::Protocol(other.clone()),
            },
            None if matches!(error.kind(), UnexpectedEof | ConnectionReset) => Self::HungUp,
            None => Self::Io(error),
        }
    }
}

const fn remedy(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnrecognisedName => {
            "; it does not know that name: configure `server_name`"
        }
        AlertDescription::ProtocolVersion => "; it has no TLS newer than 1.1, which is broken",
        AlertDescription::HandshakeFailure => {
            "; it has no cipher in common with us, or wants another `server_name`"
        }
        _ => "",
    }
}
