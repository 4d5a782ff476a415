//! The parser's errors in an operator's words.

use super::error::Problem;
use super::nearest;

/// A syntax error, or a value of the wrong type, with its place.
pub(super) fn problem(error: &toml::de::Error) -> Problem {
    Problem::new(error.span(), message(error.message()))
}

/// The wording is serde's own and stable; what is not recognised is passed on as it is.
fn message(text: &str) -> String {
    if let Some(key) = text.strip_prefix("missing field `").and_then(|t| t.strip_suffix('`')) {
        return format!("the key `{key}` is missing in this table");
    }
    for (prefix, what) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let parts = text.strip_prefix(prefix).and_then(|rest| rest.rsplit_once("`, expected "));
        if let Some((name, expected)) = parts {
            let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
            return nearest::unknown(what, name, &known);
        }
    }
    for prefix in ["invalid type: ", "invalid value: "] {
        let parts = text.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected "));
        if let Some((found, expected)) = parts {
            let expected = if expected == "a sequence" { "a list in [ ]" } else { expected };
            return format!("expected {expected}, found {found}");
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_errors_are_reworded() {
        let cases = [
            ("missing field `url`", "the key `url` is missing in this table"),
            (
                "unknown field `urk`, expected one of `url`, `user`",
                "unknown key `urk`, did you mean `url`?",
            ),
            (
                "unknown field `y`, expected `, expected `url`",
                "unknown key `y`, expected `, known here: `url`",
            ),
            (
                "unknown variant `ful`, expected `full` or `off`",
                "unknown value `ful`, did you mean `full`?",
            ),
            (
                "invalid type: integer `4`, expected a sequence",
                "expected a list in [ ], found integer `4`",
            ),
            ("duplicate key", "duplicate key"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), expected);
        }
    }
}
