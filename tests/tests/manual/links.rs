//! Every link of a document leads somewhere, and the book has every page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::{ROOT, documents, files};

/// What stands before the path of a file that is not in the book.
const REPOSITORY: &str = "https://github.com/orepass/orepass/";

/// A document's text without its blocks, each line a line.
fn prose(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut in_block = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        lines.push(if in_block || fence { String::new() } else { line.to_owned() });
    }
    lines
}

/// The targets of a document's links, and the lines that they are in.
fn links(path: &Path) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(path).iter().enumerate() {
        // What is in a piece of code is no link, and code in a link's text says nothing here.
        let line: String = line.split('`').step_by(2).collect();
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        found.extend(targets.map(|target| (number + 1, target.to_owned())));
    }
    found
}

/// The anchors of a document's headings, as repositories and books make them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    let mut anchors = BTreeSet::new();
    for line in prose(path) {
        let Some(title) = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')) else {
            continue;
        };
        let signs = title.trim().chars().filter_map(|sign| match sign {
            ' ' => Some('-'),
            '-' | '_' => Some(sign),
            _ if sign.is_alphanumeric() => Some(sign.to_ascii_lowercase()),
            _ => None,
        });
        let anchor: String = signs.collect();
        let count = counts.entry(anchor.clone()).or_default();
        anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let root = plain(Path::new(ROOT));
    let mut seen = 0;
    for document in documents() {
        let document = plain(&document);
        for (line, link) in links(&document) {
            let place = format!("{}:{line}: {link}", document.display());
            let (target, anchor) = match link.split_once('#') {
                Some((target, anchor)) => (target, Some(anchor)),
                None => (&*link, None),
            };
            let of_ours = target.strip_prefix(REPOSITORY).and_then(|rest| {
                rest.strip_prefix("blob/main/").or_else(|| rest.strip_prefix("tree/main/"))
            });
            let file = match of_ours {
                Some(path) => root.join(path),
                None if target.contains("://") => continue,
                None if target.is_empty() => document.clone(),
                None => plain(&document.parent().unwrap().join(target)),
            };
            assert!(file.exists(), "{place} is not there");
            let in_book = document.starts_with(root.join("docs"));
            if in_book && of_ours.is_none() {
                assert!(file.starts_with(root.join("docs")), "{place}: a book ends at docs/");
            }
            if let Some(anchor) = anchor {
                assert!(anchors(&file).contains(anchor), "{place}: no such heading");
            }
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen} links");
}

/// They are read on crates.io and docs.rs too, where only whole links lead anywhere.
#[test]
fn every_link_of_a_crates_readme_is_whole_and_leads_to_a_file() {
    let mut seen = 0;
    for folder in fs::read_dir(Path::new(ROOT).join("crates")).unwrap() {
        let readme = folder.unwrap().path().join("README.md");
        if !readme.exists() {
            continue;
        }
        let named = prose(&readme);
        let named = named.iter().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        let named = named.map(|(_, target)| target.to_owned());
        for target in links(&readme).into_iter().map(|(_, target)| target).chain(named) {
            assert!(target.contains("://"), "{}: {target}", readme.display());
            if let Some(path) = target.strip_prefix(&format!("{REPOSITORY}blob/main/")) {
                assert!(Path::new(ROOT).join(path).exists(), "{}: {path}", readme.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 8, "{seen} links");
}

#[test]
fn the_book_has_every_page_once() {
    let summary = Path::new(ROOT).join("docs/SUMMARY.md");
    let mut listed: Vec<String> = links(&summary).into_iter().map(|(_, link)| link).collect();
    listed.sort();
    let pages = files("docs", "md");
    let pages = pages.iter().map(|page| page.file_name().unwrap().to_string_lossy().into_owned());
    let pages: Vec<String> = pages.filter(|page| page != "SUMMARY.md").collect();
    assert_eq!(listed, pages, "docs/SUMMARY.md, and docs/*.md");
}

/// Messages, comments and configs that send one to a page.
#[test]
fn every_page_that_code_or_a_config_names_is_there() {
    let mut seen = 0;
    let mut folders: Vec<PathBuf> =
        ["crates", "configs", "tests", "benches"].map(|name| Path::new(ROOT).join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Vectors and transcripts name other people's pages.
            let is_ours = path.extension().is_some_and(|ending| {
                ["rs", "toml", "yml", "js", "mjs"].iter().any(|ours| ending == *ours)
            });
            if !is_ours {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for rest in text.split("docs/").skip(1) {
                let end = rest.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-');
                let Some((name, rest)) = end.map(|end| rest.split_at(end)) else { continue };
                if rest.starts_with(".md") && !name.is_empty() {
                    let page = Path::new(ROOT).join(format!("docs/{name}.md"));
                    assert!(page.exists(), "{} names docs/{name}.md", path.display());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20, "{seen} pages");
}
