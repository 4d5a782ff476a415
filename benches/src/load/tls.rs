//! TLS of the bench's rigs: full handshakes with whoever answers, since what is measured is the proxy.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// One rig's session.
#[derive(Debug)]
pub(super) struct Tls(RefCell<ClientConnection>);

impl Tls {
    /// A session that has said nothing yet.
    pub(super) fn new(config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let session = ClientConnection::new(Arc::clone(config), name);
        session.map(|session| Self(RefCell::new(session))).map_err(io::Error::other)
    }

    /// Takes what the other side sent; gives what that says.
    pub(super) fn open(&self, mut sealed: &[u8], mut heard: impl FnMut(&[u8])) -> io::Result<()> {
        let mut session = self.0.borrow_mut();
        let mut plain = [0; 4096];
        while !sealed.is_empty() {
            session.read_tls(&mut sealed)?;
            session.process_new_packets().map_err(io::Error::other)?;
            loop {
                match session.reader().read(&mut plain) {
                    Ok(0) => break,
                    Ok(count) => heard(&plain[..count]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Seals what is to be said, and sends as much as the connection takes; gives whether that was
    /// all. What cannot be sealed yet stays in `unsent`.
    pub(super) fn send(&self, unsent: &mut Vec<u8>, connection: &mut impl Write) -> bool {
        let mut session = self.0.borrow_mut();
        loop {
            let sealed = session.writer().write(unsent).unwrap_or(0);
            unsent.drain(..sealed);
            if !session.wants_write() {
                return unsent.is_empty();
            }
            match session.write_tls(connection) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // The reading side finds it.
                Err(_) => return true,
            }
        }
    }

    /// Whether there is something to be sent, a part of the handshake perhaps.
    pub(super) fn has_unsent(&self) -> bool {
        self.0.borrow().wants_write()
    }
}

/// What all rigs' sessions have in common.
pub(super) fn config() -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().expect("ring has their ciphers");
    let anyone = Arc::new(Anyone(provider));
    let builder = builder.dangerous().with_custom_certificate_verifier(anyone);
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Believes anyone: this is a load on loopback.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
