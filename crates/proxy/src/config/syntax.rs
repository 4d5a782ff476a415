//! The TOML parser's errors in an operator's words, and what of a text may be believed beside them.

use super::error::{Problem, Source, Span};
use super::notes::ConfigNotes;

/// So many mistakes in the syntax are listed; what is left is probably no config.
const MOST_SLIPS: usize = 100;

/// All that is wrong with a text that the parser has read as far as it could.
///
/// After a mistake within a line the next line is read as if nothing were, and all that is wrong
/// is known. After one that may swallow lines, such as a list without its `]`, nothing is.
pub(super) fn all(source: &Source, errors: &[toml::de::Error], noted: ConfigNotes) -> Vec<Problem> {
    let line_of = |at: usize| line_start(source.text(), at);
    let mut errors: Vec<&toml::de::Error> = errors.iter().collect();
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let is_cut = errors.len() > MOST_SLIPS;
    errors.truncate(MOST_SLIPS);
    let mut slips: Vec<Slip> = errors.into_iter().map(|error| Slip::of(error, source)).collect();
    slips.sort_by_key(|slip| (line_of(slip.span.start), !slip.swallows, slip.span.start));
    slips.dedup_by_key(|slip| line_of(slip.span.start));
    let last = slips.iter().position(|slip| slip.swallows);
    let mut problems = noted.problems;
    match last.or_else(|| is_cut.then(|| slips.len() - 1)) {
        None => problems.extend(noted.missing),
        Some(last) => {
            slips.truncate(last + 1);
            let end = line_of(slips[last].span.start);
            problems.retain(|problem| start(problem) < end);
        }
    }
    let mut all = Vec::new();
    for Slip { span, message, .. } in slips {
        // Of what was read in such a line only what is said of the value itself is sure.
        problems.retain(|problem| {
            line_of(start(problem)) != line_of(span.start)
                || (!span.is_empty() && problem.span.as_ref() == Some(&span))
        });
        let is_said = problems.iter().any(|problem| problem.span.as_ref() == Some(&span));
        if !(is_said && noted.mistyped.contains(&span.start)) {
            all.push(Problem::new(Some(span), message));
        }
    }
    all.extend(problems);
    all
}

/// A mistake in the syntax.
struct Slip {
    span: Span,
    message: String,
    /// Whether the lines that follow may have been taken for something else.
    swallows: bool,
}

impl Slip {
    fn of(error: &toml::de::Error, source: &Source) -> Self {
        let span = error.span().unwrap_or(0..0);
        let text = source.text();
        let line = line_from(text, line_start(text, span.start));
        let is_header = line.trim_start().starts_with('[');
        let within_line = |message: &str| (message.to_owned(), false);
        let over_lines = |message: &str| (message.to_owned(), true);
        let description = error.message().split(", expected").next().unwrap_or_default();
        let (message, swallows) = match description {
            "string values must be quoted" if span.is_empty() => {
                within_line("a value is missing here")
            }
            "string values must be quoted" | "invalid boolean" => (unquoted(source, &span), false),
            "duplicate key" if is_header && line.trim_start().starts_with("[[") => within_line(
                "a table that belongs into this one, or has single brackets, stands above",
            ),
            "duplicate key" if is_header => within_line(
                "this table stands here for the second time; where there can be several, each has \
                 [[ ]]",
            ),
            "duplicate key" => {
                within_line("this key stands in its table for the second time: keep one")
            }
            "unexpected key or value" => within_line("a new line should start here"),
            "invalid basic string" | "invalid literal string" => {
                within_line("the closing quote is missing")
            }
            "missing escaped value" => within_line(
                "a backslash has a meaning here: write two of them, or '…' around the text",
            ),
            "unexpected leading zero" => within_line("a number does not start with a zero"),
            "key with no value" | "invalid unquoted key"
                if line.contains(':') && !line.contains('=') =>
            {
                over_lines("between a key and its value stands `=`, not `:`")
            }
            "invalid unquoted key" => within_line("a key has letters, digits, `_` and `-`"),
            "key with no value" => over_lines("expected `=` and a value after the key"),
            "unclosed table" => over_lines("the closing ] is missing"),
            "unclosed array table" => over_lines("the closing ]] is missing"),
            "missing comma between array elements" | "unclosed array" => {
                over_lines("a list lacks a comma before this, or its closing ]")
            }
            "missing comma between key-value pairs" | "unclosed inline table" => {
                over_lines("a table in { } lacks a comma before this, or its closing }")
            }
            _ => over_lines(error.message()),
        };
        Self { span, message, swallows }
    }
}

/// What to say of a value that is no value, and so should probably be a text.
fn unquoted(source: &Source, span: &Span) -> String {
    let (text, start) = (source.text(), span.start);
    let above = text.get(..start).unwrap_or_default();
    let ends_line = above.trim_end().ends_with('=') && !in_braces(text, start);
    let rest = line_from(text, start).split('#').next().unwrap_or_default().trim_end();
    // Where nothing else can follow, all that is left of the line.
    let value = if ends_line { start..start + rest.len() } else { span.clone() };
    match source.shown(&value).map(|word| word.trim_matches(is_quote)) {
        Some(word) if !word.is_empty() && !word.contains(['"', '\\']) => {
            format!("a text needs quotes: write \"{word}\"")
        }
        _ => "a text needs quotes".to_owned(),
    }
}

/// What an editor may have made of a quote, or somebody have taken for one.
pub(super) fn is_quote(c: char) -> bool {
    "'\"`´“”„‟‘’‚«»".contains(c)
}

/// Whether a place is within a table that is written in one line.
fn in_braces(text: &str, at: usize) -> bool {
    text.get(line_start(text, at)..at).is_some_and(|before| before.contains('{'))
}

fn start(problem: &Problem) -> usize {
    problem.span.as_ref().map_or(0, |span| span.start)
}

fn line_from(text: &str, at: usize) -> &str {
    text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

fn line_start(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}
