//! Stories that were kept: what is needed to tell one again, and how it went when it broke a rule.
//!
//! A kept story is a text. It begins with lines of a key and a value, of which `seed` and `days`
//! decide everything; what was built, the broken rules and the end of the story follow for whoever
//! reads it. Another build may tell another story of the same seed: it is told again to see that
//! no rule is broken any more.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use super::run::{DAY, Report, Storm};

/// Where stories are kept.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("storms")
}

/// Keeps how a storm went, in a file that is named for its seed; gives its path.
///
/// # Errors
/// When it cannot be written.
pub fn keep(folder: &Path, storm: Storm, report: &Report) -> io::Result<PathBuf> {
    let mut text = String::new();
    let days = storm.span.div_duration_f64(DAY);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "seed {}\ndays {days}\nbuild {}\n", storm.seed, build());
    for line in report.violations.iter().chain([&String::new()]).chain(&report.story) {
        let _ = writeln!(text, "{line}");
    }
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("seed-{}.txt", storm.seed));
    fs::write(&path, text)?;
    Ok(path)
}

/// What must be built to tell it as it was told.
fn build() -> String {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let git = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = git.ok().filter(|git| git.status.success());
    let commit = commit.map_or_else(String::new, |git| String::from_utf8_lossy(&git.stdout).into());
    format!("{version} {profile} {arch} {}", commit.trim())
}

/// The storms whose stories are kept in a folder, with the names of their files.
///
/// # Errors
/// When a file cannot be read, or does not say which seed it is of.
pub fn all(folder: &Path) -> io::Result<Vec<(PathBuf, Storm)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "txt") {
            let wrong = || io::Error::other(format!("{} is no kept story", path.display()));
            let storm = parse(&fs::read_to_string(&path)?).ok_or_else(wrong)?;
            found.push((path, storm));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn parse(text: &str) -> Option<Storm> {
    let head = text.lines().take_while(|line| !line.is_empty());
    let value = |key: &str| {
        let mut lines = head.clone().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let days: f64 = value("days")?.parse().ok()?;
    let span = std::time::Duration::try_from_secs_f64(days * DAY.as_secs_f64()).ok()?;
    Some(Storm { span, ..Storm::of_seed(value("seed")?.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_story_says_what_to_run() {
        let folder = std::env::temp_dir().join(format!("orepass-kept-{}", std::process::id()));
        let storm = Storm { span: DAY / 96, ..Storm::of_seed(11) };
        let path = keep(&folder, storm, &storm.run(|_| {})).unwrap();
        assert_eq!(all(&folder).unwrap(), [(path, storm)]);
        fs::remove_dir_all(folder).unwrap();
    }
}
