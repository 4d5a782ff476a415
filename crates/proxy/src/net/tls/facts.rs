//! What is known of a TLS connection and of a certificate, for whoever looks at it.

use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::fingerprint::CertificateFingerprint;
use orepass_stratum::error::shown;

/// The most names of a certificate that are shown.
const MOST_NAMES: usize = 8;

/// What was agreed on, and who the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version of the protocol, such as `TLS 1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The server's certificate.
    pub certificate: CertificateFacts,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The hosts that it is for; its subject where it names none.
    pub names: Vec<String>,
    /// Whom it says that it comes from.
    pub issuer: String,
    /// Until when it is good, as a day of the calendar.
    pub until: String,
    /// For how many days it still is; negative where it is not any more.
    pub days_left: i64,
    /// By what it is known.
    pub fingerprint: CertificateFingerprint,
}

impl TlsFacts {
    /// Of a connection whose handshake is done.
    pub(super) fn of(connection: &CommonState) -> Option<Self> {
        let version = connection.protocol_version()?;
        let version = version.as_str().unwrap_or("TLS").replace("TLSv1_", "TLS 1.");
        let cipher = connection.negotiated_cipher_suite()?.suite();
        let cipher = cipher.as_str().unwrap_or("unknown").to_owned();
        let certificate = CertificateFacts::of(connection.peer_certificates()?.first()?);
        Some(Self { version, cipher, certificate })
    }
}

impl CertificateFacts {
    /// Of a certificate, which may be anything.
    #[must_use]
    pub fn of(der: &CertificateDer<'_>) -> Self {
        let fingerprint = CertificateFingerprint::of(der);
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            let unreadable = || "unreadable".to_owned();
            let (names, issuer, until) = (vec![unreadable()], unreadable(), unreadable());
            return Self { names, issuer, until, days_left: 0, fingerprint };
        };
        let end = certificate.validity().not_after;
        let left = end.timestamp() - ASN1Time::now().timestamp();
        Self {
            names: names(&certificate),
            issuer: shown(&certificate.issuer().to_string()).to_string(),
            until: end.to_datetime().date().to_string(),
            days_left: left.div_euclid(24 * 3600),
            fingerprint,
        }
    }

    /// Its names in one text.
    #[must_use]
    pub fn name(&self) -> String {
        self.names.join(", ")
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names = alternatives.into_iter().flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(shown(name).to_string()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let names: Vec<String> = names.take(MOST_NAMES).collect();
    if names.is_empty() {
        vec![shown(&certificate.subject().to_string()).to_string()]
    } else {
        names
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    v4().or_else(|_| v6()).ok().map(|address| address.to_string())
}
