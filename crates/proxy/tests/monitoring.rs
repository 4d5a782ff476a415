//! docs/troubleshooting.md has an entry for each warning and error of the log, docs/monitoring.md one for
//! each diagnosis, and no other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use orepass::watch::Concern;

/// Event ids, each with the levels at which it is logged.
type Events = BTreeMap<String, BTreeSet<&'static str>>;

#[test]
fn each_warning_and_error_has_its_entry() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = workspace.join("crates/proxy");
    let mut sources = Vec::new();
    for folder in fs::read_dir(workspace.join("crates")).unwrap() {
        collect(&folder.unwrap().path().join("src"), &mut sources);
    }
    let mut logged = Events::new();
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        let what_runs = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for level in ["warn", "error"] {
            for call in calls(what_runs, level) {
                match quoted_behind(call, "event = \"") {
                    Some(id) => _ = logged.entry(id.to_owned()).or_default().insert(level),
                    // One that stands for several lines of its kind, each of which has its entry.
                    None if call.trim_start().starts_with("event,") => {}
                    // The simulator's need none.
                    None => assert!(!path.starts_with(&program), "{}: {call}", path.display()),
                }
            }
        }
    }
    let document = fs::read_to_string(workspace.join("docs/troubleshooting.md")).unwrap();
    assert!(logged.len() > 40, "so few are no sensible reading: {logged:?}");
    assert_eq!(entries(&document), logged);
}

#[test]
fn each_diagnosis_has_its_entry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring.md");
    let document = fs::read_to_string(path).unwrap();
    let chapters = document.split("\n#### `").skip(1).map(|entry| {
        let (code, text) = entry.split_once("`\n\n").expect("a heading is a code");
        (code.to_owned(), text.split('.').next().unwrap().to_lowercase())
    });
    let known = Concern::ALL
        .map(|concern| (concern.code().to_owned(), concern.severity().name().to_owned()));
    assert_eq!(chapters.collect::<BTreeMap<_, _>>(), BTreeMap::from(known));
}

/// All files of a folder that are no tests.
fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_stem().and_then(|name| name.to_str()) {
            Some("tests" | "testing") => {}
            _ if path.is_dir() => collect(&path, sources),
            _ => sources.push(path),
        }
    }
}

/// What is in the parentheses of each call of a macro.
fn calls<'a>(source: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let opening = format!("{name}!(");
    let starts = source.match_indices(&opening).map(|(at, _)| at + opening.len());
    let starts: Vec<usize> = starts.collect();
    starts.into_iter().map(|start| &source[start..start + length(&source[start..])])
}

/// How far it is to the parenthesis that closes.
fn length(source: &str) -> usize {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    let end = source.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'(' if !in_text => depth += 1,
            b')' if !in_text => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.expect("each call ends")
}

fn quoted_behind<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split('"').next()
}

/// The entries of the document: a heading of the id, and the levels before the first colon below.
fn entries(document: &str) -> Events {
    let chapters = document.split("\n### `").skip(1).map(|entry| {
        let (id, text) = entry.split_once("`\n\n").expect("a heading is an id");
        let levels = text.split(':').next().unwrap();
        let is_named = |level: &&str| levels.contains(&format!("`{level}`"));
        (id.to_owned(), ["warn", "error"].into_iter().filter(is_named).collect())
    });
    chapters.collect()
}
