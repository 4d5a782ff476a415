//! Reading a config's tables key by key: what is wrong is noted at its place, and reading goes on
//! as if the key were absent. The reading itself says which keys there are.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use orepass_stratum::target::Difficulty;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::Span;
use super::nearest;
use super::notes::{Notes, key_of};
use super::options::{OptionError, OptionTable};
use super::syntax::is_quote;

/// A value as the file has it.
type Written<'s> = Spanned<DeValue<'s>>;

/// A table by its header, such as `[[route.pool]]`, and what of it has been read.
///
/// One that the file does not have is read all the same, so that its keys are known when one of
/// them is found elsewhere; nothing is noted of it.
pub(super) struct Table<'n, 's> {
    notes: &'n mut Notes<'s>,
    header: &'static str,
    /// Where the file has it.
    span: Span,
    entries: Option<&'s DeTable<'s>>,
    asked: Vec<&'static str>,
    /// The keys that it needs and does not have, and what to say of each.
    missing: Vec<(&'static str, String)>,
    noted_before: usize,
}

/// A text, and where it stands.
pub(super) type Text<'s> = (Span, &'s str);

impl<'n, 's> Table<'n, 's> {
    /// Reads the whole document.
    pub(super) fn read_document<T>(
        notes: &'n mut Notes<'s>,
        document: &'s DeTable<'s>,
        read: impl FnOnce(&mut Table<'_, 's>) -> T,
    ) -> T {
        Self::new(notes, "", Some((0..0, document))).read(read)
    }

    fn new(
        notes: &'n mut Notes<'s>,
        header: &'static str,
        found: Option<(Span, &'s DeTable<'s>)>,
    ) -> Self {
        let (span, entries) = found.map_or((0..0, None), |(span, entries)| (span, Some(entries)));
        let (asked, missing, noted_before) = (Vec::new(), Vec::new(), notes.count());
        Self { notes, header, span, entries, asked, missing, noted_before }
    }

    /// Reads it, and notes the keys that were not asked for.
    fn read<T>(mut self, read: impl FnOnce(&mut Table<'_, 's>) -> T) -> T {
        // Before the tables in it.
        self.notes.know(self.header, &[]);
        let made = read(&mut self);
        self.notes.know(self.header, &self.asked);
        let unknown = self.entries.into_iter().flat_map(DeTable::keys);
        for key in unknown.filter(|key| !self.asked.contains(&&**key.get_ref())) {
            self.notes.note_unknown(self.header, key.get_ref(), key.span());
            // It may be what is missing.
            let near = nearest::nearest(key.get_ref(), &self.asked);
            self.missing.retain(|(missing, _)| Some(*missing) != near);
        }
        let written = self.notes.source().text().get(self.span.clone()).unwrap_or_default();
        // One whose parts alone are there may be further down.
        if !self.header.is_empty() && !written.starts_with(['[', '{']) {
            return made;
        }
        for (_, message) in self.missing {
            self.notes.note_missing(self.span.clone(), message);
        }
        made
    }

    /// Notes that it lacks a key, unless one that it does not know may be meant for it.
    pub(super) fn lacks(&mut self, key: &'static str, message: impl Into<String>) {
        if self.entries.is_some() {
            self.missing.push((key, message.into()));
        }
    }

    /// Whether it does not have a key, or an empty list there.
    pub(super) fn is_absent(&self, key: &str) -> bool {
        let value = self.entries.and_then(|entries| entries.get(key));
        value.is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty()))
    }

    /// Notes something at a place.
    pub(super) fn note(&mut self, span: Span, message: impl Into<String>) {
        self.notes.note(span, message);
    }

    /// Notes something at the value of a key.
    pub(super) fn note_at(&mut self, key: &str, message: impl Into<String>) {
        if let Some(value) = self.entries.and_then(|entries| entries.get(key)) {
            self.note(value.span(), message);
        }
    }

    /// Notes what is wrong with options that were read.
    pub(super) fn note_options(&mut self, error: OptionError) {
        self.notes.extend(error.into_problems());
    }

    /// Whether nothing was noted of its values.
    pub(super) const fn is_clean(&self) -> bool {
        self.notes.count() == self.noted_before
    }

    /// These keys must be there; each comes with an example of what may be written.
    pub(super) fn needs(&mut self, keys: &[(&'static str, &str)]) {
        let Some(entries) = self.entries else { return };
        for (key, example) in keys.iter().filter(|(key, _)| !entries.contains_key(*key)) {
            let message =
                format!("the key `{key}` is missing in this table: write {key} = {example}");
            self.missing.push((key, message));
        }
    }

    /// A table in this one, by its header; one that is absent is read as an empty one.
    pub(super) fn table<T>(
        &mut self,
        header: &'static str,
        read: impl FnOnce(&mut Table<'_, 's>) -> T,
    ) -> T {
        let found = self.find_table(header);
        Table::new(self.notes, header, found).read(read)
    }

    /// The tables in this one that have the same header.
    pub(super) fn tables<T>(
        &mut self,
        header: &'static str,
        mut read: impl FnMut(&mut Table<'_, 's>) -> T,
    ) -> Vec<T> {
        let found = self.find_tables(header);
        if found.is_empty() {
            Table::new(self.notes, header, None).read(read);
            return Vec::new();
        }
        let mut made = Vec::with_capacity(found.len());
        for found in found {
            made.push(Table::new(self.notes, header, Some(found)).read(&mut read));
        }
        made
    }

    /// A table of options, whose keys somebody else knows.
    pub(super) fn options(&mut self, header: &'static str) -> OptionTable {
        let mut options = OptionTable::default();
        let source = self.notes.source();
        for (key, value) in self.find_table(header).into_iter().flat_map(|(_, table)| table) {
            let read = match bare_word(source.text(), value) {
                Some(word) => Ok(toml::Value::String(word.to_owned())),
                None => toml::Value::deserialize(ValueDeserializer::from(value.clone())),
            };
            match read {
                Ok(read) => {
                    self.notes.note_option(header, key.get_ref(), key.span());
                    options.insert(key.get_ref(), key.span(), read, value.span());
                }
                Err(error) => self.note(value.span(), error.message()),
            }
        }
        options
    }

    fn find(&mut self, key: &'static str) -> Option<&'s Written<'s>> {
        self.asked.push(key);
        self.entries?.get(key)
    }

    fn find_table(&mut self, header: &'static str) -> Option<(Span, &'s DeTable<'s>)> {
        let value = self.find(key_of(header))?;
        let span = value.span();
        match value.get_ref() {
            DeValue::Table(table) => return Some((span, table)),
            DeValue::Array(items) => {
                if let Some(table) = items.first().and_then(|item| item.get_ref().as_table()) {
                    self.note(span.clone(), format!("there is only one of these: write {header}"));
                    return Some((span, table));
                }
            }
            _ => {}
        }
        self.note(span, format!("expected a table: write {header}, and its keys below"));
        None
    }

    fn find_tables(&mut self, header: &'static str) -> Vec<(Span, &'s DeTable<'s>)> {
        let Some(value) = self.find(key_of(header)) else { return Vec::new() };
        let span = value.span();
        let expected = format!("expected tables: write {header}, and the keys of each below");
        match value.get_ref() {
            DeValue::Array(items) => {
                let mut tables = Vec::new();
                for item in items {
                    match item.get_ref().as_table() {
                        Some(table) => tables.push((item.span(), table)),
                        None => self.note(item.span(), &*expected),
                    }
                }
                tables
            }
            DeValue::Table(table) => {
                let written = self.notes.source().text().get(span.clone()).unwrap_or_default();
                let message = match written.chars().next() {
                    Some('{') => {
                        format!("there can be several of these: write {header}, or [ ] around")
                    }
                    Some('[') => format!("there can be several of these: write {header}"),
                    _ => format!("this stands before any {header}: write that line above"),
                };
                self.note(span.clone(), message);
                vec![(span, table)]
            }
            _ => {
                self.note(span, expected);
                Vec::new()
            }
        }
    }
}

/// Values.
impl<'s> Table<'_, 's> {
    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'s str> {
        let value = self.find(key)?;
        self.text_of(value)
    }

    /// A text that stands for something else.
    pub(super) fn parsed<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let parsed = self.text(key)?.parse();
        parsed.map_err(|error: T::Err| self.note_at(key, error.to_string())).ok()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if meant.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.note_at(key, nearest::unknown("value", text, &known));
        }
        meant
    }

    /// One of the words that the command line takes as well.
    pub(super) fn variant<T: ValueEnum + Copy>(&mut self, key: &'static str) -> Option<T> {
        let named = T::value_variants().iter().map(|value| (value.to_possible_value(), *value));
        let named: Vec<_> = named.filter_map(|(name, value)| Some((name?, value))).collect();
        let words: Vec<_> = named.iter().map(|(name, value)| (name.get_name(), *value)).collect();
        self.word(key, &words)
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &'static str, example: &str) -> Option<Vec<Text<'s>>> {
        let value = self.find(key)?;
        let Some(items) = value.get_ref().as_array() else {
            let text = self.text_in(value);
            let write =
                text.filter(|_| self.shown(value).is_some()).map(|text| format!("[{text:?}]"));
            self.expected(&format!("a list of texts, as in {example}"), value, write);
            return text.map(|text| vec![(value.span(), text)]);
        };
        let text = |item: &'s Written<'s>| Some((item.span(), self.text_of(item)?));
        Some(items.iter().filter_map(text).collect())
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.find(key)?;
        let text = self.text_in(value);
        if text.is_none()
            && let Some(flag) = value.get_ref().as_bool()
        {
            return Some(flag);
        }
        let meant = match text.unwrap_or_default().to_lowercase().as_str() {
            "true" | "yes" | "on" => Some("true".to_owned()),
            "false" | "no" | "off" => Some("false".to_owned()),
            _ => None,
        };
        self.expected("true or false", value, meant);
        None
    }

    /// A whole number within a range.
    pub(super) fn whole<T>(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<T>
    where
        T: TryFrom<u32>,
    {
        let value = self.find(key)?;
        let (min, max) = (range.start(), range.end());
        let fits = |number: &u32| range.contains(number);
        if let Some(number) = value.get_ref().as_integer() {
            let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
            let read = read.and_then(|number| u32::try_from(number).ok()).filter(fits);
            if read.is_none() {
                self.expected(&format!("a number from {min} to {max}"), value, None);
            }
            return read.and_then(|number| T::try_from(number).ok());
        }
        let in_seconds = key.ends_with("seconds");
        let meant = self.text_in(value).and_then(|text| number_in(text, in_seconds)).filter(fits);
        let kind = if in_seconds { "a number of seconds" } else { "a whole number" };
        let expected = format!("{kind} from {min} to {max}");
        self.expected(&expected, value, meant.map(|number| number.to_string()));
        None
    }

    /// A whole number of seconds within a range.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<Duration> {
        self.whole(key, range).map(Duration::from_secs)
    }

    /// A number above zero.
    pub(super) fn positive(&mut self, key: &'static str) -> Option<f64> {
        let value = self.find(key)?;
        let is_positive = |number: &f64| number.is_finite() && *number > 0.0;
        let text = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            DeValue::Float(number) => Some(number.as_str()),
            _ => None,
        };
        let read = text.and_then(|text| text.parse().ok()).filter(is_positive);
        if read.is_none() {
            let meant = self.text_in(value).map(str::trim);
            let meant = meant.filter(|text| text.parse().is_ok_and(|number| is_positive(&number)));
            self.expected("a number above zero", value, meant.map(str::to_owned));
        }
        read
    }

    /// A difficulty.
    pub(super) fn difficulty(&mut self, key: &'static str) -> Option<Difficulty> {
        self.positive(key).and_then(Difficulty::new)
    }

    fn text_of(&mut self, value: &'s Written<'s>) -> Option<&'s str> {
        let text = self.text_in(value);
        if text.is_none() {
            let is_one = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
            let write = self.shown(value).filter(|_| is_one).map(|text| format!("\"{text}\""));
            self.expected("a text in quotes", value, write);
        }
        text
    }

    fn text_in(&self, value: &'s Written<'s>) -> Option<&'s str> {
        bare_word(self.notes.source().text(), value).or_else(|| value.get_ref().as_str())
    }

    /// A value as it is written, where it may be shown.
    fn shown(&self, value: &Written<'_>) -> Option<&'s str> {
        self.notes.source().shown(&value.span())
    }

    /// Notes that something else was expected, and what to write if that is known.
    fn expected(&mut self, expected: &str, value: &Written<'_>, write: Option<String>) {
        let rest = match (write, self.shown(value)) {
            (Some(write), Some(_)) => format!(": write {write}"),
            (_, Some(found)) => format!(", found {found}"),
            _ => String::new(),
        };
        self.notes.note_mistyped(value.span(), format!("expected {expected}{rest}"));
    }
}

/// A word without quotes, which the parser has taken for a text, or by its first letter for `true`
/// or `false`; it has said so.
fn bare_word<'s>(text: &'s str, value: &Written<'_>) -> Option<&'s str> {
    let word = text.get(value.span())?;
    let is_bare = match value.get_ref() {
        DeValue::Boolean(_) => !matches!(word, "true" | "false"),
        DeValue::String(_) => !word.starts_with(['"', '\'']),
        _ => false,
    };
    is_bare.then(|| word.trim_matches(is_quote))
}

/// The number that was meant by a text: `5`, `50%`; `5m` where seconds are wanted.
fn number_in(text: &str, in_seconds: bool) -> Option<u32> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u32 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "%" => 1,
        "s" | "sec" | "seconds" if in_seconds => 1,
        "m" | "min" | "minutes" if in_seconds => 60,
        "h" | "hours" if in_seconds => 3600,
        "d" | "days" if in_seconds => 86_400,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_seen_in_a_text() {
        for (text, in_seconds, number) in [
            ("5", false, Some(5)),
            (" 50 % ", false, Some(50)),
            ("5m", false, None),
            ("5m", true, Some(300)),
            ("90 s", true, Some(90)),
            ("1h", true, Some(3600)),
            ("99999999d", true, None),
            ("m", true, None),
            ("", true, None),
        ] {
            assert_eq!(number_in(text, in_seconds), number, "{text:?}");
        }
    }
}
