//! Numbers and times as the page shows them (`web/js/format.js`).

/// The usual prefixes, each a thousand times the one before.
const PREFIXES: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
/// What is not known.
pub(in crate::commands) const UNKNOWN: &str = "–";

/// With three digits that count and a unit: 1.93 TH/s.
pub(in crate::commands) fn scaled(number: Option<f64>, unit: &str) -> String {
    let Some(number) = number.filter(|number| number.is_finite()) else { return UNKNOWN.into() };
    let mut shown = number.abs();
    let mut prefix = 0;
    while shown >= 999.5 && prefix + 1 < PREFIXES.len() {
        shown /= 1000.0;
        prefix += 1;
    }
    let digits = match shown {
        _ if shown >= 99.95 || shown == 0.0 => 0,
        _ if shown >= 9.995 => 1,
        _ => 2,
    };
    let sign = if number < 0.0 { "−" } else { "" };
    format!("{sign}{shown:.digits$} {}{unit}", PREFIXES[prefix])
}

/// A rate: hashes a second.
pub(in crate::commands) fn rate(per_second: Option<f64>) -> String {
    scaled(per_second, "H/s")
}

/// In groups of three digits.
pub(in crate::commands) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With its word: 1 share, 2 shares.
pub(in crate::commands) fn many(number: u64, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Some coins' difficulties are far below 1.
pub(in crate::commands) fn difficulty(number: Option<f64>) -> String {
    match number {
        None => UNKNOWN.into(),
        Some(number) if number != 0.0 && number.abs() < 1.0 => {
            let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
            rounded.to_string()
        }
        Some(number) => count(number as u64),
    }
}

/// Two units at most, the larger first: 2 h 5 min.
pub(in crate::commands) fn age(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds.filter(|seconds| seconds.is_finite()) else {
        return UNKNOWN.into();
    };
    let whole = seconds.max(0.0) as u64;
    let (minutes, hours) = (whole / 60, whole / 3600);
    match whole {
        0..60 => format!("{whole} s"),
        60..600 => format!("{minutes} min {} s", whole % 60),
        600..3600 => format!("{minutes} min"),
        3600..172_800 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// How long ago something was.
pub(in crate::commands) fn ago(seconds: Option<f64>) -> String {
    if seconds.is_none() { "never".into() } else { format!("{} ago", age(seconds)) }
}

/// A part of a whole; a dash where there is no whole.
pub(in crate::commands) fn percent(part: Option<f64>, whole: Option<f64>, digits: usize) -> String {
    let (Some(part), Some(whole)) = (part, whole.filter(|whole| *whole > 0.0)) else {
        return UNKNOWN.into();
    };
    let shown = 100.0 * part / whole;
    let least = 0.1_f64.powi(digits as i32);
    // What there is must not look as if there were none.
    if shown > 0.0 && shown < least {
        return format!("< {least:.digits$} %");
    }
    format!("{shown:.digits$} %")
}

/// The time of the day of a moment in RFC 3339, which is in UTC here as it is in the log.
pub(in crate::commands) fn clock(at: &str) -> &str {
    at.get(11..19).unwrap_or(UNKNOWN)
}

/// Its day.
pub(in crate::commands) fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(UNKNOWN)
}

/// Lines of a text of this width at most, broken between words where that is possible.
pub(in crate::commands) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        } else if length > 0 {
            line.push(' ');
            length += 1;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        length += word.len();
        line.extend(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_on_the_page() {
        assert_eq!(rate(Some(1.93e12)), "1.93 TH/s");
        assert_eq!(rate(Some(999.6)), "1.00 kH/s");
        assert_eq!(rate(Some(0.0)), "0 H/s");
        assert_eq!(rate(Some(52_140.0)), "52.1 kH/s");
        assert_eq!((rate(None), rate(Some(f64::NAN))), ("–".into(), "–".into()));
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!((many(1, "rig"), many(0, "rig")), ("1 rig".into(), "0 rigs".into()));
        assert_eq!(difficulty(Some(5.12e-7)), "0.000000512");
        assert_eq!(difficulty(Some(1024.0)), "1,024");
        for (seconds, shown) in [
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (3599.0, "59 min"),
            (7500.0, "2 h 5 min"),
            (2e5, "2 d 7 h"),
        ] {
            assert_eq!(age(Some(seconds)), shown);
        }
        assert_eq!(percent(Some(1.0), Some(3.0), 1), "33.3 %");
        assert_eq!(percent(Some(1e-9), Some(3.0), 2), "< 0.01 %");
        assert_eq!(percent(Some(1.0), Some(0.0), 1), "–");
        assert_eq!((clock("2026-11-21T03:12:07.123Z"), clock("x")), ("03:12:07", "–"));
    }

    #[test]
    fn lines_are_no_longer_than_they_may_be() {
        assert_eq!(wrapped("look at the disk", 8), ["look at", "the disk"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
