//! What rigs say in their worker name and password beside who they are.

use crate::target::Difficulty;

/// The wishes in a rig's login, in the forms that pools have made customary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoginOptions<'a> {
    /// The worker's name without its suffix.
    pub worker: &'a str,
    /// The difficulty that stands behind the name: `acct.rig1+512`.
    pub suffix_difficulty: Option<Difficulty>,
    /// The difficulty among the password's options: `x,d=512` or `diff=512;x`.
    pub password_difficulty: Option<Difficulty>,
}

impl<'a> LoginOptions<'a> {
    /// Reads a login. What is no option is left as it is: `acct+tag` is a name.
    #[must_use]
    pub fn parse(worker: &'a str, password: &str) -> Self {
        let suffixed = worker.rsplit_once('+').filter(|(name, _)| !name.is_empty());
        let suffixed = suffixed.and_then(|(name, suffix)| Some((name, difficulty(suffix)?)));
        let (worker, suffix_difficulty) =
            suffixed.map_or((worker, None), |(name, wish)| (name, Some(wish)));
        let mut options = password.split([',', ';']).filter_map(|option| option.split_once('='));
        let password_difficulty = options.find_map(|(key, value)| {
            let named = |name: &str| key.trim().eq_ignore_ascii_case(name);
            if named("d") || named("diff") { difficulty(value.trim()) } else { None }
        });
        Self { worker, suffix_difficulty, password_difficulty }
    }
}

/// A difficulty in plain digits, with or without a fraction.
fn difficulty(text: &str) -> Option<Difficulty> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain).and_then(Difficulty::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_suffix_is_a_number_at_the_very_end() {
        for (text, name, wish) in [
            ("acct.rig1+512", "acct.rig1", Some(512.0)),
            ("acct.rig1+0.5", "acct.rig1", Some(0.5)),
            ("acct+tag.rig1+8", "acct+tag.rig1", Some(8.0)),
            ("acct+8+16", "acct+8", Some(16.0)),
            ("acct+tag", "acct+tag", None),
            ("acct+512.rig1", "acct+512.rig1", None),
            ("acct+", "acct+", None),
            ("acct+0", "acct+0", None),
            ("acct+.", "acct+.", None),
            ("acct+-1", "acct+-1", None),
            ("acct+1e3", "acct+1e3", None),
            ("acct+inf", "acct+inf", None),
            ("+512", "+512", None),
            ("acct", "acct", None),
        ] {
            let read = LoginOptions::parse(text, "");
            assert_eq!(read.worker, name);
            assert_eq!(read.suffix_difficulty.map(Difficulty::get), wish, "{text}");
            assert_eq!(read.password_difficulty, None);
        }
    }

    #[test]
    fn options_of_a_password_stand_between_commas_or_semicolons() {
        for (text, wish) in [
            ("d=512", Some(512.0)),
            ("D=512", Some(512.0)),
            ("diff=0.25", Some(0.25)),
            ("x,d=512", Some(512.0)),
            ("x; Diff = 64 ;y", Some(64.0)),
            ("d=no,diff=2", Some(2.0)),
            ("d=2,d=4", Some(2.0)),
            ("x", None),
            ("", None),
            ("d", None),
            ("d=", None),
            ("d=-1", None),
            ("d=0", None),
            ("md=512", None),
            ("difficulty=512", None),
            ("d=512=3", None),
        ] {
            let read = LoginOptions::parse("acct", text);
            assert_eq!(read.password_difficulty.map(Difficulty::get), wish, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_only_ever_shortened(worker: String, password: String) {
            let read = LoginOptions::parse(&worker, &password);
            prop_assert!(worker.starts_with(read.worker));
            prop_assert_eq!(read.worker.is_empty(), worker.is_empty());
            prop_assert_eq!(read.worker == worker, read.suffix_difficulty.is_none());
        }
    }
}
