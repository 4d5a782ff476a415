//! The password that a route's rigs share.

use std::hint::black_box;

use crate::secret::Secret;

/// A rig's password without the access password, where it is one of the options in it: they stand
/// between commas or semicolons. `None` where it is not. How long that takes does not tell what is
/// right about a guess.
pub(super) fn without_access(given: &str, access: &Secret) -> Option<String> {
    let mut found = false;
    let mut rest = String::new();
    for option in given.split_inclusive([',', ';']) {
        let is_it = is_same(option.trim_end_matches([',', ';']).trim(), access.reveal());
        if !is_it {
            rest.push_str(option);
        }
        found |= is_it;
    }
    found.then_some(rest)
}

/// Looks at every byte, wherever the first difference is.
fn is_same(given: &str, wanted: &str) -> bool {
    let mut difference = given.len() ^ wanted.len();
    for (at, wanted) in wanted.bytes().enumerate() {
        let given = given.as_bytes().get(at).copied().unwrap_or_default();
        difference |= usize::from(black_box(given ^ wanted));
    }
    black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_password_is_one_of_the_options_and_is_taken_out() {
        let access = Secret::new("let me in");
        for (given, rest) in [
            ("let me in", Some("")),
            ("let me in,d=512", Some("d=512")),
            ("d=512;let me in", Some("d=512;")),
            ("x, let me in ,d=512", Some("x,d=512")),
            ("let me in,let me in", Some("")),
            ("", None),
            ("x", None),
            ("let me i", None),
            ("let me in!", None),
            ("Let me in", None),
            ("d=let me in", None),
            ("let me in\0", None),
        ] {
            assert_eq!(without_access(given, &access).as_deref(), rest, "{given}");
        }
    }
}
