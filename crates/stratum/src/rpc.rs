//! One JSON-RPC line: borrowed when read, written straight into a buffer.
//!
//! Stratum's JSON-RPC is loose: ids are numbers, strings or null and are echoed exactly as they
//! came; errors are arrays, objects, strings or `true`.

mod pool_error;

use std::borrow::Cow;
use std::fmt::{self, Write};

use arrayvec::{ArrayString, ArrayVec};
use bytes::BytesMut;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Reject, shown};

pub use pool_error::PoolError;

/// The longest id that is echoed, in bytes of JSON text.
pub const MAX_ID: usize = 64;
/// The most elements of a submit that anybody looks at.
pub const MAX_PARAMS: usize = 8;
/// The longest id that is kept without memory of its own, in bytes.
const SHORT_ID: usize = 16;

/// A line as it came, borrowed from the reader's buffer.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// The id's JSON text; `None` for `null` or no id.
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    /// The method of a call or notification.
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub method: Option<Cow<'a, str>>,
    /// The parameters' JSON text.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    /// The result's JSON text; `None` for `null`.
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    /// The error's JSON text; `None` for `null`.
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

/// Reads a text without copying it unless it has escapes; serde alone copies inside an `Option`.
fn borrowed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'_>>::deserialize(deserializer)?.map(|Text(text)| text))
}

impl<'a> Message<'a> {
    /// What a pool's answer says: taken, or refused and why. `line` is the whole of it.
    ///
    /// # Errors
    /// The refusal; also where the result is neither `true` nor an error.
    pub fn outcome(&self, line: &[u8]) -> Result<(), PoolError> {
        if let Some(error) = self.error.and_then(PoolError::parse) {
            return Err(error);
        }
        match self.result.map(RawValue::get) {
            Some("true" | "\"true\"") => Ok(()),
            _ => Err(PoolError::beside(line)),
        }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// When the line is not a JSON object of UTF-8 text with fields of these shapes.
    pub fn parse(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        // Serde would read an array as the struct's fields in order; stratum never means that.
        if line.first() == Some(&b'[') {
            return Err(serde::de::Error::custom("expected an object, found an array"));
        }
        serde_json::from_slice(line)
    }

    /// The id as a number, where it is one of our own. Some servers give it back as a string.
    #[must_use]
    pub fn own_id(&self) -> Option<u64> {
        whole(self.id?)
    }
}

/// An id to be echoed: its JSON text, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(IdText);

/// Nearly all ids are numbers of a few digits; a session keeps many ids, so only long ones cost more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum IdText {
    Short(ArrayString<SHORT_ID>),
    Long(Box<str>),
}

impl Id {
    /// Keeps an id's JSON text; `None` for one longer than [`MAX_ID`] bytes, or one that is
    /// neither a number, nor a string, nor null.
    #[must_use]
    pub fn new(id: Option<&RawValue>) -> Option<Self> {
        let text = id.map_or("null", RawValue::get);
        if text.starts_with(['{', '[']) {
            return None;
        }
        if text.len() > MAX_ID {
            return None;
        }
        let short = ArrayString::from(text).map(IdText::Short);
        Some(Self(short.unwrap_or_else(|_| IdText::Long(text.into()))))
    }

    /// The id `null`.
    #[must_use]
    pub fn null() -> Self {
        let mut text = ArrayString::new();
        text.push_str("null");
        Self(IdText::Short(text))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            IdText::Short(text) => text,
            IdText::Long(text) => text,
        })
    }
}

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
    struct Text;
    impl<'de> Visitor<'de> for Text {
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
    serde_json::Deserializer::from_str(value.get()).deserialize_str(Text).ok()
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

/// Writes `{"id":…,"result":…,"error":null}` and a newline; `result` is JSON text.
pub fn put_result(out: &mut BytesMut, id: &Id, result: impl fmt::Display) {
    put(out, format_args!("{{\"id\":{id},\"result\":{result},\"error\":null}}\n"));
}

/// Writes `{"id":…,"result":null,"error":[code,"reason",data]}` and a newline; `data` is JSON
/// text, by dialect `null` or `false`.
pub fn put_error(out: &mut BytesMut, id: &Id, reject: &Reject, data: &str) {
    let code = reject.code as u8;
    let reason = Quoted(&reject.reason);
    put(out, format_args!("{{\"id\":{id},\"result\":null,\"error\":[{code},{reason},{data}]}}\n"));
}

/// Writes `{"id":null,"method":…,"params":…}` and a newline; `params` is JSON text.
pub fn put_notification(out: &mut BytesMut, method: &str, params: impl fmt::Display) {
    put(out, format_args!("{{\"id\":null,\"method\":\"{method}\",\"params\":{params}}}\n"));
}

/// Writes `{"id":…,"method":…,"params":…}` and a newline; `params` is JSON text.
pub fn put_request(out: &mut BytesMut, id: u64, method: &str, params: impl fmt::Display) {
    put(out, format_args!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n"));
}

/// Appends formatted text.
pub fn put(out: &mut BytesMut, text: fmt::Arguments<'_>) {
    // Writing to a `BytesMut` fails only at the address space's end.
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a BytesMut takes any text");
}

/// Displays as a JSON string, quotes and escapes included.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Displays as lower-case hex without quotes.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHUNK: usize = 64;
        let mut text = [0; 2 * CHUNK];
        for chunk in self.0.chunks(CHUNK) {
            let text = &mut text[..2 * chunk.len()];
            const_hex::encode_to_slice(chunk, text).map_err(|_| fmt::Error)?;
            f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn ids_are_echoed_as_they_came() {
        let long = format!("\"{}\"", "x".repeat(MAX_ID - 2));
        for id in [
            "1",
            "\"abc\"",
            "null",
            "1.50",
            "-3",
            "\"\\u00e9\"",
            "\"15 to 16 bytes\"",
            "\"more than 16 bytes\"",
            &long,
        ] {
            let line = format!("{{\"id\":{id},\"method\":\"m\",\"params\":[]}}");
            let message = Message::parse(line.as_bytes()).unwrap();
            let mut out = BytesMut::new();
            put_result(&mut out, &Id::new(message.id).unwrap(), true);
            assert_eq!(out, format!("{{\"id\":{id},\"result\":true,\"error\":null}}\n"));
        }
        assert!(Id::new(Some(&raw(&format!("\"{}\"", "x".repeat(63))))).is_none());
        assert!(Id::new(Some(&raw("[1]"))).is_none());
    }

    #[test]
    fn a_servers_answer_is_known_by_its_id_also_where_that_is_a_string() {
        let own = |id: &str| {
            Message::parse(format!("{{\"id\":{id},\"result\":true}}").as_bytes()).unwrap().own_id()
        };
        for id in ["2", "\"2\"", "2.0", "\"2.0\"", "2e0", "\" 2 \""] {
            assert_eq!(own(id), Some(2), "{id}");
        }
        assert_eq!(own("9007199254740992"), Some(1 << 53));
        for id in ["null", "\"\"", "\"x2\"", "2.5", "-2", "true", "[2]", "1e999", "1e20"] {
            assert_eq!(own(id), None, "{id}");
        }
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
    fn a_line_that_is_no_object_is_refused() {
        let lines: [&[u8]; 6] = [
            b"[1,\"m\",[]]",
            b"{",
            b"\"x\"",
            b"",
            b"{\"id\":1,\"method\":5}",
            b"{\"id\":\"\xff\"}",
        ];
        for line in lines {
            assert!(Message::parse(line).is_err(), "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_method_is_borrowed_unless_it_has_escapes() {
        let method = |line| Message::parse(line).unwrap().method;
        assert!(matches!(method(br#"{"method":"m"}"#), Some(Cow::Borrowed("m"))));
        assert!(matches!(method(br#"{"method":"\u006d"}"#), Some(Cow::Owned(m)) if m == "m"));
        assert_eq!(method(br#"{"method":null}"#), None);
    }

    #[test]
    fn arrays_are_counted_past_their_cap() {
        let params = raw("[1, \"two\" ,[3],4]");
        let (elements, count) = array::<3>(&params).unwrap();
        assert_eq!(count, 4);
        assert_eq!(elements.iter().map(|e| e.get()).collect::<Vec<_>>(), ["1", "\"two\"", "[3]"]);
        assert!(array::<3>(&raw("{}")).is_none());
    }

    /// A line of about the form of one, mostly.
    fn about_a_line() -> impl Strategy<Value = Vec<u8>> {
        "\\{\"id\":([0-9]{1,4}|\"[a-z]{0,3}\"|null),\"(method\":\"[a-z.]{0,5}\"|result\":(true|null|[0-9])|error\":(null|\\[2[0-9],\"x\"\\])),\"params\":\\[([0-9],|\"[0-9a-f]{0,4}\",|\\[\\],){0,4}(1|null)\\]\\}?"
            .prop_map(String::into_bytes)
    }

    proptest! {
        #[test]
        fn quoting_agrees_with_serde(text: String) {
            let quoted = Quoted(&text).to_string();
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }

        /// Whatever is read of a line stands in it, and a list keeps its first elements.
        #[test]
        fn what_is_read_of_a_line_stands_in_it(line in prop_oneof![any::<Vec<u8>>(), about_a_line()]) {
            if let Ok(message) = Message::parse(&line) {
                let text = str::from_utf8(&line).unwrap();
                for part in [message.id, message.params, message.result, message.error] {
                    prop_assert!(part.is_none_or(|part| text.contains(part.get())), "{}", text);
                }
                if let Some((elements, count)) = message.params.and_then(array::<2>) {
                    prop_assert_eq!(elements.len(), count.min(2));
                    prop_assert!(elements.iter().all(|element| text.contains(element.get())));
                }
                let taken = message.outcome(&line).is_ok();
                prop_assert!(!taken || text.contains("true"), "only true is yes: {}", text);
            }
        }

        #[test]
        fn hex_agrees_with_the_library(bytes: Vec<u8>) {
            prop_assert_eq!(Hex(&bytes).to_string(), const_hex::encode(&bytes));
        }
    }
}
