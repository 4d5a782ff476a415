//! JSON values as servers and rigs write them, read without a tree of them.

use std::borrow::Cow;
use std::fmt;

use arrayvec::ArrayVec;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Reject, shown};

/// The most elements of a submit that anybody looks at.
pub const MAX_PARAMS: usize = 8;

/// The parameters of a submit: an array that is taken apart once, whoever reads what of it.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    elements: ArrayVec<&'a RawValue, MAX_PARAMS>,
    count: usize,
}

impl<'a> Params<'a> {
    /// Takes an array apart; its elements are still JSON text.
    ///
    /// # Errors
    /// [`Reject::invalid`] with the value, for anything else.
    pub fn read(params: &'a RawValue) -> Result<Self, Reject> {
        let no_array =
            || Reject::invalid(format!("params is {}, expected an array", shown(params.get())));
        let (elements, count) = array(params).ok_or_else(no_array)?;
        Ok(Self { elements, count })
    }

    /// The first [`MAX_PARAMS`] elements.
    #[must_use]
    pub fn elements(&self) -> &[&'a RawValue] {
        &self.elements
    }

    /// How many elements there are in all.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }
}

/// The elements of a JSON array, still as JSON text, the first `N` of them, and how many there
/// were in all. `None` when `params` is no array.
#[must_use]
pub fn array<const N: usize>(params: &RawValue) -> Option<(ArrayVec<&RawValue, N>, usize)> {
    struct Elements<const N: usize>;
    impl<'de, const N: usize> Visitor<'de> for Elements<N> {
        type Value = (ArrayVec<&'de RawValue, N>, usize);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut elements = ArrayVec::new();
            let mut count = 0;
            while !elements.is_full() {
                let Some(element) = seq.next_element()? else {
                    return Ok((elements, count));
                };
                elements.push(element);
                count += 1;
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok((elements, count))
        }
    }
    serde_json::Deserializer::from_str(params.get()).deserialize_seq(Elements::<N>).ok()
}

/// How many bytes a JSON string of hex stands for; `None` for any other value.
#[must_use]
pub fn hex_length(value: &RawValue) -> Option<usize> {
    let text = string(value)?;
    let hex = text.len() % 2 == 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then_some(text.len() / 2)
}

/// The text of a JSON string; `None` for any other value. Borrowed unless it has escapes.
#[must_use]
pub fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    struct TextVisitor;
    impl<'de> Visitor<'de> for TextVisitor {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
    }
    // Serde's complaint about another type would be allocated only to be dropped, and its search for
    // escapes is slow.
    let text = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    serde_json::Deserializer::from_str(value.get()).deserialize_str(TextVisitor).ok()
}

/// `true` or `false`, also where it is written as a string, in any case.
#[must_use]
pub fn boolean(value: &RawValue) -> Option<bool> {
    let quoted = string(value);
    let text = quoted.as_deref().unwrap_or_else(|| value.get());
    match () {
        () if text.eq_ignore_ascii_case("true") => Some(true),
        () if text.eq_ignore_ascii_case("false") => Some(false),
        () => None,
    }
}

/// A whole number from 0 to 2⁵³, also where it is written as a string or with a point: `4`, `"4"`
/// and `4.0` are the same.
#[must_use]
pub fn whole(value: &RawValue) -> Option<u64> {
    /// Above it a number with a point does not tell which whole one is meant.
    const MAX_EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    let number = number(value)?;
    let fits = number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&number);
    fits.then_some(number as u64)
}

/// A finite number, also where it is written as a string (some servers quote theirs).
#[must_use]
pub fn number(value: &RawValue) -> Option<f64> {
    let parsed = match string(value) {
        Some(text) => text.trim().parse().ok(),
        None => value.get().parse().ok(),
    };
    parsed.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn booleans_may_be_quoted() {
        for text in ["true", "\"true\"", "\"True\"", "\"TRUE\""] {
            assert_eq!(boolean(&raw(text)), Some(true), "{text}");
        }
        for text in ["false", "\"false\"", "\"False\""] {
            assert_eq!(boolean(&raw(text)), Some(false), "{text}");
        }
        for text in ["1", "0", "null", "\"\"", "\"yes\"", "[true]", "\" true\""] {
            assert_eq!(boolean(&raw(text)), None, "{text}");
        }
    }

    #[test]
    fn hex_has_two_digits_a_byte() {
        assert_eq!(hex_length(&raw("\"\"")), Some(0));
        assert_eq!(hex_length(&raw("\"00fF\"")), Some(2));
        for text in ["\"00f\"", "\"0\"", "\"zz\"", "\"0x00\"", "10", "null"] {
            assert_eq!(hex_length(&raw(text)), None, "{text}");
        }
    }

    #[test]
    fn arrays_are_counted_past_their_cap() {
        let params = raw("[1, \"two\" ,[3],4]");
        let (elements, count) = array::<3>(&params).unwrap();
        assert_eq!(count, 4);
        assert_eq!(elements.iter().map(|e| e.get()).collect::<Vec<_>>(), ["1", "\"two\"", "[3]"]);
        assert!(array::<3>(&raw("{}")).is_none());
    }
}
