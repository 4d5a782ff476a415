//! Reading JSON values into fields, with one kind of complaint for both sides of the proxy: what is
//! wrong in a pool's line becomes a [`ParseError`], in a rig's a [`Reject`].

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{ParseError, Reject, shown};
use crate::rpc;
use crate::target::Target;

/// A field that is not what it should be; an error once it is known whose.
#[derive(Debug, Clone, Copy)]
pub struct Wrong<'a> {
    field: &'static str,
    expected: &'static str,
    value: &'a RawValue,
}

impl From<Wrong<'_>> for ParseError {
    fn from(wrong: Wrong<'_>) -> Self {
        Self::field(wrong.field, wrong.expected, wrong.value.get())
    }
}

impl From<Wrong<'_>> for Reject {
    fn from(Wrong { field, expected, value }: Wrong<'_>) -> Self {
        Self::invalid(format!("{field} is {}, expected {expected}", shown(value.get())))
    }
}

/// One JSON value and the name it goes by.
///
/// ```
/// use orepass_stratum::error::ParseError;
/// use orepass_stratum::field::Field;
/// use serde_json::value::RawValue;
///
/// let value = RawValue::from_string("\"5e49\"".into())?;
/// assert_eq!(Field::new("bits", &value).hex_u32().ok(), Some(0x5e49));
/// let error = ParseError::from(Field::new("root", &value).hash().unwrap_err());
/// assert_eq!(error.to_string(), "root is \"5e49\", expected 64 hex digits");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    name: &'static str,
    value: &'a RawValue,
}

impl<'a> Field<'a> {
    /// A value by the name that is used in complaints.
    #[must_use]
    pub const fn new(name: &'static str, value: &'a RawValue) -> Self {
        Self { name, value }
    }

    /// The complaint that the value is not what is `expected`.
    #[must_use]
    pub const fn wrong(self, expected: &'static str) -> Wrong<'a> {
        Wrong { field: self.name, expected, value: self.value }
    }

    /// A string.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn text(self) -> Result<Cow<'a, str>, Wrong<'a>> {
        rpc::string(self.value).ok_or_else(|| self.wrong("a string"))
    }

    /// A boolean, also in quotes and in any case.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn boolean(self) -> Result<bool, Wrong<'a>> {
        rpc::boolean(self.value).ok_or_else(|| self.wrong("true or false"))
    }

    /// The digits of an extranonce2 that must be `told` bytes long.
    ///
    /// # Errors
    /// A [`Reject`] where it is no hex, or of another length ([`Reject::wrong_size`]).
    pub fn extranonce2(self, told: usize) -> Result<Cow<'a, str>, Reject> {
        let text = self.text()?;
        if text.len() % 2 != 0 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.wrong("an even number of hex digits").into());
        }
        let size = text.len() / 2;
        if size == told { Ok(text) } else { Err(Reject::wrong_size(size, told, &text)) }
    }

    /// Just `N` bytes of hex, in either case, without a prefix.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn bytes<const N: usize>(self, expected: &'static str) -> Result<[u8; N], Wrong<'a>> {
        let mut bytes = [0; N];
        let text = self.text()?;
        decode(&text, &mut bytes).ok_or_else(|| self.wrong(expected))?;
        Ok(bytes)
    }

    /// 64 hex digits in either case.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn hash(self) -> Result<[u8; 32], Wrong<'a>> {
        self.bytes("64 hex digits")
    }

    /// A list of up to `max` hashes. What the list may take in memory is bounded by the line.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn hashes(self, max: usize, too_many: &'static str) -> Result<Box<[[u8; 32]]>, Wrong<'a>> {
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.value.get()).map_err(|_| self.wrong("an array"))?;
        if items.len() > max {
            return Err(self.wrong(too_many));
        }
        items.into_iter().map(|item| Field::new(self.name, item).hash()).collect()
    }

    /// A target of 64 hex digits, most significant first, with or without `0x`.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn target(self) -> Result<Target, Wrong<'a>> {
        Target::from_hex(&self.text()?).map_err(|_| self.wrong("64 hex digits"))
    }

    /// Any number of bytes in hex; the line bounds how many.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn blob(self) -> Result<Box<[u8]>, Wrong<'a>> {
        let text = self.text()?;
        let mut bytes = vec![0; text.len() / 2];
        decode(&text, &mut bytes).ok_or_else(|| self.wrong("an even number of hex digits"))?;
        Ok(bytes.into())
    }

    /// A number of 1 to 8 hex digits.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn hex_u32(self) -> Result<u32, Wrong<'a>> {
        hex_number(&self.text()?, 8)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| self.wrong("up to 8 hex digits"))
    }

    /// A number of 1 to 16 hex digits.
    ///
    /// # Errors
    /// [`Wrong`] when it is anything else.
    pub fn hex_u64(self) -> Result<u64, Wrong<'a>> {
        hex_number(&self.text()?, 16).ok_or_else(|| self.wrong("up to 16 hex digits"))
    }
}

/// Decodes hex that fills `bytes`; the library alone would take a `0x` in front. `None` when it is not
/// hex, or not as long.
#[must_use]
pub fn decode(text: &str, bytes: &mut [u8]) -> Option<()> {
    (text.len() == 2 * bytes.len()).then_some(())?;
    const_hex::decode_to_slice(text, bytes).ok()
}

/// The library's number parser alone would take a sign.
fn hex_number(text: &str, digits: usize) -> Option<u64> {
    let hex = text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn hex_is_taken_in_either_case_and_nothing_else() {
        let read = |text: &str| Field::new("f", &raw(text)).bytes::<2>("4 digits").ok();
        assert_eq!(read("\"0aF1\""), Some([0x0a, 0xf1]));
        for wrong in ["\"0x12\"", "\"0x0af1\"", "\"0af\"", "\"0af1 \"", "\"0ag1\"", "2801", "null"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_may_lack_leading_zeros_but_have_no_sign() {
        let read = |text: &str| Field::new("f", &raw(text)).hex_u32().ok();
        assert_eq!(read("\"5E49aa25\""), Some(0x5e49_aa25));
        assert_eq!(read("\"f\""), Some(15));
        for wrong in ["\"\"", "\"+f\"", "\"-f\"", "\"0x1\"", "\"000000001\"", "1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_complaint_names_field_and_value() {
        let (text, long) = (raw("\"12\""), raw(&format!("\"{}\"", "0".repeat(99))));
        let error = ParseError::from(Field::new("bits", &text).hash().unwrap_err());
        assert_eq!(error.to_string(), "bits is \"12\", expected 64 hex digits");
        let reject = Reject::from(Field::new("nonce", &long).hash().unwrap_err());
        assert!(reject.reason.starts_with("nonce is \"000"), "{reject}");
        assert!(reject.reason.len() < 120, "{reject}");
    }
}
