//! What can go wrong, and whose fault it is.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::verdict::Verdict;

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The mining machine or its firmware.
    Miner,
    /// The pool.
    Pool,
    /// Whoever configured the proxy.
    Operator,
    /// The proxy itself.
    Us,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Miner => "miner",
            Self::Pool => "pool",
            Self::Operator => "operator",
            Self::Us => "orepass",
        })
    }
}

/// The stratum error codes that every dialect here uses towards rigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RejectCode {
    /// Anything that has no code of its own: bad form, bad proof, no connection.
    Other = 20,
    /// The job is unknown or stale.
    JobNotFound = 21,
    /// The same share again.
    Duplicate = 22,
    /// The hash misses the target.
    LowDifficulty = 23,
    /// The worker did not authorize on this connection.
    Unauthorized = 24,
    /// A submit before a subscribe.
    NotSubscribed = 25,
}

/// A refusal told to a rig: `[code, "reason", …]`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} ({})", reason, *code as u8)]
pub struct Reject {
    /// The number on the wire.
    pub code: RejectCode,
    /// What is wrong, naming the offending value.
    pub reason: Cow<'static, str>,
    /// Where a share refused for this is counted.
    pub verdict: Verdict,
    /// That it is extranonce2's length which is wrong, for whoever acts on it.
    pub wrong_size: Option<WrongSize>,
}

/// An extranonce2 of a length that its rig was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongSize {
    /// Its bytes.
    pub found: usize,
    /// The bytes that it should have.
    pub told: usize,
}

impl Reject {
    /// With a code, a reason and a verdict of one's own.
    pub fn new(code: RejectCode, reason: impl Into<Cow<'static, str>>, verdict: Verdict) -> Self {
        Self { code, reason: reason.into(), verdict, wrong_size: None }
    }

    /// A share (or call) that cannot be right: malformed, impossible or with a bad proof.
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectCode::Other, reason, Verdict::Invalid)
    }

    /// An extranonce2 of `found` bytes, where the rig was told that it has `told`. `text` is what
    /// the rig sent.
    #[must_use]
    pub fn wrong_size(found: usize, told: usize, text: &str) -> Self {
        let text = shown(text);
        let reason = format!("extranonce2 is {found} bytes (\"{text}\"), this rig was told {told}");
        Self { wrong_size: Some(WrongSize { found, told }), ..Self::invalid(reason) }
    }

    /// A job id that was never told on this connection.
    #[must_use]
    pub fn unknown_job(id: &str) -> Self {
        let reason = format!("job not found: {}", shown(id));
        Self::new(RejectCode::JobNotFound, reason, Verdict::Invalid)
    }

    /// A job that has been replaced.
    pub fn stale(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectCode::JobNotFound, reason, Verdict::Stale)
    }

    /// The same share again.
    #[must_use]
    pub const fn duplicate() -> Self {
        Self::fixed(RejectCode::Duplicate, "duplicate", Verdict::Duplicate)
    }

    /// A hash above the target that the rig was told.
    pub fn low_difficulty(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectCode::LowDifficulty, reason, Verdict::LowDifficulty)
    }

    /// A worker name that did not authorize here.
    #[must_use]
    pub fn unauthorized(worker: &str) -> Self {
        let reason = format!("unauthorized worker {}", shown(worker));
        Self::new(RejectCode::Unauthorized, reason, Verdict::Unauthorized)
    }

    /// Another solution of a nonce whose first one counts.
    #[must_use]
    pub const fn second_solution() -> Self {
        Self::fixed(
            RejectCode::Duplicate,
            "this pool counts one solution per nonce",
            Verdict::SecondSolution,
        )
    }

    /// A queue is full.
    #[must_use]
    pub const fn overflow(reason: &'static str) -> Self {
        Self::fixed(RejectCode::Other, reason, Verdict::Overflow)
    }

    /// The pool's connection has more to write than it can.
    #[must_use]
    pub const fn saturated() -> Self {
        Self::overflow("pool connection saturated")
    }

    /// Good, and held back all the same, since the rig sends too much rubbish.
    #[must_use]
    pub const fn quarantined() -> Self {
        Self::fixed(
            RejectCode::Other,
            "quarantined: too many of this rig's last shares were bad",
            Verdict::Quarantined,
        )
    }

    /// The pool's connection went away before the share was judged.
    #[must_use]
    pub const fn lost() -> Self {
        Self::fixed(RejectCode::Other, "pool connection lost", Verdict::LostOnFailover)
    }

    /// The pool never judged the share.
    #[must_use]
    pub const fn unanswered() -> Self {
        Self::fixed(RejectCode::Other, "the pool did not answer", Verdict::Unanswered)
    }

    /// A submit before a subscribe.
    #[must_use]
    pub const fn not_subscribed() -> Self {
        Self::fixed(RejectCode::NotSubscribed, "not subscribed", Verdict::Unauthorized)
    }

    const fn fixed(code: RejectCode, reason: &'static str, verdict: Verdict) -> Self {
        Self { code, reason: Cow::Borrowed(reason), verdict, wrong_size: None }
    }
}

/// A line from a pool that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A call with the wrong number of parameters.
    #[error("{method} has {found} parameters, expected {expected}")]
    Arity {
        /// The method's name.
        method: Cow<'static, str>,
        /// What the dialect knows, in words.
        expected: &'static str,
        /// What came.
        found: usize,
    },
    /// A field of the wrong type, length or range.
    #[error("{field} is {value}, expected {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What the dialect wants, in words.
        expected: Cow<'static, str>,
        /// What came, shortened.
        value: Box<str>,
    },
}

impl ParseError {
    /// A field error that carries the offending text, shortened to 64 characters.
    #[must_use]
    pub fn field(field: &'static str, expected: impl Into<Cow<'static, str>>, value: &str) -> Self {
        Self::Field { field, expected: expected.into(), value: shown(value).into() }
    }

    /// An arity error.
    pub fn arity(
        method: impl Into<Cow<'static, str>>,
        expected: &'static str,
        found: usize,
    ) -> Self {
        Self::Arity { method: method.into(), expected, found }
    }
}

/// Whether a character is not seen itself, or changes how others are seen: shown as it is, it could steer a
/// terminal, turn a line round, or make two names look alike.
#[must_use]
pub const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A text's characters, those that are [not seen](is_unseen) as escapes (`\n`, `\u{202e}`).
pub fn seen(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(|c| {
        let escaped = is_unseen(c);
        c.escape_default().filter(move |_| escaped).chain((!escaped).then_some(c))
    })
}

/// A value from outside, made fit for a log line or an error: at most 64 characters, those that are
/// [not seen](is_unseen) escaped.
#[must_use]
pub fn shown(value: &str) -> String {
    const MAX_SHOWN: usize = 64;
    shown_to(value, MAX_SHOWN)
}

/// As [`shown`], with another limit.
#[must_use]
pub fn shown_to(value: &str, most: usize) -> String {
    match value.char_indices().nth(most) {
        Some((end, _)) => seen(&value[..end]).chain(['…']).collect(),
        None => seen(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_from_outside_are_shortened_and_escaped() {
        assert_eq!(shown("abc"), "abc");
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(shown(&"x".repeat(80)).chars().count(), 65);
        assert_eq!(shown("rig\u{202e}1\u{200b}\u{9b}"), "rig\\u{202e}1\\u{200b}\\u{9b}");
        assert_eq!(shown("矿机-é"), "矿机-é");
        assert_eq!(shown_to("矿机矿机", 2), "矿机…");
    }
}
