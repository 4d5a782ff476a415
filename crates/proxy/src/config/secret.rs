//! Passwords and tokens: never shown, and kept out of the config file where that is wished.

use std::env::VarError;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use orepass_stratum::secret::Secret;
use thiserror::Error;

/// How a secret is given: as it is, by `env:NAME`, or by `file:PATH`.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// As it is.
    Given(Secret),
    /// In an environment variable.
    Env(String),
    /// In a file; a relative path starts at the config file's folder.
    File(PathBuf),
}

impl From<&str> for SecretRef {
    /// Reads one of the three forms.
    fn from(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Env(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path.into())
        } else {
            Self::Given(Secret::new(text))
        }
    }
}

impl SecretRef {
    /// Looks the secret up.
    ///
    /// # Errors
    /// A [`SecretError`] that names the variable or the file.
    pub fn resolve(&self, folder: &Path) -> Result<Secret, SecretError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::Env(name) => match std::env::var(name) {
                Ok(secret) => Ok(Secret::new(secret)),
                Err(VarError::NotPresent) => Err(SecretError::Env(name.clone())),
                Err(VarError::NotUnicode(_)) => Err(SecretError::EnvEncoding(name.clone())),
            },
            Self::File(path) => {
                let path = folder.join(path);
                read(&path).map(Secret::new).map_err(|error| SecretError::File { path, error })
            }
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(secret) => secret.fmt(f),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// The first line of a small file: editors and `echo` end it with a newline.
fn read(path: &Path) -> io::Result<String> {
    const MAX_BYTES: u64 = 4096;
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more than 4096 bytes"));
    }
    // UTF-16 without a mark is UTF-8 with zeros in it.
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let text = text.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8; save it as UTF-8")
    })?;
    // Some editors put a mark in front of UTF-8.
    let line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    Ok(line.to_owned())
}

/// Why a secret is not there. It is the operator's to act on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable {0:?} is not set")]
    Env(String),
    /// The variable is not UTF-8.
    #[error("the environment variable {0:?} is not UTF-8")]
    EnvEncoding(String),
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown() {
        let reference = SecretRef::from("hunter2");
        let secret = reference.resolve(Path::new("")).unwrap();
        let shown = format!("{reference:?} {secret:?} {secret}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn secrets_come_from_the_environment_and_from_files() {
        let folder = std::env::temp_dir();
        let name = format!("orepass-secret-{}", std::process::id());
        std::fs::write(folder.join(&name), "hunter2\n").unwrap();
        let secret = SecretRef::from(format!("file:{name}").as_str()).resolve(&folder);
        std::fs::remove_file(folder.join(&name)).unwrap();
        assert_eq!(secret.unwrap().reveal(), "hunter2");

        for (bytes, secret) in [
            (&b"\xef\xbb\xbfhunter2\r\n"[..], Some("hunter2")),
            (b"h\xfcnter2\n", None),
            (b"\xff\xfeh\0", None),
            (b"h\0u\0", None),
        ] {
            std::fs::write(folder.join(&name), bytes).unwrap();
            let read = SecretRef::from(format!("file:{name}").as_str()).resolve(&folder);
            std::fs::remove_file(folder.join(&name)).unwrap();
            match (read, secret) {
                (Ok(read), Some(secret)) => assert_eq!(read.reveal(), secret),
                (Err(error), None) => {
                    assert!(error.to_string().ends_with("save it as UTF-8"), "{error}");
                }
                (read, _) => panic!("{bytes:?}: {read:?}"),
            }
        }

        let path = SecretRef::from("env:PATH").resolve(&folder).unwrap();
        assert_eq!(path.reveal(), std::env::var("PATH").unwrap());
        let error = SecretRef::from("env:NO_SUCH_VARIABLE").resolve(&folder).unwrap_err();
        assert_eq!(error.to_string(), "the environment variable \"NO_SUCH_VARIABLE\" is not set");
        assert!(SecretRef::from("file:.").resolve(&folder).is_err(), "a folder");
    }
}
