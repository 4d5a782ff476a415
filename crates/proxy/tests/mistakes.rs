//! Config files as operators break them, and all that they are told, to the letter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use orepass::config::{Config, ConfigError, Invalid};
use orepass::registry::Registry;
use proptest::prelude::*;

/// `##### TITLE`, the file, `##### is answered`, the answer; and so on.
const MISTAKES: &str = include_str!("mistakes.txt");

fn mistakes() -> Vec<(&'static str, &'static str, &'static str)> {
    let stories = MISTAKES.strip_prefix("##### ").unwrap().split("\n##### ").collect::<Vec<_>>();
    let (stories, rest) = stories.as_chunks();
    assert!(rest.is_empty(), "each has an answer");
    let story = |[file, answer]: &[&'static str; 2]| {
        let (title, file) = file.split_once('\n').unwrap_or((*file, ""));
        (title, file, answer.strip_prefix("is answered\n").unwrap().trim_end_matches('\n'))
    };
    stories.iter().map(story).collect()
}

fn invalid(text: &str) -> Option<Invalid> {
    match Config::parse("orepass.toml", text, &Registry::default()) {
        Err(ConfigError::Invalid(invalid)) => Some(invalid),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

#[test]
fn every_mistake_is_answered_at_its_place_with_what_to_write() {
    let mistakes = mistakes();
    assert!(mistakes.len() >= 20);
    for (title, file, answer) in mistakes {
        let said = invalid(file).map(|error| error.to_string());
        assert_eq!(said.as_deref(), Some(answer), "{title}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_in_its_order() {
    let (_, file, answer) = *mistakes().last().unwrap();
    let error = invalid(file).unwrap();
    let places: Vec<usize> =
        error.problems().iter().map(|problem| problem.span.clone().unwrap().start).collect();
    assert!(places.len() >= 10 && places.is_sorted(), "{places:?}");
    assert_eq!(answer.matches("orepass.toml:").count(), places.len());
}

#[test]
fn a_file_that_is_no_config_is_answered_briefly() {
    let error = invalid(&"word = 1\n".repeat(1000)).unwrap().to_string();
    assert_eq!(error.lines().count(), 151, "{error}");
    assert!(error.ends_with("more mistakes"), "{error}");
}

/// A file with lines of several others.
fn mixture() -> impl Strategy<Value = String> {
    let lines = mistakes().into_iter().flat_map(|(_, file, _)| file.lines());
    let lines: Vec<&str> = lines.collect();
    prop::collection::vec(prop::sample::select(lines), 0..16).prop_map(|lines| lines.join("\n"))
}

/// One of the files with a piece cut out and another put in.
fn changed() -> impl Strategy<Value = String> {
    let files: Vec<&str> = mistakes().into_iter().map(|(_, file, _)| file).collect();
    let pieces = prop::sample::select(vec!["", "\"", "'", "[", "]", "{", "}", "=", "\n", "#", "é"]);
    (prop::sample::select(files), 0..300_usize, 0..8_usize, pieces).prop_map(
        |(file, at, length, piece)| {
            let chars: Vec<char> = file.chars().collect();
            let at = at.min(chars.len());
            let end = (at + length).min(chars.len());
            let parts = [&chars[..at], &piece.chars().collect::<Vec<_>>(), &chars[end..]];
            parts.concat().into_iter().collect()
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_wrong_is_found_and_stands_in_the_file(
        text in prop_oneof![any::<String>(), mixture(), changed()],
    ) {
        let error = invalid(&text);
        prop_assert!(error.is_some() || text.parse::<toml::Table>().is_ok(), "{text}");
        if let Some(error) = error {
            prop_assert!(!error.problems().is_empty());
            for problem in error.problems() {
                let span = problem.span.clone().unwrap();
                prop_assert!(span.start <= span.end && span.end <= text.len(), "{problem:?}");
                prop_assert!(text.is_char_boundary(span.start), "{problem:?}");
            }
            prop_assert!(error.to_string().starts_with("orepass.toml:"));
        }
    }
}
