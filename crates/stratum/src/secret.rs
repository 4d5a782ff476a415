//! Passwords and tokens, kept out of logs.

use std::fmt;

/// A secret. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<Box<str>>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the wire and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The fewest bytes of a secret that is looked for: shorter ones (`x`) would be found in any text.
const MIN_SOUGHT: usize = 4;
/// What stands where one was.
const MASK: &str = "***";

/// A text from outside without a secret that it quotes; `None` where it does not. The text may have
/// been cut off by [`shown`](crate::error::shown) within the secret, and may have the escapes of JSON:
/// of one that quotes it in such a way nothing is left.
#[must_use]
pub fn masked(text: &str, secret: &str) -> Option<String> {
    if secret.len() < MIN_SOUGHT {
        return None;
    }
    let plain = text.contains(secret).then(|| text.replace(secret, MASK));
    let rest = plain.as_deref().unwrap_or(text);
    if rest.contains('\\') && unescaped(rest).contains(secret) {
        return Some(MASK.to_owned());
    }
    // Its start, where the text was cut off.
    let is_cut = |before: &str| {
        let parts = secret.char_indices().map(|(at, _)| &secret[..at]);
        let mut parts = parts.filter(|part| part.len() >= MIN_SOUGHT && before.ends_with(part));
        parts.next_back()
    };
    let cut = rest.match_indices('…').find_map(|(at, _)| Some((at, is_cut(&rest[..at])?)));
    match cut {
        Some((at, part)) => Some(format!("{}{MASK}{}", &rest[..at - part.len()], &rest[at..])),
        None => plain,
    }
}

/// Without the escapes of JSON and of [`shown`](crate::error::shown). Any nonsense goes through.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    let mut is_escaped = false;
    for part in parts {
        // A second one in a row stands for one.
        if part.is_empty() && !is_escaped {
            plain.push('\\');
            is_escaped = true;
            continue;
        }
        let code = part.strip_prefix('u').filter(|_| !is_escaped).and_then(|part| {
            let (digits, rest) = match part.strip_prefix('{') {
                Some(braced) => braced.split_once('}')?,
                None => part.split_at_checked(4)?,
            };
            Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, rest))
        });
        match code {
            Some((letter, rest)) => {
                plain.push(letter);
                plain.push_str(rest);
            }
            None => plain.push_str(part),
        }
        is_escaped = false;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::shown;

    #[test]
    fn a_quoted_secret_is_taken_out() {
        let cases = [
            ("no such password: hunter2!", Some("no such password: ***!")),
            ("hunter2 hunter2", Some("*** ***")),
            ("all is well", None),
            (r#"["\u0068unter2"]"#, Some("***")),
            (r"\\hunter2", Some(r"\\***")),
            (r"hunte\u{72}2", Some("***")),
            (r"\u00zz \ud800 \", None),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text, "hunter2").as_deref(), expected, "{text}");
        }
        assert_eq!(masked("x is x", "x"), None, "no secret is so short");
    }

    #[test]
    fn nor_is_the_start_of_one_shown_where_a_text_is_cut_off() {
        let secret = "correct horse";
        for before in 50..64 {
            let text = shown(&format!("{}{secret} battery staple", "-".repeat(before)));
            let left = masked(&text, secret).unwrap_or(text);
            assert!(!left.contains("corr"), "{left}");
        }
    }
}
