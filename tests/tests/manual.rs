//! What the documents and the example configs show is true: configs are read by the program's own
//! reader, calls of the program by its command line, and the Rust blocks are compiled (`src/manual.rs`).

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

#[path = "manual/keys.rs"]
mod keys;
#[path = "manual/links.rs"]
mod links;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::CommandFactory;
use orepass::cli::Cli;
use orepass::config::Config;
use orepass::registry::Registry;
use orepass_tests::tls::OwnCertificate;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files of a folder below the workspace's with this ending, by name.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension() == Some(ending.as_ref())).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has files of .{ending}");
    files
}

fn documents() -> Vec<PathBuf> {
    ["", "docs", "fuzz"].into_iter().flat_map(|folder| files(folder, "md")).collect()
}

/// A fenced block of a document.
struct Block {
    /// What it is in, and where.
    place: String,
    /// What stands behind its first fence.
    language: String,
    text: String,
}

fn blocks(path: &Path) -> Vec<Block> {
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                let place = format!("{}:{}", path.display(), number + 1);
                open = Some(Block { place, language: language.into(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{} ends inside of a block", path.display());
    blocks
}

#[track_caller]
fn assert_is_config(place: &str, text: &str) {
    if let Err(error) = Config::parse(place, text, &Registry::default()) {
        panic!("{error}");
    }
}

#[test]
fn every_block_has_a_language_and_every_document_is_compiled() {
    let manual = fs::read_to_string(Path::new(ROOT).join("tests/src/manual.rs")).unwrap();
    for path in documents() {
        let name = path.strip_prefix(ROOT).unwrap().display().to_string();
        let included = format!("include_str!(\"../../{name}\")");
        assert!(manual.contains(&included), "{name} is not in tests/src/manual.rs");
        for block in blocks(&path) {
            let known = ["console", "rust", "rust,no_run", "text", "toml"];
            assert!(known.contains(&&*block.language), "{}: {:?}", block.place, block.language);
        }
    }
}

/// With a file that is there in the place of each that would be a certificate or a key, and texts in the
/// place of variables of the environment and of files with secrets, which are not a test's to set.
fn with_files(text: &str) -> String {
    static MADE: LazyLock<OwnCertificate> = LazyLock::new(|| OwnCertificate::make("manual"));
    let text = &text.replace("\"env:", "\"").replace("\"file:", "\"");
    let file = format!("\"{}\"", MADE.file().display());
    let pieces: Vec<&str> = text.split('"').collect();
    let of_files = pieces.iter().filter(|piece| piece.ends_with(".pem"));
    of_files.fold(text.to_owned(), |text, name| text.replace(&format!("\"{name}\""), &file))
}

/// Whole ones, and parts that are shown of one; what else is TOML is of Cargo.
#[tokio::test]
async fn every_config_that_a_document_shows_is_one() {
    let rest = r#"
[[route]]
name = "rest"
dialect = "hstratum"
listen = ["127.0.0.1:3333"]
[[route.pool]]
url = "stratum+tcp://pool.example:3333"
user = "account"
"#;
    let mut seen = 0;
    for block in documents().iter().flat_map(|path| blocks(path)) {
        let is_config = block.language == "toml" && !block.text.starts_with("[dependencies]");
        if !is_config {
            continue;
        }
        let whole = block.text.contains("[[route]]");
        let text = if whole { block.text } else { format!("{rest}{}", block.text) };
        assert_is_config(&block.place, &with_files(&text));
        seen += 1;
    }
    assert!(seen >= 4, "{seen} configs");
}

/// As they are, and with every line in them that is commented out and could be set.
#[tokio::test]
async fn every_example_config_is_one_with_and_without_what_is_commented_out() {
    let setting = |line: &str| {
        let key = line.split(" = ").next().filter(|key| key.len() < line.len());
        let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        line.starts_with('[') || key.is_some_and(is_key)
    };
    for path in files("configs", "toml") {
        let place = path.display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        assert_is_config(&place, &with_files(&text));
        let all: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| setting(line)).unwrap_or(line))
            .collect();
        assert_is_config(&format!("{place}, all set"), &with_files(&all.join("\n")));
    }
}

/// What a line of a block, or a piece of code in a sentence, says to the program; `None` where it calls
/// another one. A remark behind a call stands apart by two spaces.
fn call(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split("  ").next().unwrap_or_default();
    ["orepass", "target/release/orepass", "cargo run --release --"]
        .into_iter()
        .filter_map(|program| line.strip_prefix(program))
        .find(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The arguments of a call as a shell would split these.
fn words(call: &str) -> Vec<&str> {
    call.split_whitespace().map(|word| word.trim_matches('\'')).collect()
}

/// The calls of a document: those in its blocks, and those in `code` within its sentences.
fn calls(path: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for block in blocks(path) {
        let calls = block.text.lines().filter_map(call);
        found.extend(calls.map(|call| (block.place.clone(), call.to_owned())));
    }
    let text = fs::read_to_string(path).unwrap();
    let code = text.split('`').skip(1).step_by(2).filter(|code| !code.contains('→'));
    found.extend(code.filter_map(call).map(|call| (path.display().to_string(), call.to_owned())));
    found
}

/// Whether a call shows what could be said (`[-c FILE | …]`), and nothing that is said.
fn is_synopsis(call: &str) -> bool {
    let is_name = |word: &str| {
        let word = word.trim_matches(['[', ']']);
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    call.contains('…') || call.contains(" [-") || words(call).into_iter().any(is_name)
}

/// The command that a call is for, and the options that it names.
fn assert_options_are_known(place: &str, call: &str) {
    let whole = Cli::command();
    let words: Vec<&str> =
        call.split([' ', '[', ']', '|']).filter(|word| !word.is_empty()).collect();
    let named = words.iter().find_map(|word| whole.find_subcommand(word));
    let is_known = |word: &str| {
        let of_its_own = named.into_iter().flat_map(clap::Command::get_arguments);
        whole.get_arguments().chain(of_its_own).any(|option| match word.strip_prefix("--") {
            Some(long) => {
                option.get_long() == Some(long)
                    || option.get_all_aliases().unwrap_or_default().contains(&long)
            }
            None => option.get_short().is_some_and(|short| word == format!("-{short}")),
        })
    };
    for word in words.iter().filter(|word| word.starts_with('-')) {
        assert!(is_known(word), "{place}: no {word} of `orepass{call}`");
    }
}

#[test]
fn every_call_of_the_program_that_a_document_shows_is_one() {
    let (mut whole, mut synopses) = (0, 0);
    for (place, call) in documents().iter().flat_map(|path| calls(path)) {
        if is_synopsis(&call) {
            assert_options_are_known(&place, &call);
            synopses += 1;
        } else {
            let arguments = ["orepass"].into_iter().chain(words(&call));
            Cli::try_read(arguments)
                .unwrap_or_else(|error| panic!("{place}: `orepass{call}`: {error}"));
            whole += 1;
        }
    }
    assert!(whole >= 16 && synopses >= 4, "{whole} calls, {synopses} synopses");
}
