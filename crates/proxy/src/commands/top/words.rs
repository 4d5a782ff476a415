//! What the API's names mean, in words, and by which sign and tone each is shown. The page has the same
//! words (`web/js/words.js`).

use super::data::{KindsSeen, RatesSeen};

/// How good something is. Colour is never its only sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Tone {
    Good,
    Calm,
    Warn,
    Bad,
    Off,
}

/// How something is, for people.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct SignWord {
    key: &'static str,
    pub(in crate::commands) sign: &'static str,
    pub(in crate::commands) tone: Tone,
    pub(in crate::commands) word: &'static str,
}

const fn is(key: &'static str, sign: &'static str, tone: Tone, word: &'static str) -> SignWord {
    SignWord { key, sign, tone, word }
}

/// How workers and rigs are.
pub(in crate::commands) const STATES: [SignWord; 4] = [
    is("online", "●", Tone::Good, "online"),
    is("silent", "◐", Tone::Warn, "silent"),
    is("quarantined", "▲", Tone::Bad, "quarantined"),
    is("offline", "○", Tone::Off, "offline"),
];

/// What these states mean.
pub(in crate::commands) fn why(state: &str) -> &'static str {
    match state {
        "online" => "It sends shares.",
        "silent" => "It is connected, and has sent no share for long.",
        "quarantined" => "Most of its shares are bad: they are held back.",
        "offline" => "No rig of it is connected.",
        _ => "",
    }
}

/// How pools are.
pub(in crate::commands) const HEALTHS: [SignWord; 6] = [
    is("serves", "●", Tone::Good, "serves"),
    is("unknown", "◌", Tone::Off, "not needed yet"),
    is("lost", "◐", Tone::Warn, "connection lost"),
    is("down", "✕", Tone::Bad, "down"),
    is("benched", "▲", Tone::Warn, "left alone for a while"),
    is("retired", "○", Tone::Off, "retired"),
];

/// How much something matters that needs somebody.
pub(in crate::commands) const SEVERITIES: [SignWord; 3] = [
    is("error", "✕", Tone::Bad, "act now"),
    is("warning", "▲", Tone::Warn, "look at it"),
    is("info", "◆", Tone::Calm, "good to know"),
];

/// How much an event matters.
pub(in crate::commands) const LEVELS: [SignWord; 3] = [
    is("error", "✕", Tone::Bad, "error"),
    is("warn", "▲", Tone::Warn, "warn"),
    is("info", "·", Tone::Off, "info"),
];

/// That of a name; one of a later version is a question.
pub(in crate::commands) fn word_of(words: &[SignWord], name: &str) -> SignWord {
    let found = words.iter().find(|word| word.key == name);
    found.copied().unwrap_or(is("", "?", Tone::Off, "?"))
}

/// A kind in which a share ends, as a part of a whole.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct EndWord {
    pub(in crate::commands) key: &'static str,
    pub(in crate::commands) tone: Tone,
    pub(in crate::commands) word: &'static str,
    /// It passed all checks here.
    passed: bool,
    /// It is lost to the farm.
    wasted: bool,
}

const fn end(
    key: &'static str,
    tone: Tone,
    word: &'static str,
    passed: bool,
    wasted: bool,
) -> EndWord {
    EndWord { key, tone, word, passed, wasted }
}

/// In which a share ends.
pub(in crate::commands) const ENDS: [EndWord; 13] = [
    end("accepted_by_pool", Tone::Good, "credited", true, false),
    end("below_pool_target", Tone::Calm, "good, below the pool’s target", true, false),
    end("stale", Tone::Warn, "stale", false, true),
    end("rejected_by_pool", Tone::Bad, "refused by the pool", true, true),
    end("duplicate", Tone::Bad, "sent twice", false, true),
    end("second_solution", Tone::Calm, "second solution", true, false),
    end("low_difficulty", Tone::Bad, "above its target", false, true),
    end("invalid", Tone::Bad, "invalid", false, true),
    end("unauthorized", Tone::Bad, "not authorized", false, true),
    end("quarantined", Tone::Warn, "held back", false, true),
    end("overflow", Tone::Warn, "queue full", true, true),
    end("unanswered", Tone::Warn, "unanswered", true, true),
    end("lost_on_failover", Tone::Warn, "lost with its pool", true, true),
];

/// A part of a whole, by its kind.
pub(in crate::commands) fn part(kinds: &KindsSeen, key: &str) -> f64 {
    kinds.get(key).copied().flatten().unwrap_or(0.0)
}

/// What passed all checks here.
pub(in crate::commands) fn passed(kinds: &KindsSeen) -> f64 {
    ENDS.iter().filter(|end| end.passed).map(|end| part(kinds, end.key)).sum()
}

/// The work that was stale, or good neither here nor at the pool.
pub(in crate::commands) fn wasted(rates: &RatesSeen) -> f64 {
    let lost = ENDS.iter().filter(|end| end.wasted);
    lost.map(|end| part(&rates.kinds_hs, end.key)).sum()
}
