//! A dialect's own options, kept as they were written until the dialect reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use orepass_stratum::habits::{Answer, Habit};
use serde::{Deserialize, Serialize, Serializer};
use toml::Value;

use super::error::{Located, Problem, Span};
use super::nearest;

/// `[route.options]` or `[route.pool.options]`: each value with its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptionTable {
    entries: BTreeMap<String, OptionEntry>,
}

#[derive(Debug, Clone, PartialEq)]
struct OptionEntry {
    key: Option<Span>,
    value: Located<Value>,
}

impl OptionTable {
    /// Whether the other one says the same, wherever it was written.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let said = |table: &Self| {
            let entries = table.entries.iter();
            entries.map(|(key, entry)| (key.clone(), entry.value.value.clone())).collect::<Vec<_>>()
        };
        said(self) == said(other)
    }

    /// The options of both; where both say something, this one.
    pub(crate) fn over(&self, others: &Self) -> Self {
        let mut both = others.clone();
        both.entries.extend(self.entries.clone());
        both
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A text option, such as one of several words. A wrong one is noted in `errors`, and `None`
    /// is given as for one that is absent.
    pub fn parsed<T>(&self, key: &str, errors: &mut OptionError) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.read(key, "a text in quotes", errors, Value::as_str)?
            .and_then(|text| text.parse().map_err(|error: T::Err| error.to_string()), errors)
    }

    /// The same for one that may also be left to be found out, by the word `auto`.
    pub fn chosen<T>(&self, key: &str, errors: &mut OptionError) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let is_auto =
            self.entries.get(key).is_some_and(|entry| entry.value.value.as_str() == Some("auto"));
        if is_auto { None } else { self.parsed(key, errors) }
    }

    /// A list of texts; none where it is absent. Each that is wrong is noted.
    pub fn list<T>(&self, key: &str, errors: &mut OptionError) -> Option<Vec<T>>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let texts = |value: &Value| {
            let texts = value.as_array()?.iter();
            texts.map(|text| Some(text.as_str()?.to_owned())).collect::<Option<Vec<_>>>()
        };
        self.read(key, "a list of texts in quotes", errors, texts)?.and_then(
            |texts| {
                let parsed = |text: String| text.parse().map_err(|error: T::Err| error.to_string());
                texts.into_iter().map(parsed).collect()
            },
            errors,
        )
    }

    /// A whole number within a range.
    pub fn whole(
        &self,
        key: &str,
        range: RangeInclusive<usize>,
        errors: &mut OptionError,
    ) -> Option<usize> {
        self.read(key, "a whole number", errors, Value::as_integer)?.and_then(
            |number| {
                let fits = usize::try_from(number).ok().filter(|fits| range.contains(fits));
                let (min, max) = (range.start(), range.end());
                fits.ok_or_else(|| format!("expected a number from {min} to {max}, found {number}"))
            },
            errors,
        )
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, errors: &mut OptionError) -> Option<bool> {
        Some(self.read(key, "true or false", errors, Value::as_bool)?.value)
    }

    /// What the operator says of a pool's habit: `"auto"`, or one of its words; those that are
    /// `true` and `false` also without quotes.
    pub fn habit(&self, habit: Habit, errors: &mut OptionError) -> Option<Answer> {
        let text = |value: &Value| {
            let flag = value.as_bool().map(|flag| flag.to_string());
            flag.or_else(|| value.as_str().map(str::to_owned))
        };
        let words = [Answer::Usual, Answer::Other].map(|answer| habit.word(answer));
        let [usual, other] = words;
        self.read(habit.name(), &format!("\"auto\", {usual} or {other}"), errors, text)?
            .and_then(
                |text| match habit.of_word(&text) {
                    None if text == "auto" => Ok(None),
                    None => Err(format!("expected \"auto\", {usual} or {other}, found {text:?}")),
                    known => Ok(known),
                },
                errors,
            )
            .flatten()
    }

    /// Adds what was written at a place.
    pub(super) fn insert(&mut self, key: &str, key_span: Span, value: Value, span: Span) {
        let entry = OptionEntry { key: Some(key_span), value: Located { value, span: Some(span) } };
        self.entries.insert(key.to_owned(), entry);
    }

    /// Sorts the entries into those of the given names and the others.
    #[must_use]
    pub fn partition(self, names: &[&str]) -> (Self, Self) {
        let (named, others) =
            self.entries.into_iter().partition(|(key, _)| names.contains(&key.as_str()));
        (Self { entries: named }, Self { entries: others })
    }

    /// Notes every key that the dialect does not know here; `elsewhere` are those that it knows
    /// in the table of the given name.
    pub(crate) fn refuse_unknown(
        &self,
        known: &[&str],
        elsewhere: (&str, &[&str]),
        errors: &mut OptionError,
    ) {
        for (key, entry) in &self.entries {
            if known.contains(&key.as_str()) {
                continue;
            }
            let (table, others) = elsewhere;
            let message = if others.contains(&key.as_str()) {
                format!("the option `{key}` belongs into {table}")
            } else {
                nearest::unknown("option", key, known)
            };
            errors.problems.push(Problem::new(entry.key.clone(), message));
        }
    }

    fn read<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        errors: &mut OptionError,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<FoundValue<'a, T>> {
        let Located { value, span } = &self.entries.get(key)?.value;
        let Some(read) = read(value) else {
            let message = format!("expected {expected}, found {value}");
            errors.problems.push(Problem::new(span.clone(), message));
            return None;
        };
        Some(FoundValue { value: read, span: span.as_ref() })
    }
}

/// A value of the right type, and its place.
struct FoundValue<'a, T> {
    value: T,
    span: Option<&'a Span>,
}

impl<T> FoundValue<'_, T> {
    fn and_then<U>(
        self,
        check: impl FnOnce(T) -> Result<U, String>,
        errors: &mut OptionError,
    ) -> Option<U> {
        let noted =
            |message: String| errors.problems.push(Problem::new(self.span.cloned(), message));
        check(self.value).map_err(noted).ok()
    }
}

impl Serialize for OptionTable {
    /// The options and their values, without places.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|(key, entry)| (key, &entry.value.value)))
    }
}

impl<'de> Deserialize<'de> for OptionTable {
    /// Reads a table without places, as from JSON.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let entry = |value| OptionEntry { key: None, value: Located::nowhere(value) };
        Ok(Self { entries: values.into_iter().map(|(key, value)| (key, entry(value))).collect() })
    }
}

/// What is wrong with a dialect's options. It is the operator's to act on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionError {
    problems: Vec<Problem>,
}

impl OptionError {
    /// Gives `value` when nothing was noted.
    ///
    /// # Errors
    /// What was noted.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.problems.is_empty() { Ok(value) } else { Err(self) }
    }

    /// This and then `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        self
    }

    /// What was noted.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{}", if index > 0 { "; " } else { "" }, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for OptionError {}

#[cfg(test)]
mod tests {
    use toml::Spanned;
    use toml::de::{DeTable, DeValue};

    use super::super::error::Source;
    use super::super::notes::Notes;
    use super::super::table::TableReader;
    use super::*;

    fn table(text: &str) -> OptionTable {
        let source = Source::new("t", text);
        let options = DeTable::parse(text).unwrap().into_inner();
        let key = Spanned::new(0..0, "options".into());
        let document = DeTable::from_iter([(key, Spanned::new(0..0, DeValue::Table(options)))]);
        let mut notes = Notes::new(&source);
        TableReader::read_document(&mut notes, &document, |table| table.options("[options]"))
    }

    #[test]
    fn options_keep_their_places() {
        let options = table("size = 9\nword = 'x'\nflag = 1\nother = 3");
        let mut errors = OptionError::default();
        assert_eq!(options.whole("size", 1..=8, &mut errors), None);
        assert_eq!(options.whole("word", 1..=8, &mut errors), None);
        assert_eq!(options.parsed::<u8>("word", &mut errors), None);
        assert_eq!(options.flag("flag", &mut errors), None);
        assert_eq!(options.flag("absent", &mut errors), None);
        options.refuse_unknown(
            &["size", "word", "flags"],
            ("[route.pool.options]", &["other"]),
            &mut errors,
        );
        let spans: Vec<_> = errors.problems.iter().map(|p| p.span.clone().unwrap().start).collect();
        assert_eq!(spans, [7, 16, 16, 27, 20, 29]);
        assert_eq!(
            errors.or(()).unwrap_err().to_string(),
            "expected a number from 1 to 8, found 9; \
             expected a whole number, found \"x\"; \
             invalid digit found in string; \
             expected true or false, found 1; \
             unknown option `flag`, did you mean `flags`?; \
             the option `other` belongs into [route.pool.options]"
        );
    }

    #[test]
    fn habits_are_read_in_their_words() {
        let read = |text: &str, habit| {
            let mut errors = OptionError::default();
            let answer = table(text).habit(habit, &mut errors);
            errors.or(answer).map_err(|error| error.to_string())
        };
        for text in ["names = false", "names = 'false'"] {
            assert_eq!(read(text, Habit::Names), Ok(Some(Answer::Other)));
        }
        assert_eq!(read("names = true", Habit::Names), Ok(Some(Answer::Usual)));
        assert_eq!(read("names = 'auto'", Habit::Names), Ok(None));
        assert_eq!(read("", Habit::Names), Ok(None));
        let at_once = read("difficulty_from = 'at_once'", Habit::DifficultyFrom);
        assert_eq!(at_once, Ok(Some(Answer::Other)));
        assert_eq!(
            read("difficulty_from = 'job'", Habit::DifficultyFrom).unwrap_err(),
            "expected \"auto\", notify or at_once, found \"job\""
        );
        assert!(read("names = 1", Habit::Names).unwrap_err().ends_with("found 1"));
    }

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let read = |text: &str| {
            let mut errors = OptionError::default();
            let list = table(text).list::<u8>("sizes", &mut errors);
            errors.or(list).map_err(|error| error.to_string())
        };
        assert_eq!(read("sizes = ['1', '2']"), Ok(Some(vec![1, 2])));
        assert_eq!(read("sizes = []"), Ok(Some(Vec::new())));
        assert_eq!(read(""), Ok(None));
        assert!(read("sizes = ['1', 'x']").unwrap_err().contains("invalid digit"));
        for wrong in ["sizes = '1'", "sizes = [1]"] {
            assert!(read(wrong).unwrap_err().starts_with("expected a list of texts"), "{wrong}");
        }
    }

    #[test]
    fn right_options_are_read() {
        let options = table("size = 8\nword = '7'\nflag = true");
        let mut errors = OptionError::default();
        assert_eq!(options.whole("size", 1..=8, &mut errors), Some(8));
        assert_eq!(options.parsed("word", &mut errors), Some(7_u8));
        assert_eq!(options.flag("flag", &mut errors), Some(true));
        assert_eq!(errors.or("fine"), Ok("fine"));
    }
}
