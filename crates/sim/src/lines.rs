//! Lines as a rig takes them.

use bytes::{Buf, BytesMut};
use orepass_stratum::line::{LineError, LineReader, MAX_POOL_LINE};

/// Cuts what a pool sends into lines, in the way of a firmware.
#[derive(Debug)]
pub(crate) enum LineCutter {
    /// Line ends are cut off, blank lines passed over.
    Tolerant(LineReader),
    /// Every line that does not begin with `{` and end with `}` is passed over, also one that
    /// ends with a carriage return or a space.
    Strict(StrictLines),
}

/// See [`LineCutter::Strict`].
#[derive(Debug, Default)]
pub(crate) struct StrictLines {
    buffer: BytesMut,
    line: BytesMut,
    /// How many lines were passed over.
    ignored: u64,
}

impl LineCutter {
    pub(crate) fn new(strict: bool) -> Self {
        if strict {
            Self::Strict(StrictLines::default())
        } else {
            Self::Tolerant(LineReader::new(MAX_POOL_LINE))
        }
    }

    /// Where received bytes go.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        match self {
            Self::Tolerant(lines) => lines.buffer(),
            Self::Strict(lines) => &mut lines.buffer,
        }
    }

    /// The next line, without its end; `None` until more bytes come.
    pub(crate) fn next_line(&mut self) -> Option<Result<&[u8], LineError>> {
        match self {
            Self::Tolerant(lines) => lines.next_line(),
            Self::Strict(lines) => lines.next_line(),
        }
    }

    /// How many lines have been passed over since the last call.
    pub(crate) fn take_ignored(&mut self) -> u64 {
        match self {
            Self::Tolerant(_) => 0,
            Self::Strict(lines) => std::mem::take(&mut lines.ignored),
        }
    }
}

impl StrictLines {
    fn next_line(&mut self) -> Option<Result<&[u8], LineError>> {
        loop {
            let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
                if self.buffer.len() <= MAX_POOL_LINE {
                    return None;
                }
                // The line's rest is then a line that is passed over.
                self.buffer.clear();
                return Some(Err(LineError::TooLong { cap: MAX_POOL_LINE }));
            };
            self.line = self.buffer.split_to(end);
            self.buffer.advance(1);
            if self.line.starts_with(b"{") && self.line.ends_with(b"}") {
                return Some(Ok(&self.line));
            }
            self.ignored += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_lines_begin_and_end_with_braces() {
        let mut lines = LineCutter::new(true);
        lines.buffer().extend_from_slice(b"{1}\n{2}\r\n {3}\n{4} \n\n[5]\n{6}\n{7");
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line() {
            seen.push(String::from_utf8(line.unwrap().to_vec()).unwrap());
        }
        assert_eq!(seen, ["{1}", "{6}"]);
        assert_eq!((lines.take_ignored(), lines.take_ignored()), (5, 0));
        lines.buffer().extend_from_slice(b"}\n");
        assert_eq!(lines.next_line(), Some(Ok(&b"{7}"[..])));
    }
}
