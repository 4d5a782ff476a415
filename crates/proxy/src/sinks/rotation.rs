//! When a file is full or old, what it is called then, and which of those are too many.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::rfc3339;

/// When a file is set aside for a new one, and how many such are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// From this size on, in bytes.
    pub max_bytes: u64,
    /// From this age on.
    pub max_age: Duration,
    /// How many are kept beside the one that is written.
    pub keep: usize,
}

impl Rotation {
    /// Whether a file of this size, begun at this time in Unix milliseconds, is set aside before more is
    /// written.
    pub(super) fn is_due(&self, bytes: u64, begun_ms: u64, now_ms: u64) -> bool {
        let age = Duration::from_millis(now_ms.saturating_sub(begun_ms));
        bytes > 0 && (bytes >= self.max_bytes || age >= self.max_age)
    }

    /// Of the files in a folder, those that were set aside of this one and are too many: the oldest.
    pub(super) fn too_many(&self, path: &Path, mut names: Vec<String>) -> Vec<String> {
        names.retain(|name| is_aside(path, name));
        names.sort_unstable();
        names.truncate(names.len().saturating_sub(self.keep));
        names
    }
}

/// What a file is called that is set aside at this time: as it is called itself, with the time, in whose
/// order such names stand, and what tells it from others of that time.
pub(super) fn aside(path: &Path, at_ms: u64, mark: &str) -> PathBuf {
    let (stem, end) = parts(path);
    let time: String = rfc3339(at_ms).chars().filter(|c| !"-:.".contains(*c)).collect();
    path.with_file_name(format!("{stem}-{time}{mark}{end}"))
}

/// Whether a file was set aside of the one at this path.
fn is_aside(path: &Path, name: &str) -> bool {
    let (stem, end) = parts(path);
    let time = name.strip_prefix(&*stem).and_then(|rest| rest.strip_prefix('-'));
    let Some(time) = time.and_then(|rest| rest.strip_suffix(&*end)) else { return false };
    let (day, rest) = time.split_at_checked(8).unwrap_or_default();
    let is_of = |text: &str, signs: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || signs.contains(c))
    };
    is_of(day, "") && rest.starts_with('T') && is_of(rest, "TZ-")
}

/// Its name up to its last dot, and from that on.
fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let end =
        path.extension().map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    (text(path.file_stem()), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn rotation(keep: usize) -> Rotation {
        Rotation { max_bytes: 1000, max_age: Duration::from_secs(3600), keep }
    }

    #[test]
    fn a_file_is_set_aside_when_it_is_full_or_old_and_never_when_it_is_empty() {
        let due = |bytes, begun, now| rotation(1).is_due(bytes, begun, now);
        assert!(!due(999, 0, 0) && due(1000, 0, 0));
        assert!(!due(1, 0, HOUR_MS - 1) && due(1, 0, HOUR_MS));
        assert!(!due(0, 0, 9 * HOUR_MS));
        // A clock that was set back.
        assert!(!due(1, HOUR_MS, 0));
    }

    #[test]
    fn names_stand_in_the_order_of_time_and_only_own_ones_are_deleted() {
        let path = Path::new("/var/shares.ndjson");
        let name = |at_ms: u64, mark: &str| {
            let aside = aside(path, at_ms, mark);
            assert_eq!(aside.parent(), path.parent());
            aside.file_name().unwrap().to_str().unwrap().to_owned()
        };
        let first = name(1_795_230_727_123, "");
        assert_eq!(first, "shares-20261121T031207123Z.ndjson");
        let names: Vec<String> = [
            name(1_795_230_727_124, ""),
            first.clone(),
            name(1_795_230_727_123, "-2"),
            "shares.ndjson".into(),
            "shares-old.ndjson".into(),
            "shares-20261121T031207123Z.txt".into(),
            "events-20261121T031207123Z.ndjson".into(),
            "shares-20261121.ndjson".into(),
        ]
        .into();
        let second = name(1_795_230_727_123, "-2");
        assert_eq!(rotation(3).too_many(path, names.clone()), Vec::<String>::new());
        // Of one moment, the one with a mark stands first.
        assert_eq!(rotation(1).too_many(path, names.clone()), [second, first]);
        assert_eq!(rotation(0).too_many(path, names).len(), 3);
        let bare = aside(Path::new("shares"), 0, "");
        assert_eq!(bare, Path::new("shares-19700101T000000000Z"));
        assert!(is_aside(Path::new("shares"), "shares-19700101T000000000Z"));
    }
}
