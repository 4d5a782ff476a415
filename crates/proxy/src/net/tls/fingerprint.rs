//! By what a certificate is known.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use thiserror::Error;

/// A certificate's SHA-256, of its DER form: what `openssl x509 -fingerprint -sha256` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateFingerprint([u8; 32]);

impl CertificateFingerprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for CertificateFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl FromStr for CertificateFingerprint {
    type Err = FingerprintError;

    /// Reads 64 hex digits, in pairs with colons between them if that is liked.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let mut bytes = [0; 32];
        const_hex::decode_to_slice(digits, &mut bytes).map_err(|_| FingerprintError)?;
        Ok(Self(bytes))
    }
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected the SHA-256 of a certificate, 64 hex digits, as `orepass check` and `openssl x509 \
     -noout -fingerprint -sha256` show it"
)]
pub struct FingerprintError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_openssl_and_as_we_write_it() {
        let digits = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
        let print: CertificateFingerprint = digits.parse().unwrap();
        assert_eq!(print, CertificateFingerprint::of(&CertificateDer::from(&b"hello world"[..])));
        assert_eq!(print.to_string(), digits);
        let pairs: Vec<&str> = (0..32).map(|at| &digits[2 * at..2 * at + 2]).collect();
        assert_eq!(pairs.join(":").to_uppercase().parse(), Ok(print));
        for wrong in ["", "b94d", &digits[1..], &format!("{digits}00"), &digits.replace('b', "g")] {
            assert_eq!(wrong.parse::<CertificateFingerprint>(), Err(FingerprintError), "{wrong}");
        }
    }
}
