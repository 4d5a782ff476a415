//! However a stream is cut into reads, the lines are the same, and the buffer keeps its bound.
//!
//! Input: the cap, the size of reads, then the stream.

use orepass_stratum::line::{LineError, LineReader};

type Line = Result<Vec<u8>, LineError>;

/// Takes an input as the head of this file says, and gives the lines in it.
///
/// # Panics
/// When the lines are others, or the buffer grew.
pub fn line_reader(data: &[u8]) -> usize {
    let [cap, step, stream @ ..] = data else { return 0 };
    let (cap, step) = (usize::from(*cap), usize::from(*step) + 1);
    let mut reader = LineReader::new(cap);
    let mut lines: Vec<Line> = Vec::new();
    'reads: for read in stream.chunks(step) {
        reader.buffer().extend_from_slice(read);
        while let Some(line) = reader.next_line() {
            if let Ok(line) = line {
                assert!(line.len() <= cap, "a line over the cap was lent out");
                assert!(!line.contains(&b'\n'));
            }
            lines.push(line.map(<[u8]>::to_vec));
            if matches!(lines.last(), Some(Err(LineError::NotStratum { .. }))) {
                break 'reads;
            }
        }
        assert!(reader.buffer().len() <= cap, "more than a line's cap is kept");
    }
    assert_eq!(lines, expected(stream, cap));
    lines.iter().filter(|line| line.is_ok()).count()
}

/// The lines of a whole stream, in the plainest way there is.
fn expected(stream: &[u8], cap: usize) -> Vec<Line> {
    let start = stream.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(stream.len());
    let stream = &stream[start..];
    match stream.first() {
        None => return Vec::new(),
        Some(b'{') => {}
        Some(first) => return vec![Err(LineError::NotStratum { first: *first })],
    }
    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    let unfinished = lines.pop().unwrap_or_default();
    let mut lines: Vec<Line> = lines
        .into_iter()
        .filter(|line| line.len() > cap || !line.iter().all(u8::is_ascii_whitespace))
        .map(|line| match line.len() > cap {
            true => Err(LineError::TooLong { cap }),
            false => Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec()),
        })
        .collect();
    if unfinished.len() > cap {
        lines.push(Err(LineError::TooLong { cap }));
    }
    lines
}
