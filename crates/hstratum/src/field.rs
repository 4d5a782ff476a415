//! Reading JSON values into fields, with one kind of complaint for both sides of the proxy.

use std::borrow::Cow;

use orepass_stratum::error::{ParseError, Reject, shown};
use orepass_stratum::rpc;
use serde_json::value::RawValue;

/// A field that is not what it should be; an error once it is known whose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrong<'a> {
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    name: &'static str,
    value: &'a RawValue,
}

impl<'a> Field<'a> {
    pub(crate) const fn new(name: &'static str, value: &'a RawValue) -> Self {
        Self { name, value }
    }

    pub(crate) const fn wrong(self, expected: &'static str) -> Wrong<'a> {
        Wrong { field: self.name, expected, value: self.value }
    }

    pub(crate) fn text(self) -> Result<Cow<'a, str>, Wrong<'a>> {
        rpc::string(self.value).ok_or_else(|| self.wrong("a string"))
    }

    /// A boolean, also in quotes and in any case.
    pub(crate) fn boolean(self) -> Result<bool, Wrong<'a>> {
        rpc::boolean(self.value).ok_or_else(|| self.wrong("true or false"))
    }

    /// Just `N` bytes of hex, in either case, without a prefix.
    pub(crate) fn bytes<const N: usize>(
        self,
        expected: &'static str,
    ) -> Result<[u8; N], Wrong<'a>> {
        let mut bytes = [0; N];
        let text = self.text()?;
        decode(&text, &mut bytes).ok_or_else(|| self.wrong(expected))?;
        Ok(bytes)
    }

    pub(crate) fn hash(self) -> Result<[u8; 32], Wrong<'a>> {
        self.bytes("64 hex digits")
    }

    /// A list of up to `max` hashes. What the list may take in memory is bounded by the line.
    pub(crate) fn hashes(
        self,
        max: usize,
        too_many: &'static str,
    ) -> Result<Box<[[u8; 32]]>, Wrong<'a>> {
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.value.get()).map_err(|_| self.wrong("an array"))?;
        if items.len() > max {
            return Err(self.wrong(too_many));
        }
        items.into_iter().map(|item| Field::new(self.name, item).hash()).collect()
    }

    /// Any number of bytes in hex; the line bounds how many.
    pub(crate) fn blob(self) -> Result<Box<[u8]>, Wrong<'a>> {
        let text = self.text()?;
        let mut bytes = vec![0; text.len() / 2];
        decode(&text, &mut bytes).ok_or_else(|| self.wrong("an even number of hex digits"))?;
        Ok(bytes.into())
    }

    /// A number of 1 to 8 hex digits.
    pub(crate) fn hex_u32(self) -> Result<u32, Wrong<'a>> {
        hex_number(&self.text()?, 8)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| self.wrong("up to 8 hex digits"))
    }

    /// Unix seconds in up to 16 hex digits, of which only the last 8 are other than zero before
    /// the year 2106.
    pub(crate) fn time(self) -> Result<u32, Wrong<'a>> {
        let wrong = || self.wrong("up to 8 hex digits, zeros before them aside");
        let time = self.hex_u64().map_err(|_| wrong())?;
        time.try_into().map_err(|_| wrong())
    }

    /// A number of 1 to 16 hex digits.
    pub(crate) fn hex_u64(self) -> Result<u64, Wrong<'a>> {
        hex_number(&self.text()?, 16).ok_or_else(|| self.wrong("up to 16 hex digits"))
    }
}

/// Decodes hex that fills `bytes`; the library alone would take a `0x` in front.
pub(crate) fn decode(text: &str, bytes: &mut [u8]) -> Option<()> {
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
