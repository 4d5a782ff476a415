//! One JSON-RPC line: borrowed when read, written straight into a buffer.
//!
//! Stratum's JSON-RPC is loose: ids are numbers, strings or null and are echoed exactly as they
//! came; errors are arrays, objects, strings or `true`.

mod pool_error;
mod put;
mod values;

use std::borrow::Cow;
use std::fmt;

use arrayvec::ArrayString;
use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;

pub use pool_error::PoolError;
pub use put::{Hex, Quoted, put, put_error, put_notification, put_request, put_result};
pub use values::{MAX_PARAMS, Params, array, boolean, hex_length, number, string, whole};

/// The longest id that is echoed, in bytes of JSON text.
pub const MAX_ID: usize = 64;
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
    struct CowText<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<CowText<'_>>::deserialize(deserializer)?.map(|CowText(text)| text))
}

impl<'a> Message<'a> {
    /// Reads one line.
    ///
    /// # Errors
    /// When the line is not a JSON object of UTF-8 text with fields of these shapes.
    pub fn parse(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        // Serde would read an array as the struct's fields in order; stratum never means that.
        if line.trim_ascii_start().first() == Some(&b'[') {
            return Err(serde::de::Error::custom("expected an object, found an array"));
        }
        serde_json::from_slice(line)
    }

    /// What it answers, where it is an answer; `line` is the whole of it.
    #[must_use]
    pub const fn reply(&self, line: &'a [u8]) -> RpcReply<'a> {
        RpcReply { result: self.result, error: self.error, line }
    }

    /// The id as a number, where it is one of our own. Some servers give it back as a string.
    #[must_use]
    pub fn own_id(&self) -> Option<u64> {
        whole(self.id?)
    }
}

/// A call without its id: a method, and its parameters of whatever form.
#[derive(Debug, Clone, Copy)]
pub struct RpcCall<'a> {
    /// The method.
    pub method: &'a str,
    /// The parameters' JSON text; `None` for `null` or none.
    pub params: Option<&'a RawValue>,
}

impl<'a> RpcCall<'a> {
    /// The parameters, `null` where there are none.
    #[must_use]
    pub fn params_or_null(&self) -> &'a RawValue {
        self.params.unwrap_or(RawValue::NULL)
    }
}

/// An answer without its id.
#[derive(Debug, Clone, Copy)]
pub struct RpcReply<'a> {
    /// The result's JSON text; `None` for `null`.
    pub result: Option<&'a RawValue>,
    /// The error's JSON text; `None` for `null`.
    pub error: Option<&'a RawValue>,
    /// The whole line.
    pub line: &'a [u8],
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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use crate::dialect::{PoolAnswer, Refusal};

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
    fn a_line_that_is_no_object_is_refused() {
        let lines: [&[u8]; 7] = [
            b"[1,\"m\",[]]",
            b"\r [1,\"m\",[]]",
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

    /// A line of about the form of one, mostly.
    fn about_a_line() -> impl Strategy<Value = Vec<u8>> {
        "\\{\"id\":([0-9]{1,4}|\"[a-z]{0,3}\"|null),\"(method\":\"[a-z.]{0,5}\"|result\":(true|null|[0-9])|error\":(null|\\[2[0-9],\"x\"\\])),\"params\":\\[([0-9],|\"[0-9a-f]{0,4}\",|\\[\\],){0,4}(1|null)\\]\\}?"
            .prop_map(String::into_bytes)
    }

    proptest! {
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
                let verdict = crate::sv1::verdict(&message.reply(&line), Refusal::common);
                let taken = matches!(verdict, PoolAnswer::Yes);
                prop_assert!(!taken || text.contains("true"), "only true is yes: {}", text);
            }
        }
    }
}
