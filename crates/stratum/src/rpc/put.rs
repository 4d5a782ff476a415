//! Lines of JSON-RPC, written straight into a buffer.

use std::fmt::{self, Write};

use bytes::BytesMut;

use super::Id;
use crate::error::Reject;

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

    proptest! {
        #[test]
        fn quoting_agrees_with_serde(text: String) {
            let quoted = Quoted(&text).to_string();
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }

        #[test]
        fn hex_agrees_with_the_library(bytes: Vec<u8>) {
            prop_assert_eq!(Hex(&bytes).to_string(), const_hex::encode(&bytes));
        }
    }
}
