//! What happened, with virtual times: the end of it in words, all of it as a digest.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::Duration;

/// The most violations that are told; a broken run has more of the same.
const MAX_VIOLATIONS: usize = 20;

/// The story of one run.
#[derive(Debug)]
pub(super) struct Story {
    /// The last lines, at most so many. Their memory is used again.
    lines: VecDeque<String>,
    most: usize,
    digest: u64,
    violations: Vec<String>,
}

impl Story {
    /// A story of which so many of the last lines are kept.
    #[must_use]
    pub(super) const fn new(most: usize) -> Self {
        Self { lines: VecDeque::new(), most, digest: 0, violations: Vec::new() }
    }

    /// Tells a line.
    pub(super) fn tell(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        let mut line = if self.lines.len() < self.most {
            String::new()
        } else {
            self.lines.pop_front().unwrap_or_default()
        };
        line.clear();
        let (days, seconds) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let millis = at.subsec_millis();
        let _ = write!(line, "{days}d {hours:02}:{minutes:02}:{rest:02}.{millis:03} {what}");
        for chunk in line.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.digest =
                (self.digest ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.digest ^= self.digest >> 29;
        }
        self.lines.push_back(line);
    }

    /// Tells that a rule was broken.
    pub(super) fn violation(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        self.tell(at, format_args!("VIOLATION {what}"));
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.extend(self.lines.back().cloned());
        }
    }

    /// The rules that were broken, with their times.
    #[must_use]
    pub(super) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Stands for every line that was ever told.
    #[must_use]
    pub(super) const fn digest(&self) -> u64 {
        self.digest
    }

    /// The last lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}
