//! Workers' names beside the account: who may submit on a connection.

use std::collections::BTreeSet;
use std::time::Duration;

use super::SAME_INSTANT;

/// The account of the route itself.
pub(super) const ACCOUNT: &str = "account";

/// What a pool thinks of other names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::storm) enum NameRule {
    /// It welcomes all.
    #[default]
    All,
    /// It refuses some, which nobody else feels.
    Some,
    /// It refuses some, and whoever authorized last decides for all.
    OneFlag,
}

/// Who has authorized on a connection.
#[derive(Debug, Default)]
pub(super) struct Names {
    welcome: BTreeSet<String>,
    /// What the last authorize came to.
    last: bool,
    /// When the proxy read that it was refused.
    refusal_read: Option<Duration>,
}

impl Names {
    /// A name is to be authorized; whether it is.
    pub(super) fn authorize(&mut self, rule: NameRule, name: &str) -> bool {
        let odd = name.bytes().last().is_some_and(|last| matches!(last, b'2' | b'7'));
        let welcome = name == ACCOUNT || rule == NameRule::All || !odd;
        self.last = welcome;
        if welcome {
            self.refusal_read = None;
            self.welcome.insert(name.to_owned());
        }
        welcome
    }

    pub(super) fn refusal_read(&mut self, now: Duration) {
        if !self.last {
            self.refusal_read.get_or_insert(now);
        }
    }

    /// Whether a share under a name is to be judged at all; `Err` where it is not, with whether the
    /// proxy knew that when it wrote the share.
    pub(super) fn may_submit(
        &self,
        rule: NameRule,
        name: &str,
        came: Duration,
    ) -> Result<(), bool> {
        if !self.welcome.contains(name) {
            return Err(true);
        }
        if rule != NameRule::OneFlag || self.last {
            return Ok(());
        }
        Err(self.refusal_read.is_some_and(|read| came.saturating_sub(read) > SAME_INSTANT))
    }
}
