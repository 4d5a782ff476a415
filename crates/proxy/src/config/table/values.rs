//! Reading the values of a table: of the right type, or a note that says what to write.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use orepass_stratum::target::Difficulty;
use toml::de::DeValue;

use super::super::error::Span;
use super::super::nearest;
use super::super::syntax::is_quote;
use super::{TableReader, TomlValue};

impl<'s> TableReader<'_, 's> {
    /// A text.
    pub(in crate::config) fn text(&mut self, key: &'static str) -> Option<&'s str> {
        let value = self.find(key)?;
        self.text_of(value)
    }

    /// A text that stands for something else.
    pub(in crate::config) fn parsed<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let parsed = self.text(key)?.parse();
        parsed.map_err(|error: T::Err| self.note_at(key, error.to_string())).ok()
    }

    /// One of a few words.
    pub(in crate::config) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key)?;
        let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if meant.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.note_at(key, nearest::unknown("value", text, &known));
        }
        meant
    }

    /// One of the words that the command line takes as well.
    pub(in crate::config) fn variant<T: ValueEnum + Copy>(
        &mut self,
        key: &'static str,
    ) -> Option<T> {
        let named = T::value_variants().iter().map(|value| (value.to_possible_value(), *value));
        let named: Vec<_> = named.filter_map(|(name, value)| Some((name?, value))).collect();
        let words: Vec<_> = named.iter().map(|(name, value)| (name.get_name(), *value)).collect();
        self.word(key, &words)
    }

    /// A list of texts.
    pub(in crate::config) fn texts(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<Vec<(Span, &'s str)>> {
        let value = self.find(key)?;
        let Some(items) = value.get_ref().as_array() else {
            let text = self.text_in(value);
            let write =
                text.filter(|_| self.shown(value).is_some()).map(|text| format!("[{text:?}]"));
            self.expected(&format!("a list of texts, as in {example}"), value, write);
            return text.map(|text| vec![(value.span(), text)]);
        };
        let text = |item: &'s TomlValue<'s>| Some((item.span(), self.text_of(item)?));
        Some(items.iter().filter_map(text).collect())
    }

    /// `true` or `false`.
    pub(in crate::config) fn flag(&mut self, key: &'static str) -> Option<bool> {
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
    pub(in crate::config) fn whole<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<T>
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
    pub(in crate::config) fn seconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<Duration> {
        self.whole(key, range).map(Duration::from_secs)
    }

    /// A number above zero.
    pub(in crate::config) fn positive(&mut self, key: &'static str) -> Option<f64> {
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
    pub(in crate::config) fn difficulty(&mut self, key: &'static str) -> Option<Difficulty> {
        self.positive(key).and_then(Difficulty::new)
    }

    fn text_of(&mut self, value: &'s TomlValue<'s>) -> Option<&'s str> {
        let text = self.text_in(value);
        if text.is_none() {
            let is_one = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
            let write = self.shown(value).filter(|_| is_one).map(|text| format!("\"{text}\""));
            self.expected("a text in quotes", value, write);
        }
        text
    }

    fn text_in(&self, value: &'s TomlValue<'s>) -> Option<&'s str> {
        bare_word(self.notes.source().text(), value).or_else(|| value.get_ref().as_str())
    }

    /// A value as it is written, where it may be shown.
    fn shown(&self, value: &TomlValue<'_>) -> Option<&'s str> {
        if self.notes.is_full() { None } else { self.notes.source().shown(&value.span()) }
    }

    /// Notes that something else was expected, and what to write if that is known.
    fn expected(&mut self, expected: &str, value: &TomlValue<'_>, write: Option<String>) {
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
pub(super) fn bare_word<'s>(text: &'s str, value: &TomlValue<'_>) -> Option<&'s str> {
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
