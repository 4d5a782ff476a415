//! Where shares stand: a line each, or in lines of the log.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::evidence;

/// The longest line: a notify with many transaction ids, and the ids again.
pub(super) const MAX_LINE: usize = 1024 * 1024;

/// Reads a line without its newline; `false` for one over the cap, whose rest is skipped, and
/// `None` at the end.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let read = input.take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() || line.len() <= MAX_LINE {
        return Ok(Some(true));
    }
    input.skip_until(b'\n')?;
    Ok(Some(false))
}

/// The share in a line: all of it, or what a line of the log tells as evidence. None in other lines of a
/// log, and in empty ones.
pub(super) fn share_in(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    /// A line of the log in JSON.
    #[derive(Deserialize)]
    struct LoggedLine<'a> {
        event: Cow<'a, str>,
        #[serde(default)]
        message: Cow<'a, str>,
    }
    // What the log says of a start has lines of its own below.
    let is_below = line.first().is_some_and(u8::is_ascii_whitespace);
    let line = line.trim_ascii();
    if is_below && line.first() != Some(&b'{') {
        return None;
    }
    if let Ok(LoggedLine { event, message }) = serde_json::from_slice(line) {
        return (event == evidence::EVENT).then(|| Cow::Owned(message.into_owned().into_bytes()));
    }
    let is_of_log = line.first().is_some_and(u8::is_ascii_digit) && has(line, " event=");
    if !is_of_log {
        return (!line.is_empty()).then_some(Cow::Borrowed(line));
    }
    let begin = line.iter().position(|byte| *byte == b'{')?;
    let mut values = serde_json::Deserializer::from_slice(&line[begin..]).into_iter::<&RawValue>();
    let share = values.next()?.ok()?;
    has(line, &format!(" event={}", evidence::EVENT)).then(|| Cow::Borrowed(share.get().as_bytes()))
}

fn has(line: &[u8], word: &str) -> bool {
    line.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<String> {
        share_in(line.as_bytes()).map(|share| String::from_utf8(share.into_owned()).unwrap())
    }

    #[test]
    fn a_share_is_found_alone_and_in_lines_of_the_log_and_others_of_it_are_passed_over() {
        let share = r#"{"dialect":"hstratum","notify":["j"]}"#;
        assert_eq!(found(&format!(" {share}\r")), Some(share.into()));
        let text = format!("2026-11-21T03:12:07Z INFO {share} route=hns event=share.evidence");
        assert_eq!(found(&text), Some(share.into()));
        let escaped = share.replace('"', "\\\"");
        let json = format!(r#"{{"level":"INFO","event":"share.evidence","message":"{escaped}"}}"#);
        assert_eq!(found(&json), Some(share.into()));
        for other in [
            "2026-11-21T03:12:07Z INFO rig up route=hns event=rig.up",
            r#"{"level":"INFO","event":"rig.up","message":"rig up"}"#,
            r#"2026-11-21T03:12:07Z WARN {"dialect":1} event=rig.remark"#,
            "  listen   127.0.0.1:3008",
            "",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
        // What is neither is told to be no share.
        assert_eq!(found("nonsense"), Some("nonsense".into()));
    }
}
