//! What is wrong with a config, shown at its line.

use std::fmt::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// A range of bytes in a config's text.
pub type Span = Range<usize>;

/// A value and where it was written; nowhere, when it did not come from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Option<Span>,
}

impl<T> Located<T> {
    /// A value that stands in no file.
    pub const fn nowhere(value: T) -> Self {
        Self { value, span: None }
    }
}

/// A config's text and the name that it goes by in errors. Its `Debug` shows the name alone, since
/// the text may hold passwords.
#[derive(Clone)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// A text by the name of its file, or by where else it came from.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands at a place, if that is short and may be shown.
    pub(super) fn shown(&self, span: &Span) -> Option<&str> {
        const MOST: usize = 60;
        let written = self.text.get(span.clone())?;
        if written.len() > MOST || written.contains('\n') {
            return None;
        }
        let above = &self.text[..span.start];
        let line_start = above.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let visible = hidden(&above[..line_start], line).unwrap_or(line.len());
        (span.end - line_start <= visible).then_some(written)
    }

    /// Makes an error of what was found wrong with this text, in the order of its lines.
    #[must_use]
    pub fn error(&self, mut problems: Vec<Problem>) -> ConfigError {
        problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        ConfigError::Invalid(Invalid { origin: self.clone(), problems })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; nowhere, when it did not come from a file.
    pub span: Option<Span>,
    /// What, and where that is not plain, what to write instead.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(span: Option<Span>, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

/// Why there is no config to run with. It is the operator's to act on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No file was named, and none lies where one is looked for.
    #[error(
        "no config file: name one with -c, or the pool with -o URL -u USER --dialect NAME; looked \
         for {}", listed(.0)
    )]
    NotFound(Vec<PathBuf>),
    /// The file cannot be read.
    #[error("cannot read the config file {}: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Its text is wrong.
    #[error(transparent)]
    Invalid(Invalid),
}

/// How many bytes of a line are shown before a place at most, and twice as many in all. Nobody
/// writes such lines; a file that is no config has them.
const MOST_SHOWN: usize = 100;
/// The most characters of a message, which may quote a value.
const MOST_SAID: usize = 1000;
/// The most problems that are shown: a file with more of them is no config.
const MOST_PROBLEMS: usize = 50;

/// All that is wrong with a config's text, each with its line and a caret under the place.
#[derive(Debug, Clone, Error)]
pub struct Invalid {
    origin: Source,
    problems: Vec<Problem>,
}

impl Invalid {
    /// The problems, in the order of the lines.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        self.origin.name()
    }

    /// A problem's line and column, each from 1; none, when it did not come from a file.
    #[must_use]
    pub fn place(&self, problem: &Problem) -> Option<(usize, usize)> {
        let text = &*self.origin.text;
        let start = floor_char_boundary(text, problem.span.as_ref()?.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[..line_start].matches('\n').count() + 1;
        Some((line, text[line_start..start].chars().count() + 1))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(MOST_PROBLEMS).enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            let message: String = printable(&problem.message).chars().take(MOST_SAID).collect();
            match &problem.span {
                Some(span) => excerpt(f, &self.origin, span, &message)?,
                None => write!(f, "{}: {message}", self.origin.name)?,
            }
        }
        if let more @ 1.. = self.problems.len().saturating_sub(MOST_PROBLEMS) {
            write!(f, "\n{}: {more} more mistakes", self.origin.name)?;
        }
        Ok(())
    }
}

/// `FILE:LINE:COLUMN: message`, the line, and a caret under the place.
fn excerpt(f: &mut fmt::Formatter<'_>, source: &Source, span: &Span, message: &str) -> fmt::Result {
    let text = &*source.text;
    let start = floor_char_boundary(text, span.start);
    let end = floor_char_boundary(text, span.end.max(start));
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let number = text[..line_start].matches('\n').count() + 1;
    let before = &text[line_start..start];
    writeln!(f, "{}:{number}:{}: {message}", source.name, before.chars().count() + 1)?;

    // What is left out is one character wide: the caret may stand under it.
    let visible = hidden(&text[..line_start], line).unwrap_or(line.len());
    let column = floor_char_boundary(line, before.len().min(visible));
    let from = match column > MOST_SHOWN {
        true => floor_char_boundary(line, column - MOST_SHOWN / 2),
        false => 0,
    };
    let to = floor_char_boundary(line, (from + 2 * MOST_SHOWN).min(visible));
    let (cut, rest) = (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
    writeln!(f, " {number} | {cut}{}{rest}", printable(&line[from..to]))?;
    write!(f, " {:1$} | ", "", number.to_string().len())?;
    for c in cut.chars().chain(line[from..column].chars()) {
        f.write_char(if c == '\t' { '\t' } else { ' ' })?;
    }
    let stop = (end - line_start).min(to);
    let width = line.get(column..stop).map_or(0, |part| part.chars().count());
    f.write_str(&"^".repeat(width.max(1)))
}

/// From which byte on a line must not be shown, since it may hold a secret.
fn hidden(above: &str, line: &str) -> Option<usize> {
    // A string over several lines may be a password's.
    let open = |quotes| above.matches(quotes).count() % 2 == 1;
    if open("\"\"\"") || open("'''") {
        return Some(0);
    }
    // So may a list over several lines that somebody put in a password's place.
    if !line.contains('=') && !line.trim_start().starts_with('[') {
        let key_line = above.lines().rev().find(|line| line.contains('='));
        if key_line.is_some_and(|line| secret_value(line).is_some()) {
            return Some(0);
        }
    }
    let user_info = line.find("://").map(|at| at + 3).filter(|&at| line[at..].contains('@'));
    match (secret_value(line), user_info) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Where the value of the first key on the line starts that names a secret, slips included.
fn secret_value(line: &str) -> Option<usize> {
    line.match_indices('=').map(|(at, _)| at).find_map(|at| {
        let is_part = |c: char| c.is_alphanumeric() || "_-.\"'".contains(c);
        let key = line[..at].trim_end().rsplit(|c| !is_part(c)).next()?;
        let key = key.rsplit('.').next()?.trim_matches(['"', '\'']).to_lowercase();
        let named = ["pass", "secret", "token", "pwd"].iter().any(|word| key.contains(word));
        // A proxy's login stands in its URL, and that may lack its scheme.
        (named || key == "proxy" || strsim::osa_distance(&key, "password") <= 3).then_some(at + 1)
    })
}

/// Without control characters but for tabs.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn listed(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str, span: Span) -> String {
        Source::new("t", text).error(vec![Problem::new(Some(span), "wrong")]).to_string()
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(at("a = 1\n\tb = é2\n", 12..15), "t:2:6: wrong\n 2 | \tb = é2\n   | \t    ^^");
        assert_eq!(at("", 0..0), "t:1:1: wrong\n 1 | \n   | ^");
        assert_eq!(at("ab", 2..2), "t:1:3: wrong\n 1 | ab\n   |   ^");
    }

    #[test]
    fn lines_with_secrets_are_cut() {
        for (text, place) in [
            ("password = \"hunter2\"", "hunter2"),
            ("pasword = \"hunter2\"", "pasword"),
            ("pool = [{ url = \"x\", password = \"hunter2\" }]", "url"),
            ("password = \"\"\"\nhunter2\n\"\"\"", "hunter2"),
            ("password = [\n  \"hunter2\"\n]", "hunter2"),
            ("url = \"stratum+tcp://me:hunter2@pool.example:3008\"", "stratum"),
            ("route.pool.'password' = hunter2", "hunter2"),
        ] {
            let start = text.find(place).unwrap();
            let shown = at(text, start..start + place.len());
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains('^'), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_long_line_is_cut_around_the_place(
            text in "[a-z=é\n\t]{0,700}",
            start in 0_usize..800,
            end in 0_usize..800,
        ) {
            let shown = at(&text, start..end);
            prop_assert!(shown.ends_with('^'));
            prop_assert!(shown.lines().all(|line| line.chars().count() < 220), "{shown}");
        }

        #[test]
        fn no_span_panics(text in "[a-z=é\n\t\"']{0,40}", start in 0_usize..60, end in 0_usize..60) {
            let shown = at(&text, start..end);
            prop_assert!(shown.ends_with('^'));
        }
    }
}
