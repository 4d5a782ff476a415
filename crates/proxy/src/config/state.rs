//! `[state]`: where is kept what is learnt of rigs and pools.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::table::TableReader;

/// The name of the file, unless configured.
const FILE_NAME: &str = "orepass.db";

/// Reads a `[state]` in the config `config`, which is in `folder`.
pub(super) fn read(
    table: &mut TableReader<'_, '_>,
    folder: &Path,
    config: &Path,
) -> Option<PathBuf> {
    let Some(name) = table.text("file") else { return default_file() };
    let file = KeptFile { what: "the state", example: FILE_NAME, folder };
    let path = file.path(name, &[("the config file", config)]);
    path.map_err(|error| table.note_at("file", error.to_string())).ok()
}

/// A file that something is kept in.
pub(super) struct KeptFile<'f> {
    pub(super) what: &'static str,
    pub(super) example: &'static str,
    /// Where a relative path starts.
    pub(super) folder: &'f Path,
}

impl KeptFile<'_> {
    /// The configured file, which is none of these others.
    pub(super) fn path(
        &self,
        name: &str,
        others: &[(&'static str, &Path)],
    ) -> Result<PathBuf, KeptFileError> {
        let path = self.folder.join(name);
        if name.is_empty() || name.ends_with(std::path::is_separator) {
            return Err(KeptFileError::NoName { example: self.example });
        }
        match others.iter().find(|(_, other)| *other == path) {
            Some(&(other, _)) => Err(KeptFileError::Taken { other, what: self.what }),
            None => Ok(path),
        }
    }
}

/// The file in the folder that systemd made for the service, if it did; where nothing is
/// configured.
pub(super) fn default_file() -> Option<PathBuf> {
    file_in(&std::env::var_os("STATE_DIRECTORY")?)
}

/// In the first of the folders, which are separated as in `$PATH`.
fn file_in(folders: &OsStr) -> Option<PathBuf> {
    let first = std::env::split_paths(folders).next()?;
    first.is_absolute().then(|| first.join(FILE_NAME))
}

/// Why a text names no file to keep something in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum KeptFileError {
    #[error("expected the name of a file, such as \"{example}\"")]
    NoName { example: &'static str },
    #[error("this is {other} itself; {what} goes into a file of its own")]
    Taken { other: &'static str, what: &'static str },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_kept_beside_the_config_or_where_it_says() {
        let folder = Path::new("/etc/orepass");
        let kept = KeptFile { what: "the state", example: FILE_NAME, folder };
        let config = folder.join("o.toml");
        let file = |name| kept.path(name, &[("the config file", &config)]);
        let no_name = Err(KeptFileError::NoName { example: "orepass.db" });
        assert_eq!(file("orepass.db"), Ok("/etc/orepass/orepass.db".into()));
        assert_eq!(file("/var/lib/o.db"), Ok("/var/lib/o.db".into()));
        assert_eq!(file(""), no_name);
        assert_eq!(file("state/"), no_name);
        let taken = KeptFileError::Taken { other: "the config file", what: "the state" };
        assert_eq!(file("o.toml"), Err(taken));
    }

    #[test]
    fn systemd_says_where_state_may_be_kept() {
        let path = Some("/var/lib/orepass/orepass.db".into());
        assert_eq!(file_in(OsStr::new("/var/lib/orepass")), path);
        #[cfg(unix)]
        assert_eq!(file_in(OsStr::new("/var/lib/orepass:/var/lib/other")), path);
        assert_eq!(file_in(OsStr::new("")), None);
    }
}
