//! What SECURITY.md says is shown by tests is.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of all sources of a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let model = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let mut text = String::new();
    ["crates", "tests"].iter().for_each(|folder| sources(&root().join(folder), &mut text));
    // Every second part stands between backquotes.
    let quoted: Vec<&str> = model.split('`').skip(1).step_by(2).collect();
    let mut named = 0;
    for quote in quoted {
        let is_name = quote.matches('_').count() > 1
            && quote.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if is_name {
            named += 1;
            assert!(text.contains(&format!("fn {quote}(")), "there is no test {quote}");
        } else if quote.starts_with("tests/") {
            named += 1;
            let paths = [root().join(quote), root().join("crates/proxy").join(quote)];
            assert!(paths.iter().any(|path| path.is_file()), "there is no {quote}");
        }
    }
    assert!(named > 30, "{named} tests are named");
}
