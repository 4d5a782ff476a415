//! Options that are one of a few words.

use thiserror::Error;

/// A choice that an operator makes by a word. [`named!`](crate::named!) lets it be parsed and
/// displayed.
///
/// ```
/// use orepass_stratum::named::Named;
///
/// #[derive(Debug, Clone, Copy, PartialEq)]
/// enum Side {
///     Left,
///     Right,
/// }
///
/// impl Named for Side {
///     const KIND: &'static str = "side";
///     const WORDS: &'static [(&'static str, Self)] =
///         &[("left", Self::Left), ("right", Self::Right)];
/// }
///
/// orepass_stratum::named!(Side);
///
/// assert_eq!(("left".parse(), Side::Right.to_string().as_str()), (Ok(Side::Left), "right"));
/// let error = "up".parse::<Side>().unwrap_err();
/// assert_eq!(error.to_string(), r#"unknown side "up", expected "left" or "right""#);
/// ```
pub trait Named: Copy + PartialEq + 'static {
    /// What is chosen, for a complaint.
    const KIND: &'static str;
    /// Every choice with its word, in the order in which a complaint lists them.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for it; empty where it has none.
    #[must_use]
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, choice)| *choice == self).map_or("", |(word, _)| word)
    }

    /// The choice of this word.
    ///
    /// # Errors
    /// [`UnknownWord`] with those that there are.
    fn of_word(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
            let expected = match &words[..] {
                [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
                words => words.concat(),
            };
            UnknownWord { kind: Self::KIND, found: word.into(), expected: expected.into() }
        })
    }
}

/// A word that none of the choices has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {kind} {found:?}, expected {expected}")]
pub struct UnknownWord {
    kind: &'static str,
    found: Box<str>,
    expected: Box<str>,
}

/// Lets a [`Named`](crate::named::Named) type be parsed and displayed by its words.
#[macro_export]
macro_rules! named {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::named::Named::word(*self))
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::named::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::named::Named::of_word(text)
            }
        }
    };
}
