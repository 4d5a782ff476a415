//! Bytes in, lines out.

use bytes::{Buf, BytesMut};
use thiserror::Error;

use crate::spare::give_back_buffer;

/// The longest line that a rig may send, in bytes without its newline.
pub const MAX_RIG_LINE: usize = 16 * 1024;
/// The longest line that a pool may send: a notify may carry many transaction ids.
pub const MAX_POOL_LINE: usize = 512 * 1024;

/// Cuts a byte stream into lines, with a cap on each.
///
/// The reader's buffer is filled from outside ([`buffer`](Self::buffer)); a line is lent out until
/// the next call, so nothing is copied or allocated per line. A `\r` before the newline is cut
/// off, empty lines are passed over.
///
/// ```
/// use orepass_stratum::line::LineReader;
///
/// let mut reader = LineReader::new(16);
/// reader.buffer().extend_from_slice(b"{\"id\":1}\r\n{\"id\"");
/// assert_eq!(reader.next_line(), Some(Ok(&b"{\"id\":1}"[..])));
/// assert_eq!(reader.next_line(), None);
/// ```
#[derive(Debug)]
pub struct LineReader {
    buffer: BytesMut,
    max_line: usize,
    /// Bytes at the buffer's front that the last call lent out.
    lent: usize,
    /// Bytes behind `lent` that are known to hold no newline.
    scanned: usize,
    /// Inside a line that was too long, up to its newline.
    skipping: bool,
    /// Nothing but white space has come so far.
    fresh: bool,
}

impl LineReader {
    /// A reader whose lines have at most `max_line` bytes.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_line,
            lent: 0,
            scanned: 0,
            skipping: false,
            fresh: true,
        }
    }

    /// Where received bytes go. It never holds more than one line's cap and what one read adds,
    /// as long as the lines are taken out after each read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.advance(self.lent);
        self.lent = 0;
        &mut self.buffer
    }

    /// The next whole line, without its end; `None` until more bytes come.
    ///
    /// # Errors
    /// [`LineError::NotStratum`] once, when the first byte of all is not the `{` of a JSON object;
    /// [`LineError::TooLong`] once for each line over the cap, whose rest is skipped.
    pub fn next_line(&mut self) -> Option<Result<&[u8], LineError>> {
        loop {
            self.buffer();
            if self.fresh {
                let blank = self.buffer.iter().take_while(|b| b.is_ascii_whitespace()).count();
                self.buffer.advance(blank);
                self.scanned = 0;
                self.fresh = self.buffer.is_empty();
                if self.buffer.first().is_some_and(|&byte| byte != b'{') {
                    return Some(Err(LineError::NotStratum { first: self.buffer[0] }));
                }
            }
            let newline = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n');
            let Some(end) = newline.map(|at| self.scanned + at) else {
                return self.no_newline();
            };
            self.scanned = 0;
            if self.skipping || end > self.max_line {
                let told = std::mem::replace(&mut self.skipping, false);
                self.buffer.advance(end + 1);
                if told {
                    continue;
                }
                return Some(Err(LineError::TooLong { cap: self.max_line }));
            }
            self.lent = end + 1;
            if self.buffer[..end].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let line = &self.buffer[..end];
            return Some(Ok(line.strip_suffix(b"\r").unwrap_or(line)));
        }
    }

    fn no_newline(&mut self) -> Option<Result<&[u8], LineError>> {
        self.scanned = self.buffer.len();
        if self.skipping {
            self.buffer.clear();
            self.scanned = 0;
            give_back_buffer(&mut self.buffer);
            return None;
        }
        if self.buffer.len() <= self.max_line {
            give_back_buffer(&mut self.buffer);
            return None;
        }
        self.buffer.clear();
        self.scanned = 0;
        self.skipping = true;
        Some(Err(LineError::TooLong { cap: self.max_line }))
    }
}

/// Why bytes are no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineError {
    /// The stream does not begin with a JSON object: HTTP, TLS, a scanner.
    #[error("the first byte is 0x{first:02x}, not the {{ of a stratum line{}", hint(*.first))]
    NotStratum {
        /// That byte.
        first: u8,
    },
    /// A line over the cap.
    #[error("a line is longer than {cap} bytes")]
    TooLong {
        /// The cap in bytes.
        cap: usize,
    },
}

/// What usually starts with such a byte.
fn hint(first: u8) -> &'static str {
    match first {
        0x15 => " (a TLS alert: does it want TLS, stratum+ssl://?)",
        0x16 => " (a TLS hello on a plain port?)",
        b'G' | b'H' | b'P' | b'O' | b'D' | b'C' => " (HTTP?)",
        0x03 => " (a remote-desktop probe?)",
        0x05 | 0x04 => " (SOCKS?)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(reader: &mut LineReader) -> Vec<Result<Vec<u8>, LineError>> {
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line() {
            lines.push(line.map(<[u8]>::to_vec));
        }
        lines
    }

    #[test]
    fn an_overlong_line_is_told_once_and_skipped() {
        let mut reader = LineReader::new(8);
        let mut seen = Vec::new();
        for chunk in [&b"{}\n{01234"[..], b"5678901234", b"567\n{1}\n"] {
            reader.buffer().extend_from_slice(chunk);
            seen.extend(drain(&mut reader));
        }
        let expected =
            [Ok(b"{}".to_vec()), Err(LineError::TooLong { cap: 8 }), Ok(b"{1}".to_vec())];
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_overlong_line_in_one_read_is_told_once() {
        let mut reader = LineReader::new(4);
        reader.buffer().extend_from_slice(b"{}\n{1234567}\n{2}\n");
        let lines = drain(&mut reader);
        assert_eq!(lines[1], Err(LineError::TooLong { cap: 4 }));
        assert_eq!(lines[2], Ok(b"{2}".to_vec()));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn first_bytes_that_are_no_json_are_noticed_before_a_newline() {
        for first in
            [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01", b"\x03\x00\x00\x13", b"\r\n\r\nhello"]
        {
            let mut reader = LineReader::new(64);
            reader.buffer().extend_from_slice(first);
            assert!(matches!(reader.next_line(), Some(Err(LineError::NotStratum { .. }))));
        }
        let mut reader = LineReader::new(64);
        reader.buffer().extend_from_slice(b"\n\n {}\nhello\n");
        assert_eq!(drain(&mut reader), [Ok(b"{}".to_vec()), Ok(b"hello".to_vec())]);
    }

    proptest! {
        /// However the bytes are cut up, the lines are the same.
        #[test]
        fn framing_does_not_depend_on_reads(
            lines in prop::collection::vec("[a-z]{0,20}", 0..20),
            cuts in prop::collection::vec(1_usize..17, 1..40),
        ) {
            let mut stream = b"{}\n".to_vec();
            for line in &lines {
                stream.extend_from_slice(line.as_bytes());
                stream.push(b'\n');
            }
            let mut reader = LineReader::new(12);
            let mut seen = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
                reader.buffer().extend_from_slice(chunk);
                seen.extend(drain(&mut reader));
                prop_assert!(reader.buffer().len() <= 12);
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let mut expected = vec![Ok(b"{}".to_vec())];
            expected.extend(lines.iter().filter(|line| !line.is_empty()).map(|line| {
                if line.len() > 12 {
                    Err(LineError::TooLong { cap: 12 })
                } else {
                    Ok(line.clone().into_bytes())
                }
            }));
            prop_assert_eq!(seen, expected);
        }
    }
}
