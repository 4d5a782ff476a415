//! What is found wrong while a config's tables are read.

use std::collections::{HashMap, HashSet};

use super::error::{Problem, Source, Span};
use super::nearest;

/// So many problems are noted; a text with more is no config.
const MOST_NOTED: usize = 1000;

/// What was found wrong with a text, and which keys its tables may have.
pub(super) struct Notes<'s> {
    source: &'s Source,
    problems: Vec<Problem>,
    missing: Vec<Problem>,
    mistyped: HashSet<usize>,
    unknown: Vec<UnknownKey>,
    /// Options, by where they stand.
    options: HashMap<usize, (&'static str, String)>,
    /// Tables by their headers, with their keys, in the order in which they are read.
    known: Vec<(&'static str, Vec<&'static str>)>,
}

/// A key that its table does not have.
struct UnknownKey {
    header: &'static str,
    key: String,
    span: Span,
}

/// What is wrong with a text.
pub(super) struct ConfigNotes {
    /// What stands there.
    pub(super) problems: Vec<Problem>,
    /// What should stand there, and is not seen.
    pub(super) missing: Vec<Problem>,
    /// Where values stand that are of the wrong type.
    pub(super) mistyped: HashSet<usize>,
}

impl<'s> Notes<'s> {
    /// Nothing is wrong yet.
    pub(super) fn new(source: &'s Source) -> Self {
        Self {
            source,
            problems: Vec::new(),
            missing: Vec::new(),
            mistyped: HashSet::new(),
            unknown: Vec::new(),
            options: HashMap::new(),
            known: Vec::new(),
        }
    }

    /// The text.
    pub(super) const fn source(&self) -> &'s Source {
        self.source
    }

    /// How many problems there are.
    pub(super) const fn count(&self) -> usize {
        self.problems.len()
    }

    /// Whether no more are noted.
    pub(super) const fn is_full(&self) -> bool {
        self.problems.len() >= MOST_NOTED
    }

    /// Something at a place is wrong.
    pub(super) fn note(&mut self, span: Span, message: impl Into<String>) {
        self.extend([Problem::new(Some(span), message)]);
    }

    /// A value at a place is of the wrong type.
    pub(super) fn note_mistyped(&mut self, span: Span, message: impl Into<String>) {
        self.mistyped.insert(span.start);
        self.note(span, message);
    }

    /// What a table should have is not there.
    pub(super) fn note_missing(&mut self, span: Span, message: impl Into<String>) {
        self.missing.push(Problem::new(Some(span), message));
    }

    /// A table does not have this key; what to write instead is known at the end.
    pub(super) fn note_unknown(&mut self, header: &'static str, key: &str, span: Span) {
        self.unknown.push(UnknownKey { header, key: key.to_owned(), span });
    }

    /// An option that its dialect may not know.
    pub(super) fn note_option(&mut self, header: &'static str, key: &str, span: Span) {
        self.options.insert(span.start, (header, key.to_owned()));
    }

    /// Problems that somebody else has found; those that were noted before are left out.
    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            if !self.is_full() && !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    /// A table has these keys.
    pub(super) fn know(&mut self, header: &'static str, keys: &[&'static str]) {
        let at = self.known.iter().position(|(known, _)| *known == header);
        let at = at.unwrap_or_else(|| {
            self.known.push((header, Vec::new()));
            self.known.len() - 1
        });
        let known = &mut self.known[at].1;
        known.extend(keys.iter().filter(|key| !known.contains(key)).copied().collect::<Vec<_>>());
    }

    /// The tables by their headers, with their keys.
    pub(super) fn known(&self) -> &[(&'static str, Vec<&'static str>)] {
        &self.known
    }

    /// What to do with a key that stands in the wrong table; `None` when no other has it. Which
    /// option belongs where is for the dialect to say.
    fn elsewhere(&self, header: &str, key: &str) -> Option<String> {
        let is_other = |other: &str| key_of(other) != key_of(header) || key_of(header) != "options";
        let others = self.known.iter().filter(|(other, _)| *other != header && is_other(other));
        if let Some((table, _)) = others.clone().find(|(other, _)| key_of(other) == key) {
            return Some(format!("there is no `{key}` here: write {table}"));
        }
        let owners = others.filter(|(_, keys)| keys.contains(&key));
        // Of several, the first of those that are nearest to where it stands.
        let (owner, _) = owners.rev().max_by_key(|(other, _)| kinship(other, header))?;
        let place = match *owner {
            "" => "at the top, before the first table".to_owned(),
            owner => format!("right below {owner}"),
        };
        Some(format!("the key `{key}` stands in the wrong table: write it {place}"))
    }

    /// All that was noted.
    pub(super) fn finish(mut self) -> ConfigNotes {
        for UnknownKey { header, key, span } in std::mem::take(&mut self.unknown) {
            let here = self.known.iter().find(|(known, _)| *known == header);
            let message = self.elsewhere(header, &key).unwrap_or_else(|| {
                nearest::unknown("key", &key, here.map_or(&[][..], |(_, keys)| keys))
            });
            self.note(span, message);
        }
        let mut problems = std::mem::take(&mut self.problems);
        for problem in &mut problems {
            let option = problem.span.as_ref().and_then(|span| self.options.get(&span.start));
            if let Some(message) = option.and_then(|(header, key)| self.elsewhere(header, key)) {
                problem.message = message;
            }
        }
        ConfigNotes { problems, missing: self.missing, mistyped: self.mistyped }
    }
}

/// The key of a table in the one around it.
pub(super) fn key_of(header: &str) -> &str {
    let path = header.trim_matches(['[', ']']);
    path.rsplit('.').next().unwrap_or(path)
}

/// How many steps two tables have in common.
fn kinship(one: &str, other: &str) -> usize {
    let [one, other] = [one, other].map(|header| header.trim_matches(['[', ']']).split('.'));
    one.zip(other).take_while(|(one, other)| one == other).count()
}
