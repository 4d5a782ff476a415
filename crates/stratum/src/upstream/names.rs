//! Workers under names of their own on the one connection.
//!
//! A name is asked for with the worker's first share. Until the pool has welcomed it, and for good
//! if it does not, that worker's shares go out under the route's own user: nothing waits for a
//! name, and no share is lost for one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::requests::{Request, without_password};
use super::{Notice, Upstream, VERDICT_WITHIN};
use crate::channel::Account;
use crate::dialect::Dialect;
use crate::error::shown;
use crate::rpc::{Message, PoolError};
use crate::secret::Secret;

/// The most names that are asked for on one connection.
pub const MAX_NAMES: usize = 1000;
/// The most names that are asked for within a second.
pub const MAX_NAMES_PER_SECOND: usize = 5;
/// So many refusals without a welcome mean that the pool takes no names but the route's own.
const GIVE_UP_AFTER: usize = 3;
/// The most single names whose refusal is said, over all connections of a session.
const MAX_REFUSALS_SAID: u8 = 3;

/// What the pool thinks of each name that it was asked about on this connection.
pub(super) struct Names {
    standings: HashMap<Box<str>, Standing>,
    authorized: usize,
    refused: usize,
    /// The pool takes no names, so no more are asked for.
    given_up: bool,
    /// When the last names were asked for, the oldest first.
    recent: ArrayVec<Instant, MAX_NAMES_PER_SECOND>,
    /// How many refusals have been said. This and the next outlive the connection.
    refusals_said: u8,
    given_up_said: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Asked,
    Authorized,
    Refused,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            standings: HashMap::new(),
            authorized: 0,
            refused: 0,
            given_up: false,
            recent: ArrayVec::new(),
            refusals_said: 0,
            given_up_said: false,
        }
    }

    /// A new connection knows no names.
    pub(super) fn forget(&mut self) {
        let Self { refusals_said, given_up_said, .. } = *self;
        *self = Self { refusals_said, given_up_said, ..Self::new() };
    }

    pub(super) fn is_authorized(&self, name: &str) -> bool {
        self.standings.get(name) == Some(&Standing::Authorized)
    }

    /// Whether the pool may be asked about a name now.
    fn may_ask(&self, name: &str, now: Instant) -> bool {
        const SECOND: Duration = Duration::from_secs(1);
        let rested = |oldest: &Instant| now.saturating_duration_since(*oldest) >= SECOND;
        !self.given_up
            && !self.standings.contains_key(name)
            && self.standings.len() < MAX_NAMES
            && (!self.recent.is_full() || self.recent.first().is_some_and(rested))
    }

    fn asked(&mut self, name: &str, now: Instant) {
        if self.recent.is_full() {
            self.recent.remove(0);
        }
        self.recent.push(now);
        self.standings.insert(name.into(), Standing::Asked);
    }

    fn welcome(&mut self, name: &str) {
        if let Some(standing) = self.standings.get_mut(name) {
            *standing = Standing::Authorized;
            self.authorized += 1;
        }
    }

    /// A name is not used on this connection.
    fn shelve(&mut self, name: &str) {
        if let Some(standing) = self.standings.get_mut(name) {
            *standing = Standing::Refused;
        }
    }

    /// The pool does not take a name. Gives what should be said about that.
    fn refuse(&mut self, name: &str, reason: String) -> Option<Notice> {
        let standing = self.standings.get_mut(name)?;
        match std::mem::replace(standing, Standing::Refused) {
            Standing::Refused => return None,
            Standing::Authorized => self.authorized -= 1,
            Standing::Asked => {}
        }
        self.refused += 1;
        if self.given_up {
            return None;
        }
        self.given_up = self.authorized == 0 && self.refused >= GIVE_UP_AFTER;
        if self.given_up {
            let said = std::mem::replace(&mut self.given_up_said, true);
            return (!said).then_some(Notice::NamesRefused { reason });
        }
        if self.refusals_said == MAX_REFUSALS_SAID {
            return None;
        }
        self.refusals_said += 1;
        Some(Notice::NameRefused { name: shown(name), reason })
    }
}

impl<D: Dialect, T> Upstream<D, T> {
    /// Asks the pool about the name of a worker whose share has just been written, unless it was
    /// asked before or the limits forbid it; the worker's next share may do so then.
    pub(super) fn introduce(&mut self, account: Arc<Account>, now: Instant) {
        let Account { name, password } = &*account;
        if **name == *self.config.user
            || !self.names.may_ask(name, now)
            || !self.requests.has_room()
        {
            return;
        }
        let password = password.as_ref().map_or(&*self.config.password, Secret::reveal);
        let id = self.requests.next_id();
        if !self.pacer.write_authorize(id, name, password, &mut self.transmit, now) {
            return;
        }
        self.names.asked(name, now);
        self.requests.push(Request::Name(account), now);
    }

    pub(super) fn name_answered(
        &mut self,
        account: &Account,
        message: &Message<'_>,
        error: Option<PoolError>,
    ) {
        let welcome = message.result.is_some_and(|result| result.get() == "true");
        match error {
            None if welcome => self.names.welcome(&account.name),
            None => self.name_refused(account, "no reason given".to_owned()),
            Some(error) => self.name_refused(account, error.to_string()),
        }
    }

    pub(super) fn name_unanswered(&mut self, account: &Account) {
        if self.unanswered > 0 {
            // A pool that answers nothing at all has said nothing about names either.
            self.names.shelve(&account.name);
        } else {
            self.name_refused(account, format!("no answer within {VERDICT_WITHIN:?}"));
        }
    }

    /// From now on this worker's shares go out under the route's own user.
    pub(super) fn name_refused(&mut self, account: &Account, reason: String) {
        let reason = without_password(reason, &self.config.password);
        let own = account.password.as_ref().map_or("", Secret::reveal);
        let reason = without_password(reason, own);
        if let Some(notice) = self.names.refuse(&account.name, reason) {
            self.notice(notice);
        }
    }
}
