//! Reading JSON values into fields, with one kind of complaint for both sides of the proxy.

use std::borrow::Cow;

use orepass_stratum::error::{ParseError, Reject, shown};
use orepass_stratum::rpc;
use orepass_stratum::target::Target;
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

    /// Just `N` bytes of hex, in either case, without a prefix.
    pub(crate) fn bytes<const N: usize>(
        self,
        expected: &'static str,
    ) -> Result<[u8; N], Wrong<'a>> {
        let mut bytes = [0; N];
        decode(&self.text()?, &mut bytes).ok_or_else(|| self.wrong(expected))?;
        Ok(bytes)
    }

    /// A boolean, also in quotes and in any case: the specification has `"true"`.
    pub(crate) fn boolean(self) -> Result<bool, Wrong<'a>> {
        rpc::boolean(self.value).ok_or_else(|| self.wrong("true or false"))
    }

    /// A target of 64 hex digits, most significant first, with or without `0x`.
    ///
    /// No hash is below zero: servers of the Miningcore family send that for difficulty 1, whose
    /// target of 2²⁵⁶ overflows. What they mean is the easiest target.
    pub(crate) fn target(self) -> Result<Target, Wrong<'a>> {
        let target = Target::from_hex(&self.text()?).map_err(|_| self.wrong("64 hex digits"))?;
        Ok(if target == Target::ZERO { Target::MAX } else { target })
    }
}

/// Decodes hex that fills `bytes`; the library alone would take a `0x` in front.
pub(crate) fn decode(text: &str, bytes: &mut [u8]) -> Option<()> {
    (text.len() == 2 * bytes.len()).then_some(())?;
    const_hex::decode_to_slice(text, bytes).ok()
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
    fn a_target_of_zero_is_the_easiest() {
        let read = |text: &str| Field::new("f", &raw(&format!("{text:?}"))).target().ok();
        assert_eq!(read(&"0".repeat(64)), Some(Target::MAX));
        assert_eq!(read(&format!("0x{}", "f".repeat(64))), Some(Target::MAX));
        assert_eq!(read(&"0F".repeat(32)), Some(Target::from_be_bytes([0x0f; 32])));
        for wrong in ["", "0x", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
