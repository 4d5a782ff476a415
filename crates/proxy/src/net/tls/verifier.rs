//! Whether a pool is who it should be, and how it is said that it is not.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use thiserror::Error;

use super::facts::CertificateFacts;
use super::fingerprint::CertificateFingerprint;

/// Why a server's certificate is not taken.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CertificateRefused {
    /// It is not the one that is configured.
    #[error(
        "expected the certificate {expected} (`pin_sha256`), found {} for {}; if the pool has \
         changed it, and tells so by another way, configure the new one", .found.fingerprint, .found.name()
    )]
    Pin {
        /// The configured one.
        expected: CertificateFingerprint,
        /// What came.
        found: Box<CertificateFacts>,
    },
    /// Nobody known has signed it.
    #[error(
        "the certificate for {} is of {}, who is not among {roots}; if it is the pool's, configure \
         `pin_sha256 = \"{}\"`, or its authority as `ca_file`",
        .found.name(), .found.issuer, .found.fingerprint
    )]
    Unknown {
        /// Who would have been known.
        roots: &'static str,
        /// What came.
        found: Box<CertificateFacts>,
    },
    /// It is somebody else's.
    #[error(
        "expected a certificate for {expected}, found one for {}; if that is the pool's, configure \
         `server_name`", .found.name()
    )]
    Name {
        /// Whose it should be.
        expected: String,
        /// What came.
        found: Box<CertificateFacts>,
    },
    /// It is too old.
    #[error(
        "the certificate for {} was good until {} only; check this machine's clock, or tell the pool",
        .found.name(), .found.until
    )]
    Expired {
        /// What came.
        found: Box<CertificateFacts>,
    },
    /// It is not good yet.
    #[error("the certificate for {} is not good yet; check this machine's clock", .found.name())]
    NotYet {
        /// What came.
        found: Box<CertificateFacts>,
    },
    /// Anything else.
    #[error("the certificate for {} is not good: {error}", .found.name())]
    Other {
        /// What is wrong with it.
        error: CertificateError,
        /// What came.
        found: Box<CertificateFacts>,
    },
}

impl CertificateRefused {
    /// What a failed handshake says of a certificate.
    pub(super) fn found_in(error: &Error) -> Option<Self> {
        let Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error else {
            return None;
        };
        error.downcast_ref::<Self>().cloned()
    }
}

/// Whom to believe.
#[derive(Debug)]
pub(super) enum Verifier {
    /// Whoever has the one certificate's key, whoever signed it, for whatever name and time.
    Pin(CertificateFingerprint, WebPkiSupportedAlgorithms),
    /// Whoever one of these has signed; with what they are called.
    Roots(Arc<WebPkiServerVerifier>, &'static str),
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = || Box::new(CertificateFacts::of(end_entity));
        let refused = match self {
            Self::Pin(pin, _) if *pin == CertificateFingerprint::of(end_entity) => {
                return Ok(ServerCertVerified::assertion());
            }
            Self::Pin(pin, _) => CertificateRefused::Pin { expected: *pin, found: found() },
            Self::Roots(roots, called) => {
                let verified = roots.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                );
                match verified {
                    Err(Error::InvalidCertificate(error)) => {
                        refused(error, found(), called, server_name)
                    }
                    verified => return verified,
                }
            }
        };
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Pin(_, algorithms) => verify_tls12_signature(message, cert, dss, algorithms),
            Self::Roots(roots, _) => roots.verify_tls12_signature(message, cert, dss),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Pin(_, algorithms) => verify_tls13_signature(message, cert, dss, algorithms),
            Self::Roots(roots, _) => roots.verify_tls13_signature(message, cert, dss),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Pin(_, algorithms) => algorithms.supported_schemes(),
            Self::Roots(roots, _) => roots.supported_verify_schemes(),
        }
    }
}

fn refused(
    error: CertificateError,
    found: Box<CertificateFacts>,
    roots: &'static str,
    name: &ServerName<'_>,
) -> CertificateRefused {
    match error {
        // An authority's certificate in a server's place is a self-signed one, as a rule.
        // Who is called like one of them, and has another key, is somebody else.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            CertificateRefused::Unknown { roots, found }
        }
        CertificateError::Other(ref other) if other.to_string() == "CaUsedAsEndEntity" => {
            CertificateRefused::Unknown { roots, found }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateRefused::Name { expected: name.to_str().into_owned(), found }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateRefused::Expired { found }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateRefused::NotYet { found }
        }
        error => CertificateRefused::Other { error, found },
    }
}
