//! A certificate that we make ourselves for listeners that were given none. Rigs that ask for no more
//! than TLS are content with it, and others can be told its fingerprint; it is kept, so that it stays
//! the same.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use thiserror::Error;

/// The name of the file, which has the certificate and its key.
const FILE_NAME: &str = "orepass-tls.pem";
/// What it is called. Whoever believes it does so by its fingerprint.
const NAME: &str = "orepass";

/// Why there is no certificate of our own.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OwnCertificateError {
    /// It could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// It could not be kept.
    #[error("cannot keep a certificate of our own in {}: {error}", path.display())]
    Keep {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The file in a folder where it is kept.
#[must_use]
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

/// Makes the file, readable by us alone, unless it is there.
///
/// # Errors
/// [`OwnCertificateError`].
pub(super) fn keep(path: &Path) -> Result<(), OwnCertificateError> {
    if path.exists() {
        return Ok(());
    }
    let keep = |error| OwnCertificateError::Keep { path: path.to_owned(), error };
    let made = path.with_extension(format!("{}.new", std::process::id()));
    write_private(&made, make()?.as_bytes()).map_err(keep)?;
    fs::rename(&made, path).map_err(keep)
}

/// A certificate and its key as PEM.
pub(super) fn make() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([NAME.to_owned(), "localhost".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
