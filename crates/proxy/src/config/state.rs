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
    file(name, folder, config).map_err(|error| table.note_at("file", error.to_string())).ok()
}

/// The configured file; a relative path starts at `folder`, where `config` is.
fn file(name: &str, folder: &Path, config: &Path) -> Result<PathBuf, StateFileError> {
    let path = folder.join(name);
    if name.is_empty() || name.ends_with(std::path::is_separator) {
        return Err(StateFileError::NoName);
    }
    if path == config {
        return Err(StateFileError::Config);
    }
    Ok(path)
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

/// Why a text names no file to keep state in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum StateFileError {
    #[error("expected the name of a file, such as \"orepass.db\"")]
    NoName,
    #[error("this is the config file itself; the state goes into a file of its own")]
    Config,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_kept_beside_the_config_or_where_it_says() {
        let file = |name| file(name, Path::new("/etc/orepass"), Path::new("/etc/orepass/o.toml"));
        assert_eq!(file("orepass.db"), Ok("/etc/orepass/orepass.db".into()));
        assert_eq!(file("/var/lib/o.db"), Ok("/var/lib/o.db".into()));
        assert_eq!(file(""), Err(StateFileError::NoName));
        assert_eq!(file("state/"), Err(StateFileError::NoName));
        assert_eq!(file("o.toml"), Err(StateFileError::Config));
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
