//! An SQLite file as a file: made for its owner alone, and set aside when it is broken.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What SQLite keeps beside a file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Sees to it that the file is there, with its folder. A new one is its owner's alone, and what
/// SQLite puts beside it takes after it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    // A file that is there is not opened: to close it again would undo SQLite's locks on it.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Renames a broken file to `FILE.broken-` and the time, in Unix seconds, in place of an earlier
/// one; gives the new name.
///
/// # Errors
/// When the file cannot be renamed.
pub(crate) fn set_aside(path: &Path, now: u64) -> io::Result<PathBuf> {
    let prefix = with_suffix(path, ".broken-");
    for former in beginning_with(&prefix)? {
        fs::remove_file(former)?;
    }
    let aside = with_suffix(&prefix, &now.to_string());
    fs::rename(path, &aside)?;
    for companion in COMPANIONS {
        match fs::rename(with_suffix(path, companion), with_suffix(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// The files named as `prefix` and a time, with their companions.
fn beginning_with(prefix: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(prefix)) = (prefix.parent(), prefix.file_name()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        if rest.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_file_is_kept_with_what_belongs_to_it() {
        let folder = std::env::temp_dir().join(format!("orepass-aside-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let names = || {
            let entries = fs::read_dir(&folder).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        for other in ["o.db.broken", "o.db.broken-by-me", "o.db2.broken-1"] {
            fs::write(folder.join(other), "").unwrap();
        }
        for now in 1..=2 {
            fs::write(folder.join("o.db"), "").unwrap();
            fs::write(folder.join("o.db-wal"), "").unwrap();
            let aside = set_aside(&folder.join("o.db"), now).unwrap();
            assert_eq!(aside, folder.join(format!("o.db.broken-{now}")));
        }
        let kept = ["o.db.broken", "o.db.broken-2", "o.db.broken-2-wal", "o.db.broken-by-me"];
        assert_eq!(names(), [&kept[..], &["o.db2.broken-1"]].concat());
        fs::remove_dir_all(&folder).unwrap();
    }
}
