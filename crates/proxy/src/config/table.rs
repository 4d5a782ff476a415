//! Reading a config's tables key by key: what is wrong is noted at its place, and reading goes on
//! as if the key were absent. The reading itself says which keys there are.

mod values;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::Span;
use super::nearest;
use super::notes::{Notes, key_of};
use super::options::{OptionError, OptionTable};
use values::bare_word;

/// A value as the file has it.
type TomlValue<'s> = Spanned<DeValue<'s>>;

/// A table by its header, such as `[[route.pool]]`, and what of it has been read.
///
/// One that the file does not have is read all the same, so that its keys are known when one of
/// them is found elsewhere; nothing is noted of it.
pub(super) struct TableReader<'n, 's> {
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

impl<'n, 's> TableReader<'n, 's> {
    /// Reads the whole document.
    pub(super) fn read_document<T>(
        notes: &'n mut Notes<'s>,
        document: &'s DeTable<'s>,
        read: impl FnOnce(&mut TableReader<'_, 's>) -> T,
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
    fn read<T>(mut self, read: impl FnOnce(&mut TableReader<'_, 's>) -> T) -> T {
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
        read: impl FnOnce(&mut TableReader<'_, 's>) -> T,
    ) -> T {
        let found = self.find_table(header);
        TableReader::new(self.notes, header, found).read(read)
    }

    /// The tables in this one that have the same header.
    pub(super) fn tables<T>(
        &mut self,
        header: &'static str,
        mut read: impl FnMut(&mut TableReader<'_, 's>) -> T,
    ) -> Vec<T> {
        let found = self.find_tables(header);
        if found.is_empty() {
            TableReader::new(self.notes, header, None).read(read);
            return Vec::new();
        }
        let mut made = Vec::with_capacity(found.len());
        for found in found {
            made.push(TableReader::new(self.notes, header, Some(found)).read(&mut read));
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

    fn find(&mut self, key: &'static str) -> Option<&'s TomlValue<'s>> {
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
