//! TLS for rigs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_stratum::time::Instant;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::client::read_small;
use super::facts::CertificateFacts;
use super::fingerprint::CertificateFingerprint;
use super::own_certificate::{self, OwnCertificateError};
use super::provider;
use crate::clock::now;
use crate::net::wire::TlsWire;

/// How often the files are looked at, while rigs come.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The longest file of a certificate or key.
const MAX_FILE: u64 = 256 * 1024;
/// How much may wait in a session for its rig, besides what the system holds.
const MAX_UNSENT: usize = 16 * 1024;

/// Where the certificate of a route's listeners comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// From the operator.
    Files {
        /// PEM, the route's own certificate first.
        certificate: PathBuf,
        /// PEM.
        key: PathBuf,
    },
    /// We make it, and keep it in this folder; for the one run where there is none.
    Own(Option<PathBuf>),
}

impl Default for CertificateSource {
    fn default() -> Self {
        Self::Own(None)
    }
}

/// The TLS of a route's listeners.
#[derive(Debug)]
pub struct ServerTls {
    source: CertificateSource,
    config: Arc<ServerConfig>,
    present: Arc<Present>,
    seen: Mutex<SeenFiles>,
}

/// The certificate that is shown to those who come.
#[derive(Debug, Default)]
struct Present(Mutex<Option<Arc<CertifiedKey>>>);

impl ResolvesServerCert for Present {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        lock(&self.0).clone()
    }
}

/// What the files were like when they were last looked at.
#[derive(Debug)]
struct SeenFiles {
    looked: Instant,
    pem: Option<Pem>,
    /// What was wrong then, and was said.
    said: Option<String>,
}

/// The text of a certificate and its key.
#[derive(PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads the certificate, or makes one. If that fails, it is said in the log, those who come are
    /// refused, and it is tried again every minute.
    #[must_use]
    pub fn start(source: CertificateSource) -> Arc<Self> {
        let present = Arc::new(Present::default());
        let tls = Self {
            config: server_config(Arc::clone(&present) as _),
            present,
            seen: Mutex::new(SeenFiles { looked: now(), pem: None, said: None }),
            source,
        };
        tls.read_again();
        Arc::new(tls)
    }

    /// Reads the certificate again, and shows it to those who come from now on, if it has changed and
    /// is good. Blocks while it reads.
    pub fn read_again(&self) {
        let mut seen = lock(&self.seen);
        seen.looked = now();
        if self.source == CertificateSource::Own(None) && seen.pem.is_some() {
            return;
        }
        let read = self.source.read().and_then(|pem| {
            let key = (seen.pem.as_ref() != Some(&pem)).then(|| pem.parse(&self.source));
            Ok((pem, key.transpose()?))
        });
        match read {
            Ok((_, None)) => seen.said = None,
            Ok((pem, Some(key))) => {
                let fingerprint = key.cert.first().map(CertificateFingerprint::of);
                info!(
                    event = "tls.certificate", certificate = %self.source.path().display(),
                    fingerprint = fingerprint.map(tracing::field::display),
                    "rigs are shown the certificate {}", self.source.called()
                );
                *lock(&self.present.0) = Some(Arc::new(key));
                (seen.pem, seen.said) = (Some(pem), None);
            }
            Err(error) => {
                let error = error.to_string();
                if seen.said.as_ref() != Some(&error) {
                    let until_then = match seen.pem {
                        Some(_) => "the former one is shown until it is",
                        None => "rigs that come by TLS are refused until it is",
                    };
                    warn!(
                        event = "tls.certificate_unusable",
                        "{error}; {until_then}, which is looked for every {LOOK_EVERY:?}"
                    );
                    seen.said = Some(error);
                }
            }
        }
    }

    /// The certificate that those who come are shown.
    ///
    /// # Errors
    /// In words, why there is none.
    pub fn certificate(&self) -> Result<CertificateFacts, String> {
        let present = lock(&self.present.0).clone();
        let facts = present.and_then(|key| key.cert.first().map(CertificateFacts::of));
        facts.ok_or_else(|| lock(&self.seen).said.clone().unwrap_or_default())
    }

    /// Does a handshake as the server of a rig.
    ///
    /// # Errors
    /// What went wrong with it.
    pub(in crate::net) async fn accept(self: &Arc<Self>, stream: TcpStream) -> io::Result<TlsWire> {
        if lock(&self.seen).is_due() {
            let tls = Arc::clone(self);
            let _ = tokio::task::spawn_blocking(move || tls.read_again()).await;
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let limited = |session: &mut rustls::ServerConnection| {
            session.set_buffer_limit(Some(MAX_UNSENT));
        };
        acceptor.accept_with(stream.into(), limited).await.map(TlsWire::new)
    }
}

impl SeenFiles {
    /// Whether the files are to be looked at; the first who asks is to do it.
    fn is_due(&mut self) -> bool {
        let at = now();
        let due = at.saturating_duration_since(self.looked) >= LOOK_EVERY;
        if due {
            self.looked = at;
        }
        due
    }
}

fn server_config(certificate: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder
        .with_safe_default_protocol_versions()
        .expect("the provider has ciphers for both versions of TLS");
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificate);
    // A farm that comes back all at once comes by tickets, which cost less than handshakes. One is
    // enough: a rig has one connection.
    config.send_tls13_tickets = 1;
    if let Ok(tickets) = rustls::crypto::ring::Ticketer::new() {
        config.ticketer = tickets;
    }
    Arc::new(config)
}

impl CertificateSource {
    /// Whether the certificate can be used, as far as there is one yet. Blocks while it reads.
    ///
    /// # Errors
    /// [`ServerTlsError`].
    pub fn check(&self) -> Result<(), ServerTlsError> {
        self.look().map(drop)
    }

    /// What the certificate is like, if there is one yet. Blocks while it reads.
    ///
    /// # Errors
    /// [`ServerTlsError`].
    pub fn look(&self) -> Result<Option<CertificateFacts>, ServerTlsError> {
        let is_made = match self {
            Self::Files { .. } => true,
            Self::Own(folder) => {
                folder.as_deref().is_some_and(|folder| own_certificate::file_in(folder).exists())
            }
        };
        let key = is_made.then(|| self.read()?.parse(self)).transpose()?;
        Ok(key.and_then(|key| key.cert.first().map(CertificateFacts::of)))
    }

    fn read(&self) -> Result<Pem, ServerTlsError> {
        let file = |path: &Path| {
            let wrong = |error| ServerTlsError::Read { path: path.to_owned(), error };
            read_small(path, MAX_FILE).map_err(wrong)
        };
        match self {
            Self::Files { certificate, key } => {
                Ok(Pem { certificate: file(certificate)?, key: file(key)? })
            }
            Self::Own(Some(folder)) => {
                let path = own_certificate::file_in(folder);
                own_certificate::keep(&path)?;
                let both = file(&path)?;
                Ok(Pem { certificate: both.clone(), key: both })
            }
            Self::Own(None) => {
                let both = own_certificate::make().map_err(OwnCertificateError::from)?;
                let both = both.into_bytes();
                Ok(Pem { certificate: both.clone(), key: both })
            }
        }
    }

    /// Where the certificate is; nowhere if it is not kept.
    fn path(&self) -> PathBuf {
        match self {
            Self::Files { certificate, .. } => certificate.clone(),
            Self::Own(Some(folder)) => own_certificate::file_in(folder),
            Self::Own(None) => PathBuf::new(),
        }
    }

    fn key_path(&self) -> PathBuf {
        match self {
            Self::Files { key, .. } => key.clone(),
            Self::Own(_) => self.path(),
        }
    }

    const fn called(&self) -> &'static str {
        match self {
            Self::Files { .. } => "that is configured",
            Self::Own(Some(_)) => "that we made ourselves: tell them its fingerprint",
            Self::Own(None) => {
                "that we made ourselves for this run: to keep it, name a `file` in [state]"
            }
        }
    }
}

impl Pem {
    fn parse(&self, source: &CertificateSource) -> Result<CertifiedKey, ServerTlsError> {
        let chain =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| ServerTlsError::NoCertificate(source.path()))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key);
        let key = key.map_err(|_| ServerTlsError::NoKey(source.key_path()))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                ServerTlsError::Mismatch { certificate: source.path(), key: source.key_path() }
            }
            error => ServerTlsError::Unusable { path: source.path(), error },
        })
    }
}

/// Why a route has no certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerTlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no certificate in the file.
    #[error("{} has no certificate in it (`-----BEGIN CERTIFICATE-----`)", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in the file.
    #[error("{} has no private key without a passphrase in it (`-----BEGIN PRIVATE KEY-----`)", .0.display())]
    NoKey(PathBuf),
    /// They do not belong together.
    #[error(
        "the key in {} is not that of the first certificate in {}", key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// It is of a kind that is not known.
    #[error("cannot use the certificate in {}: {error}", path.display())]
    Unusable {
        /// Its file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// There is none of our own.
    #[error(transparent)]
    Own(#[from] OwnCertificateError),
}

/// What is locked is whole whenever it is free, also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
